"""Write a file or a folder whole or not at all: under a private name beside it, put in place at the end.

Private names are ``.NAME.xxxxxxxx.part`` with the target's suffix. Whoever writes one holds a lock on it, which ends
with the process, however it ends; so the next write of the same name knows what a killed one has left, and removes it.
Several are put in place at once by `Together`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from invr_core.errors import BadOutput
from invr_core.interrupt import interruptible

if sys.platform != "win32":
    import fcntl

LOCKS = sys.platform != "win32"
"""Whether this system tells who holds a file."""
LONGEST = 50
"""Letters of a target's name that its private name repeats: with all of them it could be longer than a name may be."""


@contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """A private name beside ``target`` to write to; put in place if all went well, else removed.

    Missing folders above ``target`` are made; a file of that name is replaced, and its permissions are kept. A link is
    followed. While it is written, only its owner can read it.

    Raises:
        BadOutput: if it cannot be written there, or something else than a file is there.
    """
    try:
        target = _followed(target)
        if target.exists() and not target.is_file():
            raise BadOutput(f"{target} exists and is not a file; choose another name")
        target.parent.mkdir(parents=True, exist_ok=True)
        _tidy(target)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        private, handle = _claim(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        with ExitStack() as after:
            after.callback(_drop_file, private, handle)
            yield private
            _flush(private)
            private.chmod(mode)
            _place(target, lambda: private.replace(target), after)
    except OSError as error:
        raise BadOutput(f"{target} cannot be written: {error.strerror or error}; choose another place") from error


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """A private folder beside ``target`` to fill; put in place as a whole if all went well, else removed.

    A folder of that name is replaced, and its permissions are kept. While it is filled, only its owner can look in.
    """
    target = _followed(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    _tidy(target)
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o777 & ~_umask()
    private, handle = _claim(target, os.O_RDONLY)
    with ExitStack() as after:
        after.callback(_drop_folder, private, handle)
        yield private
        for file in private.iterdir():
            _flush(file)
        private.chmod(mode)
        _place(target, lambda: _swap(private, target), after)


@contextmanager
def scratch_folder(target: Path) -> Iterator[Path]:
    """A private folder beside ``target``, which need not exist; removed in the end, or by the next one if killed."""
    _tidy(target)
    private, handle = _claim(target, os.O_RDONLY)
    try:
        yield private
    finally:
        _drop_folder(private, handle)


class Together:
    """Files and folders that are put in place together: within it they are written as ever, but keep private names.

    At its end, if all went well, those that are complete get their names; the one that was named first is the last, so
    whoever sees that one can be sure of the others. Otherwise all are removed. A Ctrl-C in that instant waits for it.
    What is written within it, but was not named to it, is put in place at once.

    Args:
        targets: the one that tells of all, then the others.

    Raises:
        BadOutput: at its end, if one cannot be put in place.

    Example:
        ``with Together(Path("answer.mp4"), Path("page.html")):``, then write both
    """

    def __init__(self, *targets: Path) -> None:
        self._targets: list[Path] = []
        self._complete: dict[Path, Callable[[], object]] = {}
        self._after = ExitStack()
        for target in targets:
            self.add(target)

    def add(self, target: Path) -> None:
        """Name one more, before it is written."""
        self._targets.append(_followed(target))

    def __enter__(self) -> Self:
        self._before = _TOGETHER.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _TOGETHER.reset(self._before)
        with interruptible() as asked, self._after:
            if kind is None:
                for target in reversed(self._targets):
                    self._put(target)
        if asked.is_set():
            raise KeyboardInterrupt

    def _put(self, target: Path) -> None:
        try:
            self._complete.pop(target, lambda: None)()
        except OSError as error:
            raise BadOutput(f"{target} cannot be written: {error.strerror or error}; choose another place") from error

    def _take(self, target: Path, put: Callable[[], object], after: ExitStack) -> bool:
        """Keep a complete one until the end, with what is to be done after it; False if it is none of these."""
        if target not in self._targets:
            return False
        self._complete[target] = put
        self._after.push(after.pop_all())
        return True


_TOGETHER: ContextVar[Together | None] = ContextVar("together", default=None)


def _place(target: Path, put: Callable[[], object], after: ExitStack) -> None:
    """Put a complete file or folder in place, now or with others."""
    together = _TOGETHER.get()
    if together is None or not together._take(target, put, after):
        put()


def _drop_file(private: Path, handle: int) -> None:
    os.close(handle)
    with suppress(OSError):
        private.unlink()


def _drop_folder(private: Path, handle: int) -> None:
    shutil.rmtree(private, ignore_errors=True)
    os.close(handle)


def _followed(target: Path) -> Path:
    try:
        found = target.resolve()
    except RuntimeError as error:
        raise BadOutput(f"{target} cannot be written: {error}; choose another name") from error
    if found.is_symlink():  # what Python 3.13 leaves of a circle
        raise BadOutput(f"{target} cannot be written: its links go round in a circle; choose another name")
    return found


def private_name(name: str) -> str:
    """What a file is called while it is written.

    Args:
        name: of the file, without its folder.
    """
    path = Path(name)
    return f".{path.stem[:LONGEST]}.{secrets.token_hex(4)}.part{path.suffix[:LONGEST]}"


def _claim(target: Path, how: int) -> tuple[Path, int]:
    """A private name, made and locked: a file where ``how`` says that it is created, else a folder."""
    while True:
        private = target.with_name(private_name(target.name))
        if not how & os.O_CREAT:
            private.mkdir(mode=0o700)
        handle = os.open(private, how, 0o600)
        lock(handle, wait=True)
        if private.exists():  # nobody took it for one that was left, in the instant before it was locked
            return private, handle
        os.close(handle)


def _tidy(target: Path) -> None:
    """Remove what killed writes of this name have left, and bring back a folder that one had moved aside."""
    name = re.escape(f".{target.stem[:LONGEST]}.") + "[0-9a-f]{8}" + "{}" + re.escape(target.suffix[:LONGEST])
    part, aside = (re.compile(name.replace("{}", end)) for end in (r"\.part", r"\.aside"))
    with suppress(OSError):
        left = list(target.parent.iterdir())
        for path in left:
            if aside.fullmatch(path.name) and not target.exists():
                path.rename(target)
        for path in left:
            if part.fullmatch(path.name) or aside.fullmatch(path.name):
                _remove_if_left(path)


def _remove_if_left(path: Path) -> None:
    """Remove a private file or folder that nobody is writing."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        try:
            if lock(handle):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        finally:
            os.close(handle)


def lock(handle: int, wait: bool = False) -> bool:
    """Hold an open file or folder until it is closed; False if another does, or that cannot be told here (`LOCKS`)."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _umask() -> int:
    """What this process takes from the permissions of a new file."""
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Umask:")).split()[1], 8)
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _flush(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _swap(private: Path, target: Path) -> None:
    """Put a folder in the place of one that may exist; the old one is then under the private name, or gone.

    Linux exchanges the two at once. Elsewhere the old one is moved aside first: a process that is killed in between
    leaves it there, and `_tidy` brings it back.
    """
    if not target.exists():
        private.rename(target)
    elif not _exchange(private, target):
        old = private.with_name(private.name.replace(".part", ".aside"))
        target.rename(old)
        try:
            private.rename(target)
        except OSError:
            old.rename(target)
            raise
        shutil.rmtree(old)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two names at once; False where the system does not offer it."""
    call = _renameat2()
    if call is None:
        return False
    here, exchange = -100, 2
    if call(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.EXDEV, errno.EOPNOTSUPP):
        return False
    raise OSError(number, os.strerror(number), str(other))


@cache
def _renameat2() -> ctypes._NamedFuncPointer | None:
    """The function of the C library, where it has one. Source: renameat2(2), AT_FDCWD and RENAME_EXCHANGE."""
    if not sys.platform.startswith("linux"):
        return None
    found = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if found is not None:
        found.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    return found
