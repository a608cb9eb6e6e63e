"""Holes filled by classical methods. Known pixels stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from skimage.restoration import inpaint_biharmonic

from invr_core.errors import Unsupported
from invr_core.fill import fill
from invr_core.video import Video
from invr_tasks.baselines import temporal_median
from invr_tasks.bench.classical.filters import by_program, program_missing
from invr_tasks.bench.classical.flow import Field, fetch, inside, landing
from invr_tasks.bench.classical.given import Given, Mask, Method, rounded
from invr_tasks.bench.flows import dis_between
from invr_tasks.pixels import Bytes, from_bytes, to_bytes

RADIUS = 3
"""Pixels around a hole's pixel that `cv2.inpaint` looks at; frames that the temporal median looks back and ahead."""
ASIDE = (4, 0)
"""How far around a hole flow is not trusted, in pixels: in the first round, between bad fills, and in the second."""
_NEVER = 1e6
"""Frames that no pixel travels; stands for infinity where ages are interpolated."""
Fill = Callable[[Bytes, Mask], Bytes]
"""A picture and its hole -> the picture, filled from itself."""


def nothing(given: Given) -> Bytes:
    """The holes as they are given: black."""
    return given.pictures


def telea(picture: Bytes, hole: Mask) -> Bytes:
    """Grown in from the rim.

    Source:
        A. Telea, An Image Inpainting Technique Based on the Fast Marching Method, JGT 2004; `cv2.inpaint`.
    """
    return np.asarray(cv2.inpaint(picture, hole.astype(np.uint8), RADIUS, cv2.INPAINT_TELEA), np.uint8)


def navier_stokes(picture: Bytes, hole: Mask) -> Bytes:
    """Lines of equal brightness continued into the hole.

    Source:
        M. Bertalmio et al., Navier-Stokes, Fluid Dynamics, and Image and Video Inpainting, CVPR 2001; `cv2.inpaint`.
    """
    return np.asarray(cv2.inpaint(picture, hole.astype(np.uint8), RADIUS, cv2.INPAINT_NS), np.uint8)


def biharmonic(picture: Bytes, hole: Mask) -> Bytes:
    """The smoothest surface that continues the rim and its slope.

    Source:
        S. B. Damelin and N. S. Hoang, On Surface Completion and Image Inpainting by Biharmonic Functions, IJMMS 2018;
        `skimage.restoration.inpaint_biharmonic`.
    """
    if not hole.any():
        return picture
    filled = inpaint_biharmonic(picture, hole, channel_axis=2, split_into_regions=True)
    return np.where(hole[..., None], rounded(np.asarray(filled) * 255), picture)


def each(given: Given, spatially: Fill) -> Bytes:
    """Every picture from itself."""
    return np.stack([spatially(picture, hole) for picture, hole in zip(given.pictures, given.masks, strict=True)])


def median_in_time(given: Given) -> Bytes:
    """What the same pixel shows nearby in time, by its median, else `telea`; see `invr_tasks.baselines`."""
    clip = Video.of(from_bytes(given.pictures))
    holes = Video.of(from_bytes(given.masks[..., None].astype(np.uint8) * 255))
    return to_bytes(temporal_median(clip, holes, RADIUS).frames())


def propagated(given: Given, spatially: Fill) -> Bytes:
    """Pixels carried into the holes along DIS flow, from frame to frame, from both ends of the clip.

    Flow is found between pictures whose holes are filled, and continued into the holes from some way off their rim:
    first between pictures filled by `telea`, then between the result. A pass hands on what it has carried in, so that a
    pixel travels any number of frames; where both passes bring something, they are mixed by how few it travelled.

    Args:
        given: see `Given`.
        spatially: for what flow does not bring.

    Source:
        the propagation of R. Xu et al., Deep Flow-Guided Video Inpainting, CVPR 2019, without its networks.
    """
    whole = each(given, telea)
    for aside in ASIDE:
        whole = _carried_in(given, whole, spatially, aside)
    return whole


