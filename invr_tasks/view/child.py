"""``invr run`` in a process of its own: it tells often how far it is, and ends with the process that began it."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Sequence

from invr_tasks import cli
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
    threading.Thread(target=_stop_at_the_end, daemon=True).start()
    return cli.main(["run", *words])


def _stop_at_the_end() -> None:
    while os.read(0, 1):
        pass
    _thread.interrupt_main()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
