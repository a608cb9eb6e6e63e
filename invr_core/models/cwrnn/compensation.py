"""Motion compensation at the fine scale: the anchors brought to an instant, gated, and completed by the network.

From the paper's abstract: multi-scale motion representation and compensation. Ours: anchors that keep luma at full
resolution and chroma coarsely, warped once along the composed flow (warping a picture is nearly free, warping wide
features is not); a correction of the flow, and a gate between the two anchors, from how the warped anchors disagree;
two cells at half resolution and a pixel shuffle.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from invr_core.models.cwrnn.recurrence import State, rescale_flow, resize, silence
from invr_core.sampling import warp

YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))
"""From RGB to luma and chroma, and back (ITU-T T.871, full range, chroma around 0)."""
NEAR = 4
"""How much coarser than the frame the flow is corrected."""


class Anchor(NamedTuple):
    """A stored picture: luma (B, 1, h, w), at up to full resolution, and chroma (B, 2, h', w')."""

    luma: Tensor
    chroma: Tensor


def to_ycc(rgb: Tensor) -> Tensor:
    """(B, 3, H, W) RGB -> luma and two chroma channels."""
    return F.conv2d(rgb, rgb.new_tensor(YCC).view(3, 3, 1, 1))


class Cell(nn.Module):
    """A 3x3 layer, added to what came in. On a CPU it is faster than a depthwise and two pointwise ones."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h, w) -> the same shape."""
        return x + F.gelu(self.mix(x))


class Refinement(nn.Module):
    """A correction of both flows, and which anchor to believe, from the states and from how the anchors disagree."""

    def __init__(self, channels: int, hidden: int = 16) -> None:
        super().__init__()
        self.states = nn.Conv2d(4 * channels, hidden, 1)
        self.enter = nn.Conv2d(8, hidden, 3, padding=1)
        self.mix = Cell(hidden)
        self.leave = nn.Conv2d(hidden, 5, 1)
        silence(self.leave)

    def forward(
        self, before: Tensor, after: Tensor, ahead: State, behind: State, reach: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Flows to the anchor before and after, (B, 2, h, w) each, and the gate's logit, (B, 1, h, w).

        Args:
            before, after: (B, 1, a, b) luma of the anchors.
            ahead: come forward from the anchor before; behind: come back from the anchor after.
            reach: (B, 1, 1, 1) in [0, 1]: how far the instant is from the anchor before. At an anchor the
                correction of its flow is zero, by construction.
            size: (h, w) at which flows are corrected.
        """
        to_before, to_after = rescale_flow(ahead.origin, size), rescale_flow(behind.origin, size)
        old = _fetch(F.adaptive_avg_pool2d(before, size), to_before, size)
        new = _fetch(F.adaptive_avg_pool2d(after, size), to_after, size)
        states = torch.cat([ahead.appearance, ahead.motion, behind.appearance, behind.motion], 1)
        seen = torch.cat([old, new, 4 * (old - new), 4 * (old - new).abs(), 0.1 * to_before, 0.1 * to_after], 1)
        x = self.leave(self.mix(F.gelu(self.enter(seen) + resize(self.states(states), size))))
        return to_before + reach * x[:, 0:2], to_after + (1 - reach) * x[:, 2:4], x[:, 4:5]


class Compensation(nn.Module):
    """From two warped anchors, two states and the residual's detail to a picture.

    Either side counts by its nearness, and not at all where the other's anchor stands: there the next stretch takes
    over, and the picture must not jump.

    Args:
        channels: of each recurrent state.
        detail: channels of the residual grid's appearance.
        width, depth: of the cells at half resolution.
        without: a part that is left out, see `invr_core.models.cwrnn.config.PARTS`.
    """

    def __init__(self, channels: int, detail: int, width: int, depth: int, without: str = "") -> None:
        super().__init__()
        self.without = without
        self.refine = Refinement(channels)
        self.enter = nn.Conv2d(12, width, 3, padding=1)
        self.states = nn.Conv2d(2 * channels, width, 1)
        self.detail = nn.Conv2d(detail, width, 1, bias=False)
        self.cells = nn.Sequential(*(Cell(width) for _ in range(depth)))
        self.leave = nn.Conv2d(width, 12, 1)

    def forward(
        self,
        before: Anchor,
        after: Anchor,
        ahead: State,
        behind: State,
        detail: Tensor,
        reach: Tensor,
        size: tuple[int, int],
    ) -> Tensor:
        """Render.

        Args:
            before, after: the anchors, at any resolution.
            ahead, behind: the states that have come from them.
            detail: (B, detail, H / 2, W / 2) the residual grid.
            reach: (B, 1, 1, 1) in [0, 1], see `Refinement`.
            size: (H, W) of the picture, even.

        Returns:
            (B, 3, H, W).
        """
        if self.without == "backward":
            after, behind, reach = before, ahead, 0 * reach
        half, near = (size[0] // 2, size[1] // 2), (max(size[0] // NEAR, 1), max(size[1] // NEAR, 1))
        if self.without in ("refinement", "warp"):
            to_before, to_after, logit = ahead.origin, behind.origin, torch.zeros_like(reach)
        else:
            to_before, to_after, logit = self.refine(before.luma, after.luma, ahead, behind, reach, near)
        old, new = _fetch_both(before, to_before, size), _fetch_both(after, to_after, size)
        gate = torch.sigmoid(resize(logit, half) + torch.logit(reach))  # exactly 0 and 1 at the anchors
        luma = torch.lerp(old.luma, new.luma, resize(gate, size))
        chroma = torch.lerp(old.chroma, new.chroma, gate)
        bow = 4 * reach * (1 - reach)
        apart = [F.pixel_unshuffle(bow * (old.luma - new.luma).abs(), 2), bow * (old.chroma - new.chroma).abs()]
        x = torch.cat([F.pixel_unshuffle(luma, 2), chroma, *apart], 1)
        appearance = torch.lerp(ahead.appearance, behind.appearance, reach)
        motion = torch.lerp(ahead.motion, behind.motion, reach)
        states = resize(self.states(torch.cat([appearance, motion], 1)), half)
        x = self.enter(x.contiguous(memory_format=torch.channels_last)) + states + self.detail(detail)
        picture = torch.cat([luma, resize(chroma, size)], 1) + F.pixel_shuffle(self.leave(self.cells(x)), 2)
        return F.conv2d(picture, picture.new_tensor(RGB).view(3, 3, 1, 1))


def _fetch_both(anchor: Anchor, flow: Tensor, size: tuple[int, int]) -> Anchor:
    """An anchor brought along a flow: its luma to a picture of ``size``, its chroma to half of it.

    Bicubic, because bilinear luma is blurred the more the farther a position lies from the pixels' centres, and one
    anchor cannot be sharp enough for all the frames that it has to explain.
    """
    half = (size[0] // 2, size[1] // 2)
    return Anchor(_fetch(anchor.luma, flow, size, "bicubic"), _fetch(anchor.chroma, flow, half))


def _fetch(picture: Tensor, flow: Tensor, size: tuple[int, int], mode: str = "bilinear") -> Tensor:
    """A picture of any resolution, brought along a flow to one of ``size``."""
    return warp(picture, rescale_flow(flow, size), mode)
