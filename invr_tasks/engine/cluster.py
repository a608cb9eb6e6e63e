"""Pieces of work on a Ray cluster, or on one that is started here for the while."""

from __future__ import annotations

import os
import socket
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from typing import Any

from invr_core.errors import BadInput, Unsupported
from invr_tasks.engine import RETRIES, Crew, Done, outcome
from invr_tasks.engine.piece import performed

AHEAD = 2
"""Pieces that Ray is told of at once, for each that it has room for: so that none waits, and memory is bounded."""
STORE = 100 << 20
"""Bytes of the object store of a Ray that is started here; what travels is a page of text."""
PATIENCE = 10.0
"""Seconds that a cluster may take to answer."""
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0", "RAY_COLOR_PREFIX": "0"}
"""Nothing is told to Ray's makers; lines that are alike are all shown, and none is coloured."""


def on_ray(asked: Iterable[tuple[str, str]], crew: Crew) -> Generator[Done, None, None]:
    """Do them, each a title and an order; see `invr_tasks.engine.distribute`."""
    with _connected(crew) as ray:
        gpus, slots = _room(ray, crew)
        options = {"num_cpus": crew.threads, "num_gpus": gpus, "max_retries": RETRIES, "retry_exceptions": False}
        remote = ray.remote(**options)(performed)
        waiting, running = enumerate(asked), dict[Any, int]()
        try:
            while True:
                room = (crew.workers or AHEAD * slots) - len(running)
                for index, (title, order) in islice(waiting, max(room, 0)):
                    running[remote.options(name=title).remote(order)] = index
                if not running:
                    return
                for ready in ray.wait(list(running), timeout=1)[0]:
                    yield _result(ray, ready, running.pop(ready))
        finally:
            for left in running:
                ray.cancel(left, force=True)


def _result(ray: Any, ready: Any, index: int) -> Done:
    try:
        return outcome(index, ray.get(ready))
    except ray.exceptions.WorkerCrashedError:
        return Done(index, failed=f"its worker was lost each of {1 + RETRIES} times", code=1)
    except ray.exceptions.RayError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return Done(index, failed=f"Ray could not do it: {lines[-1] if lines else type(error).__name__}", code=1)


@contextmanager
def _connected(crew: Crew) -> Iterator[Any]:
    """Ray, connected; what is started here ends here."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        ray: Any = import_module("ray")
    except ImportError as error:
        raise Unsupported("--engine ray needs Ray: pip install 'invr[ray]'") from error
    if crew.address not in (None, "auto"):
        _require_there(str(crew.address))
    started: dict[str, Any] = {} if crew.address else {"include_dashboard": False, "object_store_memory": STORE}
    try:
        ray.init(address=crew.address or "local", log_to_driver=True, logging_level="error", **started)
    except Exception as error:  # of many kinds
        where = crew.address or "this machine"
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise BadInput(f"no Ray cluster answers at {where}: {lines[0] if lines else type(error).__name__}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _require_there(address: str) -> None:
    """Refuse an address where nobody listens: Ray itself would wait for very long.

    Raises:
        BadInput: naming it.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise BadInput(f"--address {address} is not HOST:PORT, such as 10.0.0.1:6379, or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise BadInput(f"no Ray cluster answers at {address}: {error}; `ray start --head` says its address") from error


def _room(ray: Any, crew: Crew) -> tuple[int, int]:
    """GPUs of each piece, and how many pieces the cluster has room for now.

    Raises:
        BadInput: if no node has room for one: Ray would wait for ever.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = any(node.get("GPU", 0) >= 1 for node in nodes) if crew.gpus is None else crew.gpus
    room = [int(node.get("CPU", 0)) // crew.threads for node in nodes if not gpus or node.get("GPU", 0) >= 1]
    if not sum(room):
        asked = f"{crew.threads} CPUs{' and a GPU' if gpus else ''}"
        raise BadInput(f"no node of the cluster has {asked} for a worker; give fewer --threads, or another --device")
    return int(gpus), sum(room)
