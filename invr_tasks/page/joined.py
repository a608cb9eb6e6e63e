"""The page of a run on a clip of several parts: each is looked at while it is in memory, and the page made last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from invr_core.errors import BadInput
from invr_tasks.confidence import Sureness
from invr_tasks.page.cautions import cautions
from invr_tasks.page.curve import Chain, Curve
from invr_tasks.page.gallery import Gallery, Moment, gallery
from invr_tasks.page.instants import SIDES, Series, choose, explained
from invr_tasks.page.parts import Parts
from invr_tasks.page.report import plots, put, step_of
from invr_tasks.page.tables import Row, figures, network, origin, settings
from invr_tasks.shots import Done, Joined
from invr_tasks.task import Source, Task
from invr_tasks.truth import Truth

MOST_MOMENTS = 6
"""Of the worst, and of the typical instants, that are kept of all parts together."""
_NAME = "the fit of each part, against what was given"


class Sections:
    """Collects what a page shows of each part.

    Args:
        truth: that the answer is held against while it is read; None where it is not known.

    Example:
        ``sections = Sections()``, then ``joined = run_shots(…, on_done=sections.add)`` and, once the answer has been
        read, ``sections.write("run.html", task, source, joined)``
    """

    def __init__(self, truth: Truth | None = None) -> None:
        self._truth = truth
        self._unseen: Done | None = None
        self._titles: list[str] = []
        self._points: list[tuple[float, float]] = []
        self._frames = 0
        self._moments: dict[bool, list[Moment]] = {False: [], True: []}  # chosen by what was given, or by the truth
        self._unsure: list[float] = []
        self._wheel: Gallery | None = None
        self._network: list[Row] = []
        self._origin: list[Row] = []
        self._seconds, self._interrupted = 0.0, False
        self.step, self._latest, self._fits = Curve(), Curve(), Chain()

    def begin(self) -> None:
        """The steps that follow are of another part."""
        self.step = Curve()

    def add(self, done: Done) -> None:
        """Note a part that has just been fitted; it is looked at now, or against the truth once its answer is read."""
        self._look()
        self._titles.append(done.part.title)
        self._unseen = done  # of the last two parts everything is in memory anyway
        if self._truth is None:
            self._look()
        self._seconds += done.result.seconds
        self._interrupted |= done.result.interrupted
        if (self.step.late_gain or 0) > (self._latest.late_gain or 0):
            self._latest = self.step
        self._fits.add(self.step.points)
        self.step = Curve()  # a part that was fitted before, and is only loaded, has none

    def _look(self) -> None:
        """Look at the part that has not been looked at, if there is one: all of its answer that is its own is read."""
        done, self._unseen = self._unseen, None
        if done is None:
            return
        rep, video = done.result.representation, done.source.video
        fitted = explained(done.task.observe(done.source), rep, _NAME)
        found = None if self._truth is None else self._truth.scores(video.span)
        naive, truth = (self._truth.naive, self._truth.clip) if found and self._truth else (None, None)
        instants = choose(Series.of("ours", found[0]) if found else fitted, 1)
        parts = Parts(rep, step_of(video))
        shown = gallery(instants, parts, video, done.result.video, naive, truth, 1 / MOST_MOMENTS)
        self._points += zip(fitted.times, fitted.psnr, strict=True)
        self._frames += fitted.frames
        known = found is not None
        self._moments[known] = _few([*self._moments[known], *shown.moments])
        self._unsure += [] if shown.unsure is None else [shown.unsure]
        if self._wheel is None:  # the first part; what was fitted to it is not held, but what the page says of it
            self._wheel, self._network, self._origin = shown, network(rep), origin(rep)

    def write(
        self,
        path: str | Path,
        task: Task[Any],
        source: Source,
        joined: Joined,
        facts: Mapping[str, object] | None = None,
        sureness: Sureness | None = None,
    ) -> None:
        """Write the page; see `invr_tasks.page.report.write_report`.

        Args:
            path: ends in ``.html``.
            task: that was run.
            source: the whole.
            joined: the answer, which has been read.
            facts: further lines for the table of what was asked.
            sureness: how sure each frame of the answer is, where the task told.

        Raises:
            BadInput: if no part was fitted.
            BadOutput: if it cannot be written.
        """
        self._look()
        if self._wheel is None:
            raise BadInput("no part of this clip was fitted, so there is nothing to report")
        times, psnr = zip(*sorted(self._points), strict=True)
        fitted = Series(_NAME, times, psnr, self._frames)
        found = self._truth.scores() if self._truth and self._moments[True] else None
        known = None if found is None else [Series.of(name, one) for name, one in zip(SIDES, found, strict=True)]
        series = known or [fitted]
        moments = tuple(sorted(self._moments[known is not None], key=lambda moment: moment.time))
        unsure = fmean(self._unsure) if self._unsure else None
        shown = replace(self._wheel, moments=moments, unsure=unsure, left="naive" if known else "given")
        told = {
            **(facts or {}),
            "parts": f"{len(joined.parts)}, of which {len(self._titles)} are fitted, each by itself",
            "model and fit below": f"those of {self._titles[0]}",
        }
        put(
            Path(path),
            task=type(task).__name__,
            answer=joined.video,
            figures=figures(self._seconds, known, fitted, None),
            cautions=cautions(self._interrupted, series[0], known is not None, shown, self._latest, sureness),
            shown=shown,
            plots=plots(series, fitted, known is not None, shown, self._fits.lines, sureness),
            settings=[*settings(task, source, joined.video, told), *self._network],
            origin=self._origin,
        )


def _few(moments: list[Moment]) -> list[Moment]:
    """The worst of the worst; and typical ones that are apart from each other."""
    worst = sorted((m for m in moments if m.instant.kind == "worst"), key=lambda m: m.instant.psnr)[:MOST_MOMENTS]
    usual = sorted((m for m in moments if m.instant.kind != "worst"), key=lambda m: m.time)
    while len(usual) > MOST_MOMENTS:
        gaps = [after.time - before.time for before, after in zip(usual[:-2], usual[2:], strict=True)]
        del usual[1 + gaps.index(min(gaps))]
    return worst + usual
