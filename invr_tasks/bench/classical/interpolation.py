"""Pictures between pictures, by classical methods."""

from __future__ import annotations

from functools import partial

import numpy as np

from invr_tasks.bench.classical.filters import minterpolate, minterpolate_missing
from invr_tasks.bench.classical.flow import Flow, farneback, fetch, landing
from invr_tasks.bench.classical.given import Given, Method, rounded
from invr_tasks.bench.flows import dis_between
from invr_tasks.pixels import Bytes


def repeat(given: Given) -> Bytes:
    """The nearest given picture, of two equally near ones the later."""
    return np.stack([given.pictures[before + (share >= 0.5)] for before, share in given.places])


def blend(given: Given) -> Bytes:
    """Both neighbours mixed, the nearer one the more."""
    pictures = given.pictures.astype(np.float64)
    mixed = [(1 - share) * pictures[before] + share * pictures[before + 1] for before, share in given.places]
    return rounded(np.stack(mixed))


def warped(given: Given, flow: Flow) -> Bytes:
    """Both neighbours brought to the instant along the flow between them, bicubically, then mixed as in `blend`.

    Args:
        given: see `Given`.
        flow: run both ways.

    Source:
        H. Jiang et al., Super SloMo, CVPR 2018, equation 4: the flows from the instant, out of those between the two
        neighbours; without its networks.
    """
    shown, pair, ahead, back = [], -1, np.zeros(0, np.float32), np.zeros(0, np.float32)
    for before, share in given.places:
        first, last = given.pictures[before], given.pictures[before + 1]
        if before != pair:
            pair, ahead, back = before, flow(first, last), flow(last, first)
        to_first = share * share * back - (1 - share) * share * ahead
        to_last = (1 - share) ** 2 * ahead - share * (1 - share) * back
        sides = zip((first, last), (to_first, to_last), strict=True)
        one, other = (fetch(picture.astype(np.float32), landing(to), cubic=True) for picture, to in sides)
        shown.append(rounded((1 - share) * one + share * other))
    return np.stack(shown)


def by_minterpolate(given: Given) -> Bytes:
    """FFmpeg's ``minterpolate`` as typed by users: motion-compensated, scene changes found."""
    return minterpolate(given.pictures, given.places)


METHODS = (
    Method("repeat nearest", repeat, "numpy", "naive"),
    Method("blend", blend, "numpy", "naive"),
    Method("DIS medium + warp", partial(warped, flow=dis_between), "opencv-python-headless"),
    Method("Farneback + warp", partial(warped, flow=farneback), "opencv-python-headless"),
    Method("ffmpeg minterpolate", by_minterpolate, "av", missing=minterpolate_missing),
)
