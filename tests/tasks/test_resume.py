"""A run that is kept goes on after kill -9, Ctrl-C or a full disk, and ends with the bytes of one that was not."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from invr_core import checkpoint
from invr_core.fitting import Progress
from invr_core.video import Video
from invr_tasks.cli.progress import Reporter
from invr_tasks.keeping import fingerprint

COMMAND = ("interpolate", "in.mkv", "out.mkv", "--steps", "24", "--piece", "10", "--no-shots", "--device", "cpu")
"""Three pieces of eight steps."""

KILLED = """
import os, signal, sys
from invr_core import atomic, checkpoint
from invr_tasks.cli import main
from invr_tasks.cli.progress import Reporter
checkpoint.EVERY = {every}
def die():
    os.kill(os.getpid(), signal.SIGKILL)
{moment}
sys.exit(main(["run", *sys.argv[1:]]))
"""
STEP = """
before = Reporter.on_step
def on_step(self, step):
    before(self, step)
    if self._fitting == "fitting piece {piece}/3" and step.step == {step}:
        die()
Reporter.on_step = on_step
"""
WRITE = """
before, count = atomic._flush, [0]
def flush(file):
    before(file)
    count[0] += 1
    if count[0] == {number}:
        die()
atomic._flush = flush
"""
SHOW = """
before = Reporter._tell
def tell(self, what, fraction, *rest):
    if what == "rendering" and fraction > 0.8:
        die()
    before(self, what, fraction, *rest)
Reporter._tell = tell
"""

PAGE = """
from invr_tasks.page import report
report._environment = die
"""


@pytest.fixture
def source(invr: Any, make_video: Callable[..., Video]) -> Path:
    """The input of the command."""
    make_video(frames=24, smooth=True).save("in.mkv")
    return Path("in.mkv")


WHOLE: list[bytes] = []


@pytest.fixture
def whole(invr: Any, source: Path) -> bytes:
    """What the command writes if nothing stops it, found out once."""
    if not WHOLE:
        assert invr("run", *COMMAND, "--quiet") == (0, "", "")
        WHOLE.append(Path("out.mkv").read_bytes())
        Path("out.mkv").unlink()
    return WHOLE[0]


@pytest.fixture
def kept(invr: Any, source: Path) -> None:
    """A run that has come to its end, with a step for each part."""
    assert invr("run", *COMMAND, "--steps", "3", "--keep", "RUN", "--quiet") == (0, "", "")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The steps that are done from here on: of which part, and which."""
    seen: list[tuple[str, int]] = []
    before = Reporter.on_step

    def on_step(self: Reporter, step: Progress) -> None:
        seen.append((self._fitting.removeprefix("fitting "), step.step))
        before(self, step)

    monkeypatch.setattr(Reporter, "on_step", on_step)
    return seen


