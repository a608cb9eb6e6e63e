"""`invr run`, in process; the fit is a stand-in that answers at once."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from sounding import held, kinds, sounding

from invr_core.fitting import FitConfig
from invr_core.io import open_video
from invr_core.storage import load
from invr_core.video import Video


# ------------------------------------------------------------------ run: reading the command line
def test_run_help_lists_the_tasks(invr: Any) -> None:
    code, out, _ = invr("run", "--help")
    assert code == 0 and "fakeslow" in out and "Tasks [for] tests" in out


def test_the_help_of_a_task_shows_its_own_options_with_docs_and_defaults(invr: Any) -> None:
    code, out, _ = invr("run", "fakeslow", "--help")
    text = " ".join(out.replace("│", " ").split())
    assert code == 0
    assert "Play a clip slower." in text and "for readers of the code" not in text
    assert "--factor INT Times as many frames; at least 2. (default: 2)" in text
    assert "--times A,B,… Instants, in seconds." in text
    for option in (
        "--minutes",
        "--steps",
        "--params",
        "--seed",
        "--device",
        "--save-rep",
        "--rep",
        "--quiet",
        "--model",
    ):
        assert f" {option} " in text
    assert "--mask" not in text


def test_an_input_of_a_task_becomes_an_option(invr: Any) -> None:
    _, out, _ = invr("run", "fakefill", "--help")
    assert "--mask PATH" in out and "(required)" in out


def test_run_without_a_task_says_which_there_are(invr: Any) -> None:
    assert "invr run TASK INPUT OUTPUT [options]. Installed tasks: " in invr.refuses("run")
    assert "name the task first" in invr.refuses("run", "--steps", "3", "fakeslow")


def test_an_unknown_task_is_one_line(invr: Any) -> None:
    assert "Did you mean 'fakeslow'" in invr.refuses("run", "fakeslo", "a", "b")


def test_a_broken_task_is_one_line(invr: Any, install: Callable[..., Path]) -> None:
    install("bad-dist", {"fakebroken": "broken_tasks:T"}, {"broken_tasks": "raise RuntimeError('one\\ntwo')"})
    message = invr.refuses("run", "fakebroken", "a", "b")
    assert message.endswith("(broken_tasks:T) cannot be imported: RuntimeError: one; two")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "missing: INPUT OUTPUT (see `invr run fakeslow --help`)"),
        (["in.mkv"], "missing: OUTPUT (see `invr run fakeslow --help`)"),
        (["a", "b", "c"], "Unrecognized options: c (see `invr run fakeslow --help`)"),
        (["a", "b", "--facto", "3"], "Unrecognized options: --facto, 3; perhaps you meant --factor INT (see "),
        (["a", "b", "--factor"], "Missing value for argument '--factor'."),
        (["a", "b", "--factor", "x"], "--factor: 'x' is not a whole number (see "),
        (["a", "b", "--gain", "x"], "--gain: 'x' is not a number (see "),
        (["a", "b", "--steps", "1.5"], "--steps: '1.5' is not a whole number (see "),
        (["a", "b", "--times", "0.1,x"], "--times: '0.1,x' is not a list of numbers"),
        (["a", "b", "--params", "3Q"], "--params: '3Q' is not a positive count such as 3M, 350k or 3000000 (see "),
        (["a", "b", "--params=0"], "--params: '0' is not a positive count"),
        (["a", "b", "--params", "0.5"], "--params: '0.5' is not a positive count"),
        (["a", "b", "--params", "nan"], "--params: 'nan' is not a positive count"),
        (["a", "b", "--minutes", "nan"], "--minutes must be a positive number, got nan"),
        (["a", "b", "--minutes", "inf"], "--minutes must be a positive number, got inf"),
        (["a", "b", "--minutes", "-1"], "--minutes must be a positive number, got -1"),
        (["a", "b", "--steps", "0"], "--steps must be at least 1, got 0"),
        (["a", "b", "--steps", "3", "--minutes", "1"], "give --minutes or --steps, not both"),
        (["a", "b", "--seed", "-1"], "--seed must be a whole number from 0"),
        (["a", "b", "--factor", "1"], "--factor 1: must be at least 2, got 1"),
        (["a", "b", "--gain", "2", "--factor", "0"], "--factor 0: must be at least 2, got 0"),
        (["a", "b", "--rep", "x.invr", "--steps", "3"], "--rep leaves out the fit, so --steps would have no effect"),
        (
            ["a", "b", "--rep", "x.invr", "--save-rep", "y.invr"],
            "--rep leaves out the fit, so --save-rep would have no effect",
        ),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(invr: Any, fits: Any, arguments: list[str], message: str) -> None:
    assert invr.refuses("run", "fakeslow", *arguments).startswith(message)
    assert fits.calls == []


def test_a_task_whose_options_hide_ours_is_broken(invr: Any, install: Callable[..., Path]) -> None:
    code = (
        "from fake_tasks import *\n@dataclass(frozen=True)\nclass Mine:\n    seed: int = 3\n"
        "class New(Slow):\n    Config = Mine\n"
    )
    install("new-dist", {"fakenew": "new_tasks:New"}, {"new_tasks": code})
    message = invr.refuses("run", "fakenew", "a", "b")
    assert "'fakenew' (new_tasks:New) has options that `invr run` has itself: --seed" in message


@pytest.mark.parametrize("given", ["truth", "report", "clip", "task", "seed", "device", "slow", "input", "quiet"])
def test_a_task_whose_input_is_called_like_ours_is_broken(invr: Any, install: Callable[..., Path], given: str) -> None:
    code = f"from fake_tasks import *\nclass New(Slow):\n    inputs = ('video', {given!r})\n"
    install("new-dist", {"fakenew": "new_tasks:New"}, {"new_tasks": code})
    message = invr.refuses("run", "fakenew", "a", "b")
    assert f"'fakenew' (new_tasks:New) has inputs that `invr run` has itself: --{given}; rename" in message


# ------------------------------------------------------------------ run: doing it
def test_run_writes_the_answer_and_says_so_in_one_line(invr: Any, fits: Any, clip: str) -> None:
    code, out, err = invr("run", "fakeslow", clip, "out.mkv")
    assert code == 0
    assert out.startswith("wrote out.mkv: 7 frames of 24x16, in ") and len(out.splitlines()) == 1
    assert len(open_video("out.mkv")) == 7
    assert "PSNR 31.50 dB" in err and "recovered" in err


def test_options_may_stand_anywhere_after_the_task(invr: Any, fits: Any, clip: str) -> None:
    assert invr("run", "fakeslow", "--factor", "3", clip, "--quiet", "out.mkv", "--seed=5")[0] == 0
    assert len(open_video("out.mkv")) == 10
    assert fits.calls[0][2].seed == 5


def test_the_options_of_the_fit_arrive(invr: Any, fits: Any, clip: str) -> None:
    invr("run", "fakeslow", clip, "a.mkv", "--steps", "7", "--params", "0.35M", "--model", "hnerv", "--device", "cpu")
    invr("run", "fakeslow", clip, "b.mkv", "--minutes", "0.5", "--params", "20k")
    (_, first_model, first), (_, second_model, second) = fits.calls
    assert (first_model.name, first_model.params) == ("hnerv", 350_000)  # type: ignore[attr-defined]
    assert (second_model.name, second_model.params) == ("cwrnn", 20_000)  # type: ignore[attr-defined]
    assert first == FitConfig(steps=7, device="cpu")
    assert second == FitConfig(minutes=0.5)


def test_times_are_a_comma_list(invr: Any, fits: Any, clip: str) -> None:
    assert invr("run", "fakeslow", "--times", "0.04,0.1", clip, "out.mkv", "--quiet") == (0, "", "")
    assert open_video("out.mkv").times.tolist() == pytest.approx([0.04, 0.1])


def test_a_mask_is_opened_as_one(invr: Any, fits: Any, clip: str) -> None:
    mask = torch.zeros(1, 3, 16, 24)
    mask[..., :4, :4] = 1
    Video.of(mask).save("mask")
    assert invr("run", "fakefill", clip, "out.mkv", "--mask", "mask/000000.png")[0] == 0
    weight = fits.calls[0][0].weight
    assert weight is not None and weight.channels == 1 and len(weight) == 4
    assert weight.frames()[:, :, :4, :4].max() == 0 and weight.frames()[:, :, 4:].min() == 1


def test_quiet_is_silent(invr: Any, fits: Any, clip: str) -> None:
    assert invr("run", "fakeslow", clip, "out.mkv", "--quiet") == (0, "", "")


def test_what_is_fitted_is_kept_and_used_again(invr: Any, fits: Any, clip: str) -> None:
    code, out, _ = invr("run", "fakeslow", clip, "a.mkv", "--save-rep", "a.invr")
    assert code == 0 and "a.invr" in out
    assert load("a.invr").size == (16, 24)
    assert invr("run", "fakeslow", clip, "b.mkv", "--rep", "a.invr")[0] == 0
    assert len(fits.calls) == 1
    assert torch.equal(open_video("a.mkv").frames(), open_video("b.mkv").frames())


def test_a_stopped_fit_is_rendered_and_said(invr: Any, fits: Any, clip: str) -> None:
    fits.info = {"interrupted": True}
    code, out, err = invr("run", "fakeslow", clip, "out.mkv")
    assert code == 0 and out.startswith("wrote out.mkv")
    assert "invr: stopped; going on with what is fitted so far" in err


def test_a_folder_is_written_for_a_name_with_a_slash(invr: Any, fits: Any, clip: str) -> None:
    assert invr("run", "fakeslow", clip, "out.d/", "--quiet")[0] == 0
    assert sorted(path.name for path in Path("out.d").iterdir())[-1] == "000006.png"


@pytest.mark.parametrize("task", ["fakeslow", "interpolate", "inpaint", "denoise", "upscale"])
def test_sound_comes_along_unless_it_is_not_wanted(invr: Any, fits: Any, task: str) -> None:
    sounding(Path("in.mp4"))
    hole = ["--box", "2,2,4,4"] if task == "inpaint" else []
    for output in ("out.mp4", "out.mkv"):
        assert invr("run", task, "in.mp4", output, "--quiet", *hole) == (0, "", "")
        assert kinds(Path(output)) == ["video", "audio"]
        given, copy = held(Path("in.mp4"), "audio"), held(Path(output), "audio")
        assert copy.data[-8:] == given.data[-8:] and copy.stamps[-8:] == pytest.approx(given.stamps[-8:], abs=6e-4)
        assert invr("run", task, "in.mp4", output, "--quiet", "--no-audio", *hole) == (0, "", "")
        assert kinds(Path(output)) == ["video"]
    code, _, err = invr("run", task, "in.mp4", "frames", *hole)
    assert code == 0 and "invr: frames: it holds no sound; that of in.mp4 is left out" in err


@pytest.mark.parametrize("output", ["out.mp4", "out.mkv"])
def test_slow_motion_is_the_same_frames_on_a_longer_clock_without_the_sound(invr: Any, fits: Any, output: str) -> None:
    sounding(Path("in.mp4"))
    assert invr("run", "interpolate", "in.mp4", f"usual-{output}", "--factor", "4", "--quiet")[0] == 0
    code, _, err = invr("run", "interpolate", "in.mp4", output, "--factor", "4", "--slow", "4")
    assert code == 0 and f"invr: {output}: not kept of in.mp4, whose clock is another: sound" in err
    usual, slow, given = open_video(f"usual-{output}"), open_video(output), open_video("in.mp4")
    assert kinds(Path(output)) == ["video"] and len(slow) == len(usual) == 4 * len(given) - 3
    assert slow.times[0] == pytest.approx(float(usual.times[0]), abs=2e-3)
    assert slow.times.diff().tolist() == pytest.approx((4 * usual.times.diff()).tolist(), abs=5e-3)
    assert slow.fps == pytest.approx(given.fps, rel=1e-3)
    lost = 0.0 if output == "out.mkv" else 0.1  # x264 spends its bits by the seconds of a frame
    assert float((slow.frames() - usual.frames()).abs().mean()) <= lost


def test_an_excerpt_is_slow_as_well(invr: Any, fits: Any, clip: str) -> None:
    assert invr("run", "fakeslow", clip, "usual.mkv", "--preview", "0.2", "--quiet")[0] == 0
    assert invr("run", "fakeslow", clip, "slow.mkv", "--preview", "0.2", "--slow", "2.5", "--quiet")[0] == 0
    usual, slow = open_video("usual.mkv").times, open_video("slow.mkv").times
    assert len(usual) > 1 and slow.tolist() == pytest.approx((2.5 * usual).tolist(), abs=1e-3)


@pytest.mark.parametrize("given", ["0.5", "0", "-2", "nan", "inf"])
def test_slower_than_the_clip_is_at_least_once_as_slow(invr: Any, clip: str, given: str) -> None:
    said = invr.refuses("run", "fakeslow", clip, "out.mkv", "--slow", given)
    assert f"--slow must be a number of at least 1, got {given}" in said


@pytest.mark.parametrize("task", ["interpolate", "inpaint", "denoise", "upscale"])
def test_a_clip_one_pixel_wide_is_a_clip(invr: Any, make_video: Callable[..., Video], task: str) -> None:
    make_video(4, 24, 1).save("thin.mkv")
    hole = ["--box", "0,2,1,4"] if task == "inpaint" else []
    words = ["thin.mkv", "out.mkv", "--steps", "2", "--device", "cpu", "--quiet", *hole]
    assert invr("run", task, *words) == (0, "", "")
    assert open_video("out.mkv").size == ((48, 2) if task == "upscale" else (24, 1))


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.gif"])
def test_where_there_is_no_room_the_old_output_stays(invr: Any, fits: Any, clip: str, name: str) -> None:
    assert invr("run", "fakeslow", clip, f"whole{name}", "--quiet") == (0, "", "")
    size, there = Path(f"whole{name}").stat().st_size, sorted([*Path().iterdir(), Path(name)])
    Path(name).write_bytes(b"old")
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (20, size // 2, size - 20):
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
        try:
            code, out, err = invr("run", "fakeslow", clip, name)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))
        assert (code, out) == (2, "") and "Traceback" not in err
        assert err.splitlines()[-1].endswith(f"{name} cannot be written: File too large; choose another place")
        assert Path(name).read_bytes() == b"old" and sorted(Path().iterdir()) == there


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.mkv", "out.mkv"], "missing.mkv"),
        (["in.mkv", "out.avi"], "out.avi"),
        (["in.mkv", "in.mkv"], "in.mkv is named twice"),
        (["in.mkv", "./sub/../in.mkv"], "named twice"),
        (
            ["in.mkv", "out.mkv", "--save-rep", "rep.bin"],
            "rep.bin: what is fitted is saved to a name that ends in .invr",
        ),
        (["in.mkv", "out.mkv", "--save-rep", "folder.invr"], "folder.invr exists and is not a file"),
        (["in.mkv", "out.mkv", "--save-rep", "nowhere/x.invr"], "there is no folder nowhere"),
        (["in.mkv", "out.mkv", "--rep", "missing.invr"], "missing.invr"),
        (["in.mkv", "out.mkv", "--times", "0.04,9"], "9 s lies outside the clip, which spans 0 to 0.12 s"),
        (["in.mkv", "out.mkv", "--device", "tpu"], "unknown device 'tpu'"),
        (["in.mkv", "out.mkv", "--model", "cwrn"], "no model 'cwrn'. Did you mean 'cwrnn'?"),
        (["one.mkv", "out.mkv"], "at least 2 frames, this one has 1"),
    ],
)
def test_bad_input_is_refused_before_the_fit_and_writes_nothing(
    invr: Any, fits: Any, clip: str, make_video: Callable[..., Video], arguments: list[str], message: str
) -> None:
    make_video(1, 16, 24).save("one.mkv")
    Path("folder.invr").mkdir()
    Path("out.mkv").write_text("precious")
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    assert message in invr.refuses("run", "fakeslow", *arguments)
    assert fits.calls == []
    assert {path: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before


def test_a_representation_of_another_clip_is_refused(invr: Any, stored: str, make_video: Callable[..., Video]) -> None:
    make_video(4, 12, 20).save("other.mkv")
    message = invr.refuses("run", "fakeslow", "other.mkv", "out.mkv", "--rep", stored)
    assert "is of 24x16, the task Slow needs 20x12 here" in message


# ------------------------------------------------------------------ run: the page
def test_a_report_is_written_and_said(invr: Any, fits: Any, clip: str) -> None:
    code, out, err = invr("run", "fakeslow", clip, "out.mkv", "--report", "at.html")
    assert code == 0, err
    assert out.startswith("wrote out.mkv: 7 frames of 24x16, and at.html, in ")
    page = Path("at.html").read_text(encoding="utf-8")
    assert "in.mkv" in page and "PSNR of recent batches" in page and "model embedding" in page


@pytest.mark.parametrize(
    ("report", "message"),
    [
        ("page.txt", "page.txt: a report is written to a name that ends in .html"),
        ("folder.html", "folder.html exists and is not a file"),
    ],
)
def test_a_report_that_cannot_be_is_refused_before_the_fit(
    invr: Any, fits: Any, clip: str, report: str, message: str
) -> None:
    Path("folder.html").mkdir()
    assert message in invr.refuses("run", "fakeslow", clip, "out.mkv", "--report", report)
    assert fits.calls == []


def test_where_the_answer_is_all_that_was_asked_for_is(
    invr: Any, fits: Any, clip: str, sure: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    Path("out.mkv").write_text("before")
    command = [
        "run",
        "fakesure",
        clip,
        "out.mkv",
        "--report",
        "at.html",
        "--confidence",
        "sure/",
        "--save-rep",
        "a.invr",
    ]
    with monkeypatch.context() as patch:
        patch.setattr("invr_tasks.page.report.put", stop)
        assert invr(*command)[0] == 130
    assert sorted(path.name for path in Path().iterdir()) == ["a.invr", "in.mkv", "out.mkv"]  # the fit is not lost
    assert Path("out.mkv").read_text() == "before"
    assert invr(*command)[0] == 0
    assert sorted(path.name for path in Path().iterdir()) == ["a.invr", "at.html", "in.mkv", "out.mkv", "sure"]
    assert len(open_video("out.mkv")) == 7
