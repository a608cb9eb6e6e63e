"""What was fitted to the parts of a clip in a run that was kept: asked for something else, each part for its own.

Nothing of the run's record is believed, or needed: which frames a part is of, its file says.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import torch

from invr_core.errors import BadFile, BadInput
from invr_core.fitted import Fitted
from invr_core.storage import SUFFIX, geometry_of, load
from invr_core.video import Video
from invr_tasks.keeping import RECORD, Kept
from invr_tasks.metrics import TOLERANCE, nearest
from invr_tasks.pieces import LEAST_PIECE, OVERLAP, parts_of
from invr_tasks.rendered import Rendered

Range = tuple[int, int]
"""The first of some frames, and the one after the last."""


@dataclass
class Files(Kept):
    """The parts of a run, to be read alone: nothing is written, and nothing is fitted.

    Args:
        files: of each part that is fitted, from 0 on.
    """

    files: Mapping[int, Path] = field(default_factory=dict)

    def begin(self) -> None:
        """Nothing has to be written down."""

    def holds(self, part: int) -> bool:
        """Whether a part is fitted."""
        return part in self.files

    @cached_property
    def rendered(self) -> Rendered:
        """Nothing: what that run has rendered is another answer."""
        return Rendered(self.folder / "none")

    def fitted(self, part: int, device: str) -> Fitted | None:
        """What was fitted to a part.

        Raises:
            BadFile: if its file is damaged.
        """
        return load(self.files[part], device) if part in self.files else None


@dataclass(frozen=True)
class Reused:
    """A run whose parts answer another task, as `invr_tasks.shots.run_shots` takes it.

    Args:
        cuts: first frame of each shot but the first; frames that no part is of are shots of their own.
        piece: frames of a part at the most.
        count: of parts.
        keep: their files.
    """

    cuts: tuple[int, ...]
    piece: int
    count: int
    keep: Files

    def require(self, missing: Sequence[tuple[int, str]]) -> None:
        """Refuse to fit what is not fitted.

        Raises:
            BadInput: if something is missing.
        """
        if missing:
            raise BadInput(
                f"{self.keep.folder} is not fitted throughout: {'; '.join(title for _, title in missing)} of the clip "
                f"is missing; if that run is not finished, `invr resume {self.keep.folder}` first"
            )


def is_run(path: str | Path | None) -> bool:
    """Whether this is a run that is kept."""
    return path is not None and (Path(path) / RECORD).is_file()


def reuse(folder: str | Path, clip: Video, minimum: int) -> Reused:
    """A run that is kept, to be asked anew.

    Args:
        folder: of the run.
        clip: that it was fitted to.
        minimum: how many frames the task needs.

    Raises:
        BadFile: if no part is fitted, or a file is damaged.
        BadInput: if the run is of another clip, or its parts are too short for the task.
    """
    path = Path(folder)
    found = {_frames(file, clip): file for file in sorted(path.glob(f"part-*{SUFFIX}"))}
    if not found:
        raise BadFile(f"{folder}: no part of this run is fitted yet; `invr resume {folder}` goes on with it")
    ranges = sorted(found)
    overlap = max([before[1] - after[0] for before, after in pairwise(ranges)], default=0)
    longest = max(end - begin for begin, end in ranges)
    piece = max(longest, 4 * min(max(overlap, 0), OVERLAP), LEAST_PIECE)
    cuts = _cuts(ranges, len(clip))
    parts = [(part.begin, part.end) for part in parts_of(len(clip), cuts, piece, minimum)]
    if not set(ranges) <= set(parts):
        raise BadInput(
            f"the parts of {folder}, of at most {longest} frames, do not make up this clip for this task, which needs "
            f"parts of {2 * minimum}; if that run is not finished, `invr resume {folder}` first, else leave out --rep"
        )
    files = {parts.index(frames): file for frames, file in found.items()}
    return Reused(cuts, piece, len(parts), Files(path.resolve(), (), os.getcwd(), {}, {}, files=files))


def _frames(file: Path, clip: Video) -> Range:
    """The frames of a clip that a part is of."""
    times = torch.tensor(geometry_of(file).times, dtype=torch.float64)
    begin = int(nearest(clip.times, times[:1]))
    end = begin + len(times)
    if end > len(clip) or float((clip.times[begin:end] - times).abs().max()) > TOLERANCE:
        raise BadInput(
            f"{file} was fitted to frames from {float(times[0]):g} to {float(times[-1]):g} s that are not those of "
            "this clip; give the clip that the run was of"
        )
    return begin, end


def _cuts(ranges: Sequence[Range], frames: int) -> tuple[int, ...]:
    """Where a part does not overlap the one before; what lies between two parts is cut off at both its ends."""
    found = {begin for (_, before), (begin, _) in pairwise([(0, 0), *ranges]) if begin >= before}
    found |= {end for (_, end), (begin, _) in pairwise([*ranges, (frames, frames)]) if begin >= end}
    return tuple(sorted(found - {0, frames}))
