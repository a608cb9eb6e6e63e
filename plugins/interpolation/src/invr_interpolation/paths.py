"""Ways by which the pixels between two given frames may have come, and how much each of them is worth on a clip."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls
from torch import Tensor

from invr_core.errors import Unsupported
from invr_core.matching import match, match_both, matchable, reliable
from invr_core.representation import Representation
from invr_core.sampling import doubled, sample, sample_doubled, target_grid
from invr_core.video import Video

FINE, COARSE = 8, (16, 24)
"""Pixels across the patches of the matching that refines a path, and of those that make one by themselves."""
KERNELS = ("bicubic", "sinc")
"""By which pixels are looked up: the second keeps a fine texture; the first rings less, and hides noise."""
TRIALS = 8
"""Given frames that are predicted from their neighbours to learn what each kind of path is worth."""
USEFUL = 0.02
"""Share below which a kind is left out."""


@dataclass(frozen=True, eq=False)
class Path:
    """How two given frames are brought to an instant between them.

    Args:
        before: (1, 2, H, W) pixels: where each pixel of the instant is in the frame before it.
        after: the same for the frame after it.
    """

    before: Tensor
    after: Tensor


@dataclass(frozen=True, eq=False)
class Pair:
    """Two neighbouring given frames, and what holds for every instant between them, found once.

    Args:
        first, last: (1, 3, H, W) the frames.
        start, end: their instants, in seconds.
    """

    first: Tensor
    last: Tensor
    start: float
    end: float
    _matches: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, video: Video, before: int, after: int) -> Pair:
        """Two frames of a clip, by their indices."""
        return cls(video.read([before]), video.read([after]), float(video.times[before]), float(video.times[after]))

    @cached_property
    def frames(self) -> Tensor:
        """Both frames, (2, 3, H, W)."""
        return torch.cat([self.first, self.last])

    @cached_property
    def twice(self) -> Tensor:
        """Both frames, `doubled` for the sinc, (2, 3, 2 H, 2 W)."""
        return doubled(self.frames)

    def matched(self, patch: int) -> tuple[Tensor, Tensor]:
        """The motion from the first to the last, and back, by matching patches of so many pixels, (1, 2, H, W) each."""
        if patch not in self._matches:
            self._matches[patch] = (
                match(self.first, self.last, patch=patch),
                match(self.last, self.first, patch=patch),
            )
        return self._matches[patch]


@dataclass(frozen=True, eq=False)
class Gap:
    """Two neighbouring given frames and an instant between them, in seconds."""

    pair: Pair
    time: float

    @property
    def share(self) -> float:
        """How far the instant is on the way, in [0, 1]."""
        return (self.time - self.pair.start) / (self.pair.end - self.pair.start)


def fitted(rep: Representation, gap: Gap) -> tuple[Path | None, Tensor]:
    """The path of the representation, from the instant itself: it need be neither straight nor even.

    Returns:
        the path, None if it knows no motion; and how visible each pixel is before and after, (2, 1, H, W) in [0, 1].
    """
    try:
        motion = rep.motion(_instants(gap.time, gap.time), _instants(gap.pair.start, gap.pair.end))
    except Unsupported:
        return None, torch.ones(2, 1, *rep.size, device=rep.device)
    return Path(motion.flow[:1], motion.flow[1:]), motion.confidence


def _fitted_blindly(rep: Representation, gap: Gap) -> Path | None:
    """The same from the ends of the gap alone: what is fair where the fit has seen the frame at the instant."""
    try:
        flow = rep.motion(_instants(gap.pair.start, gap.pair.end), _instants(gap.pair.end, gap.pair.start)).flow
    except Unsupported:
        return None
    return _between(flow[:1], flow[1:], gap.share)


def candidates(gap: Gap, own: Path | None, wanted: Collection[str] | None = None) -> dict[str, Path]:
    """Paths by several kinds of motion.

    Args:
        gap: the two frames and the instant.
        own: the path of the representation; None if it knows none.
        wanted: which kinds; None for all.

    Returns:
        ``fitted``: the representation's; ``refined``: the same, until both frames agree; ``fine``: by matching alone,
        refined likewise; ``coarse16``, ``coarse24``: by matching larger patches, which textures finer than the pixels
        mislead less. In a small frame the representation's alone, where it knows one.
    """
    size = (gap.pair.first.shape[2], gap.pair.first.shape[3])
    makers: dict[str, Callable[[], Path]] = {}
    if own is not None:
        makers["fitted"] = lambda: own
    if own is None or reliable(size):
        if matchable(size, FINE):
            if own is not None:
                makers["refined"] = lambda: _closer(gap, own)
            makers["fine"] = lambda: _closer(gap, _matched(gap, FINE))
        makers |= {f"coarse{patch}": partial(_matched, gap, patch) for patch in COARSE if matchable(size, patch)}
    return {kind: make() for kind, make in makers.items() if wanted is None or kind in wanted}


def _instants(*times: float) -> Tensor:
    return torch.tensor(times, dtype=torch.float64)


def _between(ahead: Tensor, back: Tensor, share: float) -> Path:
    """Paths to both ends from the motion between them.

    Source:
        H. Jiang et al., Super SloMo, CVPR 2018, equation 4.
    """
    before = share * share * back - (1 - share) * share * ahead
    after = (1 - share) ** 2 * ahead - share * (1 - share) * back
    return Path(before, after)


def _matched(gap: Gap, patch: int) -> Path:
    return _between(*gap.pair.matched(patch), gap.share)


def _closer(gap: Gap, path: Path) -> Path:
    """The path along which both frames, brought to the instant, agree better: what parts them is shared out."""
    (one, other), _ = sides(gap, path)
    apart = match_both(one[None], other[None], patch=FINE)
    return Path(path.before - gap.share * apart, path.after + (1 - gap.share) * apart)


def sides(gap: Gap, path: Path, kernel: str = "bicubic") -> tuple[Tensor, Tensor]:
    """Both frames, brought to the instant, (2, 3, H, W) in [0, 1], and whether each pixel was inside, (2, 1, H, W).

    Args:
        gap: whose frames.
        path: along which.
        kernel: by which their pixels are looked up, one of `KERNELS`.
    """
    places = target_grid(torch.cat([path.before, path.after]))
    if kernel == "sinc":
        pictures, inside = sample_doubled(gap.pair.twice.to(places.device), places)
    else:
        pictures, inside = sample(gap.pair.frames.to(places.device), places, kernel)
    return pictures.clamp(0, 1), inside


def worth(video: Video, rep: Representation) -> dict[tuple[str, str], float]:
    """What each kind of path, and each kernel along it, counts on this clip, from predicting given frames.

    Args:
        video: the given frames.
        rep: fitted to them.

    Returns:
        of each (kind, kernel) that is of use a share, adding up to 1, with which the predictions of given frames from
        their neighbours, mixed, miss the truth least. Empty where there is no frame between two others, or no path.

    Source:
        L. Breiman, Stacked Regressions, Machine Learning 1996.
    """
    middles = np.unique(np.linspace(1, len(video) - 2, TRIALS).round().astype(int)) if len(video) > 2 else []
    products, names = [], list[tuple[str, str]]()
    for index in middles:
        trial = Gap(Pair.of(video, int(index) - 1, int(index) + 1), float(video.times[index]))
        found = candidates(trial, _fitted_blindly(rep, trial))
        names = [(kind, kernel) for kind in found for kernel in KERNELS]
        if not names:
            return {}
        shown = (torch.lerp(*sides(trial, found[kind], kernel)[0], trial.share) for kind, kernel in names)
        truth = video.read([int(index)])[0]
        missed = torch.stack([(truth - picture.cpu()).flatten() for picture in shown])
        product = (missed @ missed.T).double() / missed.shape[1]
        products.append(product / (product.diagonal().min() + 1 / 255**2))
    if not products:
        return {}
    shares = dict(zip(names, _least(torch.stack(products).mean(0).numpy()), strict=True))
    useful = {name: share for name, share in shares.items() if share >= USEFUL}
    return {name: share / sum(useful.values()) for name, share in useful.items()}


def _least(product: NDArray[np.float64]) -> list[float]:
    """The shares w >= 0, adding up to 1, for which w' product w is least."""
    count = len(product)
    values, vectors = np.linalg.eigh(product)  # of full rank or not: two kernels may show the same
    root = (vectors * np.sqrt(values.clip(min=0))).T
    firm = 1e3 * float(np.sqrt(np.trace(product)))
    shares, _ = nnls(np.vstack([root, np.full((1, count), firm)]), np.append(np.zeros(count), firm))
    return [float(share) for share in shares / shares.sum()]
