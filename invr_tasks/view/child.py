"""``invr run`` in a process of its own: it tells often how far it is, and ends with the process that began it."""

from __future__ import annotations

import _thread
import signal
import sys
from collections.abc import Sequence

from invr_tasks import cli
from invr_tasks.children import when_alone
from invr_tasks.cli import progress

EVERY = 0.5
"""Seconds between two lines that say how far it is."""


def main(words: Sequence[str]) -> int:
    """Run until all is done, or until stdin is closed, which is like Ctrl-C.

    Args:
        words: what follows ``invr run``.

    Returns:
        the exit code of the command.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which whoever began it may have turned off
    progress.EVERY = EVERY
    when_alone(_thread.interrupt_main)
    return cli.main(["run", *words])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