def kill(moment: str, every: float = 0.0, *options: str) -> None:
    """Run the command in a process of its own, which is killed in the midst of it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    code = KILLED.format(every=every, moment=moment)
    done = subprocess.run(
        [sys.executable, "-c", code, *COMMAND, "--keep", "RUN", *options], env=environment, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert not Path("out.mkv").exists()


def all_of(piece: int, begin: int = 1) -> list[tuple[str, int]]:
    return [(f"piece {piece}/3", step) for step in range(begin, 9)]


# ------------------------------------------------------------------------------ killed
@pytest.mark.parametrize(
    ("moment", "every", "left"),
    [
        (STEP.format(piece=2, step=4), 0.0, [*all_of(2, 5), *all_of(3)]),
        (STEP.format(piece=2, step=4), 999.0, [*all_of(2), *all_of(3)]),
        (STEP.format(piece=1, step=1), 999.0, [*all_of(1), *all_of(2), *all_of(3)]),
        (WRITE.format(number=6), 0.0, [*all_of(1, 5), *all_of(2), *all_of(3)]),  # the record, then a state each step
        (WRITE.format(number=10), 0.0, [*all_of(2), *all_of(3)]),  # all of the first piece, which is not in place yet
        (SHOW, 0.0, []),
    ],
    ids=["after a step", "between two states", "before any state", "writing a state", "writing a part", "showing"],
)
def test_after_kill_it_ends_with_the_same_bytes_and_nothing_is_fitted_twice(
    invr: Any, whole: bytes, steps: list[tuple[str, int]], moment: str, every: float, left: list[tuple[str, int]]
) -> None:
    kill(moment, every)
    assert invr("resume", "RUN", "--quiet") == (0, "", "")
    assert steps == left
    assert Path("out.mkv").read_bytes() == whole
    assert sorted(path.name for path in Path("RUN").iterdir()) == [
        "part-0001.invr",
        "part-0002.invr",
        "part-0003.invr",
        "run.json",
    ]
    assert not list(Path("RUN").glob(".*"))


def test_killed_between_the_answer_and_its_report_it_ends_with_both(
    invr: Any, whole: bytes, steps: list[tuple[str, int]]
) -> None:
    kill(PAGE, 0.0, "--report", "at.html")
    assert not Path("at.html").exists()
    assert invr("resume", "RUN", "--quiet") == (0, "", "")
    assert steps == [] and Path("out.mkv").read_bytes() == whole and Path("at.html").exists()
    assert not list(Path().glob(".*"))  # what the killed one was writing


def test_it_can_be_killed_again_and_gone_on_with_from_elsewhere(
    invr: Any, whole: bytes, steps: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kill(STEP.format(piece=1, step=3))
    there = Path.cwd()
    monkeypatch.chdir(tmp_path)
    assert invr("resume", str(there / "RUN"), "--quiet") == (0, "", "")
    assert Path.cwd() == tmp_path
    assert (there / "out.mkv").read_bytes() == whole
    steps.clear()
    code, out, err = invr(
        "resume", str(there / "RUN")
    )  # it is at its end: nothing is fitted, the answer is written anew
    assert code == 0 and out.startswith("wrote out.mkv: 47 frames") and "RUN keeps what was fitted" in err
    assert steps == [] and (there / "out.mkv").read_bytes() == whole


# ------------------------------------------------------------------------------ stopped, and full
def test_ctrl_c_stops_a_run_that_is_kept_and_says_how_it_goes_on(
    invr: Any, whole: bytes, steps: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        before = Reporter.on_step

        def on_step(self: Reporter, step: Progress) -> None:
            before(self, step)
            if self._fitting == "fitting piece 2/3" and step.step == 3:
                os.kill(os.getpid(), signal.SIGINT)

        patch.setattr(Reporter, "on_step", on_step)
        code, out, err = invr("run", *COMMAND, "--keep", "RUN", "--quiet")
    run = Path("RUN").resolve()
    assert (code, out, err) == (130, "", f"invr: error: stopped; `invr resume {run}` goes on from here\n")
    assert sorted(path.name for path in Path().iterdir()) == ["RUN", "in.mkv"]
    steps.clear()
    assert invr("resume", "RUN", "--quiet")[0] == 0
    assert steps == [*all_of(2, 4), *all_of(3)] and Path("out.mkv").read_bytes() == whole


def test_a_full_disk_is_one_line_and_what_is_there_stays(
    invr: Any, whole: bytes, steps: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)
    with monkeypatch.context() as patch:
        write, count = Path.write_bytes, [0]

        def full(self: Path, data: bytes) -> int:
            count[0] += 1
            if count[0] < 13:
                return write(self, data)
            write(self, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(Path, "write_bytes", full)
        message = invr.refuses("run", *COMMAND, "--keep", "RUN", "--quiet")
    run = Path("RUN").resolve()
    assert "No space left on device" in message
    assert message.endswith(f"what is fitted is kept, and `invr resume {run}` goes on from it")
    assert sorted(path.name for path in Path("RUN").iterdir()) == [
        "part-0001.invr",
        "part-0002.checkpoint",
        "part-0002.checkpoint.before",
        "rendered-0000000.json",
        "rendered-0000000.mkv",
        "run.json",
    ]
    steps.clear()
    assert invr("resume", "RUN", "--quiet")[0] == 0
    assert steps == [*all_of(2, 4), *all_of(3)] and Path("out.mkv").read_bytes() == whole


# ------------------------------------------------------------------------------ what is damaged
def test_a_part_that_cannot_be_read_is_told_and_fitted_again(
    invr: Any, whole: bytes, steps: list[tuple[str, int]]
) -> None:
    invr("run", *COMMAND, "--keep", "RUN", "--quiet")
    part = Path("RUN/part-0002.invr")
    part.write_bytes(part.read_bytes()[:-50])
    steps.clear()
    code, _, err = invr("resume", "RUN")
    assert code == 0 and "part-0002.invr: cut short" in err and "; that part is fitted again" in err
    assert steps == all_of(2) and Path("out.mkv").read_bytes() == whole


@pytest.mark.parametrize("cut", [100, 10**9])
def test_a_state_that_cannot_be_read_is_no_traceback(
    invr: Any, whole: bytes, steps: list[tuple[str, int]], cut: int
) -> None:
    kill(STEP.format(piece=2, step=4))
    for name in ("part-0002.checkpoint", "part-0002.checkpoint.before")[: 1 if cut == 100 else 2]:
        data = Path("RUN", name).read_bytes()
        Path("RUN", name).write_bytes(data[: max(len(data) - cut, 0)])
    code, _, err = invr("resume", "RUN")
    assert code == 0 and "part-0002.checkpoint is left out: cut short" in err
    assert steps == [*all_of(2, 4 if cut == 100 else 1), *all_of(3)] and Path("out.mkv").read_bytes() == whole


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (None, "RUN holds no run; give the folder that `invr run … --keep` was told"),
        ("{", "run.json is damaged: it is not JSON"),
        ("[" * 9999, "run.json is damaged: it is not JSON"),
        ("[]", "run.json is of format None, this invr reads 1"),
        ('{"format": 7}', "run.json is of format 7, this invr reads 1"),
        ('{"format": 1}', "run.json is damaged: an entry is missing"),
        (
            '{"format": 1, "command": [3], "place": "", "inputs": {}, "versions": {}}',
            "run.json is damaged: an entry is missing, or not what it should be",
        ),
        (
            '{"format": 1, "command": ["a"], "place": "/no/such", "inputs": {}, "versions": {}}',
            "this run was begun in /no/such, which cannot be entered",
        ),
    ],
)
def test_what_is_no_run_is_one_line(invr: Any, record: str | None, message: str) -> None:
    if record is not None:
        Path("RUN").mkdir()
        Path("RUN/run.json").write_text(record)
    assert message in invr.refuses("resume", "RUN")


# ------------------------------------------------------------------------------ what has changed
@pytest.mark.parametrize("change", ["length", "time", "beginning", "gone"])
def test_a_source_that_has_changed_is_refused(invr: Any, kept: None, change: str) -> None:
    source, before = Path("in.mkv"), Path("in.mkv").stat()
    data = source.read_bytes()
    if change == "gone":
        source.unlink()
    elif change != "time":
        source.write_bytes(data + b"x" if change == "length" else data[:99] + bytes([data[99] ^ 1]) + data[100:])
    if change in ("length", "beginning"):
        os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif change == "time":
        os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    message = invr.refuses("resume", "RUN")
    expected = {
        "length": "(its bytes changed)" if len(data) > 1 << 20 else "(its bytes, head changed)",
        "time": "(its modified changed)",
        "beginning": "(its head changed)",
        "gone": "cannot be read: No such file or directory",
    }
    assert expected[change] in message
    assert "in.mkv" in message and (change == "gone" or "begin anew with another --keep" in message)


def test_a_folder_of_images_has_a_fingerprint_too(invr: Any, make_video: Callable[..., Video]) -> None:
    make_video(frames=3).save("frames/")
    before = fingerprint(Path("frames"))
    assert fingerprint(Path("frames")) == before
    shutil.copy("frames/000001.png", "frames/000003.png")
    assert fingerprint(Path("frames")) != before


def test_a_folder_chooses_no_code(invr: Any, source: Path) -> None:
    code = Path("mine.py")
    code.write_text("from standins import Own\n")
    words = ["run", "./mine.py:Own", *COMMAND[1:], "--steps", "3", "--keep", "RUN", "--quiet"]
    assert invr(*words) == (0, "", "")
    code.write_text("from pathlib import Path\nfrom standins import Own\nPath('ran').touch()\n")
    again = f"invr resume {Path('RUN').resolve()} --task ./mine.py:Own"
    assert f"which is code that it names; if that is yours: `{again}`" in invr.refuses("resume", "RUN")
    assert "is a run of './mine.py:Own', not of 'mine:Own'" in invr.refuses("resume", "RUN", "--task", "mine:Own")
    assert not Path("ran").exists()
    assert invr(*shlex.split(again)[1:], "--quiet") == (0, "", "") and Path("ran").exists()


def test_other_libraries_are_told(invr: Any, kept: None) -> None:
    record = json.loads(Path("RUN/run.json").read_text())
    record["versions"]["torch"] = "1.0"
    Path("RUN/run.json").write_text(json.dumps(record))
    code, _, err = invr("resume", "RUN")
    assert code == 0 and "this run was begun with torch 1.0; what is fitted now may differ in its last digits" in err


def test_two_processes_do_not_work_on_one_run(invr: Any, kept: None) -> None:
    with Path("RUN/run.json").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "another process is at work on" in invr.refuses("resume", "RUN")
    assert invr("resume", "RUN", "--quiet")[0] == 0


# ------------------------------------------------------------------------------ where it is kept
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--keep", "taken"], "taken exists, and is no empty folder; name another one"),
        (["--keep", "in.mkv"], "in.mkv is named twice on this command line"),
        (["--keep", "out.mkv"], "out.mkv is named twice on this command line"),
        (["--keep", "."], "out.mkv lies within ., where the run is kept; write to another folder"),
        (["--keep", "none/RUN"], "the folder none is missing, or not yours to write to"),
        (["--keep", "begun"], "begun holds a run already: `invr resume begun` goes on with it, or name another"),
        (["--keep", "RUN", "--rep", "a.invr"], "--rep leaves out the fit, so --keep would have no effect"),
        (["--keep", "RUN", "--params", "5"], "too few for this clip"),
    ],
)
def test_a_place_that_cannot_be_is_refused_before_the_fit(
    invr: Any, clip: str, steps: list[tuple[str, int]], options: list[str], message: str
) -> None:
    for folder, name in (("taken", "photo.jpg"), ("begun", "run.json")):
        Path(folder).mkdir()
        Path(folder, name).write_text("")
    assert message in invr.refuses("run", "interpolate", clip, "out.mkv", *options)
    assert steps == [] and not Path("RUN").exists() and not Path("out.mkv").exists()


def test_a_short_clip_is_kept_too_with_what_else_is_written(invr: Any, clip: str, steps: list[Any]) -> None:
    Path("RUN").mkdir()
    arguments = (
        "interpolate",
        clip,
        "out.mkv",
        "--steps",
        "3",
        "--keep",
        "RUN",
        "--save-rep",
        "a.invr",
        "--report",
        "a.html",
    )
    assert invr("run", *arguments)[0] == 0
    assert Path("RUN/part-0001.invr").read_bytes() == Path("a.invr").read_bytes()
    Path("a.invr").unlink()
    assert invr("resume", "RUN", "--quiet")[0] == 0 and len(steps) == 3
    assert Path("RUN/part-0001.invr").read_bytes() == Path("a.invr").read_bytes()
