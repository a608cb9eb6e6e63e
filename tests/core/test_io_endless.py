"""Reading ends: what brings nothing is given up after a while, and work grows with the file alone. No test waits."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import av
import crafted
import pytest
import torch
from av.error import ExitError
from sounding import sounding, titled

from invr_core.errors import BadFile
from invr_core.io import (
    beside,
    decode,
    open_mask,
    open_video,
    probe,
    reading,
    save_video,
)
from invr_core.io.reading import PATIENCE, Reading, wait
from invr_core.video import Video


# ------------------------------------------------------------------------ giving up
class Slow:
    """Answers that come after so many seconds, of which none is waited for."""

    def __init__(self, seconds: int) -> None:
        self.left, self.asked = seconds, list[float]()

    def get(self, timeout: float) -> str:
        self.asked.append(timeout)
        self.left -= 1
        if self.left < 0:
            return "an answer"
        raise Empty


def test_an_answer_is_waited_for_second_by_second() -> None:
    slow: Any = Slow(PATIENCE - 1)
    assert wait(slow) == "an answer" and slow.asked == [1] * PATIENCE
    late: Any = Slow(PATIENCE)
    with pytest.raises(Empty):
        wait(late)
    assert len(late.asked) == PATIENCE


class Stuck:
    """Something that never ends by itself; patience with it ends when it has begun."""

    def __init__(self) -> None:
        self.begun, self.let_go, self.ended = threading.Event(), threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        self.let_go.wait()
        self.ended.set()

    def wait(self, answers: SimpleQueue[Any]) -> Any:
        while not self.begun.is_set():
            try:
                return answers.get(timeout=0.01)
            except Empty:
                continue
        raise Empty


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stuck]:
    one = Stuck()
    monkeypatch.setattr(reading, "wait", one.wait)
    yield one
    one.let_go.set()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return titled(tmp_path / "titled.mkv", sounding(tmp_path / "tone.mp4"))


def test_a_call_that_does_not_come_back_is_left_alone(clip: Path, stuck: Stuck) -> None:
    with (
        pytest.raises(BadFile, match=r"nothing came of .*titled.mkv for 120 s: half of it; it"),
        Reading(clip) as opened,
    ):
        opened.progress = lambda: "half of it"
        opened.do(stuck)
    assert opened.given_up and not stuck.ended.is_set()
    assert opened.container.streams.video  # it is not closed while somebody works on it
    stuck.let_go.set()
    opened._thread.join(60)
    assert not opened._thread.is_alive() and stuck.ended.is_set()


def test_an_interrupt_is_heard_while_ffmpeg_works(clip: Path, stuck: Stuck, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt), Reading(clip) as opened:

        def interrupted(answers: SimpleQueue[Any]) -> None:
            stuck.begun.wait()
            raise KeyboardInterrupt

        monkeypatch.setattr(reading, "wait", interrupted)
        opened.do(stuck)
    assert opened.given_up


def test_what_opens_without_end_is_given_up(clip: Path, stuck: Stuck, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(av, "open", lambda *_, **__: stuck())
    with pytest.raises(BadFile, match="for 120 s: it could not even be opened"):
        open_video(clip)


def test_ffmpeg_ends_what_reads_on_and_on(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "wait", lambda answers: answers.get())
    monkeypatch.setattr(reading, "PATIENCE", 0)
    with pytest.raises(BadFile, match=r"nothing came of .*: it could not even be opened"):
        open_video(clip)


class Endless:
    """A container that is read on and on, until FFmpeg is told to stop."""

    def demux(self) -> Iterator[str]:
        yield "a packet"
        raise ExitError(-1, "Immediate exit requested")

    def close(self) -> None:
        """Nothing is open."""


def test_packets_end_where_ffmpeg_was_told_to_stop_and_where_nobody_waits(clip: Path) -> None:
    with Reading(clip) as opened:
        packets = opened.packets()
        assert next(packets).size
        opened.given_up = True
        assert list(packets) == []
        opened.given_up = False
    endless: Any = Endless()
    with Reading(clip) as opened:
        opened.container.close()
        opened.container = endless
        packets = opened.packets()
        assert next(packets) == "a packet"  # type: ignore[comparison-overlap]
        with pytest.raises(BadFile, match="nothing came of"):
            next(packets)


def test_packets_without_a_frame_are_given_up(clip: Path, stuck: Stuck, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = decode._Pass._frames

    def two(self: Any) -> Iterator[Any]:
        frames = whole(self)
        yield from (next(frames), next(frames))
        stuck()

    monkeypatch.setattr(decode._Pass, "_frames", two)
    for use in (open_video, lambda path: open_mask(path, Video.of(torch.zeros(1, 3, 48, 64)))):
        stuck.begun.clear()
        with pytest.raises(BadFile, match="for 120 s: 2 frames came before"):
            use(clip)


@pytest.mark.parametrize(
    ("place", "name", "how_far"),
    [
        (probe, "_first", "no frame came"),
        (probe, "_through", r"it was read as far as 0\.000 s"),
        (beside.Beside, "_packets", "0 packets of its sound and subtitles came before"),
    ],
)
def test_copying_streams_ends_and_leaves_nothing(
    clip: Path, tmp_path: Path, stuck: Stuck, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, how_far: str
) -> None:
    def endless(*_: object) -> Iterator[None]:
        yield stuck()

    monkeypatch.setattr(place, name, endless)
    (tmp_path / "out").mkdir()
    with pytest.raises(BadFile, match=f"for 120 s: {how_far}"):
        save_video(Video.of(torch.zeros(3, 3, 48, 64)), tmp_path / "out" / "a.mp4", beside=clip)
    assert not list((tmp_path / "out").iterdir())


def test_a_look_gives_a_sign_of_life(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_SIGN_OF_LIFE", 4)
    seen = probe.Seen()
    with Reading(clip) as opened:
        signs = [seen.last for _ in probe._through(opened, opened.container.streams.video[0], seen)]
    assert len(signs) == 2 and signs[0] < signs[1]  # ten frames
    assert signs[1] < seen.last < seen.end and sorted(seen.firsts) == [1, 2]


def test_no_thread_is_left(clip: Path, tmp_path: Path) -> None:
    save_video(open_video(clip, pytest.fail), tmp_path / "out.mkv", beside=clip)
    for bad in ("a.mp4", "b.mkv"):
        (tmp_path / bad).write_bytes(b"no video" * 100)
        with pytest.raises(BadFile):
            open_video(tmp_path / bad)
        with pytest.raises(BadFile):
            save_video(Video.of(torch.zeros(1, 3, 8, 8)), tmp_path / "out.mkv", beside=tmp_path / bad)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("invr reads")]


def test_chapters_and_tags_by_the_thousand_are_kept(tmp_path: Path) -> None:
    (tmp_path / "in.mkv").write_bytes(crafted.mkv(crafted.chapters(1000), crafted.tags(1000), crafted.attachments(9)))
    save_video(open_video(tmp_path / "in.mkv"), tmp_path / "out.mkv", beside=tmp_path / "in.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert len(container.chapters()) == 1000 and container.metadata["K999"] == "v"


def test_what_is_beside_is_held_to_the_same_bounds(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "huge.y4m").write_bytes(b"YUV4MPEG2 W16000 H16000 F25:1\nFRAME\n" + bytes(100))
    for name, reason in (("pipe.mp4", "not a plain file"), ("huge.y4m", "claims frames of 16000x16000")):
        with pytest.raises(BadFile, match=reason):
            save_video(Video.of(torch.zeros(1, 3, 8, 8)), tmp_path / "out.mkv", beside=tmp_path / name)
