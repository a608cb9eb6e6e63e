"""The page of a run: whole by itself, everything escaped, bounded, and with what it should show."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from invr_core.errors import BadOutput, Unsupported
from invr_core.fitting import Progress
from invr_core.observation import Observation
from invr_core.oracle import MovingDisc
from invr_core.query import Query
from invr_core.representation import Motion
from invr_core.video import Video
from invr_tasks.page import album
from invr_tasks.page.curve import MOST_POINTS, Chain, Curve
from invr_tasks.page.plot import Curves
from invr_tasks.page.report import write_report
from invr_tasks.run import Result, Score, score
from invr_tasks.task import Source, Task, as_video

EVIL = "<script>alert('in')</script>\"&"


@dataclass(frozen=True)
class Options:
    note: str = EVIL
    factor: int = 2


class Slow(Task[Options]):
    """Frames between frames."""

    api = 1
    Config = Options

    def observe(self, source: Source) -> Observation:
        return Observation(source.video)

    def plan(self, source: Source) -> Query:
        first, last = source.video.span
        return Query(torch.linspace(first, last, 2 * len(source.video) - 1, dtype=torch.float64))

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        return Source(truth[::2])


class Page(HTMLParser):
    """What is on a page: the tags with their attributes, and the text outside of style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.code: dict[str, str] = {}
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in = tag

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in in ("style", "script"):
            self.code[self._in] = data
        else:
            self.said.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.said).split())

    def images(self, name: str) -> list[Image.Image]:
        uris = [attrs["src"] or "" for tag, attrs in self.tags if tag == "img" and attrs.get("data-name") == name]
        return [Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) for uri in uris]


def clip_of(rep: MovingDisc, frames: int = 9) -> Video:
    return as_video(rep, Query(torch.linspace(*rep.span, frames, dtype=torch.float64)))


def written(tmp_path: Path, rep: MovingDisc, frames: int = 9, **more: object) -> Page:
    clip = clip_of(rep, frames)
    task = Slow()
    result = Result(task.render(rep, Source(clip)), rep, 12.5)
    write_report(tmp_path / "run.html", task, Source(clip), result, **more)  # type: ignore[arg-type]
    assert [file.name for file in tmp_path.iterdir()] == ["run.html"]
    return Page((tmp_path / "run.html").read_text(encoding="utf-8"))


