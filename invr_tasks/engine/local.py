"""Pieces of work on this machine: a process for each, so many at once.

python -m invr_tasks.engine.local < order.json
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from itertools import islice

from invr_tasks.children import Process, ask, question
from invr_tasks.engine import RETRIES, Crew, Done, outcome


def here(asked: Iterable[tuple[str, str]], crew: Crew) -> Generator[Done, None, None]:
    """Do them, each a title and an order; see `invr_tasks.engine.distribute`."""
    workers = crew.workers or 1
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    cards = visible.split(",") if visible else map(str, range(workers))
    crowd = _Processes(list(islice(cards, workers)) if crew.gpus else [None] * workers, crew.threads)
    with ThreadPoolExecutor(workers) as pool:
        try:
            futures = [pool.submit(crowd.do, index, order, title) for index, (title, order) in enumerate(asked)]
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            crowd.end()


class _Processes:
    """Those that run.

    Args:
        gpus: for each that may run at once, which GPU it has; None for all there are.
        threads: of each.
    """

    def __init__(self, gpus: Sequence[str | None], threads: int) -> None:
        self._free: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        for gpu in gpus:
            self._free.put(gpu)
        self._threads = threads
        self._lock = threading.Lock()
        self._running: set[Process] = set()
        self._ended = False

    def do(self, index: int, order: str, title: str) -> Done:
        """One piece, once more if its process is killed."""
        gpu = self._free.get()
        try:
            for _ in range(1 + RETRIES):
                code, told = self._once(order, title, gpu)
                if code >= 0 or self._ended:
                    break
                _say(title, f"its worker was ended by signal {-code}")
        finally:
            self._free.put(gpu)
        if code == 0:
            return outcome(index, told)
        end = f"was ended by signal {-code} each of {1 + RETRIES} times" if code < 0 else f"ended with {code}"
        return Done(index, failed=f"its worker {end}; what it said is above", code=1)

    def end(self) -> None:
        """End all that run; none is begun from now on."""
        with self._lock:
            self._ended = True
            for process in self._running:
                process.kill()

    def _once(self, order: str, title: str, gpu: str | None) -> tuple[int, str]:
        own: list[Process] = []

        def started(process: Process) -> None:
            own.append(process)
            with self._lock:
                self._running.add(process)
                if self._ended:
                    process.kill()

        environment = {"OMP_NUM_THREADS": str(self._threads)}
        if gpu is not None:
            environment["CUDA_VISIBLE_DEVICES"] = gpu
        try:
            return ask(__name__, json.loads(order), environment, lambda line: _say(title, line), started)
        finally:
            with self._lock:
                self._running.difference_update(own)


def _say(title: str, line: str) -> None:
    with suppress(BrokenPipeError):
        print(f"[{title}] {line}", file=sys.stderr, flush=True)


def main() -> int:
    """Do the piece that stdin tells of, and answer on stdout. Ctrl-C is for the one who asks."""
    from invr_tasks.engine.piece import performed

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print(performed(json.dumps(question())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
