"""Whose an error is: the user's, who can put it right, or ours. One line for either."""

from __future__ import annotations

import errno
import sys
import traceback

from invr_core.errors import InvrError
from invr_tasks.cli.printed import printable
from invr_tasks.engine import PiecesFailed

_OUTSIDE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.EIO}
"""What a file system can refuse that is nobody's bug."""
BUG = "this is a bug in invr or in the plugin named above; please report it with these lines"


def blame(error: Exception) -> tuple[int, str]:
    """The exit code of an error, and what to say of it; the traceback of a bug is printed.

    Args:
        error: caught just now.

    Returns:
        2 and its message, if the user can put it right; else 1 and that it is a bug. One of a worker was told by it.
    """
    if isinstance(error, PiecesFailed):
        return error.code, str(error)
    if isinstance(error, InvrError):
        return 2, str(error)
    if isinstance(error, OSError) and error.errno in _OUTSIDE:
        return 2, f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror)
    torch = sys.modules.get("torch")  # of a GPU
    if isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError)):
        return 2, "this does not fit in memory; give a smaller clip, or a task that looks less far (--reach)"
    traceback.print_exception(error)
    return 1, BUG


def say(kind: str, text: str) -> None:
    """One line on stderr.

    Args:
        kind: "error" or "warning".
        text: of any number of lines.
    """
    print(f"invr: {kind}: {printable(one_line(text))}", file=sys.stderr)


def one_line(text: str) -> str:
    """The same text on one line.

    Example:
        >>> one_line("one\\n  two\\n")
        'one; two'
    """
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())
