"""`invr run TASK … --rep RUN`: the parts of a run that was kept answer any task, each for its own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from invr_core.io import open_video
from invr_core.video import Video
from invr_tasks.pieces import parts_of
from invr_tasks.rendered import Rendered
from invr_tasks.reused import reuse

Make = Callable[..., Video]
QUIET = ("--device", "cpu", "--quiet")


@pytest.fixture
def source(invr: Any, make_video: Make) -> Path:
    """24 frames."""
    make_video(frames=24, smooth=True).save("in.mkv")
    return Path("in.mkv")


def kept(invr: Any, *options: str, task: str = "fakeslow") -> None:
    """``RUN``, whose answer is out.mkv."""
    assert invr("run", task, "in.mkv", "out.mkv", *options, "--keep", "RUN", *QUIET) == (0, "", "")


def everything(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@pytest.mark.parametrize(
    "options",
    [
        ("--no-shots",),
        ("--no-shots", "--piece", "8"),
        ("--no-shots", "--piece", "11"),
        ("--cuts", "0.36,0.48", "--piece", "9"),
        ("--cuts", "0.36,0.4"),  # one frame, too short to be fitted
        ("--cuts", "0.04"),  # the same at the beginning
        ("--cuts", "0.92"),  # and at the end
    ],
)
def test_each_part_is_answered_by_its_own_fit(invr: Any, source: Path, fits: Any, options: tuple[str, ...]) -> None:
    kept(invr, *options)
    before, count = everything("RUN"), len(fits.calls)
    source.rename("moved.mkv")  # it need not be where it was
    code, _, err = invr("run", "fakeslow", "moved.mkv", "again.mkv", "--rep", "RUN", "--report", "a.html", *QUIET[:2])
    assert code == 0, err
    assert Path("again.mkv").read_bytes() == Path("out.mkv").read_bytes()
    assert len(fits.calls) == count and everything("RUN") == before
    assert ("each by itself" in Path("a.html").read_text()) == (len(options) > 1)
    assert "made before" in Path("a.html").read_text()


def test_whatever_the_parts_they_are_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spans: dict[str, tuple[float, ...]] = {}
    geometry = lambda file: SimpleNamespace(times=spans[file.name])  # noqa: E731
    monkeypatch.setattr("invr_tasks.reused.geometry_of", geometry)
    for frames, piece, cuts in product((150, 161, 400), (8, 11, 63, 64, 65, 70, 160), ((), (40,), (3, 50, 52, 149))):
        clip = Video(torch.arange(frames) / 25, (16, 24), lambda indices: pytest.fail("no frame is needed"))
        parts = [(part.begin, part.end) for part in parts_of(frames, cuts, piece, 2)]
        for file in tmp_path.iterdir():
            file.unlink()
        spans = {f"part-{i:04d}.invr": tuple(clip.times[slice(*span)].tolist()) for i, span in enumerate(parts)}
        short = {name for name, times in spans.items() if len(times) < 2}
        for name in spans.keys() - short:
            (tmp_path / name).touch()
        found = reuse(tmp_path, clip, 2)
        again = [(part.begin, part.end) for part in parts_of(frames, found.cuts, found.piece, 2)]
        assert again == parts and found.count == len(parts), (frames, piece, cuts)
        assert {path.name: parts[i] for i, path in found.keep.files.items()} == {
            name: span for name, span in zip(spans, parts, strict=True) if name not in short
        }


def test_what_the_run_has_rendered_is_not_taken_for_this_answer(invr: Any, source: Path, fits: Any) -> None:
    kept(invr, "--no-shots", "--piece", "10")
    deep = Video(torch.arange(4) / 25, (16, 24), lambda indices: torch.zeros(len(indices), 3, 16, 24), depth=16)
    with (rendered := Rendered(Path("RUN"))):
        rendered.through(deep).frames()
    before = everything("RUN")
    assert "rendered-0000000.json" in before
    assert invr("run", "fakeslow", "in.mkv", "again.mkv", "--rep", "RUN", *QUIET) == (0, "", "")
    assert Path("again.mkv").read_bytes() == Path("out.mkv").read_bytes() and everything("RUN") == before


def test_another_task_is_answered_by_the_same_parts(invr: Any, source: Path, fits: Any) -> None:
    kept(invr, "--no-shots", "--piece", "10")
    count = len(fits.calls)
    options = ("--box", "2,2,8,8", "--rep", "RUN", *QUIET)
    assert invr("run", "fakefill", "in.mkv", "filled.mkv", *options) == (0, "", "")
    assert len(open_video("filled.mkv")) == 24 and len(fits.calls) == count


def test_what_is_not_fitted_is_refused_and_so_is_another_clip(
    invr: Any, source: Path, fits: Any, make_video: Make
) -> None:
    kept(invr, "--no-shots", "--piece", "10")
    count = len(fits.calls)
    run = ("run", "fakeslow", "in.mkv", "again.mkv", "--rep", "RUN", *QUIET)
    make_video(frames=23, smooth=True).save("short.mkv")
    make_video(frames=24, times=[frame / 30 for frame in range(24)]).save("fast.mkv")
    for other in ("short.mkv", "fast.mkv"):
        assert "that are not those of this clip; give the clip that the run was of" in invr.refuses(
            *run[:2], other, *run[3:]
        )
    make_video(24, 32, 48).save("large.mkv")
    assert "the representation is of 24x16, the task Slow needs 48x32 here" in invr.refuses(
        *run[:2], "large.mkv", *run[3:]
    )
    Path("RUN/part-0002.invr").rename("part-0002.invr")
    assert "is not fitted throughout: shot 2/3 of the clip is missing; if that run is not finished, `invr resume" in (
        invr.refuses(*run)
    )
    Path("part-0002.invr").rename("RUN/part-0002.invr")
    Path("RUN/part-0003.invr").unlink()
    assert "`invr resume " in invr.refuses(*run)
    Path("RUN/part-0002.invr").write_bytes(b"no")
    assert "part-0002.invr" in invr.refuses(*run)
    for file in Path("RUN").glob("*.invr"):
        file.unlink()
    assert "no part of this run is fitted yet; `invr resume RUN` goes on with it" in invr.refuses(*run)
    assert len(fits.calls) == count and not Path("again.mkv").exists()


def test_parts_too_short_for_a_task_are_refused(invr: Any, source: Path, fits: Any, install: Any) -> None:
    many = "from fake_tasks import *\n\n\nclass Many(Slow):\n    '''Many.'''\n\n    minimum_frames = 6\n"
    install("many", {"many": "many_task:Many"}, {"many_task": many})
    kept(invr, "--no-shots", "--piece", "10")
    said = invr.refuses("run", "many", "in.mkv", "again.mkv", "--rep", "RUN", *QUIET)
    assert "of at most 10 frames, do not make up this clip for this task, which needs parts of 12" in said


def test_what_would_have_no_effect_is_refused(invr: Any, source: Path, fits: Any) -> None:
    kept(invr, "--no-shots", "--piece", "10")
    for option in (("--piece", "12"), ("--steps", "3"), ("--keep", "MORE"), ("--save-rep", "a.invr")):
        said = invr.refuses("run", "fakeslow", "in.mkv", "again.mkv", "--rep", "RUN", *option, *QUIET)
        assert f"so {option[0]} would have no effect" in said
