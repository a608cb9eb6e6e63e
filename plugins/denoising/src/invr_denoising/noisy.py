"""Frames without noise of one level: like patches of each and of its neighbours, cleaned together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from skimage.restoration import denoise_nl_means
from torch import Tensor
from torch.nn import functional as F

from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.transport import Transported, mean, neighbours, transport, twice_as_fine
from invr_core.video import Video
from invr_denoising.kinds import Noise
from invr_denoising.patches import cleaned, cleaned_and_kept
from invr_tasks.confidence import confidence_of
from invr_tasks.task import frame_by_frame

PATCH, SEARCH, SOFTNESS = 3, 4, 0.45
"""Of non-local means: pixels across the patches that it compares, and around each within which it looks for others; and
the difference at which two count as alike, in levels of the noise."""
MOST_LEFT = 2.5
"""How much more noise than usual the pixels may hold that few frames could be averaged for."""
LEFT = 3.4
"""How much larger the square of what noise is left is than a linear estimate of patches reckons by itself."""
BARE = 25 / 255
"""The error that is expected of a pixel under an impulse to which no other frame brings anything."""


@dataclass(frozen=True, eq=False)
class Noisy:
    """A clip whose noise is of one level everywhere, to be cleaned.

    Args:
        video: its frames, as `Noise.prepared` makes them.
        known: one channel, 0 where an impulse was; None if there were none.
        fine: the frames, `twice_as_fine`.
        rep: fitted to the clip as it was.
        noise: that it has.
        level: that is to be removed.
        reach: in how many frames before and after each one the same thing is looked for, at most.
    """

    video: Video
    known: Video | None
    fine: Video
    rep: Representation
    noise: Noise
    level: float
    reach: int

    @classmethod
    def of(cls, video: Video, rep: Representation, noise: Noise, strength: float, reach: int) -> Noisy:
        """Of a clip as it was given; ``strength`` times the level of its noise is to be removed."""
        wide = 3 * reach + 1  # the pilots of a window of frames are made from the frames of a wider one
        known = noise.known(video)
        known = None if known is None else known.remembered(wide)
        prepared = noise.prepared(video, known)
        return cls(prepared, known, twice_as_fine(prepared, wide), rep, noise, strength * noise.level, reach)

    def piloted(self) -> Video:
        """The frames and, beside them, first pictures with little noise: six channels, `twice_as_fine`."""
        pilots = twice_as_fine(frame_by_frame(self.video, self._pilot), 2 * self.reach + 1)
        fine = self.fine

        def read(indices: Sequence[int]) -> Tensor:
            return torch.cat([fine.read(indices), pilots.read(indices)], 1)

        return replace(fine, channels=2 * fine.channels, read=read)

    def clean(self, piloted: Video, index: int, asked: bool) -> Tensor:
        """A frame without its noise, (1, 3, H, W); if it is asked for, how sure it is as well, (1, 4, H, W)."""
        brought = self._brought(index, piloted)
        noisy, pilot = brought.pictures.chunk(2, 1)
        here = int(brought.seconds.abs().argmin())
        if not asked:
            return self.noise.undone(cleaned(noisy, pilot, here, self.level))
        picture, kept = cleaned_and_kept(noisy, pilot, here, self.level)
        picture = self.noise.undone(picture)
        variance = self.noise.variance(picture)
        if self.known is not None:
            variance = variance + BARE**2 * (1 - self.known.read([index]).to(picture))
        return torch.cat([picture, confidence_of(LEFT * variance * kept)], 1)

    def _brought(self, index: int, fine: Video, known: Video | None = None) -> Transported:
        time = float(self.video.times[index])
        around = neighbours(self.video, time, self.reach)
        return transport(self.video, self.rep, time, around, weight=known, twice=fine)

    def _pilot(self, index: int) -> Tensor:
        """A first picture with little noise: the mean of what agrees with the frame."""
        own, level = self.noise.alike(self.rep(Query(self.video.times[index : index + 1]))), self.level
        brought = self._brought(index, self.fine, self.known)
        here = (brought.seconds == 0).to(own.device)
        given = brought.pictures[here]
        excess = _local_mean((brought.pictures - given).square().mean(1, keepdim=True)) - 2 * level**2
        agreement = torch.exp(-excess.clamp(min=0) / (0.3 * level**2 + 1e-8))
        known = brought.validity + 0.05
        weights = torch.where(here.view(-1, 1, 1, 1), known.clamp(max=1), known * agreement)
        averaged, _ = mean(brought.pictures, weights, own, 0.5)
        left = level * weights.square().sum(0, keepdim=True).sqrt() / weights.sum(0, keepdim=True)
        return _spatially(averaged.cpu(), left.cpu(), level)


def _local_mean(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 7, 1, 3, count_include_pad=False)


def _spatially(picture: Tensor, left: Tensor, level: float) -> Tensor:
    """What noise averaging has left, removed by non-local means: more where few frames agreed.

    Args:
        picture: (1, 3, H, W).
        left: (1, 1, H, W) standard deviation of the noise that is left.
        level: that of the noise that was given.
    """
    if min(picture.shape[-2:]) < PATCH:
        return picture
    usual = float(left.mean())
    most = min(MOST_LEFT * usual, level)
    share = ((left - usual) / (most - usual + 1e-8)).clamp(0, 1)
    return torch.lerp(_non_local_means(picture, usual), _non_local_means(picture, most), share)


def _non_local_means(picture: Tensor, level: float) -> Tensor:
    array = picture[0].permute(1, 2, 0).clamp(0, 1).numpy()
    clean = denoise_nl_means(
        array, patch_size=PATCH, patch_distance=SEARCH, h=SOFTNESS * level, sigma=level, channel_axis=2
    )
    return torch.from_numpy(clean).permute(2, 0, 1)[None].float()
