"""How steady an answer is in time: the warping error."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from invr_core.video import Video
from invr_tasks.bench.classical.flow import Field, fetch, inside, landing
from invr_tasks.bench.flows import dis_between
from invr_tasks.pixels import Bytes, to_bytes

SAME = (0.01, 0.5)
"""Flow forth and back agrees if the square of their sum is under this share of their squares, plus this many pixels."""


@dataclass(frozen=True, eq=False)
class Paths:
    """How the true clip moves from each frame to the next, and where that can be told.

    Args:
        flows: (H, W, 2) pixels each, from a frame to the one after it.
        seen: (H, W) bool each: not hidden in the next frame.
    """

    flows: list[Field]
    seen: list[NDArray[np.bool_]]


def paths(truth: Video) -> Paths:
    """The motion of the true clip, by OpenCV's DIS, medium.

    Source:
        the test for what is hidden: N. Sundaram et al., Dense Point Trajectories by GPU-accelerated Large Displacement
        Optical Flow, ECCV 2010, equation 5.
    """
    flows, seen = [], []
    pictures = [to_bytes(truth.read([index]))[0] for index in range(len(truth))]
    for old, new in pairwise(pictures):
        ahead, back = dis_between(old, new), dis_between(new, old)
        at = landing(ahead)
        returned = fetch(back, at)
        apart = np.square(ahead + returned).sum(2)
        long = np.square(ahead).sum(2) + np.square(returned).sum(2)
        flows.append(ahead)
        seen.append(inside(at) & (apart < SAME[0] * long + SAME[1]))
    return Paths(flows, seen)


def warping_error(pictures: Bytes, moved: Paths, judged: NDArray[np.bool_] | None = None) -> float | None:
    """The mean squared difference of a frame from the next one, brought back along the true motion.

    The true clip itself has an error above 0 (noise, light, flow that is wrong): compare with its value, not with 0.

    Args:
        pictures: (n, H, W, 3) uint8: a whole clip.
        moved: of the true clip, of as many frames.
        judged: (n, H, W) bool: only these pixels of a frame count; None for all.

    Returns:
        the mean over frames of the mean over visible pixels of the squared distance in RGB, each channel in [0, 1];
        None if there is no such pixel.

    Source:
        W.-S. Lai et al., Learning Blind Video Temporal Consistency, ECCV 2018, equations 11 and 12; flow and visibility
        are of the true clip, by OpenCV's DIS in place of FlowNet2.
    """
    errors = []
    for index, (flow, seen) in enumerate(zip(moved.flows, moved.seen, strict=True)):
        counts = seen if judged is None else seen & judged[index]
        if counts.any():
            old, new = (picture.astype(np.float32) / 255 for picture in pictures[index : index + 2])
            errors.append(float(np.square(old - fetch(new, landing(flow)))[counts].sum(1).mean()))
    return fmean(errors) if errors else None
