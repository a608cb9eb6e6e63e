"""Masks from files: which pixels of a clip are to be filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from invr_core.errors import BadInput
from invr_core.io.notes import Note
from invr_core.io.opening import open_video
from invr_core.masks import require_known
from invr_core.video import Video


def open_mask(path: str | Path, like: Video, invert: bool = False, on_note: Note | None = None) -> Video:
    """Open a mask: white (half of full brightness or more, in any channel) is to be filled.

    Args:
        path: an image, taken for all frames; or a folder of images or a video, one frame for each.
        like: the clip that the mask belongs to.
        invert: fill the black pixels instead.
        on_note: see `open_video`.

    Returns:
        one channel of 0 and 1, with the times of ``like``. All 0 is allowed: nothing is to be filled.

    Raises:
        BadFile: if it cannot be read.
        BadInput: if its size or count differs from the clip's, or it covers every pixel of every frame.
    """
    source = open_video(path, on_note)
    if source.size != like.size:
        raise BadInput(f"the mask {path} is {_shape(source)}, the clip is {_shape(like)}; they must have the same size")
    if len(source) not in (1, len(like)):
        raise BadInput(
            f"the mask {path} has {len(source)} frames, the clip has {len(like)}; give one for each, or one for all"
        )

    def read(indices: Sequence[int]) -> Tensor:
        frames = source.read(indices if len(source) > 1 else [0])
        white = frames.amax(1, keepdim=True) >= 0.5
        mask = (white ^ invert).float()
        return mask if len(source) > 1 else mask.repeat(len(indices), 1, 1, 1)

    mask = replace(like, read=read, channels=1, depth=8)
    require_known(mask[: len(source)], f"the mask {path}")
    return mask


def _shape(video: Video) -> str:
    return f"{video.size[1]}x{video.size[0]}"
