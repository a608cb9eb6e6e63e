"""`invr run --truth`: the answer is held against what it should be, and whatever fits never meets that."""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from standins import Own

from invr_core.errors import BadInput, BadOutput
from invr_core.io import open_video
from invr_core.oracle import MovingDisc
from invr_core.query import Query
from invr_core.video import Video
from invr_tasks import registry
from invr_tasks.metrics import Scores, compare
from invr_tasks.page.joined import Sections
from invr_tasks.shots import run_shots
from invr_tasks.task import Source
from invr_tasks.truth import CLOCK, Truth

Make = Callable[..., Video]
SLOW = ("run", "fakeslow", "in.mkv", "out.mkv")
AGAINST = ("--report", "page.html", "--truth", "truth.mkv")
SPY = """
from fake_tasks import *


class Spy(Slow):
    '''Keep the truth wherever it can, and fit to it.'''

    def judged(self, source, truth):
        self.seen = source.extras['seen'] = truth

    def observe(self, source):
        return Observation(getattr(self, 'seen', source.extras.get('seen', source.video)))


class Blind(Slow):
    '''Judge nothing.'''

    def judged(self, source, truth):
        return truth.map(lambda frames: 0 * frames[:, :1])


class First(Slow):
    '''Judge what is shown before 0.5 s, on the left.'''

    def judged(self, source, truth):
        import torch

        weight = torch.zeros(1, 1, *truth.size)
        weight[..., : truth.size[1] // 2] = 1
        return truth[: int((truth.times < 0.5).sum())].map(lambda frames: weight.expand(len(frames), -1, -1, -1))
"""


@pytest.fixture
def truth(make_video: Make, clip: str) -> Video:
    """``truth.mkv``, of which ``in.mkv`` is every second frame."""
    whole = make_video(7, 16, 24, smooth=True)
    whole.save("truth.mkv")
    Video.of(whole.frames()[::2], fps=12.5).save("in.mkv")
    return open_video("truth.mkv")


@pytest.fixture
def cut(invr: Any) -> Video:
    """``truth.mkv`` of three shots, from 0 s, 0.6 s and 1.1 s on, and ``in.mkv`` with some noise."""
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(29, 3, 16, 24, generator=generator) / 8
    clean += torch.tensor([0.1] * 12 + [0.5] * 10 + [0.8] * 7)[:, None, None, None]
    Video.of(clean, fps=20).save("truth.mkv")
    Video.of(clean[::2], fps=10).save("in.mkv")
    return open_video("truth.mkv")


@pytest.fixture
def spies(install: Any, invr: Any) -> None:
    """The tasks spy, blind and first."""
    install("spy-dist", {name.lower(): f"spy_tasks:{name}" for name in ("Spy", "Blind", "First")}, {"spy_tasks": SPY})


def trivial() -> Video:
    """The trivial answer of fakeslow."""
    slow: Any = registry.get("fakeslow")
    answer: Video = slow().naive(Source(open_video("in.mkv")))
    return answer


def told(scores: Scores) -> str:
    return f"PSNR {scores.psnr:.2f} dB, SSIM {scores.ssim:.4f}"


def pictures(page: str, name: str) -> list[str]:
    return re.findall(rf'alt="{name} at ([0-9.]+) s"', page)


# ------------------------------------------------------------------ one part
def test_the_answer_is_held_against_it_and_the_page_shows_its_errors(invr: Any, fits: Any, truth: Video) -> None:
    code, out, err = invr(*SLOW, *AGAINST)
    assert code == 0, err
    ours, naive = compare(open_video("out.mkv"), truth), compare(trivial(), truth)
    assert out.splitlines()[1] == f"against the truth, over 7 frames: {told(ours)}; the trivial answer: {told(naive)}"
    page = Path("page.html").read_text(encoding="utf-8")
    assert pictures(page, "error") and pictures(page, "error") == pictures(page, "truth") == pictures(page, "ours")
    assert "PSNR over time, against the truth" in page and f"<dd>{ours.psnr:.2f} dB</dd>" in page
    assert '<th scope="row">truth</th><td>truth.mkv</td>' in page


