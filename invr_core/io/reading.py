"""A media file while FFmpeg reads it: in a thread of its own, so that nobody has to wait for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import av
from av.container import InputContainer
from av.error import ExitError
from av.packet import Packet

from invr_core.errors import BadFile
from invr_core.io.bounds import require_plain
from invr_core.io.index import require_index

T = TypeVar("T")

PATIENCE = 120
"""Seconds without anything that is wanted (a frame, a packet to copy) after which a file is given up.

The largest frame that is offered takes a few seconds on a slow machine. What takes minutes to give nothing is made
to: a million chapters or tags, each of which FFmpeg compares with all others, or a picture drawn over a million times.
"""
_END = object()


class Reading:
    """A file that is open for reading; a context manager.

    All that FFmpeg does with the file is done in one thread, while this one waits: most of it cannot be interrupted,
    and one call may last for hours. What takes longer than `PATIENCE` is left alone, and ends when that call does.
    Ctrl-C is heard all the while. Where a call reads on and on, FFmpeg itself ends it after as long.

    Args:
        path: of the file.

    Raises:
        BadFile: if it is no plain file, its index claims too much, or nothing comes of it for `PATIENCE`.
        FFmpegError: if FFmpeg cannot open it.
        OSError: if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.given_up = False
        """Whether nobody waits any longer; what runs without an end has to ask for it."""
        self.progress: Callable[[], str] = lambda: "it could not even be opened"
        """How far it came, for the message."""
        self._asked: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._answers: SimpleQueue[tuple[object, BaseException | None]] = SimpleQueue()
        self._thread = Thread(target=self._work, name=f"invr reads {path.name}", daemon=True)
        self._thread.start()
        try:
            self.container: InputContainer = self.do(self._open)
        except BaseException:
            self._end()
            raise

    def _open(self) -> InputContainer:
        options: dict[str, Any] = {}
        if int(av.__version__.split(".")[0]) < 19:
            options["metadata_errors"] = "replace"  # titles that are not text must not hide the pictures
        self.path.stat()  # what is missing is missing, and not of another kind
        require_plain(self.path)
        require_index(self.path)
        only_files = {"protocol_whitelist": "file"}  # what it may refer to are files, nothing on a network
        try:
            container = av.open(f"file:{self.path}", options=only_files, timeout=float(PATIENCE), **options)
        except ExitError as error:
            raise self._too_slow() from error
        assert isinstance(container, InputContainer)
        return container

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; one that was given up is closed when its last call ends."""
        if not self.given_up:
            self._asked.put(self.container.close)
        self._end()

    def _end(self) -> None:
        """End the thread; one that nobody waits for any longer ends later."""
        self._asked.put(None)
        if not self.given_up:
            self._thread.join(PATIENCE)

    def do(self, work: Callable[[], T]) -> T:
        """What a call gives, made in the thread.

        Raises:
            BadFile: if it takes longer than `PATIENCE`.
        """
        self._asked.put(work)
        try:
            result, error = wait(self._answers)
        except BaseException as cause:  # too late, or interrupted: nobody waits for the answer
            self.given_up = True
            if isinstance(cause, Empty):
                raise self._too_slow() from None
            raise
        if error is not None:
            raise error
        return cast(T, result)

    def each(self, items: Iterable[T]) -> Iterator[T]:
        """The same of each item, made in the thread one by one as they are asked for."""
        iterator = iter(items)
        while (item := self.do(lambda: next(iterator, _END))) is not _END:
            yield cast(T, item)

    def packets(self) -> Iterator[Packet[Any]]:
        """Every packet of all streams, then an empty one of each; it has to run in the thread, by `each`."""
        try:
            for packet in self.container.demux():
                if self.given_up:
                    return
                yield packet
        except ExitError as error:
            raise self._too_slow() from error

    def _too_slow(self) -> BadFile:
        return BadFile(
            f"nothing came of {self.path} for {PATIENCE} s: {self.progress()}; it is damaged, or made to take "
            "for ever. Convert it with a program that mends it, or cut out what is sound"
        )

    def _work(self) -> None:
        """The thread."""
        while (work := self._asked.get()) is not None:
            try:
                self._answers.put((work(), None))
            except BaseException as error:  # it is raised where the answer is awaited
                self._answers.put((None, error))
            del work


def wait(answers: SimpleQueue[T]) -> T:
    """The next of the answers; seconds in which this process is stopped do not count.

    Raises:
        Empty: if there is none for `PATIENCE`.
    """
    for _ in range(PATIENCE):
        try:
            return answers.get(timeout=1)
        except Empty:
            continue
    raise Empty
