"""The options of each input of a task that is a mask: a file, rectangles, which colour is the hole, and how it grows.

An input ``mask`` gets ``--mask``, ``--mask-invert``, ``--box`` and ``--dilate``; an input ``sky_mask``, in the same
manner, ``--sky-mask``, ``--sky-mask-invert``, ``--sky-box`` and ``--sky-dilate``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from invr_core.errors import BadInput
from invr_tasks.cli.parse import UsageError, written

if TYPE_CHECKING:
    from invr_core.masks import Box
    from invr_core.video import Video

Numbers = tuple[float, ...]
"""A box as it was typed: x, y, width, height, and if given its first and last second."""


def is_mask(name: str) -> bool:
    """Whether an input of a task is a mask (one channel, matched to the clip), by its name: `mask`, `…_mask`."""
    return name == "mask" or name.endswith("_mask")


def box(text: str) -> Numbers:
    """``x,y,w,h`` in pixels, or ``x,y,w,h,t0,t1`` with seconds.

    Raises:
        UsageError: if the text is something else.

    Example:
        >>> box("10,20,64,32"), box("10,20,64,32,0.5,2")
        ((10, 20, 64, 32), (10, 20, 64, 32, 0.5, 2.0))
    """
    words = text.split(",")
    try:
        if len(words) not in (4, 6):
            raise ValueError(text)
        return (*map(int, words[:4]), *map(float, words[4:]))
    except ValueError:
        raise UsageError(
            f"{text!r} is not a box: give x,y,w,h in whole pixels, or x,y,w,h,t0,t1 with seconds"
        ) from None


@dataclass(frozen=True)
class Masking:
    """What the command line says of one mask.

    Args:
        name: of the input.
        path: an image, a folder or a video; None for boxes alone.
        invert: whether black is the hole in it.
        boxes: further holes.
        grow: pixels by which all holes grow.
    """

    name: str
    path: str | None
    invert: bool
    boxes: tuple[Numbers, ...]
    grow: int

    @classmethod
    def of(cls, name: str, parsed: Any) -> Masking:
        """The mask of this name, of options that were made by `mask_options`."""
        path, invert, boxes, grow = (getattr(parsed, option) for option in _names(name))
        return cls(name, path, invert, tuple(boxes), grow)

    def check(self) -> None:
        """Refuse what cannot be, before any file is opened.

        Raises:
            BadInput: naming the options.
        """
        file, invert, boxes, grow = (f"--{option.replace('_', '-')}" for option in _names(self.name))
        if self.path is None and not self.boxes:
            raise UsageError(f"missing: {file} PATH, or {boxes} X,Y,W,H for a rectangle")
        if self.path is None and self.invert:
            raise BadInput(f"{invert} is of the file that {file} names; give that too, or leave it out")
        if self.grow < 0:
            raise BadInput(f"{grow} must be 0 pixels or more, got {self.grow}")

    def open(self, clip: Video, on_note: Callable[[str], None]) -> Video:
        """The mask, one channel of 0 and 1 with the times of the clip; its frames are made as they are read.

        Raises:
            BadInput: if the file or a box does not fit the clip, or nothing is left to learn from.
        """
        from invr_core.io import open_mask
        from invr_core.masks import box_mask, dilate, require_known, union

        masks = [] if self.path is None else [open_mask(self.path, clip, self.invert, on_note)]
        if self.boxes:
            masks.append(box_mask(clip, [_box(numbers) for numbers in self.boxes]))
        mask = masks[0] if len(masks) == 1 else union(*masks)
        if self.grow:
            mask = dilate(mask, self.grow)
        if self.boxes or self.grow:  # a file by itself has been looked at
            require_known(mask, f"the mask {self}")
        return mask

    def __str__(self) -> str:
        parts = [] if self.path is None else [f"{self.path}{' inverted' if self.invert else ''}"]
        parts += [f"box {','.join(f'{number:.10g}' for number in numbers)}" for numbers in self.boxes]
        return " and ".join(parts) + (f", grown by {self.grow} px" if self.grow else "")


def mask_options(name: str) -> list[tuple[str, Any, Any]]:
    """The fields of a command line for one mask: name, type, default; to be read by `Masking.of`."""
    given = f"the file of --{name.replace('_', '-')}"
    path: Any = Annotated[
        str | None, _told("PATH", "white where it applies: one image for all frames, a folder of images, or a video")
    ]
    invert: Any = Annotated[tyro.conf.FlagCreatePairsOff[bool], _told(None, f"In {given}, black is where it applies.")]
    hole: Any = Annotated[Numbers, written("X,Y,W,H[,T0,T1]", box)]
    where = (
        "A rectangle where it applies, in pixels from the upper left corner, from one second to another if these are "
        "given; instead of a file, or besides it. Can be given several times."
    )
    boxes: Any = Annotated[tyro.conf.UseAppendAction[list[hole]], _told(None, where)]
    grow: Any = Annotated[int, _told("PIXELS", "Grow all of that by so many pixels.")]
    types: Sequence[Any] = (path, invert, boxes, grow)
    defaults: Sequence[Any] = (field(default=None), field(default=False), field(default_factory=list), field(default=0))
    return list(zip(_names(name), types, defaults, strict=True))


def _told(metavar: str | None, text: str) -> Any:
    return tyro.conf.arg(metavar=metavar, help=text)


def _names(name: str) -> tuple[str, str, str, str]:
    """Of one mask: the fields of its file, its polarity, its boxes and its growth."""
    before = name.removesuffix("mask")
    return name, f"{name}_invert", f"{before}box", f"{before}dilate"


def _box(numbers: Numbers) -> Box:
    from invr_core.masks import Box

    x, y, width, height, *seconds = numbers
    return Box(int(x), int(y), int(width), int(height), *seconds)
