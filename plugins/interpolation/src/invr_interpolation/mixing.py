"""A frame mixed of what several kinds of paths bring, and what each of them is worth on a clip."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls
from torch import Tensor
from torch.nn import functional as F

from invr_core.representation import Representation
from invr_core.video import Video
from invr_interpolation.pairs import Gap, Pair, Path
from invr_interpolation.paths import ALONE, KERNELS, candidates, fitted_blindly, sides

DOUBT = 10 / 255**2
"""Mean square difference of the two sides of a path, at which it counts half of what it would if they agreed."""
WINDOW = 7
"""Pixels across the square over which that difference is averaged."""
TRIALS = 8
"""Given frames that are predicted from their neighbours to learn what each kind of path is worth."""
USEFUL = 0.02
"""Share below which a kind is left out."""
ALONE_SHARES = (0.0, 0.01, 0.03, 0.1, 0.3)
"""What is tried for the kind that only one side shows, and so cannot be doubted: all others add up to 1."""

_LONE = (ALONE, KERNELS[0])

Shares = Mapping[tuple[str, str], float]
"""What each kind of path, and each kernel along it, counts."""


@dataclass(frozen=True, eq=False)
class Voice:
    """What one kind of path says of a frame.

    Args:
        picture: (1, 3, H, W) both given frames, brought along it and mixed.
        weight: (1, 1, H, W) what it counts.
        apart: (1, 1, H, W) mean square difference of the two, brought along it.
    """

    picture: Tensor
    weight: Tensor
    apart: Tensor


def voices(gap: Gap, found: Mapping[str, Path], shares: Shares, visible: Tensor) -> list[Voice]:
    """What each kind says.

    Args:
        gap: the two frames and the instant.
        found: the paths.
        shares: what they count.
        visible: (2, 1, H, W) in [0, 1] how visible each pixel is before and after, where the path does not tell.
    """
    return [_voice(gap, kind, found[kind], kernel, share, visible) for (kind, kernel), share in shares.items()]


def mixed(said: Iterable[Voice], own: Tensor, weight: float) -> Tensor:
    """The frame of what is said, (1, 3, H, W), and of a picture that counts ``weight`` everywhere."""
    total, weights = weight * own, torch.full_like(own[:, :1], weight)
    for voice in said:
        total, weights = total + voice.weight * voice.picture, weights + voice.weight
    return total / weights


def _voice(gap: Gap, kind: str, path: Path, kernel: str, share: float, visible: Tensor) -> Voice:
    pictures, inside = sides(gap, path, kernel)
    apart = (pictures[:1] - pictures[1:]).square().mean(1, keepdim=True)
    apart = F.avg_pool2d(apart, WINDOW, 1, WINDOW // 2, count_include_pad=False)
    seen = (visible if path.seen is None else path.seen).to(inside)
    nearness = torch.tensor([1 - gap.share, gap.share]).view(2, 1, 1, 1).to(inside) * inside * seen
    both = nearness.sum(0, keepdim=True)
    picture = (nearness * pictures).sum(0, keepdim=True) / both.clamp(min=1e-8)
    agreed = seen.amax(0, keepdim=True) if kind == ALONE else DOUBT / (apart + DOUBT)
    return Voice(picture, share * (both > 0) * agreed, apart)


def worth(video: Video, rep: Representation) -> dict[tuple[str, str], float]:
    """What each kind of path, and each kernel along it, counts on this clip, from predicting given frames.

    Args:
        video: the given frames.
        rep: fitted to them.

    Returns:
        of each (kind, kernel) that is of use a share, adding up to 1, with which the predictions of given frames from
        their neighbours, mixed, miss the truth least. What only one frame shows has a share beside them, found by
        trial. Empty where there is no frame between two others, or no path.

    Source:
        L. Breiman, Stacked Regressions, Machine Learning 1996.
    """
    middles = np.unique(np.linspace(1, len(video) - 2, TRIALS).round().astype(int)) if len(video) > 2 else []
    products, errors, names = [], [], list[tuple[str, str]]()
    for index in map(int, middles):
        gap = Gap(Pair.of(video, index - 1, index + 1), float(video.times[index]))
        found = candidates(gap, fitted_blindly(rep, gap))
        names = [(kind, kernel) for kind in found if kind != ALONE for kernel in KERNELS]
        if not names:
            return {}
        truth, said = video.read([index]), _told(gap, found, [*names, *([_LONE] if ALONE in found else [])])
        products.append(_product(truth, said[: len(names)], gap))
        if ALONE in found:
            errors.append(_missed(truth, said[: len(names) : len(KERNELS)], said[-1], gap))
    if not products:
        return {}
    shares = dict(zip(names, _least(torch.stack(products).mean(0).numpy()), strict=True))
    useful = {name: share for name, share in shares.items() if share >= USEFUL}
    useful = {name: share / sum(useful.values()) for name, share in useful.items()}
    lone = ALONE_SHARES[int(torch.stack(errors).mean(0).argmin())] if errors else 0.0
    return {**useful, **({_LONE: lone} if lone else {})}


def unlearned(kinds: Collection[str]) -> Shares:
    """What kinds of paths count where there is nothing to learn it from: as much each, but for what only one shows."""
    return {(kind, KERNELS[0]): 0.1 if kind == ALONE else 1.0 for kind in kinds}


def _told(gap: Gap, found: Mapping[str, Path], names: Iterable[tuple[str, str]]) -> list[Voice]:
    """What each kind says of a trial, on the CPU."""
    said = voices(gap, found, dict.fromkeys(names, 1.0), torch.ones(2, 1, 1, 1))
    return [Voice(voice.picture.cpu(), voice.weight.cpu(), voice.apart.cpu()) for voice in said]


def _blend(gap: Gap) -> Tensor:
    """Both frames, mixed where they are, (1, 3, H, W): what stands in where nothing is known."""
    return torch.lerp(gap.pair.frames[:1], gap.pair.frames[1:], gap.share)


def _product(truth: Tensor, said: Sequence[Voice], gap: Gap) -> Tensor:
    """How the errors of the kinds go together, (n, n), relative to the least; on one frame.

    Where a kind says nothing, the first one stands in for it: that of the representation, which has something to say
    of most places.
    """
    missed, instead = [], _blend(gap)
    for voice in said:
        picture = torch.where(voice.weight > 0, voice.picture, instead)
        instead = instead if missed else picture
        missed.append((truth - picture).flatten())
    errors = torch.stack(missed)
    product = (errors @ errors.T).double() / errors.shape[1]
    return product / (product.diagonal().min() + 1 / 255**2)


def _missed(truth: Tensor, others: Sequence[Voice], lone: Voice, gap: Gap) -> Tensor:
    """Mean square error on one frame for each of `ALONE_SHARES`, relative to the first; all other kinds count alike."""
    errors = []
    for share in (len(others) * share for share in ALONE_SHARES):
        frame = mixed([*others, Voice(lone.picture, share * lone.weight, lone.apart)], _blend(gap), 1e-3)
        errors.append((truth - frame).square().mean())
    return torch.stack(errors) / (errors[0] + 1e-12)


def _least(product: NDArray[np.float64]) -> list[float]:
    """The shares w >= 0, adding up to 1, for which w' product w is least."""
    count = len(product)
    if not product.any():  # none of them ever missed
        return [1 / count] * count
    values, vectors = np.linalg.eigh(product)  # of full rank or not: two kernels may show the same
    root = (vectors * np.sqrt(values.clip(min=0))).T
    firm = 1e3 * float(np.sqrt(np.trace(product)))
    shares, _ = nnls(np.vstack([root, np.full((1, count), firm)]), np.append(np.zeros(count), firm))
    return [float(share) for share in shares / shares.sum()]
