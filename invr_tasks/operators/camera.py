"""What a camera that is shifted and rolled sees."""

from __future__ import annotations

import torch
from torch import Tensor

from invr_core.sampling import pixel_grid, sample


def displace(frames: Tensor, movement: Tensor, *, back: bool = False) -> tuple[Tensor, Tensor]:
    """Frames whose picture is turned about its middle and shifted, by subpixels; differentiable.

    Args:
        frames: (n, C, H, W) float.
        movement: (n, 3) of each frame: pixels to the right and down, and radians clockwise.
        back: undo the movement instead.

    Returns:
        the same shape, the border repeated where the picture has left it, and (n, 1, H, W) of 0 there and 1 elsewhere.

    Example:
        >>> picture = torch.arange(4.0).view(1, 1, 1, 4)
        >>> moved, inside = displace(picture, torch.tensor([[1.0, 0.0, 0.0]]))
        >>> moved.flatten().tolist(), inside.flatten().tolist()
        ([0.0, 0.0, 1.0, 2.0], [0.0, 1.0, 1.0, 1.0])
    """
    height, width = frames.shape[2:]
    right, down, angle = (movement if back else _inverse(movement)).to(frames).view(-1, 3, 1, 1).unbind(1)
    grid = pixel_grid(height, width, frames.device)[0]
    x, y = (grid - (grid.new_tensor([width, height]).view(2, 1, 1) - 1) / 2)[:, None]
    cos, sin = angle.cos(), angle.sin()
    x, y = cos * x - sin * y + right + (width - 1) / 2, sin * x + cos * y + down + (height - 1) / 2
    return sample(frames, torch.stack([x, y], 1), "bicubic")


def _inverse(movement: Tensor) -> Tensor:
    right, down, angle = movement.unbind(1)
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([-cos * right - sin * down, sin * right - cos * down, -angle], 1)
