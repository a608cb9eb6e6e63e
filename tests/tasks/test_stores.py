"""Answers at a URL: whole or not at all, not computed twice, and by any number of workers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import stores_for_tests

from invr_core.errors import BadOutput
from invr_core.io import open_video
from invr_core.video import Video
from invr_tasks import stores
from invr_tasks.cli import spread

Make = Callable[..., Video]
Refuses = Callable[..., str]
FIT = ["--steps", "2", "--params", "20k", "--seed", "1"]


@pytest.fixture(autouse=True)
def known(install: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stores, here and in workers."""
    kinds = {"ship": "Ship", "pier": "Pier", "bucket": "Bucket"}
    entries = {name: f"stores_for_tests:{kind}" for name, kind in kinds.items()}
    install("fake-stores", entries, group="fsspec.specs")
    monkeypatch.syspath_prepend(str(Path(stores_for_tests.__file__).parent))
    for name, kind in kinds.items():
        fsspec.register_implementation(name, getattr(stores_for_tests, kind), clobber=True)
    fsspec.register_implementation("crate", "not_here.Crate", clobber=True, errtxt="Install crates to access crates")
    yield
    stores._check_folder.cache_clear()
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


@pytest.fixture
def clips(invr: Any, make_video: Make) -> None:
    for name in ("1", "2"):
        make_video(3, 16, 24).save(f"clips/{name}.mkv")


def contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


# ------------------------------------------------------------------ batch
@pytest.mark.parametrize("url", ["ship://far/off/clean", "ship://far/off/clean/", "bucket://far/off/clean"])
def test_answers_at_a_url_have_the_bytes_of_a_folder_and_are_not_computed_again(
    invr: Any, fits: Any, clips: None, url: str
) -> None:
    here = ["--into", "here", "--confidence", "here-{stem}.mkv", "--report", "here-{stem}.html"]
    assert invr("batch", "denoise", "clips", *here, *FIT)[0] == 0
    beside = [
        "--confidence",
        f"{url.rstrip('/')}-sure/{{stem}}.mkv",
        "--report",
        f"{url.rstrip('/')}-sure/{{stem}}.html",
    ]
    code, out, err = invr("batch", "denoise", "clips", "--into", url, *beside, *FIT)
    assert code == 0, err
    joined = f"{url.rstrip('/')}/1.mp4"
    assert (
        f"wrote {joined}, in" in out and f"wrote {joined}: 3 frames" in out and tempfile.gettempdir() not in out + err
    )
    assert contents("far/off/clean") == contents("here")
    sure = contents("far/off/clean-sure")
    assert sure.keys() == {"1.mkv", "2.mkv", "1.html", "2.html"}
    assert sure["1.mkv"] == Path("here-1.mkv").read_bytes() and joined.encode() in sure["1.html"]

    fitted = len(fits.calls)
    Path("far/off/clean/2.mp4").unlink()
    Path("far/off/clean-sure/1.html").unlink()
    for name in ("2.mkv", "2.html"):
        Path(f"far/off/clean-sure/{name}").unlink()
    code, out, err = invr("batch", "denoise", "clips", "--into", url, *beside, *FIT)
    assert code == 0 and "1 there already, 1 written" in out and len(fits.calls) == fitted + 1
    assert f"clean-sure/1.html (--report) is not there, though {joined} is" in err
    assert contents("far/off/clean") == contents("here")


def test_another_kind_of_store(invr: Any, fits: Any, clips: None) -> None:
    memory = fsspec.filesystem("memory")
    for times in (1, 2):
        assert invr("batch", "fakeslow", "clips", "--into", "memory://clean", "--quiet")[0] == 0
        assert sorted(memory.store) == ["/clean/1.mp4", "/clean/2.mp4"] and len(fits.calls) == 2, times
    memory.get_file("/clean/1.mp4", "back.mp4")
    assert len(open_video("back.mp4")) == 5


