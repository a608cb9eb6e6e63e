"""Kinds of paths by which the pixels between two given frames may have come, and what they bring."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache, partial

import torch
from torch import Tensor

from invr_core.errors import Unsupported
from invr_core.matching import match_both, matchable, reliable
from invr_core.representation import Representation
from invr_core.sampling import sample, sample_doubled, target_grid
from invr_interpolation.occlusion import PATCH, alone, meeting
from invr_interpolation.pairs import Gap, Path

FINE, COARSE = 8, (16, 24)
"""Pixels across the patches of the matching that refines a path, and of those that make one by themselves."""
KERNELS = ("bicubic", "sinc")
"""By which pixels are looked up: the second keeps a fine texture; the first rings less, and hides noise."""
ALONE = "alone"
"""The kind of what only one of the frames shows."""


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


def fitted_blindly(rep: Representation, gap: Gap) -> Path | None:
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
        ``fitted``: the representation's; ``refined``: the same, or one by matching, until both frames agree; ``fine``,
        ``coarse16``, ``coarse24``: what both frames show, by matching patches of 8, 16 and 24 pixels, of which larger
        ones are misled less by textures finer than the pixels; ``alone``: what one of them shows. In a small frame the
        representation's alone, where it knows one.
    """
    size = gap.pair.video.size
    makers: dict[str, Callable[[], Path]] = {}
    if own is not None:
        makers["fitted"] = lambda: own
    if own is None or reliable(size):
        if matchable(size, FINE):
            makers["refined"] = lambda: _closer(gap, own or _between(*gap.pair.matched(FINE), gap.share))
        patches = {"fine": FINE, **{f"coarse{patch}": patch for patch in COARSE}}
        met = cache(partial(meeting, gap))
        makers |= {kind: partial(met, patch) for kind, patch in patches.items() if matchable(size, patch)}
        if matchable(size, PATCH):
            makers[ALONE] = lambda: alone(gap, met(PATCH))
    return {kind: make() for kind, make in makers.items() if wanted is None or kind in wanted}


def _instants(*times: float) -> Tensor:
    return torch.tensor(times, dtype=torch.float64)


def _between(ahead: Tensor, back: Tensor, share: float) -> Path:
    """Paths to both ends from the motion between them, as if it were the same at the instant.

    Source:
        H. Jiang et al., Super SloMo, CVPR 2018, equation 4.
    """
    before = share * share * back - (1 - share) * share * ahead
    after = (1 - share) ** 2 * ahead - share * (1 - share) * back
    return Path(before, after)


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
