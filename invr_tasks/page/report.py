"""One run as one self-contained page: pictures to compare by a wipe, curves, and where it all comes from."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from invr_core.atomic import atomic_file
from invr_core.video import Video
from invr_tasks.confidence import Sureness
from invr_tasks.metrics import compare
from invr_tasks.page.cautions import cautions
from invr_tasks.page.curve import Curve, Point
from invr_tasks.page.gallery import Gallery, gallery
from invr_tasks.page.instants import SIDES, Series, choose, explained
from invr_tasks.page.parts import Parts
from invr_tasks.page.plot import Curves
from invr_tasks.page.tables import figures, network, origin, settings
from invr_tasks.page.target import check_page
from invr_tasks.run import Result, Score
from invr_tasks.task import Source, Task


def write_report(
    path: str | Path,
    task: Task[Any],
    source: Source,
    result: Result,
    *,
    truth: Video | None = None,
    scored: Score | None = None,
    curve: Curve | None = None,
    facts: Mapping[str, object] | None = None,
    sureness: Sureness | None = None,
) -> None:
    """Write a run as one HTML file to look at, atomically: nothing in it is loaded from elsewhere.

    Up to six instants are rendered anew: those that went worst, and typical ones. Where the truth is known they are
    chosen by the answer's PSNR, otherwise by how well the fit explains what was given.

    Args:
        path: ends in ``.html``.
        task: that was run.
        source: it was run on.
        result: of `invr_tasks.run.run`, or that of a `Score`.
        truth: the clip that the answer should be; None where it is not known.
        scored: of `invr_tasks.run.score` for this truth; None to compare here.
        curve: that noted the fit; None leaves out how it went.
        facts: further lines for the table of what was asked, such as names of files.
        sureness: how sure the answer is, frame by frame; None leaves it out.

    Raises:
        BadOutput: if the name ends otherwise, or cannot be written.

    Example:
        ``score = invr_tasks.run.score(task, clip, on_step=curve)``, then
        ``write_report("run.html", task, score.source, score.result, truth=clip, scored=score, curve=curve)``
    """
    target = Path(path)
    check_page(target)
    rep = result.representation
    parts = Parts(rep, step_of(source.video))
    naive = None if truth is None else task.naive(source)
    known = None if truth is None else _scores(task, source, result, truth, naive, scored)
    fitted = explained(task.observe(source), rep, "the fit, against what was given")
    series = [fitted] if known is None else known
    instants = choose(series[0])
    shown = gallery(instants, parts, source.video, result.video, naive, truth)
    put(
        target,
        task=type(task).__name__,
        answer=result.video,
        figures=figures(result.seconds, known, fitted, curve),
        cautions=cautions(result.interrupted, series[0], known is not None, shown, curve, sureness),
        shown=shown,
        plots=plots(series, fitted, known is not None, shown, [curve.points] if curve else [], sureness),
        settings=[*settings(task, source, result.video, facts or {}), *network(rep)],
        origin=origin(rep),
    )


def put(path: Path, **said: object) -> None:
    """Write a page, atomically.

    Args:
        path: ends in ``.html``.
        said: what the template shows, by name.
    """
    text = _environment().get_template("report.html").render(**said, style=_part("page.css"), script=_part("report.js"))
    with atomic_file(path) as private:
        private.write_text(text, encoding="utf-8")


def step_of(video: Video) -> float:
    """Seconds from one given frame to the next, typically."""
    return float((video.times[1:] - video.times[:-1]).median()) if len(video) > 1 else 1 / video.fps


def _scores(
    task: Task[Any], source: Source, result: Result, truth: Video, naive: Video | None, scored: Score | None
) -> list[Series]:
    """PSNR of the answer over time, then that of the naive one."""
    if scored is not None:
        return [Series.of(name, one) for name, one in zip(SIDES, (scored.scores, scored.naive), strict=True)]
    judged = task.judged(source, truth)
    both = zip(SIDES, (result.video, naive), strict=True)
    return [Series.of(name, compare(video, truth, judged)) for name, video in both if video is not None]


def plots(
    series: Sequence[Series],
    fitted: Series,
    known: bool,
    shown: Gallery,
    fits: Sequence[Sequence[Point]],
    sureness: Sureness | None,
) -> list[tuple[str, Any]]:
    """A caption and an SVG for each.

    Args:
        series: PSNR over time, that of the answer first.
        fitted: how well the fit explains what was given.
        known: whether ``series`` is against the truth.
        shown: the pictures.
        fits: how each fit went, as `Curve.points`, on one clock; those that were not watched are left out.
        sureness: how sure the answer is, if that is known.
    """
    first = series[0]
    marks = [(instant.time, instant.psnr) for instant in shown.instants]
    lines = [(one.name, list(zip(one.times, one.psnr, strict=True))) for one in series]
    against = "the truth" if known else "what was given"
    rings = "the rings are the instants shown above"
    told = [(f"PSNR over time, against {against}; {rings}{first.told}", lines, marks)]
    if known:
        given = (fitted.name, list(zip(fitted.times, fitted.psnr, strict=True)))
        told.append((f"How well the fit explains what was given, over time{fitted.told}", [given], []))
    drawn = [(title, Curves(title, "seconds of the clip", "PSNR, dB", line, mark).svg()) for title, line, mark in told]
    if sureness is not None and sureness.values:
        title = "The answer's confidence over time; the rings are the least sure instants"
        line = [("confidence", list(zip(sureness.times, sureness.values, strict=True)))]
        drawn.append((title, Curves(title, "seconds of the clip", "confidence", line, sureness.least()).svg()))
    watched = [("recent batches", points) for points in fits if points]
    if watched:
        alone = len(watched) == 1
        title = f"{'The fit' if alone else 'The fits of the parts, one after the other'}: PSNR of recent batches"
        drawn.append((title, Curves(title, f"seconds of the fit{'' if alone else 's'}", "PSNR, dB", watched).svg()))
    return drawn if first.psnr else drawn[1:]


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("invr_tasks.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@dataclass(frozen=True)
class Inline:
    """A style or a script of ours within the page.

    Args:
        text: itself.
        digest: what the page's own policy allows it by; it allows nothing else.
    """

    text: Markup
    digest: str


@cache
def _part(name: str) -> Inline:
    text = (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")
    return Inline(Markup(text), base64.b64encode(hashlib.sha256(text.encode()).digest()).decode())