def test_file_urls_are_paths(invr: Any, fits: Any, clips: None, refuses: Refuses) -> None:
    into = Path("here").resolve()
    assert invr("batch", "fakeslow", "clips", "--into", f"file://{into}", "--suffix", "/", "--quiet")[0] == 0
    assert sorted(path.name for path in into.iterdir()) == ["1", "2"]
    clip = f"local://{Path('clips/1.mkv').resolve()}"
    assert "is named twice" in refuses("run", "fakeslow", "clips/1.mkv", clip)


def test_two_workers_put_the_bytes_of_one(invr: Any, clips: None) -> None:
    Path("clips/5.mkv").write_text("no video")
    assert invr("batch", "denoise", "clips", "--into", "here", *FIT, "--quiet")[0] == 2
    options = [*FIT, "--workers", "2", "--threads", "1"]
    code, out, _ = invr("batch", "denoise", "clips", "--into", "ship://far", *options)
    assert code == 2 and out.splitlines()[-1] == "3 clips: 2 written, 1 failed"
    assert contents("far") == contents("here")
    code, out, _ = invr("batch", "denoise", "clips/[12].mkv", "--into", "ship://far", *options)
    assert code == 0 and out.splitlines()[-1].startswith("2 clips: 2 there already")


def test_what_another_command_has_answered_meanwhile_is_left(
    invr: Any, fits: Any, clips: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "present", lambda urls: set())
    monkeypatch.setattr("invr_tasks.cli.clips.present", lambda urls: set())
    Path("far").mkdir()
    Path("far/1.mp4").write_text("whole")
    code, out, _ = invr("batch", "fakeslow", "clips", "--into", "ship://far")
    assert code == 0 and "1 there already, 1 written" in out and len(fits.calls) == 1
    assert Path("far/1.mp4").read_text() == "whole"
    assert spread.answer_clip(["fakeslow", "clips", "--into", "ship://far"], "clips/1.mkv", "ship://far/1.mp4") is None


# ------------------------------------------------------------------ refused
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--into", "nosuch://far"], "nosuch://far/ cannot be used: Protocol not known: nosuch; choose another place"),
        (
            ["--into", "crate://far"],
            "crate://far/ cannot be used: Install crates to access crates; choose another place",
        ),
        (["--into", "ftp://127.0.0.1:1/far"], "ftp://127.0.0.1:1/far/ cannot be used: [Errno 111] Connection refused"),
        (["--into", "pier://far"], "pier://far/ cannot be used: [Errno 13] Permission denied"),
        (["--into", "ship://in.mkv/far"], "ship://in.mkv/far/ cannot be used: "),
        (["--into", "dir::ship://far"], "dir::ship://far/ is a chain of URLs; give a single one"),
        (["--into", "ship://far", "--suffix", "/"], "ship://far/1/: a folder of images cannot be put at a URL as a"),
        (
            ["--into", "ship://far", "--save-rep", "ship://{stem}.invr"],
            "ship://1.invr: what is fitted is saved to a file of",
        ),
        (["--into", "here", "--report", "ship://far/{stem}.txt"], "a report is written to a name that ends in .html"),
        (["--into", "here", "--report", "ship://far/a.html"], "would be written by each of 2 clips"),
        (["--into", "here", "--report", "nosuch://{stem}.html"], "Protocol not known: nosuch"),
        (["--into", "here", "--confidence", "ship://far/{stem}"], "a folder of images cannot be put at a URL"),
        (["--into", "ship://far", "--keep", "ship://run"], "Unrecognized options: --keep"),
    ],
)
def test_a_place_that_is_of_no_use_is_refused_before_the_first_fit(
    refuses: Refuses, fits: Any, clips: None, options: list[str], message: str
) -> None:
    assert message in refuses("batch", "fakeslow", "clips", *options)
    assert fits.calls == []


