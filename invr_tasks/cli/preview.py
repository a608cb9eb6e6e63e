"""``invr run … --preview SECONDS``: a look at the middle of a clip, and what the whole clip would take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from invr_core.errors import BadInput, OutOfSpan
from invr_core.fitting import FitConfig, Progress, solved_for
from invr_core.models.base import ModelConfig
from invr_core.shots import SLACK, cuts_at
from invr_tasks.part_fits import Orders
from invr_tasks.preview import Planned, Took, excerpt, forecast, planned, shortened
from invr_tasks.run import OnStep, prepare, renewed
from invr_tasks.shots import Joined
from invr_tasks.task import Source, Task


class Preview:
    """An excerpt of a source, in the place of the whole.

    Args:
        task: with its options.
        whole: what it would be run on.
        seconds: length of the excerpt.
        model: as it is asked for.
        config: how long the whole is to be fitted.
        piece: frames that a part of the whole may have.
        cuts: seconds at which the whole is cut; those that would be found are not known.
        on_note: is told what the excerpt is.

    Raises:
        InvrError: if the task could not be run on the whole, or is asked for instants outside the excerpt.
    """

    def __init__(
        self,
        task: Task[Any],
        whole: Source,
        seconds: float,
        model: ModelConfig,
        config: FitConfig,
        piece: int,
        cuts: Sequence[float],
        on_note: Callable[[str], None],
    ) -> None:
        clip = whole.video
        self._fits = planned(renewed(task), whole, cuts_at(clip, cuts), Orders(piece, model, config))
        self.steps, self.fitting, self._until = 0, 0.0, 0.0
        self.source = excerpt(whole, seconds, task.minimum_frames)
        video = self.source.video
        self.span = f"{video.span[0]:.4g} to {video.span[1]:.4g} s"
        on_note(f"preview: {self.span}, {len(video)} of {len(clip)} frames, at {_size(video.size)}")
        self._of = f"{len(clip)} frames of {_size(clip.size)}"
        try:
            part = prepare(renewed(task), self.source)
        except OutOfSpan as error:
            raise BadInput(
                f"{error}; --preview is of {self.span} alone: ask for instants in it, or leave it out"
            ) from error
        self.config = shortened(config, len(clip), len(part.observation.video))
        self._excerpt = Planned(part, solved_for(part.observation, model, self.config), self.config)

    def watched(self, on_step: OnStep) -> OnStep:
        """The same callback; the steps that it is told of, and their seconds, are counted."""

        def watch(progress: Progress) -> None:
            self.steps += 1
            self.fitting += progress.seconds - (self._until if progress.step > 1 else 0.0)
            self._until = progress.seconds
            on_step(progress)

        return watch

    def cuts(self, given: tuple[float, ...]) -> tuple[float, ...]:
        """Those of these seconds that are in the excerpt."""
        first, last = self.source.video.span
        return tuple(second for second in given if first < second - SLACK <= last)

    def told(self, result: Joined, rendering: float, reading: float) -> str:
        """What the whole would take, in a line.

        Args:
            result: of the excerpt.
            rendering: seconds that its rendering has taken.
            reading: seconds that the opening of the whole clip has taken.
        """
        took = Took(result.alone.seconds if result.alone else self.fitting, self.steps, rendering)
        would = forecast(self._fits, self._excerpt, took)
        free = "" if would.free is None else f", with {_bytes(would.free)} free"
        enough = "" if would.free is None or would.memory <= would.free else ": TOO MUCH"
        return (
            f"this was {self.span}; all {self._of} would take about {_time(reading + would.fitting + would.rendering)} "
            f"(fit {_time(would.fitting)}, rendering {_time(would.rendering)}) and {_bytes(would.memory)} of memory"
            f"{free}{enough}"
        )


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"


def _bytes(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def _time(seconds: float) -> str:
    """Roughly, in the unit that suits.

    Example:
        >>> _time(12.3), _time(300), _time(9000)
        ('12 s', '5 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
