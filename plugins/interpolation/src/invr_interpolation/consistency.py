"""Whether matched motion can be trusted: the way back has to end where it began."""

from __future__ import annotations

from torch import Tensor

from invr_core.sampling import target_grid, warp

SLACK, SHARE = 0.5, 0.01
"""Square pixels by which a motion and the way back may miss, and how much more of the sum of both squared."""


def consistent(there: Tensor, back: Tensor) -> Tensor:
    """Whether the way back from where a motion leads ends where it began, inside the picture.

    Args:
        there, back: (1, 2, H, W) pixels.

    Returns:
        (1, 1, H, W), 1 or 0.

    Source:
        N. Sundaram et al., Dense Point Trajectories by GPU-Accelerated Large Displacement Optical Flow, ECCV 2010.
    """
    found, places = warp(back, there), target_grid(there)
    lengths = there.square().sum(1, keepdim=True) + found.square().sum(1, keepdim=True)
    missed = (there + found).square().sum(1, keepdim=True)
    ends = places.new_tensor([there.shape[3] - 1, there.shape[2] - 1]).view(1, 2, 1, 1)
    inside = ((places >= 0) & (places <= ends)).all(1, keepdim=True)
    return ((missed < SHARE * lengths + SLACK) & inside).to(there)
