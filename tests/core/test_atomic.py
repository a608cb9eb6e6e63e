"""What is written is there whole or not at all, is nobody else's to read on the way, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch

from invr_core import atomic
from invr_core.atomic import Together, atomic_file, atomic_folder
from invr_core.errors import BadOutput
from invr_core.io import save_video
from invr_core.video import Video

WRITERS: dict[str, Callable[[Path], AbstractContextManager[Path]]] = {"file": atomic_file, "folder": atomic_folder}
ODD = [
    "a b.mp4",
    "ü—漢字.mkv",
    "-rf.mp4",
    "line\nbreak.mp4",
    "%s{0}.mkv",
    "x" * 250 + ".mp4",
    "é" * 100 + ".mkv",
    ".hidden.mp4",
]


@pytest.fixture(params=sorted(WRITERS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def clip() -> Video:
    return Video.of(torch.rand(3, 3, 8, 12, generator=torch.Generator().manual_seed(0)))


@pytest.fixture(params=[True, False], ids=["exchanged", "moved"])
def exchange(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not request.param:
        monkeypatch.setattr(atomic, "_renameat2", lambda: None)
    yield


def put(kind: str, private: Path, text: str) -> None:
    (private / "1" if kind == "folder" else private).write_text(text)


def got(kind: str, target: Path) -> str:
    return (target / "1" if kind == "folder" else target).read_text()


def write(kind: str, target: Path, text: str) -> None:
    with WRITERS[kind](target) as private:
        put(kind, private, text)


# ----------------------------------------------------------------------- private names
def test_only_its_owner_can_read_what_is_being_written(tmp_path: Path, kind: str) -> None:
    before = os.umask(0o022)
    try:
        with WRITERS[kind](tmp_path / "out.x") as private:
            put(kind, private, "new")
            assert stat.S_IMODE(private.stat().st_mode) == (0o600 if kind == "file" else 0o700)
            assert private.parent == tmp_path and private.name.startswith(".out.") and ".part" in private.name
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.x").stat().st_mode) == (0o644 if kind == "file" else 0o755)


def test_the_permissions_of_what_is_replaced_are_kept(tmp_path: Path, kind: str) -> None:
    write(kind, tmp_path / "out.x", "old")
    (tmp_path / "out.x").chmod(0o750)
    write(kind, tmp_path / "out.x", "new")
    assert stat.S_IMODE((tmp_path / "out.x").stat().st_mode) == 0o750 and got(kind, tmp_path / "out.x") == "new"


@pytest.mark.parametrize("error", [RuntimeError("oops"), KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path, kind: str, error: BaseException) -> None:
    write(kind, tmp_path / "out.x", "old")
    with pytest.raises((type(error), BadOutput)), WRITERS[kind](tmp_path / "out.x") as private:
        put(kind, private, "half")
        raise error
    assert got(kind, tmp_path / "out.x") == "old" and [path.name for path in tmp_path.iterdir()] == ["out.x"]


# --------------------------------------------------------------------------- leftovers
KILLED = """
import os, signal, sys
from pathlib import Path
from invr_core.atomic import Together, atomic_file, atomic_folder
with (atomic_folder if sys.argv[2] == "folder" else atomic_file)(Path(sys.argv[1])) as private:
    (private / "1" if sys.argv[2] == "folder" else private).write_text("half")
    print(private, flush=True)
    os.kill(os.getpid(), signal.SIGSTOP if sys.argv[3] == "stop" else signal.SIGKILL)
