"""Bad input, end to end: one line, exit code 2, nothing overwritten, nothing left behind. The real tasks are used."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from invr_core.io import open_video
from invr_core.video import Video

Make = Callable[..., Video]
Refuses = Callable[..., str]
SMALL = ("--steps", "1")


def mask(path: str, frames: int = 1, size: tuple[int, int] = (16, 24), value: float = 0.0) -> None:
    """A mask with a small hole, all else of one value."""
    values = torch.full((frames, 3, *size), value)
    values[..., :4, :4] = 1
    Video.of(values).save(path)


# ------------------------------------------------------------------------------ inputs
@pytest.fixture
def inputs(clip: str, bunny_path: Path, make_video: Make) -> None:
    """Files and folders that are no clips."""
    Path("empty.mp4").touch()
    Path("text.mp4").write_text("not a video\n" * 50)
    Path("head.mp4").write_bytes(bunny_path.read_bytes()[:4000])
    Path("bytes.mkv").write_bytes(bytes(range(256)) * 40)
    Path("nothing").mkdir()
    Path("notes").mkdir()
    Path("notes/readme.txt").write_text("no pictures here")
    make_video(3, 16, 24).save("mixed")
    make_video(1, 8, 8).save("small")
    Path("small/000000.png").rename("mixed/000009.png")
    make_video(3, 16, 24).save("broken")
    Path("broken/000001.png").write_bytes(Path("broken/000001.png").read_bytes()[:40])
    with wave.open("sound.wav", "wb") as sound:
        sound.setparams((1, 2, 8000, 100, "NONE", ""))
        sound.writeframes(bytes(200))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.mp4", "gone.mp4 does not exist"),
        ("gone/deep/gone.mp4", "does not exist"),
        ("empty.mp4", "empty.mp4 is empty"),
        ("text.mp4", "text.mp4"),
        ("head.mp4", "head.mp4"),
        ("bytes.mkv", "bytes.mkv"),
        ("sound.wav", "sound.wav holds no video"),
        ("nothing", "nothing holds no images"),
        ("notes", "notes holds no images"),
        ("mixed", "all images of a folder must have one size"),
        ("broken", "broken/000001.png cannot be read as an image"),
    ],
)
@pytest.mark.parametrize("command", [("run", "denoise"), ("fit",)], ids=["run", "fit"])
def test_what_is_no_clip(refuses: Refuses, inputs: None, fits: Any, command: Any, name: str, message: str) -> None:
    output = "out.invr" if command == ("fit",) else "out.mkv"
    assert message in refuses(*command, name, output, *SMALL)
    assert message in refuses(*command, name, output, "--quiet")
    assert fits.calls == []


def test_one_frame_is_too_few_for_interpolation_alone(refuses: Refuses, invr: Any, fits: Any, make_video: Make) -> None:
    make_video(1, 16, 24).save("one.mkv")
    assert "at least 2 frames, this one has 1" in refuses("run", "interpolate", "one.mkv", "out.mkv")
    assert fits.calls == []
    assert invr("run", "denoise", "one.mkv", "out.mkv", "--quiet") == (0, "", "")


@pytest.mark.parametrize("quiet", [False, True])
def test_a_truncated_file_is_used_as_far_as_it_goes(invr: Any, fits: Any, bunny_path: Path, quiet: bool) -> None:
    data = bunny_path.read_bytes()
    Path("cut.mp4").write_bytes(data[: len(data) // 2])
    code, _, err = invr("run", "interpolate", "cut.mp4", "out.mkv", "--factor", "1", *(["--quiet"] if quiet else []))
    frames = len(open_video("out.mkv"))
    assert code == 0 and 5 < frames < 60
    said = f"cut.mp4 is damaged: {frames} frames could be decoded, the rest is left out"
    assert (said in err) is not quiet
    assert len(fits.calls[0][0].video) == frames


# ------------------------------------------------------------------------------- masks
@pytest.mark.parametrize(
    ("frames", "size", "value", "message"),
    [
        (1, (16, 25), 0.0, "is 25x16, the clip is 24x16; they must have the same size"),
        (3, (16, 24), 0.0, "has 3 frames, the clip has 4; give one for each, or one for all"),
        (5, (16, 24), 0.0, "has 5 frames, the clip has 4"),
        (1, (16, 24), 1.0, "covers everything; nothing is left to learn from"),
        (4, (16, 24), 1.0, "covers everything"),
    ],
    ids=["size", "too few", "too many", "all white", "all white video"],
)
def test_a_mask_that_does_not_fit(
    refuses: Refuses, fits: Any, frames: int, size: tuple[int, int], value: float, message: str
) -> None:
    mask("mask.mkv", frames, size, value)
    line = refuses("run", "inpaint", "in.mkv", "out.mkv", "--mask", "mask.mkv", *SMALL)
    assert line.startswith("the mask mask.mkv") and message in line
    assert fits.calls == []


def test_a_mask_that_is_none(refuses: Refuses, fits: Any, inputs: None) -> None:
    assert "missing: --mask PATH" in refuses("run", "inpaint", "in.mkv", "out.mkv")
    assert "gone.png does not exist" in refuses("run", "inpaint", "in.mkv", "out.mkv", "--mask", "gone.png")
    assert "text.mp4" in refuses("run", "inpaint", "in.mkv", "out.mkv", "--mask", "text.mp4")
    assert "Unrecognized options: --mask" in refuses("run", "denoise", "in.mkv", "out.mkv", "--mask", "in.mkv")
    assert fits.calls == []


# ----------------------------------------------------------------------------- outputs
@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("out.avi", ".avi is not offered"),
        ("folder.mp4", "folder.mp4 exists and is a folder"),
        ("file", "exists and is a file, not a folder"),
        ("file/", "exists and is a file, not a folder"),
        ("album", "holds other things than frames (holiday.jpg)"),
        ("file/out.mp4", "cannot be written"),
        ("/proc/invr/out.mp4", "cannot be written"),
        ("in.mkv", "in.mkv is named twice"),
        ("loop.mp4", "cannot be written"),
    ],
)
@pytest.mark.parametrize("command", ["run", "query"])
def test_an_output_that_cannot_be(
    refuses: Refuses, fits: Any, taken: None, stored: str, command: str, output: str, message: str
) -> None:
    Path("loop.mp4").symlink_to("loop.mp4")
    if command == "run":
        line = refuses("run", "denoise", "in.mkv", output, *SMALL)
    elif output == "in.mkv":  # of no meaning to `query`
        return
    else:
        line = refuses("query", stored, output, "--fps", "25")
    assert message in line
    assert fits.calls == []


@pytest.mark.parametrize(
    ("options", "lost"),
    [
        (["out/", "--confidence", "out/sure.mkv"], "out/sure.mkv"),
        (["out", "--report", "./out/page.html"], "./out/page.html"),
        (["out", "--save-rep", "out/fit.invr"], "out/fit.invr"),
        (["out", "--keep", "out/run"], "out/run"),
        (["out/answer.mkv", "--confidence", "out"], "out/answer.mkv"),
        (["out/", "--report", "page.html", "--truth", "out/000000.png"], "out/000000.png"),
    ],
)
def test_what_would_be_lost_within_a_folder_of_frames(
    refuses: Refuses, fits: Any, make_video: Make, options: list[str], lost: str
) -> None:
    make_video(3, 16, 24).save("out")
    message = refuses("run", "denoise", "in.mkv", *options)
    assert message.startswith(f"{lost} lies within out") and message.endswith("choose another place")
    assert fits.calls == []


def test_a_folder_that_is_locked(refuses: Refuses, fits: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("invr_core.io.targets.tempfile.TemporaryFile", locked)
    assert "out.mkv cannot be written: Permission denied in" in refuses("run", "denoise", "in.mkv", "out.mkv")
    assert fits.calls == []


@pytest.mark.parametrize("name", ["folder.invr", "nowhere/a.invr", "a.bin", "in.mkv"])
def test_a_place_for_what_is_fitted_that_cannot_be(refuses: Refuses, fits: Any, taken: None, name: str) -> None:
    assert name in refuses("run", "denoise", "in.mkv", "out.mkv", "--save-rep", name)
    assert name in refuses("fit", "in.mkv", name)
    assert fits.calls == []


# ----------------------------------------------------------------------------- options
@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("interpolate", ["--factor", "0"], "--factor 0: factor must be a whole number of at least 1, got 0"),
        ("interpolate", ["--factor", "1.5"], "--factor: '1.5' is not a whole number"),
        ("interpolate", ["--fps", "0"], "--fps 0"),
        ("interpolate", ["--fps", "-25"], "--fps -25"),
        ("interpolate", ["--fps", "nan"], "--fps nan"),
        ("interpolate", ["--fps", "1e15"], "would be 1.2e+14 frames"),
        ("interpolate", ["--factor", "1000000000000"], "would be 3e+12 frames"),
        ("interpolate", ["--fps", "25", "--times", "0.1"], "fps or times, not both"),
        ("interpolate", ["--times", "0.1,7"], "7 s lies outside the clip, which spans 0 to 0.12 s"),
        ("interpolate", ["--times=-0.5,0.1"], "-0.5 s lies outside the clip"),
        ("interpolate", ["--times", "0.1,0.05"], "must strictly increase"),
        ("interpolate", ["--times", "nan"], "finite seconds"),
        ("interpolate", ["--times", "soon"], "'soon' is not a list of numbers"),
        ("upscale", ["--scale", "0.5"], "--scale 0.5: scale must be a number of at least 1, got 0.5"),
        ("upscale", ["--scale", "0"], "--scale 0.0: scale must be a number of at least 1, got 0.0"),
        ("upscale", ["--kernel", "cubic"], "--kernel"),
        ("upscale", ["--reach", "-1"], "--reach -1"),
        ("denoise", ["--noise", "speckle"], "--noise"),
        ("denoise", ["--reach", "-1"], "--reach -1"),
        ("denoise", ["--device", "tpu"], "unknown device 'tpu'"),
        ("denoise", ["--params", "12"], "12 parameters are too few"),
        ("denoise", ["--params", "900M"], "900,000,000"),
    ],
)
def test_options_of_the_tasks_that_cannot_be(refuses: Refuses, task: str, options: list[str], message: str) -> None:
    assert message in refuses("run", task, "in.mkv", "out.mkv", *options)


def test_cuda_asked_for_and_absent(refuses: Refuses, fits: Any, stored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for arguments in (
        ["run", "denoise", "in.mkv", "out.mkv"],
        ["fit", "in.mkv", "out.invr"],
        ["query", stored, "out.mkv", "--fps", "25"],
    ):
        line = refuses(*arguments, "--device", "cuda")
        assert "torch sees no CUDA device here; use --device cpu or auto" in line
    assert fits.calls == []


# ------------------------------------------------------------------------------- tasks
def test_an_unknown_task_names_close_ones_and_the_rest(refuses: Refuses) -> None:
    line = refuses("run", "interpolat", "in.mkv", "out.mkv")
    assert "there is no task 'interpolat'. Did you mean 'interpolate'?" in line
    assert "denoise" in line and "inpaint" in line and "upscale" in line
    assert "there is no task 'xyzzy'. Installed tasks: " in refuses("run", "xyzzy", "in.mkv", "out.mkv")


def test_a_broken_plugin_is_named_and_the_others_work(
    refuses: Refuses, invr: Any, fits: Any, install: Callable[..., Path]
) -> None:
    install("bad-dist", {"fakebroken": "broken_tasks:T"}, {"broken_tasks": "import a_module_that_is_not_there"})
    line = refuses("run", "fakebroken", "in.mkv", "out.mkv")
    assert "'fakebroken' of bad-dist 1.0 (broken_tasks:T) cannot be imported: ModuleNotFoundError" in line
    assert "fakebroken" in invr("tasks")[1]
    assert invr("run", "denoise", "in.mkv", "out.mkv", "--quiet") == (0, "", "")


# ------------------------------------------------------------------------------ memory
@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "interpolate", "in.mkv", "out.mkv"],
        ["run", "upscale", "in.mkv", "out.mkv", "--scale", "4", "--save-rep", "rep.invr"],
        ["fit", "in.mkv", "out.invr"],
    ],
    ids=["interpolate", "upscale", "fit"],
)
def test_not_enough_memory_is_told_before_the_fit_with_what_would_do(
    refuses: Refuses, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr("invr_core.memory.available", lambda device: 2_500_000)
    monkeypatch.setattr("invr_core.models.cwrnn.network.CWRNNNetwork.start", None)
    line = refuses(*arguments, *SMALL)
    assert "takes about" in line and "GiB are free on cpu" in line and "would fit" in line
