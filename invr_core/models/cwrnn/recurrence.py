"""The Coupled WarpRNN: two recurrent states that carry each other through time.

From the paper's abstract: a Coupled WarpRNN represents motion at several scales and compensates for it explicitly.
Ours: what is coupled and how. The *motion* state gives the velocity that warps both states; the warped *appearance*
is what the update of the motion sees; the residual grid enters both updates. A step has a real length, and a step of
length 0 changes nothing, so the path is continuous in time.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from invr_core.models.cwrnn.layers import Pointwise, silence
from invr_core.sampling import warp

HEAD_GAIN = 0.1
"""Coarse pixels an interval that the velocity head means by 1: Adam moves all weights by about the same amount, and in
whole coarse pixels that throws the motion of the whole frame off within a few steps."""


class State(NamedTuple):
    """Where a path has come to, for B paths."""

    appearance: Tensor
    """(B, C, h, w) recurrent, at the coarse scale."""
    motion: Tensor
    """(B, C, h, w) recurrent, at the coarse scale."""
    origin: Tensor
    """(B, 2, H, W) flow to the anchor the path began at, in pixels of the motion scale."""

    @staticmethod
    def gather(states: list[State], step: Tensor, path: Tensor) -> State:
        """The states of chosen ``(step, path)`` pairs, each (M,)."""

        return State(*(torch.stack(tensors)[step, path] for tensors in zip(*states, strict=True)))


def resize(field: Tensor, size: tuple[int, int]) -> Tensor:
    """A field brought to another resolution, its values unchanged."""
    return F.interpolate(field, size, mode="bilinear", align_corners=False) if field.shape[-2:] != size else field


def rescale_flow(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """A flow brought to another resolution, its values in pixels of the new one."""
    ratio = flow.new_tensor([size[1] / flow.shape[3], size[0] / flow.shape[2]]).view(1, 2, 1, 1)
    return resize(flow, size) * ratio


def step_flow(velocity: Tensor, length: Tensor) -> Tensor:
    """Where the pixels came from over a step: midpoint rule through a velocity field.

    Args:
        velocity: (B, 2, H, W) pixels per unit of length.
        length: (B, 1, 1, 1), signed: positive for a step forward in time.
    """
    return -length * warp(velocity, -0.5 * length * velocity)


def compose(flow: Tensor, onward: Tensor) -> Tensor:
    """First along ``flow``, then along ``onward`` from where it lands; both (B, 2, H, W) pixels."""
    return flow + warp(onward, flow)


class Update(nn.Module):
    """A bounded residual update: mixes over a 3x3 neighbourhood, then over channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.mix = Pointwise(inputs, outputs)
        self.spread = nn.Conv2d(outputs, outputs, 3, padding=1, groups=outputs)
        self.out = Pointwise(outputs, outputs)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Inputs (B, C_i, h, w) stacked along channels -> (B, outputs, h, w) in [-1, 1]."""
        return torch.tanh(self.out(F.gelu(self.spread(self.mix(torch.cat(inputs, 1))))))


class WarpRNN(nn.Module):
    """One step of the two coupled states.

    Args:
        channels: of each of the two states.
        detail: channels of the residual grid's appearance.
        without: a part that is left out, see `invr_core.models.cwrnn.config.PARTS`.
    """

    def __init__(self, channels: int, detail: int, without: str = "") -> None:
        super().__init__()
        self.without = without
        self.velocity_head = nn.Conv2d(channels, 2, 3, padding=1)
        self.motion_update = Update(2 * channels + detail + 2, channels)
        self.appearance_update = Update(2 * channels + detail, channels)
        silence(self.velocity_head)

    def velocity(self, state: State, size: tuple[int, int]) -> Tensor:
        """The regular part of the velocity, brought up to the motion scale: (B, 2, *size) pixels an interval."""
        return rescale_flow(HEAD_GAIN * self.velocity_head(state.motion), size)

    def forward(self, state: State, flow: Tensor, detail: Tensor, amount: Tensor) -> State:
        """Carry a state over a step.

        Args:
            state: of B paths.
            flow: (B, 2, H, W) pixels of the motion scale: where each pixel of the new instant was at the old one.
            detail: (B, detail, h, w) the grid's appearance at the end of the step, at the coarse scale.
            amount: (B, 1, 1, 1) in [0, 1]: which part of a whole step this is.
        """
        origin = compose(flow, state.origin)
        if self.without == "recurrence":
            return State(state.appearance, state.motion, origin)
        coarse = rescale_flow(flow, (state.appearance.shape[2], state.appearance.shape[3]))
        appearance, motion = warp(torch.cat([state.appearance, state.motion], 1), coarse).chunk(2, 1)
        seen = torch.zeros_like(appearance) if self.without == "coupling" else appearance
        motion = motion + amount * self.motion_update(motion, seen, detail, coarse)
        appearance = appearance + amount * self.appearance_update(appearance, motion, detail)
        return State(appearance, motion, origin)
