"""Masks that are made, not opened: rectangles, unions, grown holes. 1 is to be filled, 0 is known.

All are lazy: a frame of a mask is drawn when it is read, and none is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.video import Video

_SLACK = 1e-6
"""Seconds by which an instant may miss a frame's through rounding."""


@dataclass(frozen=True)
class Box:
    """A rectangle of a clip, over its whole length or a part of it.

    Args:
        x: its left column, in pixels from the left edge of the frame.
        y: its upper row, in pixels from the upper edge.
        width: in pixels.
        height: in pixels.
        begin: first instant, in seconds; None for the first of the clip.
        end: last instant, in seconds; None for the last of the clip.

    Example:
        >>> str(Box(10, 20, 64, 32)), str(Box(10, 20, 64, 32, begin=0.5, end=2))
        ('10,20,64,32', '10,20,64,32,0.5,2')
    """

    x: int
    y: int
    width: int
    height: int
    begin: float | None = None
    end: float | None = None

    def __str__(self) -> str:
        return ",".join(f"{value:.10g}" for value in astuple(self) if value is not None)


def box_mask(like: Video, boxes: Sequence[Box]) -> Video:
    """A mask of rectangles.

    Args:
        like: the clip that the mask is for; its frames are not read.
        boxes: each inside the frame; where several overlap they are one hole.

    Returns:
        one channel of 0 and 1, with the times of ``like``; 1 in the boxes.

    Raises:
        BadInput: if a box has no size, reaches beyond the frame, or is at no time of the clip.

    Example:
        >>> mask = box_mask(Video.of(torch.zeros(2, 3, 4, 6)), [Box(1, 0, 2, 1), Box(0, 3, 6, 1, begin=0.04, end=0.04)])
        >>> mask.frames().sum((1, 2, 3)).tolist()
        [2.0, 8.0]
    """
    spans = [_span(box, like) for box in boxes]

    def read(indices: Sequence[int]) -> Tensor:
        mask = torch.zeros(len(indices), 1, *like.size)
        for row, time in enumerate(like.times[list(indices)].tolist()):
            for box, (begin, end) in zip(boxes, spans, strict=True):
                if begin - _SLACK <= time <= end + _SLACK:
                    mask[row, 0, box.y : box.y + box.height, box.x : box.x + box.width] = 1
        return mask

    return Video(like.times, like.size, read, channels=1)


def union(*masks: Video) -> Video:
    """The mask of what any of these masks has as a hole.

    Args:
        masks: of one clip, each of one channel; one or more.

    Returns:
        one channel, the largest of their values.

    Raises:
        BadInput: if they have not the same number of frames and the same size.

    Example:
        >>> clip = Video.of(torch.zeros(1, 3, 4, 6))
        >>> both = union(box_mask(clip, [Box(0, 0, 2, 2)]), box_mask(clip, [Box(1, 0, 2, 2)]))
        >>> int(both.frames().sum())
        6
    """
    first = masks[0]
    for mask in masks[1:]:
        if (len(mask), mask.size) != (len(first), first.size):
            raise BadInput(
                f"masks of {len(first)} frames of {first.size[1]}x{first.size[0]} and of {len(mask)} frames of "
                f"{mask.size[1]}x{mask.size[0]} cannot be united; they must be of one clip"
            )
    return replace(first, read=lambda indices: torch.stack([mask.read(indices) for mask in masks]).amax(0))


def dilate(mask: Video, pixels: int) -> Video:
    """The mask with its holes grown: whatever is no farther from a hole than this is a hole, too.

    Args:
        mask: one channel; 0.5 or more in the holes.
        pixels: how far, straight or slanting, at least 0.

    Returns:
        one channel of 0 and 1.

    Raises:
        BadInput: if ``pixels`` is negative.

    Example:
        >>> mask = box_mask(Video.of(torch.zeros(1, 3, 5, 5)), [Box(2, 2, 1, 1)])
        >>> dilate(mask, 1).frames()[0, 0].int().tolist()
        [[0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]
    """
    if pixels < 0:
        raise BadInput(f"holes grow by 0 pixels or more, got {pixels}")

    def grown(known: Tensor) -> Tensor:
        """(H, W), whether a pixel is known -> (H, W), 1 in the grown holes; a larger reach costs no more time."""
        if bool(known.all()):
            return torch.zeros(known.shape)
        far = cv2.distanceTransform(known.numpy().astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return torch.from_numpy((far <= pixels).astype(np.float32))

    def read(indices: Sequence[int]) -> Tensor:
        return torch.stack([grown(frame[0] < 0.5) for frame in mask.read(indices)])[:, None]

    return replace(mask, read=read)


def require_known(mask: Video, what: str) -> None:
    """Refuse a mask that leaves nothing to learn from.

    Args:
        mask: one channel of 0 and 1; its frames are read up to the first that has a 0.
        what: names it in the message.

    Raises:
        BadInput: if it covers every pixel of every frame.
    """
    if all(bool(mask.read([index]).all()) for index in range(len(mask))):
        raise BadInput(f"{what} covers everything; nothing is left to learn from")


def _span(box: Box, like: Video) -> tuple[float, float]:
    """First and last instant of a box, in seconds; what it cannot be is refused."""
    (height, width), (first, last) = like.size, like.span
    frame = f"the clip is {width}x{height}"
    if box.width < 1 or box.height < 1:
        raise BadInput(f"the box {box} has no size: its width and height must be at least 1 pixel ({frame})")
    if box.x < 0 or box.y < 0 or box.x + box.width > width or box.y + box.height > height:
        raise BadInput(f"the box {box} reaches beyond the frame: {frame}; give x,y,width,height within it")
    begin = first if box.begin is None else box.begin
    end = last if box.end is None else box.end
    span = f"the clip goes from {first:g} to {last:g} s"
    if not begin <= end:
        raise BadInput(f"the box {box} ends before it begins: {begin:g} to {end:g} s; {span}")
    if begin < first - _SLACK or end > last + 1 / like.fps + _SLACK:  # the last frame is shown for a while
        raise BadInput(f"the box {box} is outside the clip: {span}; give seconds within it, or leave them out")
    if not bool(((like.times >= begin - _SLACK) & (like.times <= end + _SLACK)).any()):
        raise BadInput(f"the box {box} is at no frame: none lies from {begin:g} to {end:g} s; {span}")
    return begin, end