# ------------------------------------------------------------------ whole or not at all
def test_a_command_that_is_killed_while_it_sends_leaves_no_answer(
    invr: Any, clips: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Path("gate").touch()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    words = ["run", "denoise", "clips/1.mkv", "ship://far/1.mp4", *FIT]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
        "TMPDIR": str(temporary),
    }
    code = f"import sys; from invr_tasks.cli import main; sys.exit(main({words!r}))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as sending:
        assert sending.stdout is not None and sending.stdout.readline() == b"half-way\n"
        left = list(Path("far").iterdir())
        sending.kill()
    assert len(left) == 1 and left[0].name.startswith(".1.") and left[0].stat().st_size > 0
    assert list(Path("far").iterdir()) == left and len(list(temporary.iterdir())) == 1

    Path("gate").unlink()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    code, out, _ = invr("batch", "denoise", "clips/1.mkv", "--into", "ship://far", *FIT)
    assert code == 0 and "1 written" in out and len(open_video("far/1.mp4")) == 3
    assert list(temporary.iterdir()) == []  # what was made there is gone, too


def test_a_store_that_fails_leaves_no_answer_and_what_was_there(
    invr: Any, fits: Any, clips: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = set(tmp_path.iterdir())
    Path("far").mkdir()
    Path("far/1.mp4").write_text("old")
    Path("leak").touch()
    code, _, err = invr("run", "fakeslow", "clips/1.mkv", "ship://far/1.mp4", "--quiet")
    assert code == 2
    assert err == "invr: error: ship://far/1.mp4 cannot be used: the ship has sunk; choose another place\n"
    assert contents("far") == {"1.mp4": b"old"} and set(tmp_path.iterdir()) == before
    Path("leak").unlink()
    assert invr("run", "fakeslow", "clips/1.mkv", "ship://far/1.mp4", "--quiet")[0] == 0
    assert len(open_video("far/1.mp4")) == 5 and len(contents("far")) == 1
    Path("far/taken.mp4").mkdir()
    with (
        pytest.raises(BadOutput, match=r"taken\.mp4 exists and is a folder"),
        stores.whole("ship://far/taken.mp4") as here,
    ):
        Path(here["ship://far/taken.mp4"]).write_text("new")


def test_frames_of_what_was_fitted_go_to_a_url_too(invr: Any, fits: Any, stored: str) -> None:
    code, out, _ = invr("query", stored, "ship://far/frames.mkv", "--times", "0.02,0.1")
    assert code == 0 and out.startswith("wrote ship://far/frames.mkv: 2 frames")
    assert len(open_video("far/frames.mkv")) == 2 and not Path("ship:").exists()


@pytest.mark.parametrize("report", ["ship://far/page.html", "page.html"])
def test_an_answer_is_there_only_if_all_that_was_asked_for_is(
    invr: Any, fits: Any, clips: None, report: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: list[str] = []
    put, place = stores._put, Path.replace
    monkeypatch.setattr(stores, "_put", lambda file, url: (put(file, url), places.append(url)))
    monkeypatch.setattr(Path, "replace", lambda self, to: (places.append(Path(to).name), place(self, to))[1])
    answer = "out.mp4" if report.startswith("ship") else "ship://far/out.mp4"
    assert invr("run", "fakeslow", "clips/1.mkv", answer, "--report", report, "--quiet")[0] == 0
    assert places.index(report) < places.index(answer)
    Path("leak").touch()
    if not answer.startswith("ship"):
        Path(answer).unlink()
        assert invr("run", "fakeslow", "clips/1.mkv", answer, "--report", report, "--quiet")[0] == 2
        assert not Path(answer).exists()


def test_nothing_is_put_if_the_work_fails(invr: Any, fits: Any, clips: None) -> None:
    fits.error = ZeroDivisionError("one of ours")
    code, out, _ = invr("batch", "fakeslow", "clips", "--into", "ship://far")
    assert code == 1 and out.splitlines()[-1] == "2 clips: 2 failed" and not Path("far").exists()
