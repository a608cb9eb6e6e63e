"""True motion, motion by OpenCV's DIS, and how far a motion is from the true one."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from invr_core.errors import BadFile
from invr_core.matching import dense_flow
from invr_core.video import Video
from invr_tasks.bench.records import Record
from invr_tasks.pixels import Bytes, to_bytes

MAGIC, HEADER = 202021.25, struct.Struct("<fii")
"""What a Middlebury .flo file begins with: this number, width, height."""
UNKNOWN = 1e9
"""A displacement is unknown if either part of it is larger than this."""
MOST = 2**26
"""Pixels of a file, at the most."""
TRUSTED = 0.5
"""Confidence from which a motion is said to be trusted."""
DIS = ("fast", "medium", "finest")
"""OpenCV's presets that are worth comparing with, and its parameters set for quality alone."""


def read_flow(path: Path) -> Tensor:
    """A Middlebury .flo file.

    Returns:
        (2, H, W) float32, pixels, x then y; NaN where it is unknown.

    Raises:
        BadFile: if it is missing, or is no such file, whole and of a sane size.
    """
    try:
        length = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(HEADER.size)
    except OSError as cause:
        raise BadFile(f"{path} cannot be read: {cause.strerror}; give a .flo file (--truth)") from cause
    if len(start) < HEADER.size:
        raise BadFile(f"{path} is not a .flo file: it has {length} bytes; give one of the Middlebury format (--truth)")
    magic, width, height = HEADER.unpack(start)
    if magic != MAGIC:
        raise BadFile(f"{path} is not a .flo file: it does not begin with {MAGIC} (--truth)")
    whole = width > 0 and height > 0 and width * height <= MOST and length == HEADER.size + 8 * width * height
    if not whole:
        raise BadFile(f"{path} is broken: {length} bytes do not hold the flow of {width}x{height} pixels that it names")
    flow = torch.from_numpy(np.array(cv2.readOpticalFlow(str(path)), np.float32)).permute(2, 0, 1)
    unknown = ~(flow.abs() <= UNKNOWN).all(0, keepdim=True)
    return flow.masked_fill(unknown, torch.nan)


def dis_flow(clip: Video, between: tuple[int, int], preset: str) -> Tensor:
    """What OpenCV finds from the two frames alone.

    Args:
        clip: RGB.
        between: indices of its frames.
        preset: of `DIS`.

    Returns:
        (2, H, W) float32, pixels.
    """
    old, new = (to_bytes(clip.read([index]))[0] for index in between)
    return torch.from_numpy(dis_between(old, new, preset)).permute(2, 0, 1)


def dis_between(old: Bytes, new: Bytes, preset: str = "medium") -> NDArray[np.float32]:
    """Where the pixels of one picture are in another, by OpenCV's DIS on their luma.

    Args:
        old: (H, W, 3) uint8, RGB; its pixels are followed.
        new: the same shape.
        preset: of `DIS`.

    Returns:
        (H, W, 2) float32, pixels, x then y.

    Source:
        T. Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016.
    """
    first, last = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (old, new))
    presets = {"fast": cv2.DISOPTICAL_FLOW_PRESET_FAST}
    dis = cv2.DISOpticalFlow.create(presets.get(preset, cv2.DISOPTICAL_FLOW_PRESET_MEDIUM))
    if preset == "finest":
        dis.setFinestScale(0)
        dis.setPatchStride(1)
        dis.setGradientDescentIterations(50)
        dis.setVariationalRefinementIterations(20)
    return dense_flow(dis, np.asarray(first, np.uint8), np.asarray(last, np.uint8))


def flow_scores(flow: Tensor, truth: Tensor, where: Tensor | None = None) -> Record:
    """How far a motion is from the true one, where that is known.

    Args:
        flow: (2, H, W) pixels.
        truth: of the same shape, NaN where it is unknown.
        where: (H, W) bool: only there; None for everywhere.

    Returns:
        ``epe``, the mean end-point error in pixels; ``over_1_px``, the share of pixels whose error is larger;
        ``angle``, the mean angle in degrees between (x, y, 1) of both, as Middlebury has it; ``share`` of the known
        pixels that count. The first three are None if none does.

    Example:
        >>> truth = torch.tensor([3.0, 4.0]).view(2, 1, 1)
        >>> flow_scores(torch.zeros(2, 1, 1), truth)["epe"]
        5.0
    """
    known = torch.isfinite(truth).all(0)
    counts = known if where is None else known & where
    pixels = int(counts.sum())
    share = round(pixels / max(int(known.sum()), 1), 5)
    if not pixels:
        return {"epe": None, "over_1_px": None, "angle": None, "share": share}
    ours, theirs = flow[:, counts].double(), truth[:, counts].double()
    error = (ours - theirs).square().sum(0).sqrt()
    ones = torch.ones_like(ours[:1])
    cosine = torch.cosine_similarity(torch.cat([ours, ones]), torch.cat([theirs, ones]), dim=0)
    return {
        "epe": round(float(error.mean()), 5),
        "over_1_px": round(float((error > 1).double().mean()), 5),
        "angle": round(float(torch.rad2deg(torch.arccos(cosine.clamp(-1, 1))).mean()), 4),
        "share": share,
    }
