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

from invr_core.models.cwrnn.layers import Cell, Pointwise, mixed, silence
from invr_core.models.cwrnn.recurrence import State, rescale_flow, resize
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
    return mixed(rgb, rgb.new_tensor(YCC))


class Refinement(nn.Module):
    """A correction of both flows, and which anchor to believe, from the states and from how the anchors disagree."""

    def __init__(self, channels: int, hidden: int = 16) -> None:
        super().__init__()
        self.states = Pointwise(4 * channels, hidden)
        self.enter = nn.Conv2d(8, hidden, 3, padding=1)
        self.mix = Cell(hidden)
        self.leave = Pointwise(hidden, 5)
        silence(self.leave)

    def forward(self, luma: Tensor, state: State, reach: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Flows to the anchors before, then to those after, (2 B, 2, h, w), and the gate's logit, (B, 1, h, w).

        Args:
            luma: (2 B, 1, a, b) of the anchors before, then of those after.
            state: of the 2 B paths that have come from them.
            reach: (B, 1, 1, 1) in [0, 1]: how far the instant is from the anchor before. At an anchor the
                correction of its flow is zero, by construction.
            size: (h, w) at which flows are corrected.
        """
        flows = rescale_flow(state.origin, size)
        old, new = _fetch(F.adaptive_avg_pool2d(luma, size), flows, size).chunk(2)
        states = torch.cat(torch.cat([state.appearance, state.motion], 1).chunk(2), 1)
        seen = torch.cat([old, new, 4 * (old - new), 4 * (old - new).abs(), *(0.1 * flows).chunk(2)], 1)
        x = self.leave(self.mix(F.gelu(self.enter(seen) + resize(self.states(states), size))))
        return flows + torch.cat([reach * x[:, 0:2], (1 - reach) * x[:, 2:4]]), x[:, 4:5]


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
        self.states = Pointwise(2 * channels, width)
        self.detail = Pointwise(detail, width, bias=False)
        self.cells = nn.Sequential(*(Cell(width) for _ in range(depth)))
        self.leave = Pointwise(width, 12)

    def forward(self, anchors: Anchor, state: State, detail: Tensor, reach: Tensor, size: tuple[int, int]) -> Tensor:
        """Render.

        Args:
            anchors: at any resolution: B before, then B after.
            state: of the 2 B paths that have come from them.
            detail: (B, detail, H / 2, W / 2) the residual grid.
            reach: (B, 1, 1, 1) in [0, 1], see `Refinement`.
            size: (H, W) of the picture, even.

        Returns:
            (B, 3, H, W).
        """
        if self.without == "backward":
            anchors, state, reach = Anchor(*map(_first, anchors)), State(*map(_first, state)), 0 * reach
        half, near = (size[0] // 2, size[1] // 2), (max(size[0] // NEAR, 1), max(size[1] // NEAR, 1))
        if self.without in ("refinement", "warp"):
            flows, logit = state.origin, torch.zeros_like(reach)
        else:
            flows, logit = self.refine(anchors.luma, state, reach, near)
        old, new = (Anchor(*sides) for sides in zip(*(x.chunk(2) for x in _fetched(anchors, flows, size)), strict=True))
        gate = shared(resize(logit, half), reach)
        luma = torch.lerp(old.luma, new.luma, resize(gate, size))
        chroma = torch.lerp(old.chroma, new.chroma, gate)
        bow = 4 * reach * (1 - reach)
        apart = [F.pixel_unshuffle(bow * (old.luma - new.luma).abs(), 2), bow * (old.chroma - new.chroma).abs()]
        x = self.enter(_by_pixel(torch.cat([F.pixel_unshuffle(luma, 2), chroma, *apart], 1)))
        ahead, behind = torch.cat([state.appearance, state.motion], 1).chunk(2)
        states = torch.lerp(ahead, behind, reach)
        x = x + resize(_by_pixel(self.states(states)), half) + self.detail(detail)
        picture = torch.cat([luma, resize(chroma, size)], 1) + F.pixel_shuffle(self.leave(self.cells(x)), 2)
        return mixed(picture, picture.new_tensor(RGB))


def shared(logit: Tensor, reach: Tensor) -> Tensor:
    """How much the anchor after counts: ``sigmoid(logit + log(reach / (1 - reach)))``, exactly 0 and 1 at the anchors.

    Args:
        logit: (B, 1, h, w).
        reach: (B, 1, 1, 1) in [0, 1].

    Returns:
        (B, 1, h, w), with finite gradients at the anchors, too.
    """
    inside = (reach > 0) & (reach < 1)
    between = torch.sigmoid(logit + torch.logit(torch.where(inside, reach, 0.5)))
    odds = logit.clamp(-20, 20).exp()  # the slope at 0, and 1 / that at 1
    return torch.where(inside, between, torch.where(reach > 0, 1 - (1 - reach) / odds, reach * odds))


def _first(both: Tensor) -> Tensor:
    """(2 B, …) with the first half in place of the second."""
    return both.chunk(2)[0].repeat(2, 1, 1, 1)


def _by_pixel(picture: Tensor) -> Tensor:
    """The same, the channels of a pixel side by side in memory: on a CPU wide layers are several times as fast."""
    return picture.contiguous(memory_format=torch.channels_last)


def _fetched(anchors: Anchor, flows: Tensor, size: tuple[int, int]) -> Anchor:
    """Anchors brought along flows: luma to a picture of ``size``, chroma to half of it.

    Bicubic, because bilinear luma is blurred the more the farther a position lies from the pixels' centres, and one
    anchor cannot be sharp enough for all the frames that it has to explain.
    """
    half = (size[0] // 2, size[1] // 2)
    return Anchor(_fetch(anchors.luma, flows, size, "bicubic"), _fetch(anchors.chroma, flows, half))


def _fetch(picture: Tensor, flow: Tensor, size: tuple[int, int], mode: str = "bilinear") -> Tensor:
    """A picture of any resolution, brought along a flow to one of ``size``."""
    return warp(picture, rescale_flow(flow, size), mode)
