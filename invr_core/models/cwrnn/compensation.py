"""Motion compensation at the fine scale: the anchors brought to an instant, gated, and completed by the network.

From the paper's abstract: multi-scale motion representation and compensation. Ours: anchors warped once along the
composed flow (warping pictures is nearly free, warping wide features is not), a correction of the flow at an
intermediate scale, a gate between the two anchors, two depthwise cells at half resolution and a pixel shuffle.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from invr_core.models.cwrnn.recurrence import State, rescale_flow, resize, silence
from invr_core.sampling import pixel_grid, sample


class Cell(nn.Module):
    """Depthwise 3x3, then two pointwise layers, added to what came in (the ConvNeXt form)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.widen = nn.Conv2d(width, 2 * width, 1)
        self.narrow = nn.Conv2d(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h, w) -> the same shape."""
        added: Tensor = self.narrow(F.gelu(self.widen(self.spread(x))))
        return x + added


class Refinement(nn.Module):
    """What the two states say at the motion scale: a correction of each flow, and which anchor to believe."""

    def __init__(self, channels: int, hidden: int = 16) -> None:
        super().__init__()
        self.enter = nn.Conv2d(4 * channels + 4, hidden, 1)
        self.spread = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.leave = nn.Conv2d(hidden, 5, 1)
        silence(self.leave)

    def forward(self, ahead: State, behind: State, reach: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Flows to the anchor before and after, (B, 2, H, W) each, and the gate's logit, (B, 1, H, W).

        Args:
            ahead: come forward from the anchor before; behind: come back from the anchor after.
            reach: (B, 1, 1, 1) in [0, 1]: how far the instant is from the anchor before. At an anchor the
                correction of its flow is zero, by construction.
        """
        size = (ahead.origin.shape[2], ahead.origin.shape[3])
        states = torch.cat([ahead.appearance, ahead.motion, behind.appearance, behind.motion], 1)
        x = torch.cat([resize(states, size), 0.1 * ahead.origin, 0.1 * behind.origin], 1)
        x = self.leave(F.gelu(self.spread(self.enter(x))))
        return ahead.origin + reach * x[:, 0:2], behind.origin + (1 - reach) * x[:, 2:4], x[:, 4:5]


class Compensation(nn.Module):
    """From two warped anchors, two states and the residual's detail to a picture.

    Either side counts by its nearness, and not at all where the other's anchor stands: there the next stretch takes
    over, and the picture must not jump.

    Args:
        anchor_channels: of an anchor; the first three are its picture.
        channels: of each recurrent state.
        detail: channels of the residual grid's appearance.
        width, depth: of the cells at half resolution.
    """

    def __init__(self, anchor_channels: int, channels: int, detail: int, width: int, depth: int) -> None:
        super().__init__()
        self.refine = Refinement(channels)
        self.enter = nn.Conv2d(2 * anchor_channels + 3, width, 1)
        self.states = nn.Conv2d(2 * channels, width, 1)
        self.detail = nn.Conv2d(detail, width, 1, bias=False)
        self.cells = nn.Sequential(*(Cell(width) for _ in range(depth)))
        self.leave = nn.Conv2d(width, 12, 1)

    def forward(
        self,
        before: Tensor,
        after: Tensor,
        ahead: State,
        behind: State,
        detail: Tensor,
        reach: Tensor,
        size: tuple[int, int],
    ) -> Tensor:
        """Render.

        Args:
            before, after: (B, anchor_channels, a, b) anchors, at any resolution.
            ahead, behind: the states that have come from them.
            detail: (B, detail, h, w) the residual grid, at any resolution up to half.
            reach: (B, 1, 1, 1) in [0, 1], see `Refinement`.
            size: (H, W) of the picture, even.

        Returns:
            (B, 3, H, W).
        """
        half = (size[0] // 2, size[1] // 2)
        flow_before, flow_after, logit = self.refine(ahead, behind, reach)
        warped_before, warped_after = _fetch(before, flow_before, half), _fetch(after, flow_after, half)
        gate = torch.sigmoid(resize(logit, half) + torch.logit(reach))  # exactly 0 and 1 at the anchors
        blend = torch.lerp(warped_before[:, :3], warped_after[:, :3], gate)
        mixed = torch.lerp(warped_before, warped_after, reach)
        apart = 4 * reach * (1 - reach) * (warped_before - warped_after).abs()
        x = self.enter(torch.cat([mixed, apart, blend], 1))
        appearance = torch.lerp(ahead.appearance, behind.appearance, reach)
        motion = torch.lerp(ahead.motion, behind.motion, reach)
        x = x + resize(self.states(torch.cat([appearance, motion], 1)), half) + resize(self.detail(detail), half)
        x = self.leave(self.cells(x))
        return F.interpolate(blend, size, mode="bilinear", align_corners=False) + F.pixel_shuffle(x, 2)


def _fetch(anchor: Tensor, flow: Tensor, size: tuple[int, int]) -> Tensor:
    """An anchor of any resolution, brought along a flow to a picture of ``size``."""
    flow = rescale_flow(flow, size)
    ratio = flow.new_tensor([anchor.shape[3] / size[1], anchor.shape[2] / size[0]]).view(1, 2, 1, 1)
    positions = (pixel_grid(*size, flow.device) + flow + 0.5) * ratio - 0.5
    return sample(anchor, positions)[0]
