"""What noise a clip has, told from the clip alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from invr_core.anscombe import Anscombe
from invr_core.noise import ROUNDING, clips, gaussian_level, impulses, noise_curve, unclipped
from invr_core.transport import patched
from invr_core.video import Video

Kind = Literal["auto", "gaussian", "poisson", "salt-pepper", "mixed"]

IMPULSES_FROM = 0.01
"""Share of impulses in the frames, as many black as white, from which noise counts as salt-and-pepper."""
SLIGHT = 0.01
"""Once noise is known to be salt-and-pepper, the difference from its surroundings that makes an extreme pixel one."""
MIXED_FROM = 6 / 255
"""Level of what is no impulse, from which on it is noise as well; below, it may be a fine texture."""
OUTLYING = 3
"""Levels of other noise, made alike, by which an extreme pixel differs from what is around it to be an impulse."""
PLAIN = 0.2
"""The difference from which on it is one whatever the noise, which hardly ever makes all channels black, or white."""
PROBES = 5
"""Frames from which the kind and the level of the noise are told."""
LARGE, TILE, TILES = 1 << 21, 256, 5
"""Pixels of a frame from which on it is not asked whole, but by so many tiles of so many pixels, across and down."""


@dataclass(frozen=True)
class Noise:
    """Impulses, and noise everywhere of one level once it is `alike`.

    Args:
        impulsive: whether there are impulses.
        level: standard deviation of the other noise, alike everywhere; 0 if there is none.
        alike: what makes it so.
        cut_off: whether it was cut off at black and white.
    """

    impulsive: bool = False
    level: float = 0.0
    alike: Anscombe = field(default_factory=Anscombe)
    cut_off: bool = False

    def known(self, video: Video) -> Video | None:
        """1 where a pixel is no impulse, else 0, one channel; None if there are none."""
        if not self.impulsive:
            return None
        apart = min(max(SLIGHT, OUTLYING * self.level), PLAIN)
        return video.map(lambda frames: 1 - impulses(self.alike(frames), apart))

    def prepared(self, video: Video, known: Video | None) -> Video:
        """The clip with noise of one level everywhere, and without impulses: they are filled from around them."""
        whole = video if known is None else patched(video, known)
        return whole.map(self.alike) if self.alike.growth else whole

    def undone(self, means: Tensor) -> Tensor:
        """What is `prepared`, without its noise, as it is to be shown; what cutting it off did to means is undone."""
        means = means.clamp(0, 1)
        if self.cut_off:
            whole = unclipped(means, self.level)
            means = torch.where(means > 0.5, whole, means) if self.alike.counted else whole
        return self.alike.undone(means)

    def variance(self, picture: Tensor) -> Tensor | float:
        """Of the noise of a picture as it is shown, (1, C, H, W): (1, 1, H, W)."""
        return self.alike.variance(picture.mean(1, keepdim=True)) if self.alike.growth else self.level**2


def noise_of(video: Video, kind: Kind) -> Noise:
    """What noise a clip has, if it is of a kind; ``auto`` tells the kind as well."""
    frames = _probe(video)
    impulsive = kind in ("salt-pepper", "mixed") or (kind == "auto" and _impulsive(frames))
    known = 1 - impulses(frames, SLIGHT) if impulsive else None
    level = gaussian_level(frames, known) if kind != "salt-pepper" else 0.0
    if kind == "salt-pepper" or (kind == "auto" and level < (MIXED_FROM if impulsive else ROUNDING)):
        return Noise(impulsive)
    growth, floor = noise_curve(frames, known, certain=kind == "poisson") if kind != "gaussian" else (0.0, 0.0)
    if not growth:
        return Noise(impulsive, level, cut_off=clips(frames, level, known))
    alike = Anscombe(growth, floor)
    levels = alike.variance(F.avg_pool2d(frames, 5, 1, 2, count_include_pad=False)).sqrt()
    return Noise(impulsive, alike.level, alike, clips(frames, levels, known))


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