def test_it_is_rendered_once(invr: Any, fits: Any, truth: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    class Counts(Own):
        def render(self, rep: Any, source: Source) -> Video:
            video = source.video
            return Video(video.times, video.size, lambda indices: (read.extend(indices), video.read(indices))[1])

    monkeypatch.setattr("invr_tasks.registry.get", lambda name: Counts)
    monkeypatch.setattr("invr_tasks.page.report.gallery", lambda *rest: pytest.fail("the page is not what is counted"))
    monkeypatch.setattr("invr_tasks.cli.parts.Byproducts.write", lambda *rest: None)
    code, out, err = invr("run", "counts", "truth.mkv", "out.mkv", *AGAINST[:2], "--truth", "truth.mkv")
    assert code == 0, err
    assert read == list(range(7)) and "PSNR 100.00 dB, SSIM 1.0000; the trivial" in out


def test_only_what_is_judged_counts_and_the_line_says_so(invr: Any, fits: Any, spies: None, cut: Video) -> None:
    code, out, err = invr("run", "first", "in.mkv", "out.mkv", "--no-shots", *AGAINST)
    assert code == 0, err
    weight = torch.zeros(10, 1, 16, 24)
    weight[..., :12] = 1
    ours = compare(open_video("out.mkv"), cut, Video.of(weight, cut.times[:10]))
    line = f"over 10 frames: PSNR {ours.psnr:.2f} dB of the judged pixels, SSIM {ours.ssim:.4f}; the trivial"
    assert line in out and ours.psnr != ours.psnr_frame


def test_where_nothing_is_judged_there_are_no_figures(invr: Any, fits: Any, spies: None, truth: Video) -> None:
    code, out, err = invr("run", "blind", "in.mkv", "out.mkv", *AGAINST)
    assert code == 0, err
    assert out.splitlines()[1] == "no pixel is judged against the truth, so there are no figures"
    assert "The truth is not known here" in Path("page.html").read_text(encoding="utf-8")


def test_images_have_no_clock_and_are_taken_in_order(invr: Any, fits: Any, truth: Video) -> None:
    truth.save("truths")  # read again at 25 frames per second, whatever the clip
    fast = Video.of(truth.frames()[::2], fps=3)
    fast.save("in.mkv")
    code, out, err = invr(*SLOW, "--report", "page.html", "--truth", "truths")
    assert code == 0, err
    ours = compare(open_video("out.mkv"), Video.of(truth.frames(), open_video("out.mkv").times))
    assert f"over 7 frames: {told(ours)};" in out


def test_clocks_of_milliseconds_may_differ_by_their_rounding(make_video: Make) -> None:
    source = Source(make_video(4, times=[0.0, 0.1, 0.2, 0.3]))
    late = make_video(5, times=[0.0, 0.1 + 0.9 * CLOCK, 0.15, 0.2, 0.3])
    assert Truth(Own(), source, late).clip.times.tolist() == source.video.times.tolist()
    assert torch.equal(Truth(Own(), source, late).clip.frames(), late.frames()[[0, 1, 3, 4]])
    with pytest.raises(BadInput, match=r"no frame at 0\.1000 s, the nearest is at 0\.1012 s"):
        Truth(Own(), source, make_video(4, times=[0.0, 0.1 + 1.1 * CLOCK, 0.2, 0.3]))


# ------------------------------------------------------------------ several parts
def test_the_errors_of_each_part_are_on_one_page(invr: Any, fits: Any, cut: Video) -> None:
    code, out, err = invr(*SLOW, "--cuts", "0.6,1.1", *AGAINST)
    assert code == 0, err
    assert len(fits.calls) == 3
    ours, naive = compare(open_video("out.mkv"), cut), compare(trivial(), cut)
    assert f"over 29 frames: {told(ours)}; the trivial answer: {told(naive)}" in out
    page = Path("page.html").read_text(encoding="utf-8")
    times = [float(time) for time in pictures(page, "error")]
    for first, last in ((0.0, 0.55), (0.55, 1.05), (1.05, 1.4)):  # a worst and a typical one of each shot
        assert sum(first <= time <= last for time in times) == 2
    assert f"<dd>{ours.psnr:.2f} dB</dd>" in page and f"<dd>{naive.psnr:.2f} dB</dd>" in page
    assert "PSNR over time, against the truth" in page and "How well the fit explains what was given" in page
    shown = {frame.time: frame.psnr for frame in ours.frames}
    for time, psnr in re.findall(r"<b>([0-9.]+) s</b> <span>\w+</span> <span>([0-9.]+) dB</span>", page):
        assert psnr in [f"{value:.1f}" for at, value in shown.items() if abs(at - float(time)) < 1e-3]


def test_of_each_part_the_worst_is_shown(invr: Any, fits: Any, cut: Video) -> None:
    frames = cut.frames()
    wrong = (4, 15, 26)
    for index in wrong:
        frames[index] = 1 - frames[index]
    Video.of(frames, fps=20).save("truth.mkv")
    assert invr(*SLOW, "--cuts", "0.6,1.1", *AGAINST)[0] == 0
    found = re.findall(r"<b>([0-9.]+) s</b> <span>worst</span>", Path("page.html").read_text(encoding="utf-8"))
    ours = {f.time: f.psnr or 0 for f in compare(open_video("out.mkv"), open_video("truth.mkv")).frames}
    shots = [[t for t in ours if low <= t < high] for low, high in ((0, 0.51), (0.6, 1.01), (1.1, 1.5))]
    assert [float(time) for time in found] == pytest.approx([min(shot, key=ours.__getitem__) for shot in shots])


def test_parts_of_which_nothing_is_judged_are_left_out(invr: Any, fits: Any, spies: None, cut: Video) -> None:
    assert invr("run", "first", "in.mkv", "out.mkv", "--cuts", "0.6,1.1", *AGAINST)[0] == 0
    page = Path("page.html").read_text(encoding="utf-8")
    assert pictures(page, "ours") == pictures(page, "error") and float(pictures(page, "ours")[-1]) < 0.5
    assert invr("run", "blind", "in.mkv", "out.mkv", "--cuts", "0.6,1.1", *AGAINST)[0] == 0
    page = Path("page.html").read_text(encoding="utf-8")
    assert len(pictures(page, "ours")) == 6 and not pictures(page, "error") and "The truth is not known here" in page


def test_what_was_fitted_is_held_for_no_longer_than_without(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[weakref.ref[MovingDisc]] = []

    def fit(*arguments: Any, **options: Any) -> MovingDisc:
        gc.collect()
        assert sum(ref() is not None for ref in fitted) < 2
        rep = MovingDisc((16, 24))
        fitted.append(weakref.ref(rep))
        return rep

    monkeypatch.setattr("invr_tasks.run.fit", fit)
    clip = Video.of(torch.rand(16, 3, 16, 24), fps=20)
    truth = Truth(Own(), Source(clip), clip)
    joined = run_shots(Own(), Source(clip), (4, 8, 12), on_done=Sections(truth).add)
    truth.watched(joined.video).frames()
    gc.collect()
    assert [ref() is not None for ref in fitted] == [False, False, True, True]


# ------------------------------------------------------------------ it never meets the fit
@pytest.mark.parametrize("options", [(), ("--cuts", "0.6")])
def test_a_task_that_keeps_the_truth_fits_the_given_all_the_same(
    invr: Any, fits: Any, spies: None, cut: Video, options: tuple[str, ...]
) -> None:
    assert (
        invr("run", "spy", "in.mkv", "out.mkv", "--no-shots" if not options else "--quiet", *options, *AGAINST)[0] == 0
    )
    given = torch.cat([call[0].video.frames() for call in fits.calls])
    assert torch.equal(given, open_video("in.mkv").frames())


def test_what_is_fitted_is_the_same_to_the_bit(invr: Any, truth: Video) -> None:
    options = ["--steps", "2", "--params", "20k", "--device", "cpu", "--quiet", "--report", "page.html"]
    for name, more in (("with", ["--truth", "truth.mkv"]), ("without", [])):
        assert invr(*SLOW, *options, "--save-rep", f"{name}.invr", *more) == (0, "", "")
    assert Path("with.invr").read_bytes() == Path("without.invr").read_bytes()


def test_a_run_that_is_kept_keeps_nothing_of_it(invr: Any, fits: Any, truth: Video) -> None:
    assert invr(*SLOW, *AGAINST, "--keep", "RUN", "--quiet") == (0, "", "")
    Path("out.mkv").unlink()
    Path("truth.mkv").write_bytes(Path("truth.mkv").read_bytes() + b" ")  # what is fitted does not depend on it
    code, out, err = invr("resume", "RUN")
    assert code == 0 and "against the truth, over 7 frames" in out, err
    assert len(fits.calls) == 1 and '"in.mkv"' in Path("RUN/run.json").read_text()


def test_frames_that_were_rendered_before_are_held_against_it_too(
    invr: Any, fits: Any, cut: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (*SLOW, "--cuts", "0.6,1.1", *AGAINST)
    assert invr(*command)[0] == 0
    pages = [Path("page.html").read_text(encoding="utf-8")]
    with monkeypatch.context() as patched:
        patched.setattr("invr_tasks.page.joined.put", lambda *rest, **said: (_ for _ in ()).throw(BadOutput("no room")))
        assert invr(*command, "--keep", "RUN")[0] == 2  # all is rendered by then
    assert list(Path("RUN").glob("rendered-*.json"))
    code, out, err = invr("resume", "RUN")
    assert code == 0, err
    ours = compare(open_video("out.mkv"), cut)
    assert f"over 29 frames: {told(ours)};" in out
    pages.append(Path("page.html").read_text(encoding="utf-8"))
    assert pictures(pages[1], "error") == pictures(pages[0], "error") and len(pictures(pages[1], "error")) == 6


# ------------------------------------------------------------------ what is refused
def test_what_cannot_be_held_against_it_is_refused_before_the_fit(
    refuses: Callable[..., str], fits: Any, truth: Video, make_video: Make
) -> None:
    truth[[0, 1, 2, 3, 5, 6]].save("gap.mkv")
    make_video(7, 16, 32).save("large.mkv")
    make_video(6).save("few")
    report = ("--report", "page.html")
    for given, said in (
        (
            "gap.mkv",
            r"the truth has no frame at 0\.1600 s, the nearest is at 0\.1200 s; .* each of the 7 instants of the",
        ),
        ("large.mkv", "the truth is of 32x16, and the answer of 24x16; give it in the size of the answer"),
        ("few", r"no frame at 0\.2400 s, .* or 7 images, to be taken in their order"),
        ("none.mkv", "none.mkv does not exist"),
    ):
        assert re.search(said, refuses(*SLOW, *report, "--truth", given)), given
    assert "--truth truth.mkv is what --report holds" in refuses(*SLOW, "--truth", "truth.mkv")
    assert "which --truth is not of" in refuses(*SLOW, *AGAINST, "--preview", "0.1")
    assert "truth.mkv is named twice" in refuses(*SLOW[:3], "truth.mkv", *AGAINST)
    assert fits.calls == []


def test_a_batch_has_a_truth_for_each_clip(invr: Any, fits: Any, truth: Video) -> None:
    Path("truth.mkv").rename("in-truth.mkv")
    names = ["--report", "{stem}.html", "--truth", "{stem}-truth.mkv"]
    code, out, err = invr("batch", "fakeslow", "in.mkv", "--into", ".", "--suffix", ".mp4", *names)
    assert code == 0 and "against the truth, over 7 frames" in out, err
    again = ("batch", "fakeslow", "in.mkv", "--into", ".", "--suffix", ".gif", "--report", "{stem}-2.html")
    assert "in.gif is named twice" in invr(*again, "--truth", "{stem}.gif")[2]


def test_frames_too_small_to_be_compared_are_refused(make_video: Make) -> None:
    small = make_video(3, 2, 8)
    with pytest.raises(BadInput, match="is of 8x2; frames are compared from 3x3 pixels on"):
        Truth(Own(), Source(small), small)


def test_what_plans_no_answer_is_told_as_without_it(make_video: Make) -> None:
    class Backwards(Own):
        def plan(self, source: Source) -> Query:
            return Query(source.video.times.flip(0))

    clip = make_video(3)
    with pytest.raises(BadInput, match="the instants asked for must strictly increase"):
        Truth(Backwards(), Source(clip), clip)