def _carried_in(given: Given, whole: Bytes, spatially: Fill, aside: int) -> Bytes:
    order = list(range(len(whole)))
    passes = [_pass(given.masks, whole, way, aside) for way in (order, order[::-1])]
    filled = []
    for index, hole in enumerate(given.masks):
        ages = np.stack([age[index] for _, age in passes])
        weights = np.where(np.isfinite(ages), np.maximum(ages, 1.0) ** -2, 0.0)[..., None]
        total = weights.sum(0)
        mixed = (weights * np.stack([carried[index] for carried, _ in passes])).sum(0) / np.maximum(total, 1e-9)
        came = hole & (total[..., 0] > 0)
        filled.append(
            spatially(np.where(came[..., None], rounded(mixed), given.pictures[index]).astype(np.uint8), hole & ~came)
        )
    return np.stack(filled)


def _pass(
    holes: NDArray[np.bool_], whole: Bytes, order: Sequence[int], aside: int
) -> tuple[dict[int, NDArray[np.float32]], dict[int, NDArray[np.float32]]]:
    """One way through the clip -> of each frame its picture, and over how many frames a pixel came (infinity: not)."""
    carried = {order[0]: whole[order[0]].astype(np.float32)}
    age = {order[0]: np.where(holes[order[0]], np.inf, 0).astype(np.float32)}
    for last, index in pairwise(order):
        at = landing(_continued(dis_between(whole[index], whole[last]), holes[index] | holes[last], aside))
        came = np.where(inside(at), fetch(np.minimum(age[last], _NEVER).astype(np.float32), at), np.inf)
        came = np.where(came < _NEVER / 1000, came + 1, np.inf)
        brought = (holes[index] & np.isfinite(came))[..., None]
        carried[index] = np.where(brought, fetch(carried[last], at, cubic=True), whole[index]).astype(np.float32)
        age[index] = np.where(holes[index], came, 0).astype(np.float32)
    return carried, age


def _continued(flow: Field, hole: Mask, aside: int) -> Field:
    """A flow whose values in a hole, and so many pixels around it, are continued from beyond, by `invr_core.fill`."""
    reach = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * aside + 1, 2 * aside + 1))
    known = np.asarray(cv2.dilate(hole.astype(np.uint8), reach)) == 0
    if not known.any():
        return flow
    field = torch.from_numpy(flow).permute(2, 0, 1)[None]
    continued = fill(field, torch.from_numpy(known)[None, None].float())[0]
    return np.ascontiguousarray(continued.permute(1, 2, 0).numpy())


def delogo(given: Given) -> Bytes:
    """FFmpeg's ``delogo``: a box filled from its rim on all four sides.

    Raises:
        Unsupported: if the hole is not one and the same box in all frames.
    """
    hole = given.masks[0]
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    box = np.zeros_like(hole)
    box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    if not (given.masks == box).all():
        raise Unsupported("delogo fills one box, the same in all frames")
    where = f"x={columns[0]}:y={rows[0]}:w={len(columns)}:h={len(rows)}"
    shown = by_program(given.pictures, f"format=yuv444p,delogo={where}")
    return np.where(given.masks[..., None], shown, given.pictures)


METHODS = (
    Method("none", nothing, "numpy", "naive"),
    Method("temporal median r3 + telea", median_in_time, "opencv-python-headless", "naive"),
    Method("telea r3", partial(each, spatially=telea), "opencv-python-headless"),
    Method("navier-stokes r3", partial(each, spatially=navier_stokes), "opencv-python-headless"),
    Method("biharmonic", partial(each, spatially=biharmonic), "scikit-image"),
    Method("DIS propagation in two rounds + telea", partial(propagated, spatially=telea), "opencv-python-headless"),
    Method(
        "DIS propagation in two rounds + biharmonic",
        partial(propagated, spatially=biharmonic),
        "opencv-python-headless",
    ),
    Method("ffmpeg delogo", delogo, "imageio-ffmpeg", settings=("static",), missing=program_missing),
)
