"""`invr batch`: one clip after the other, whatever becomes of one. The fit is a stand-in that answers at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from invr_core.io import open_video
from invr_core.video import Video
from invr_tasks.cli.clips import find_clips

Make = Callable[..., Video]
Refuses = Callable[..., str]


@pytest.fixture
def clips(invr: Any, make_video: Make) -> None:
    """``clips/``: 2.mkv and 10.mkv, the folder of images `shot`, and what is no clip."""
    for name in ("2.mkv", "10.mkv", "shot"):
        make_video(3, 16, 24).save(f"clips/{name}")
    Path("clips/notes.txt").write_text("no clip")
    Path("clips/.hidden.mp4").write_text("no clip")


def rows(out: str) -> dict[str, str]:
    """Of a summary: clip -> what became of it."""
    lines = out.partition("outcome")[2].strip().splitlines()[:-1]
    return {line.split(maxsplit=1)[0]: line.split(maxsplit=1)[1].strip() for line in lines}


def contents(folder: str = ".") -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


# ------------------------------------------------------------------ which clips
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["clips"], ["clips/2.mkv", "clips/10.mkv", "clips/shot"]),
        (["clips/shot"], ["clips/shot"]),
        (["clips/*.mkv"], ["clips/2.mkv", "clips/10.mkv"]),
        (["**/*.mkv", "clips/shot/"], ["clips/2.mkv", "clips/10.mkv", "clips/shot/"]),
        (["clips/notes.txt"], ["clips/notes.txt"]),  # named is named: opening it says what is wrong
    ],
)
def test_a_folder_a_pattern_and_a_name_are_what_they_look_like(clips: None, words: list[str], found: list[str]) -> None:
    told: list[str] = []
    clips_found = find_clips(words, "out", ".mp4", told.append)
    assert [clip.path for clip in clips_found] == found
    assert told == (["clips: no clips, and left out: notes.txt"] if words == ["clips"] else [])
    assert [clip.output for clip in clips_found] == [f"out/{Path(path).stem}.mp4" for path in found]


def test_a_folder_of_videos_with_a_picture_beside_them_is_no_clip(clips: None) -> None:
    Path("clips/shot/000000.png").rename("clips/cover.png")
    told: list[str] = []
    found = [clip.path for clip in find_clips(["clips"], "out", ".mkv", told.append)]
    assert found == ["clips/2.mkv", "clips/10.mkv", "clips/shot"]
    assert told == ["clips: no clips, and left out: cover.png, notes.txt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name the task first: invr batch TASK INPUT… --into DIR"),
        (["fakeslow", "--into", "out"], "missing: INPUT (see `invr batch fakeslow --help`)"),
        (["fakeslow", "clips"], "missing: --into DIR"),
        (["fakeslow", "gone.mp4", "clips", "--into", "out"], "gone.mp4 does not exist"),
        (["fakeslow", "clips/*.mp4", "--into", "out"], "nothing matches clips/*.mp4"),
        (["fakeslow", "empty", "--into", "out"], "empty holds neither videos nor images"),
        (["fakeslow", "clips", "other/2.mkv", "--into", "out"], "clips/2.mkv and other/2.mkv would both be written to"),
        (["fakeslow", "clips", "clips/2.mkv", "--into", "out"], "clips/2.mkv and clips/2.mkv would both be written"),
        (["fakeslow", "clips", "--into", "clips", "--suffix", ".mkv"], "clips/2.mkv would replace a clip that is read"),
        (["fakeslow", "clips", "--into", "out", "--suffix", ".avi"], "invalid choice '.avi' for argument '--suffix'"),
        (["fakeslow", "clips", "--into", "clips/notes.txt"], "cannot be written"),
        (["fakeslow", "clips", "--into", "out", "--steps", "1", "--minutes", "1"], "give --minutes or --steps"),
        (["fakeslow", "clips", "--into", "out", "--factor", "1"], "--factor 1: must be at least 2"),
        (
            ["fakeslow", "clips", "--into", "out", "--report", "at.html"],
            "--report at.html would be written by each",
        ),
        (["fakeslow", "clips", "--into", "out", "--save-rep", "a.invr"], "--save-rep a.invr would be written by each"),
        (
            ["fakeslow", "clips", "--into", "out", "--report", "{stem}.html"],
            "2.html exists, and clips/2.mkv is not",
        ),
        (
            ["fakeslow", "clips", "--into", "out", "--suffix", "/", "--confidence", "out/{stem}/sure.mkv"],
            "out/2/sure.mkv lies within out/2/, a folder of frames and nothing else",
        ),
        (["fakeslow", "clips", "--into", "out", "--device", "tpu"], "unknown device 'tpu'"),
        (["fakefill", "clips", "--into", "out"], "missing: --mask PATH, or --box"),
        (["fakeslow", "clips", "--into", "out", "--keep", "r"], "Unrecognized options: --keep"),
        (["fakeslow", "clips", "--into", "out", "--box", "0,0,1,1"], "Unrecognized options: --box"),
    ],
)
def test_what_cannot_be_is_refused_before_the_first_clip(
    refuses: Refuses, fits: Any, clips: None, make_video: Make, arguments: list[str], message: str
) -> None:
    make_video(3, 16, 24).save("other/2.mkv")
    Path("empty").mkdir()
    Path("2.html").write_text("precious")
    assert message in refuses("batch", *arguments)
    assert fits.calls == []


# ------------------------------------------------------------------ doing them
def test_each_clip_is_answered_under_its_own_name_and_summed_up(invr: Any, fits: Any, clips: None) -> None:
    code, out, err = invr("batch", "fakeslow", "clips", "--into", "out", "--suffix", ".mkv", "--seed", "3")
    assert code == 0
    assert {path.name for path in Path("out").iterdir()} == {"2.mkv", "10.mkv", "shot.mkv"}
    assert len(open_video("out/2.mkv")) == 5
    assert [call[2].seed for call in fits.calls] == [3, 3, 3]
    assert {clip: text.partition(", in")[0] for clip, text in rows(out).items()} == {
        "clips/2.mkv": "wrote out/2.mkv",
        "clips/10.mkv": "wrote out/10.mkv",
        "clips/shot": "wrote out/shot.mkv",
    }
    assert out.splitlines()[-1] == "3 clips: 3 written"
    assert "invr: clip 2/3: clips/10.mkv" in err and "left out: notes.txt" in err


def test_a_run_is_kept_of_one_clip_alone(invr: Any) -> None:
    assert "--keep" in invr("run", "fakeslow", "--help")[1]
    assert "--keep" not in invr("batch", "fakeslow", "--help")[1]


def test_options_may_stand_before_and_after_the_inputs(invr: Any, fits: Any, clips: None) -> None:
    arguments = ["--factor", "3", "clips/2.mkv", "clips/shot", "--into", "out", "--quiet", "--suffix=/"]
    assert invr("batch", "fakeslow", *arguments) == (0, "", "")
    assert [len(open_video(f"out/{name}")) for name in ("2", "shot")] == [7, 7]


def test_one_failure_does_not_stop_the_rest_and_is_told(invr: Any, fits: Any, clips: None) -> None:
    Path("clips/5.mkv").write_text("no video")
    code, out, err = invr("batch", "fakeslow", "clips", "--into", "out")
    assert code == 2
    assert {path.name for path in Path("out").iterdir()} == {"2.mp4", "10.mp4", "shot.mp4"}
    found = rows(out)
    assert list(found) == ["clips/2.mkv", "clips/5.mkv", "clips/10.mkv", "clips/shot"]
    assert "clips/5.mkv" in found["clips/5.mkv"] and f"invr: error: clips/5.mkv: {found['clips/5.mkv']}" in err
    assert out.splitlines()[-1] == "4 clips: 3 written, 1 failed"
    assert invr("batch", "fakeslow", "clips", "--into", "out", "--quiet")[:2] == (2, "")


def test_a_bug_does_not_stop_the_rest_either_and_weighs_more(invr: Any, fits: Any, clips: None) -> None:
    Path("clips/5.mkv").write_text("no video")
    fits.error = ZeroDivisionError("one of ours")
    code, out, err = invr("batch", "fakeslow", "clips", "--into", "out")
    assert code == 1 and out.splitlines()[-1] == "4 clips: 4 failed"
    assert "ZeroDivisionError: one of ours" in err and "this is a bug in invr" in rows(out)["clips/2.mkv"]
    assert not Path("out").exists()


@pytest.mark.parametrize("suffix", [".mp4", "/"])
def test_what_is_finished_is_neither_computed_again_nor_touched(invr: Any, fits: Any, clips: None, suffix: str) -> None:
    options = ["--into", "out", "--suffix", suffix]
    assert invr("batch", "fakeslow", "clips/10.mkv", *options)[0] == 0
    before, fitted = contents("out"), len(fits.calls)
    code, out, _ = invr("batch", "fakeslow", "clips", *options, "--factor", "3")
    assert code == 0 and len(fits.calls) == fitted + 2
    assert rows(out)["clips/10.mkv"] == f"out/10{suffix} is there already; left as it is"
    assert "3 clips: 2 written, 1 there already; what was there already is not computed again" in out
    assert before.items() <= contents("out").items() and len(contents("out")) > len(before)


def test_what_is_missing_beside_a_finished_answer_is_told(invr: Any, fits: Any, clips: None) -> None:
    assert invr("batch", "fakeslow", "clips/10.mkv", "--into", "out")[0] == 0
    code, _, err = invr("batch", "fakeslow", "clips/10.mkv", "--into", "out", "--report", "{stem}.html")
    assert code == 0 and not Path("10.html").exists() and len(fits.calls) == 1
    assert "10.html (--report) is not there, though out/10.mp4 is; remove that to have both" in err


def test_paths_may_carry_the_name_of_the_clip(invr: Any, fits: Any, clips: None) -> None:
    for name, column in (("2", 0), ("10", 8)):
        mask = torch.zeros(1, 3, 16, 24)
        mask[..., column : column + 4] = 1
        Video.of(mask).save(f"mask-{name}.mkv")
    options = ["--mask", "mask-{stem}.mkv", "--report", "{stem}.html", "--save-rep", "rep-{stem}.invr", "--quiet"]
    assert invr("batch", "fakefill", "clips/*.mkv", "--into", "out", *options) == (0, "", "")
    hidden = [call[0].weight.frames()[0, 0, 0].argmin() for call in fits.calls]
    assert hidden == [0, 8]
    assert all(Path(name).exists() for name in ("2.html", "10.html", "rep-2.invr", "rep-10.invr"))
    again = ["--rep", "rep-{stem}.invr", "--box", "0,0,1,1", "--quiet"]
    assert invr("batch", "fakefill", "clips/*.mkv", "--into", "again", *again) == (0, "", "")
    assert len(fits.calls) == 2


# ------------------------------------------------------------------ stopping
class Stops:
    """Ctrl-C at the second clip: either in its fit, which then ends early, or elsewhere."""

    def __init__(self, fits: Any, early: bool) -> None:
        self._fits, self._early, self._fit = fits, early, type(fits).__call__

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if len(self._fits.calls) == 1:
            self._fits.info = {"interrupted": True}
            self._fits.error = None if self._early else KeyboardInterrupt()
        return self._fit(self._fits, *arguments, **options)


@pytest.mark.parametrize("early", [True, False])
def test_ctrl_c_ends_with_what_is_done_and_leaves_nothing_half_done(
    invr: Any, fits: Any, clips: None, monkeypatch: pytest.MonkeyPatch, early: bool
) -> None:
    monkeypatch.setattr("invr_tasks.run.fit", Stops(fits, early))
    code, out, _ = invr("batch", "fakeslow", "clips", "--into", "out")
    assert code == 130
    assert [path.name for path in Path("out").iterdir()] == ["2.mp4"]
    assert [text.partition(", in")[0] for text in rows(out).values()] == [
        "wrote out/2.mp4",
        "stopped; no answer is written",
        "not begun",
    ]
    assert out.splitlines()[-1] == "3 clips: 1 written, 1 stopped, 1 not begun"


BESIDE = ["--report", "{stem}.html", "--save-rep", "{stem}.invr", "--confidence", "{stem}/"]


@pytest.mark.parametrize("moment", ["rendering", "report"])
@pytest.mark.parametrize("cuts", ["--no-shots", "--cuts=0.12"])
def test_the_same_command_goes_on_after_ctrl_c_between_two_outputs_of_a_clip(
    invr: Any, fits: Any, sure: None, make_video: Make, monkeypatch: pytest.MonkeyPatch, moment: str, cuts: str
) -> None:
    make_video(6, 16, 24).save("clips/2.mkv")
    command = ["batch", "fakesure", "clips", "--into", "out", *BESIDE, cuts]
    with monkeypatch.context() as patch:

        def stop(*arguments: Any, **options: Any) -> None:
            raise KeyboardInterrupt

        if moment == "report":
            patch.setattr("invr_tasks.page.report._environment", stop)
        else:
            patch.setattr("invr_tasks.cli.noted.Noted.save", stop)
        assert invr(*command)[0] == 130
    assert sorted(path.name for path in Path().rglob("*") if path.name != "out") == ["2.mkv", "clips"]
    code, out, _ = invr(*command)
    assert code == 0 and rows(out)["clips/2.mkv"].startswith("wrote out/2.mp4, in ")
    reps = ["2.invr"] if cuts == "--no-shots" else ["2-1.invr", "2-2.invr"]
    assert {path.name for path in Path().iterdir()} == {"2", "2.html", *reps, "clips", "out"}
