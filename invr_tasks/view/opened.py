"""What the viewer was opened on, and what was made of it since: each part drawn as a PNG."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from invr_core.errors import BadInput
from invr_core.query import Region
from invr_core.representation import Representation
from invr_core.video import Video
from invr_tasks.page.parts import Parts, fitting, frame_at
from invr_tasks.view.found import Found, find

SOURCE = "source"
"""The part that is the clip it is compared with, not the representation."""
MOST_PIXELS = 8_000_000
"""Of a whole frame at the zoom that is asked for, whatever of it is shown."""
MOST_TICKS = 600
"""Instants of given frames that are marked."""
MOST_ANSWERS = 4
"""Answers of tasks that can be seen; of more, the oldest goes."""


@dataclass(frozen=True)
class Asked:
    """One picture, as a page asks for it.

    Args:
        part: a name in `Opened.names`.
        time: seconds.
        size: (H, W) of the whole frame in pixels.
        region: what of it is shown.
    """

    part: str
    time: float
    size: tuple[int, int]
    region: Region


class Opened:
    """A fitted clip, and the clip that it is held against.

    Args:
        name: for the title.
        rep: the fitted clip.
        source: what it is compared with; None for nothing.
        notes: what the user should know of it.
    """

    def __init__(self, name: str, rep: Representation, source: Video | None = None, notes: Sequence[str] = ()) -> None:
        self.name, self.rep, self.source, self.notes = name, rep, source, tuple(notes)
        self.frames = _instants(rep, source)
        gaps = sorted(after - before for before, after in zip(self.frames, self.frames[1:], strict=False))
        self.step = gaps[len(gaps) // 2] if gaps else (rep.span[1] - rep.span[0]) / 25 or 0.04
        self._parts = Parts(rep, self.step)
        self._clips: dict[str, Video] = {} if source is None else {SOURCE: source}
        self._added = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The parts that can be shown: those of the fitted clip, the source, and what was added."""
        return (*self._parts.names, *self._clips)

    def add(self, name: str, clip: Video) -> str:
        """Show a further clip.

        Args:
            name: what it is called.
            clip: an answer of a task.

        Returns:
            the part that it is, of a name that no other one has had.
        """
        self._added += 1
        part = f"{self._added}: {name}"
        answers = [held for held in self._clips if held != SOURCE]
        gone = answers[: max(len(answers) - MOST_ANSWERS + 1, 0)]
        self._clips = {**{held: one for held, one in self._clips.items() if held not in gone}, part: clip}
        return part

    def facts(self) -> dict[str, Any]:
        """What the page needs to know, as JSON values."""
        every = math.ceil(len(self.frames) / MOST_TICKS) or 1
        return {
            "name": self.name,
            "span": list(self.rep.span),
            "size": list(self.rep.size),
            "step": self.step,
            "frames": self.frames,
            "every": every,
            "parts": {name: self._parts.told(name) for name in self.names},
            "pixels": MOST_PIXELS,
            "notes": list(self.notes),
        }

    def read(self, given: Mapping[str, str]) -> Asked:
        """What a page asks for, checked.

        Args:
            given: ``part``, ``t`` in seconds, ``width`` of the whole frame in pixels, and the region as fractions
                ``left``, ``top``, ``w``, ``h``; all but ``t`` may be left out.

        Raises:
            BadInput: naming what is wrong.
        """
        part = given.get("part", "full")
        if part not in self.names:
            raise BadInput(f"there is no part {part[:40]!r}; there are {', '.join(self.names)}")
        first, last = self.rep.span
        time = _number(given, "t", None)
        if not first - 1e-6 <= time <= last + 1e-6:
            raise BadInput(f"t={time:g} lies outside the clip; give {first:g} to {last:g}")
        height, width = self.rep.size
        wide = _number(given, "width", width)
        if not 1 <= wide <= 1e6 or wide != int(wide):
            raise BadInput(f"width={wide:g} must be a whole number of pixels, at least 1")
        size = (max(1, math.floor(wide * height / width + 0.5)), int(wide))  # rounded as the page does
        if math.prod(size) > MOST_PIXELS:
            most = math.isqrt(MOST_PIXELS * width // height)
            raise BadInput(f"width={wide:g} is too large; at most {most} pixels are rendered")
        edges = [_number(given, name, default) for name, default in (("top", 0), ("left", 0), ("h", 1), ("w", 1))]
        return Asked(part, min(max(time, first), last), size, Region(*edges))

    def png(self, asked: Asked) -> bytes:
        """Draw it; every pixel is as it was rendered."""
        if (clip := self._clips.get(asked.part)) is not None:
            picture = fitting(frame_at(clip, asked.time)[0], asked.size, asked.region)
        else:
            picture = self._parts.draw(asked.part, asked.time, asked.size, asked.region)
        out = io.BytesIO()
        Image.fromarray(picture).save(out, "PNG", compress_level=1)
        return out.getvalue()


def open_all(path: str, source: str | None, device: str = "auto") -> Opened:
    """Open what the user names; see `invr_tasks.view.found.find`.

    Args:
        path: a ``.invr`` file, a folder with one, or a run that is kept.
        source: the clip to hold it against; None for that of the run or beside the file, if there is one.
        device: where to compute.

    Raises:
        BadFile: if something is missing or damaged.
    """
    return open_found(find(Path(path), source), device)


def open_found(found: Found, device: str = "auto") -> Opened:
    """Open what was found.

    Args:
        found: of `invr_tasks.view.found.find`.
        device: where to compute.

    Raises:
        BadFile: if something is missing or damaged.
    """
    clip = None if found.clip is None else Video.open(found.clip)
    rep, notes = found.opened(clip, device)
    return Opened(found.name, rep, clip, notes)


def _instants(rep: Representation, source: Video | None) -> list[float]:
    """Of the frames that were given, as far as that is known, within the span."""
    geometry = getattr(rep, "geometry", None)
    times = source.times.tolist() if geometry is None and source is not None else getattr(geometry, "times", ())
    return [float(time) for time in times if rep.span[0] <= time <= rep.span[1]]


def _number(given: Mapping[str, str], name: str, default: float | None) -> float:
    text = given.get(name)
    if text is None and default is not None:
        return default
    try:
        value = float(text or "nothing")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadInput(f"{name} must be a number, got {(text or 'nothing')[:40]!r}")
    return value
