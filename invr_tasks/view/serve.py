"""Serve the viewer on this machine until Ctrl-C."""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import Callable
from typing import TYPE_CHECKING

from invr_core.errors import BadInput, Unsupported
from invr_tasks.view.opened import Opened

if TYPE_CHECKING:
    from invr_tasks.view.jobs import Jobs

HOST = "127.0.0.1"
MOST_AT_ONCE = 32
"""Connections and requests; more are told to come back."""


def listen(port: int) -> socket.socket:
    """A socket on this machine alone; port 0 takes any that is free. Who calls before it is answered waits.

    Raises:
        BadInput: if there is no such port, or it is taken.
    """
    if not 0 <= port <= 65535:
        raise BadInput(f"--port must be 0 to 65535, got {port}; 0 takes any that is free")
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind((HOST, port))
        held.listen(MOST_AT_ONCE)
    except OSError as error:
        held.close()
        raise BadInput(f"--port {port} cannot be had: {error.strerror}; give another, or leave it out") from error
    return held


def require() -> None:
    """Refuse, before anything is opened, where the libraries are missing.

    Raises:
        Unsupported: with the line that installs them.
    """
    try:
        import starlette
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise Unsupported(f"`invr view` needs {error.name}: pip install 'invr[view]'") from error
    del starlette


def serve(
    opened: Opened, held: socket.socket, browser: bool, tell: Callable[[str], None], jobs: Jobs | None = None
) -> None:
    """Serve until Ctrl-C.

    Args:
        opened: what is shown.
        held: of `listen`.
        browser: whether to open one.
        tell: is given the address.
        jobs: runs tasks, and is ended with all the rest; None to offer none.
    """
    import uvicorn

    from invr_tasks.view.app import viewer

    port = held.getsockname()[1]
    address = f"http://{HOST}:{port}/"
    config = uvicorn.Config(
        viewer(opened, port, jobs=jobs),
        log_level="error",
        limit_concurrency=MOST_AT_ONCE,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=1,
        server_header=False,
        ws="none",
    )
    tell(f"{opened.name} is shown at {address} (Ctrl-C ends it)")
    if browser:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()  # one in a terminal waits for us
    try:
        with held:
            uvicorn.Server(config).run(sockets=[held])
    finally:
        if jobs is not None:
            jobs.cancel()
