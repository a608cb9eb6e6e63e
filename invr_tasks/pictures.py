"""Motion as colours, and pictures side by side under their names."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from invr_core.atomic import atomic_file
from invr_core.errors import BadInput
from invr_tasks.pixels import Bytes

HUES = ((0, 0), (15, 60), (21, 120), (25, 180), (36, 240), (49, 300), (55, 360))
"""The Middlebury wheel: of 55 equal parts of a turn, from the right clockwise on the screen, the hue in degrees."""
TOO_LONG = 0.75
"""Brightness where a motion is longer than the longest of the scale."""
GAP, TEXT = 10, 26
INK, PAPER = (20, 20, 24), (250, 250, 248)


def flow_colours(flow: Tensor, longest: float | None = None) -> Bytes:
    """Motion by the colour wheel of the Middlebury benchmark: the hue is its direction, white is no motion.

    To the right is red, down is nearly yellow, to the left is cyan to blue, up is violet.

    Args:
        flow: (2, H, W) pixels, x then y; what is not finite is black.
        longest: pixels that are shown in full colour, and what is longer darkened; None for the longest there is.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        BadInput: if it has another shape, or the longest is not positive.

    Source:
        Baker et al., A Database and Evaluation Methodology for Optical Flow, IJCV 2011, figure 5.

    Example:
        >>> right, still = torch.tensor([1.0, 0.0]).view(2, 1, 1), torch.zeros(2, 1, 1)
        >>> flow_colours(torch.cat([right, still], 2)).tolist()
        [[[255, 0, 0], [255, 255, 255]]]
    """
    if flow.ndim != 3 or flow.shape[0] != 2:
        raise BadInput(f"a flow to be shown is (2, H, W), got {tuple(flow.shape)}")
    if longest is not None and not longest > 0:
        raise BadInput(f"the longest motion of the scale must be positive, got {longest:g}")
    known = torch.isfinite(flow).all(0)
    x, y = torch.where(known, flow.detach().float(), 0.0).cpu().numpy()
    length = np.hypot(x, y)
    radius = length / (longest or max(float(length.max()), 1e-9))
    parts = (np.arctan2(y, x) / (2 * np.pi)) % 1.0 * HUES[-1][0]
    hue = np.interp(parts, [part for part, _ in HUES], [degrees for _, degrees in HUES])
    bright = np.where(radius > 1, TOO_LONG, 1.0) * known.cpu().numpy()
    wheel = np.stack([hue, np.minimum(radius, 1.0), bright], axis=2).astype(np.float32)
    return _rounded(np.asarray(cv2.cvtColor(wheel, cv2.COLOR_HSV2RGB)))


def grey(values: Tensor) -> Bytes:
    """A field in [0, 1], (1, H, W), as a picture: black to white, (H, W, 3) uint8."""
    return np.repeat(_rounded(values.detach().cpu().permute(1, 2, 0).numpy()), 3, axis=2)


def colour_wheel(side: int) -> Bytes:
    """The key to `flow_colours`: each place has the colour of the motion from the middle to it, (side, side, 3)."""
    axis = torch.linspace(-1, 1, side)
    flow = torch.stack([axis.expand(side, side), axis[:, None].expand(side, side)])
    outside = flow.square().sum(0, keepdim=True) > 1
    picture = flow_colours(torch.where(outside, 0.0, flow), 1.0)
    return np.where(outside[0, :, :, None].numpy(), np.uint8(255), picture)


def side_by_side(rows: Sequence[Sequence[tuple[str, Bytes]]], path: Path, width: int) -> None:
    """Write pictures in rows, each under its name, atomically.

    Args:
        rows: names and pictures, (H, W, 3) uint8 each; each is brought to the width of a column.
        path: its ending says what is written: .png, .jpg and whatever else Pillow writes.
        width: of a column, in pixels.

    Raises:
        BadInput: if there is no picture, or pictures are not written with that ending.
        BadOutput: if the file cannot be written.
    """
    if not any(rows):
        raise BadInput("a sheet needs at least one picture")
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind not in Image.SAVE:
        raise BadInput(
            f"{path}: pictures are not written as {path.suffix or 'a name without ending'}; use .png or .jpg"
        )
    lines = [[(name, _of_width(picture, width)) for name, picture in row] for row in rows]
    heights = [TEXT + GAP + max((one.height for _, one in line), default=0) for line in lines]
    across = GAP + max(map(len, lines)) * (width + GAP)
    sheet = Image.new("RGB", (across, sum(heights) + GAP), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT - 8)
    for number, line in enumerate(lines):
        top = sum(heights[:number]) + GAP // 2
        for column, (name, one) in enumerate(line):
            left = GAP + column * (width + GAP)
            draw.text((left, top), name, fill=INK, font=font)
            sheet.paste(one, (left, top + TEXT))
    encoded = io.BytesIO()
    sheet.save(encoded, kind, quality=88)
    with atomic_file(path) as private:
        private.write_bytes(encoded.getvalue())


def _of_width(picture: Bytes, width: int) -> Image.Image:
    height = max(1, round(width * picture.shape[0] / picture.shape[1]))
    return Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)


def _rounded(values: NDArray[np.float32]) -> Bytes:
    return np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)