"""


def killed(target: Path, kind: str, how: str = "kill") -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", KILLED, str(target), kind, how], stdout=subprocess.PIPE, text=True)


def test_what_a_killed_write_left_is_removed_by_the_next(tmp_path: Path, kind: str) -> None:
    write(kind, tmp_path / "out.x", "old")
    process = killed(tmp_path / "out.x", kind)
    assert process.wait(60) == -signal.SIGKILL
    assert got(kind, tmp_path / "out.x") == "old" and len(list(tmp_path.iterdir())) == 2
    (tmp_path / ".other.0123abcd.part.x").write_text("of another name")
    write(kind, tmp_path / "out.x", "new")
    assert got(kind, tmp_path / "out.x") == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.0123abcd.part.x", "out.x"]


def test_what_another_process_is_still_writing_stays(tmp_path: Path, kind: str) -> None:
    process = killed(tmp_path / "out.x", kind, "stop")
    assert process.stdout is not None
    private = Path(process.stdout.readline().strip())
    write(kind, tmp_path / "out.x", "mine")
    assert private.exists() and got(kind, tmp_path / "out.x") == "mine"
    process.send_signal(signal.SIGCONT)
    assert process.wait(60) == 0
    assert got(kind, tmp_path / "out.x") == "half" and [path.name for path in tmp_path.iterdir()] == ["out.x"]


def test_a_folder_that_was_moved_aside_comes_back(tmp_path: Path) -> None:
    write("folder", tmp_path / "out", "old")
    (tmp_path / "out").rename(tmp_path / ".out.0123abcd.aside")
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "out"):
        raise RuntimeError
    assert got("folder", tmp_path / "out") == "old" and [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_is_never_missing_while_it_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("folder", tmp_path / "out", "old")
    renamed = []
    monkeypatch.setattr(Path, "rename", lambda path, to: renamed.append(path))
    write("folder", tmp_path / "out", "new")
    assert not renamed and got("folder", tmp_path / "out") == "new"


@pytest.mark.usefixtures("exchange")
def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    write("folder", tmp_path / "out", "old")
    (tmp_path / "out" / "2").write_text("more")
    write("folder", tmp_path / "out", "new")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["1"] and len(list(tmp_path.iterdir())) == 1


# ----------------------------------------------------------------------------- at once
@pytest.mark.usefixtures("exchange")
def test_two_that_write_one_name_at_once_do_not_mix(tmp_path: Path, kind: str) -> None:
    target, failed = tmp_path / "out.x", []

    def repeat(letter: str) -> None:
        for _ in range(25):
            try:
                write(kind, target, letter * 100_000)
            except (OSError, BadOutput) as error:
                failed.append(error)

    threads = [threading.Thread(target=repeat, args=(letter,)) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got(kind, target) in ("a" * 100_000, "b" * 100_000)
    if kind == "file":
        assert not failed
    assert [path.name for path in tmp_path.iterdir()] == ["out.x"]


# ------------------------------------------------------------------------------- names
@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_written_and_nothing_beside_them(tmp_path: Path, clip: Video, name: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    save_video(clip, folder / name)
    assert [path.name for path in folder.iterdir()] == [name] and len(Video.open(folder / name)) == 3
    save_video(clip, folder / "other" / f"{name}/")
    assert len(Video.open(folder / "other" / name)) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_link_is_followed_and_stays(tmp_path: Path, kind: str) -> None:
    (tmp_path / "real").mkdir()
    write(kind, tmp_path / "real" / "out.x", "old")
    (tmp_path / "link.x").symlink_to(tmp_path / "real" / "out.x")
    write(kind, tmp_path / "link.x", "new")
    assert (tmp_path / "link.x").is_symlink() and got(kind, tmp_path / "real" / "out.x") == "new"
    assert len(list((tmp_path / "real").iterdir())) == 1


def test_links_in_a_circle_are_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.x").symlink_to(tmp_path / "b.x")
    (tmp_path / "b.x").symlink_to(tmp_path / "a.x")
    with pytest.raises(BadOutput, match="cannot be written"):
        write(kind, tmp_path / "a.x", "new")


# ------------------------------------------------------------------ several at once
def test_what_is_written_together_is_put_in_place_at_the_end_and_the_first_named_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, page, frames, other = (tmp_path / name for name in ("answer", "page", "frames", "other"))
    order: list[str] = []
    replace, swap = Path.replace, atomic._swap

    def replaced(private: Path, target: Path) -> Path:
        order.append(target.name)
        return replace(private, target)

    def swapped(private: Path, target: Path) -> None:
        order.append(target.name)
        swap(private, target)

    monkeypatch.setattr(Path, "replace", replaced)
    monkeypatch.setattr(atomic, "_swap", swapped)
    with Together(answer, page) as together:
        together.add(frames)
        for target in (answer, page, other):
            with atomic_file(target) as private:
                private.write_text(target.name)
        with atomic_folder(frames) as folder:
            (folder / "1").write_text("frames")
        assert order == ["other"]  # was not named: at once
        assert not any(target.exists() for target in (answer, page, frames))
    assert order == ["other", "frames", "page", "answer"]
    assert [got(kind, tmp_path / name) for kind, name in (("file", "answer"), ("folder", "frames"))] == [
        "answer",
        "frames",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answer", "frames", "other", "page"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ZeroDivisionError, BadOutput])
def test_of_what_is_written_together_nothing_is_left_by_what_fails_later(
    tmp_path: Path, stop: type[BaseException]
) -> None:
    (tmp_path / "page").write_text("before")
    with pytest.raises(stop), Together(tmp_path / "answer", tmp_path / "page"):
        for name in ("answer", "page"):
            with atomic_file(tmp_path / name) as private:
                private.write_text("new")
        raise stop
    assert [path.name for path in tmp_path.iterdir()] == ["page"]
    assert (tmp_path / "page").read_text() == "before"


def test_what_is_written_twice_is_there_once_and_what_was_not_written_is_no_matter(tmp_path: Path) -> None:
    with Together(tmp_path / "answer", tmp_path / "never"):
        for text in ("first", "second"):
            with atomic_file(tmp_path / "answer") as private:
                private.write_text(text)
    assert [path.name for path in tmp_path.iterdir()] == ["answer"]
    assert (tmp_path / "answer").read_text() == "second"


def test_ctrl_c_while_they_are_put_in_place_comes_when_all_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def replaced(private: Path, target: Path) -> Path:
        done = replace(private, target)
        if target.name == "page":
            os.kill(os.getpid(), signal.SIGINT)
        return done

    monkeypatch.setattr(Path, "replace", replaced)
    with pytest.raises(KeyboardInterrupt), Together(tmp_path / "answer", tmp_path / "page"):
        for name in ("answer", "page"):
            with atomic_file(tmp_path / name) as private:
                private.write_text("new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answer", "page"]


def test_one_that_cannot_be_put_in_place_is_one_line_and_the_first_named_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    with pytest.raises(BadOutput, match="page cannot be written"), Together(tmp_path / "answer", tmp_path / "page"):
        for name in ("answer", "page"):
            with atomic_file(tmp_path / name) as private:
                private.write_text("new")
        (tmp_path / "pages").rename(tmp_path / "page")  # somebody else was there first
    assert [path.name for path in tmp_path.iterdir()] == ["page"]
