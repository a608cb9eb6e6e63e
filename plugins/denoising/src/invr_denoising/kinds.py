"""What noise a clip has, told from the clip alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from invr_core.noise import clips, gaussian_level, impulses, noise_curve, unclipped
from invr_core.transport import patched
from invr_core.video import Video
from invr_denoising.stabilising import Stabiliser

Kind = Literal["auto", "gaussian", "poisson", "salt-pepper", "mixed"]

IMPULSES_FROM = 0.01
"""Share of impulses in the frames, as many black as white, from which noise counts as salt-and-pepper."""
SLIGHT = 0.01
"""Once noise is known to be salt-and-pepper, the difference from its surroundings that makes an extreme pixel one."""
MIXED_FROM = 6 / 255
"""Level of what is no impulse, from which on it is noise as well; below, it may be a fine texture."""
OUTLYING = 3
"""Levels of other noise by which an extreme pixel differs from its surroundings, to be an impulse beside it."""
PROBES = 5
"""Frames from which the kind and the level of the noise are told."""
LARGE, TILE, TILES = 1 << 21, 256, 5
"""Pixels of a frame from which on it is not asked whole, but by so many tiles of so many pixels, across and down."""


@dataclass(frozen=True)
class Noise:
    """Impulses, and noise everywhere of one level once it is stabilised.

    Args:
        impulsive: whether there are impulses.
        level: standard deviation of the other noise, stabilised; 0 if there is none.
        stabiliser: of it.
        cut_off: whether it was cut off at black and white.
    """

    impulsive: bool = False
    level: float = 0.0
    stabiliser: Stabiliser = field(default_factory=Stabiliser)
    cut_off: bool = False

    def known(self, video: Video) -> Video | None:
        """1 where a pixel is no impulse, else 0, one channel; None if there are none."""
        if not self.impulsive:
            return None
        apart = max(SLIGHT, OUTLYING * self.level)
        return video.map(lambda frames: 1 - impulses(frames, apart))

    def stabilised(self, video: Video) -> Video:
        """The clip with noise of one level everywhere, and without impulses: they are filled from around them."""
        known = self.known(video)
        whole = video if known is None else patched(video, known)
        return whole.map(self.stabiliser) if self.stabiliser.growth else whole

    def undone(self, means: Tensor) -> Tensor:
        """Stabilised pictures without their noise, as they are to be shown; what cutting it off did is undone."""
        means = means.clamp(0, 1)
        if self.cut_off:
            whole = unclipped(means, self.level)
            # The noise of light is never negative, so that it is not cut off at black.
            means = torch.where(means > 0.5, whole, means) if self.stabiliser.growth else whole
        return self.stabiliser.undone(means)


def noise_of(video: Video, kind: Kind, strength: float = 1.0) -> Noise:
    """What noise a clip has.

    Args:
        video: the noisy clip.
        kind: of which kind it is; ``auto`` tells that as well.
        strength: what the level is multiplied by that is told from the clip.
    """
    frames = _probe(video)
    impulsive = kind in ("salt-pepper", "mixed") or (kind == "auto" and _impulsive(frames))
    known = 1 - impulses(frames, SLIGHT) if impulsive else None
    level = gaussian_level(frames, known) if kind != "salt-pepper" else 0.0
    if level == 0 or (kind == "auto" and impulsive and level < MIXED_FROM):
        return Noise(impulsive)
    stabiliser = Stabiliser(*noise_curve(frames, known)) if kind != "gaussian" else Stabiliser()
    if stabiliser.growth:
        frames = stabiliser(frames)
        level = gaussian_level(frames, known)
    return Noise(impulsive, strength * level, stabiliser, clips(frames, level))


def _impulsive(frames: Tensor) -> bool:
    found, white = impulses(frames), (frames.mean(1, keepdim=True) > 0.5).to(frames)
    of_each = float((found * white).mean()), float((found * (1 - white)).mean())
    return 2 * min(of_each) > IMPULSES_FROM  # letters are of one kind


def _probe(video: Video) -> Tensor:
    """Frames, or tiles evenly spread over large ones, (n, C, H, W)."""
    every = range(0, len(video), max(len(video) // PROBES, 1))
    if video.size[0] * video.size[1] <= LARGE or min(video.size) < TILE:
        return video.read(every)
    tops, lefts = (torch.linspace(0, side - TILE, TILES).int().tolist() for side in video.size)
    places = [(top, left) for top in tops for left in lefts]
    return torch.cat(
        [
            torch.cat([frame[..., top : top + TILE, left : left + TILE] for top, left in places])
            for frame in (video.read([index]) for index in every)
        ]
    )
