"""How far a fit and a rendering are, on stderr: a live bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from torch import Tensor

from invr_core.fitting import Progress as FitProgress
from invr_core.video import Video
from invr_tasks.cli.printed import printable

EVERY = 5.0
"""Seconds between two plain lines."""


class Reporter:
    """Tells how far the work is; a context manager.

    Args:
        quiet: tell nothing at all.
        console: where to; None for stderr.
        clock: seconds; for the rendering, whose steps carry no time.
    """

    def __init__(
        self, quiet: bool = False, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._quiet = quiet
        self._console = console or Console(stderr=True)
        self._clock = clock
        self._live = self._console.is_terminal and not quiet
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"))
        self._bars = Progress(*columns, console=self._console, disable=not self._live)
        self._bar_of: dict[str, TaskID] = {}
        self._due: dict[str, float] = {}
        self._fitting = "fitting"

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def note(self, text: str) -> None:
        """Tell something that the user should know, once."""
        if not self._quiet:
            self._line(f"invr: {text}")

    def part(self, title: str) -> None:
        """Tell which part of the clip the steps that follow belong to.

        Args:
            title: see `invr_tasks.pieces.Part`.
        """
        bar = self._bar_of.pop(self._fitting, None)
        if bar is not None:
            self._bars.remove_task(bar)
        self._fitting = f"fitting {title}".rstrip()
        if self._live:  # what is done before the first step may take a while
            self._tell(self._fitting, 0.0, "beginning", 0.0)

    def on_step(self, step: FitProgress) -> None:
        """Tell how far the fit is; to be given to it."""
        if step.note:
            self.note(step.note)
        whole = step.seconds + step.remaining
        done = step.step / step.steps if step.steps else step.seconds / whole if whole > 0 else 1.0
        total = f"/{step.steps}" if step.steps else ""
        state = (
            f"step {step.step}{total}  PSNR {step.psnr:.2f} dB  {_clock(step.seconds)} elapsed, "
            f"{_clock(step.remaining)} left"
        )
        self._tell(self._fitting, min(done, 1.0), state, step.seconds)

    def watched(self, video: Video) -> Video:
        """The same video, which is read frame by frame, and tells how far it is rendered."""
        count, read, began = len(video), video.read, self._clock()
        seen: set[int] = set()

        def one(index: int) -> Tensor:
            frame = read([index])
            seen.add(index)
            done, spent = len(seen) / count, self._clock() - began
            left = _clock(spent / done - spent)
            self._tell("rendering", done, f"frame {len(seen)}/{count}  {left} left", spent)
            return frame

        return replace(video, read=lambda indices: torch.cat([one(int(index)) for index in indices]))

    def _tell(self, what: str, fraction: float, state: str, seconds: float) -> None:
        if self._quiet:
            return
        if self._live:
            if what not in self._bar_of:
                self._bar_of[what] = self._bars.add_task(what, total=1.0, state="")
            self._bars.update(self._bar_of[what], completed=fraction, state=state)
        elif seconds >= self._due.get(what, 0.0) or fraction >= 1:
            self._due[what] = seconds + EVERY
            self._line(f"{what}: {100 * fraction:3.0f} %  {state}")

    def _line(self, text: str) -> None:
        self._console.print(printable(text), markup=False, highlight=False, soft_wrap=True)


def _clock(seconds: float) -> str:
    """Minutes and seconds.

    Example:
        >>> _clock(75.2)
        '1:15'
    """
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    return f"{minutes}:{rest:02d}"