def test_it_is_whole_by_itself_and_allows_only_its_own_script(tmp_path: Path) -> None:
    page = written(tmp_path, MovingDisc((32, 48)))
    assert len(page.tags) > 50
    for tag, attrs in page.tags:
        for name in ("src", "href", "srcset", "action", "data"):
            assert (attrs.get(name) or "data:").startswith("data:") or (tag == "img" and not attrs["src"]), (tag, attrs)
        assert not any(name.startswith("on") or name == "style" for name in attrs), (tag, attrs)
    assert "http" not in "".join(page.code.values()) and "url(" not in page.code["style"]
    (policy,) = (
        attrs["content"] or "" for _, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.code[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_what_comes_from_outside_is_escaped(tmp_path: Path) -> None:
    page = written(tmp_path, MovingDisc((32, 48)), facts={"input": EVIL, EVIL: "x"})
    assert page.text.count(EVIL) == 3  # the option, the name and the value of a fact
    assert [tag for tag, _ in page.tags if tag == "script"] == ["script"] and "alert" not in page.code["script"]


def test_without_truth_it_says_so_and_shows_parts_and_motion(tmp_path: Path) -> None:
    page = written(tmp_path, MovingDisc((32, 48)))
    names = ["given", "ours", "fitted", "structured", "residual", "motion", "confidence"]
    shown = [attrs["data-name"] for tag, attrs in page.tags if tag == "img" and "data-name" in attrs]
    assert list(dict.fromkeys(shown)) == names and len(shown) <= 6 * len(names)
    assert "The truth is not known here." in page.text and "PSNR, given explained 100.00 dB" in page.text
    assert "12.5 s" in page.text and "given 9 frames of 48x32, 0 to 1 s" in page.text
    assert "torch" in page.text and "python" in page.text
    residual = np.asarray(page.images("residual")[0]).astype(int)
    assert abs(residual.mean() - 128) < 30 and residual.std() > 10


def test_a_curve_says_of_how_many_frames_it_is(tmp_path: Path) -> None:
    spread = "at 32 of 34 frames, evenly spread, so that what lies between them may be worse"
    assert spread in written(tmp_path, MovingDisc((16, 24)), 34).text
    assert "evenly spread" not in written(tmp_path, MovingDisc((16, 24)), 32).text


def test_with_the_truth_the_worst_frame_is_shown_with_its_error(tmp_path: Path) -> None:
    rep = MovingDisc((32, 48))
    truth = clip_of(rep, 9)
    frames = truth.frames().clone()
    frames[3, :, :16] = 1 - frames[3, :, :16]  # the answer is wrong at the top of one frame
    result = Result(Video.of(frames, truth.times), rep, 1.0)
    write_report(tmp_path / "run.html", Slow(), Source(truth[::2]), result, truth=truth)
    page = Page((tmp_path / "run.html").read_text(encoding="utf-8"))
    assert "PSNR, ours" in page.text and "gain" in page.text and "The clip is uneven: at 0.38 s" in page.text
    (worst,) = (attrs for tag, attrs in page.tags if tag == "button" and attrs.get("aria-pressed") == "true")
    error = np.asarray(page.images("error")[int(worst["data-moment"] or -1)]).astype(int)
    assert error[:16].mean() > 100 and error[20:].mean() < 10


def test_scores_that_are_known_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rep = MovingDisc((32, 48))
    truth = clip_of(rep, 9)
    known: Score = score(Slow(), truth, rep=rep)
    monkeypatch.setattr("invr_tasks.page.report.compare", None)
    write_report(tmp_path / "a.html", Slow(), known.source, known.result, truth=truth, scored=known)
    assert f"PSNR, ours {known.scores.psnr:.2f} dB" in Page((tmp_path / "a.html").read_text()).text


def test_a_clip_of_noise_stays_within_the_bound(
    tmp_path: Path, make_video: Callable[..., Video], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(album, "MOST_BYTES", 400_000)
    noise = make_video(13, 64, 1200)
    result = Result(noise, MovingDisc((64, 1200), noise.span), 0.0)
    write_report(tmp_path / "run.html", Slow(), Source(noise[::2]), result, truth=noise)
    page = Page((tmp_path / "run.html").read_text(encoding="utf-8"))
    assert len(page.images("ours")) == 6 and page.images("ours")[0].size == (960, 51)
    assert page.images("error")[0].size[0] == 480
    assert (tmp_path / "run.html").stat().st_size < 400_000 * 4 / 3 + 40_000


class Still(MovingDisc):
    """Knows no motion, and but one part."""

    parts = frozenset({"full"})

    def motion(self, t0: torch.Tensor, t1: torch.Tensor) -> Motion:
        raise Unsupported("no motion")


def test_a_model_without_motion_or_parts_shows_what_it_has(tmp_path: Path) -> None:
    page = written(tmp_path, Still((32, 48)))
    assert {attrs["data-name"] for _, attrs in page.tags if "data-name" in attrs} == {"given", "ours", "fitted"}
    assert "wheel" not in page.text


@pytest.mark.parametrize("frames", [1, 2])
def test_very_short_clips_have_a_page(tmp_path: Path, frames: int, make_video: Callable[..., Video]) -> None:
    rep = MovingDisc((16, 24))
    clip = make_video(frames, 16, 24, times=[0.0, 1.0][:frames])
    write_report(tmp_path / "run.html", Slow(), Source(clip), Result(clip, rep, 0.0))
    assert len(Page((tmp_path / "run.html").read_text()).images("ours")) == frames


def test_the_curve_is_bounded_and_keeps_its_end() -> None:
    passed: list[Progress] = []
    curve = Curve(passed.append)
    for step in range(1, 5001):
        curve(Progress(step, 5000, step / 10, 0.0, float("nan") if step == 7 else step / 100, 0.1))
    assert len(passed) == 5000 and len(curve.points) <= MOST_POINTS + 1
    assert curve.points[-1] == (500.0, 50.0) and curve.points[0] == (0.1, 0.01)
    assert list(curve.points) == sorted(curve.points)
    assert curve.late_gain == pytest.approx(12.5, abs=0.2)


def test_the_curves_of_many_parts_are_bounded_too_and_each_keeps_its_ends() -> None:
    chain = Chain()
    for part in range(300):
        chain.add([(step / 10, 20.0 + part + step / 400) for step in range(1, 401)])
        chain.add([])  # one that was not watched
    lines = chain.lines
    assert len(lines) == 300 and sum(map(len, lines)) <= 2 * 300
    for part, line in enumerate(lines):
        assert line[0] == pytest.approx((40 * part + 0.1, 20.0025 + part))
        assert line[-1] == pytest.approx((40 * part + 40, 21.0 + part))


def test_of_some_parts_each_has_about_as_many_points() -> None:
    chain = Chain()
    for _ in range(10):
        chain.add([(step / 10, 20.0) for step in range(1, 401)])
    counts = [len(line) for line in chain.lines]
    assert sum(counts) <= MOST_POINTS and min(counts) >= max(counts) / 2 - 1 and min(counts) >= 10


def test_lines_of_one_name_are_one_line_with_gaps() -> None:
    drawn = str(Curves("t", "x", "y", [("a", [(0, 0), (1, 1)]), ("b", [(0, 1)]), ("a", [(2, 0), (3, 1)])]).svg())
    assert [
        re.findall(rf'class="{kind}{number}"', drawn) != [] for kind in ("line", "name") for number in range(3)
    ] == [
        True,
        True,
        False,
    ] * 2
    assert drawn.count('class="line0"') == 2 and drawn.count('class="name0"') == 1


def test_a_fit_that_was_stopped_or_still_rising_is_told(tmp_path: Path) -> None:
    curve = Curve()
    for step in range(40):
        curve(Progress(step, 40, step, 0.0, 20 + step / 4, 0.1))
    rep = MovingDisc((16, 24))
    clip = clip_of(rep, 3)
    write_report(tmp_path / "run.html", Slow(), Source(clip), Result(clip, rep, 3.0, True), curve=curve)
    text = Page((tmp_path / "run.html").read_text()).text
    assert "stopped before its end" in text and "still getting better: +2." in text and "seconds of the fit" in text


def test_a_page_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    rep = MovingDisc((16, 24))
    clip = clip_of(rep, 2)
    with pytest.raises(BadOutput, match=r"ends in \.html"):
        write_report(tmp_path / "run.txt", Slow(), Source(clip), Result(clip, rep, 0.0))
    (tmp_path / "taken.html").mkdir()
    with pytest.raises(BadOutput):
        write_report(tmp_path / "taken.html", Slow(), Source(clip), Result(clip, rep, 0.0))
    assert [file.name for file in tmp_path.iterdir()] == ["taken.html"]


def test_each_plot_is_drawn_of_numbers(tmp_path: Path) -> None:
    rep = MovingDisc((32, 48))
    truth = clip_of(rep, 9)
    write_report(tmp_path / "run.html", Slow(), Source(truth[::2]), replace(Result(truth, rep, 1.0)), truth=truth)
    page = Page((tmp_path / "run.html").read_text())
    lines = [attrs["points"] or "" for tag, attrs in page.tags if tag == "polyline"]
    assert len(lines) == 3
    assert all(re.fullmatch(r"(-?\d+(\.\d+)?,-?\d+(\.\d+)? ?)+", line) for line in lines), lines
