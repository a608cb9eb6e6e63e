"""The viewer as a web application: one page, what it needs to know, pictures, and tasks. No path leads to a file."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from importlib.resources import files

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from invr_core.errors import InvrError
from invr_tasks.view.asking import task_routes
from invr_tasks.view.guard import Guard
from invr_tasks.view.jobs import Busy, Jobs
from invr_tasks.view.opened import Opened
from invr_tasks.view.turns import Superseded, Turns

PATIENCE = 60.0
"""Seconds that somebody waits for a picture."""
_PIECES = {
    "/": ("view", "static/view.html", "text/html"),
    "/page.css": ("page", "templates/page.css", "text/css"),
    "/view.css": ("view", "static/view.css", "text/css"),
    "/view.js": ("view", "static/view.js", "text/javascript"),
    "/tasks.js": ("view", "static/tasks.js", "text/javascript"),
}
"""Address -> package beside this one, file in it, and its kind. All are read before the first request."""


def viewer(opened: Opened, port: int, turns: Turns | None = None, jobs: Jobs | None = None) -> Starlette:
    """The application for one fitted clip.

    Args:
        opened: what is shown; nothing else is reachable.
        port: that it is served on; requests by another name or port are refused.
        turns: who draws; None for a new one.
        jobs: runs tasks; None where the user has named no folder for what they write.
    """
    queue = turns or Turns()
    opened.facts()  # what has to be rendered for it is, once

    async def facts(request: Request) -> Response:
        return JSONResponse(opened.facts())

    async def frame(request: Request) -> Response:
        asked = opened.read(request.query_params)
        lane = request.query_params.get("lane", "")
        if not re.fullmatch(r"[\w-]{0,40}", lane):
            lane = ""
        async with asyncio.timeout(PATIENCE):
            png = await queue.take(lane, asked, lambda: opened.png(asked))
        return Response(png, media_type="image/png")

    return Starlette(
        routes=[
            *(Route(address, _piece(*piece), methods=["GET"]) for address, piece in _PIECES.items()),
            Route("/facts", facts, methods=["GET"]),
            Route("/frame", frame, methods=["GET"]),
            *task_routes(opened, queue, jobs),
        ],
        middleware=[Middleware(Guard, port=port)],
        exception_handlers={InvrError: _refused, TimeoutError: _late, HTTPException: _other},
    )


def _piece(package: str, name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    text = files(f"invr_tasks.{package}").joinpath(name).read_text(encoding="utf-8")

    async def answer(request: Request) -> Response:
        return Response(text, media_type=kind)

    return answer


def _refused(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 409 if isinstance(error, Superseded | Busy) else 400)


def _late(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": f"the picture was not ready within {PATIENCE:g} s; ask for a smaller one"}, 503)


def _other(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return JSONResponse({"error": "there is nothing here"}, status)
