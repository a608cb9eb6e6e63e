"""What the page asks of tasks: which there are, begin one, how far is it, cancel it."""

from __future__ import annotations

import json
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from invr_core.errors import BadInput
from invr_tasks.view.jobs import FORMATS, Jobs
from invr_tasks.view.offered import Form, offered
from invr_tasks.view.opened import Opened
from invr_tasks.view.turns import Turns

MOST_LETTERS = 10_000
"""Of a filled form."""
HOW = "To run tasks from this page, say where their answers may be written: end `invr view`, and give it --out FOLDER."
WITHOUT = "To run tasks from this page, give `invr view` the clip, --source CLIP, and --out FOLDER for their answers."


def task_routes(opened: Opened, turns: Turns, jobs: Jobs | None) -> list[Route]:
    """The addresses under which tasks are run; what changes anything is POST.

    Args:
        opened: what they are run on.
        turns: in which what they need is worked out.
        jobs: runs them; None where that is not allowed.
    """
    forms: dict[str, Form] = {}

    def look() -> bytes:
        if jobs is None or opened.source is None:
            how = WITHOUT if opened.source is None else HOW
            return json.dumps({"out": None, "how": how}).encode()
        found, others = offered(opened.rep, opened.source)
        forms.update({form.name: form for form in found})
        tasks = [
            {"name": f.name, "about": f.about, "doubt": f.doubt, "fields": [vars(field) for field in f.fields]}
            for f in found
        ]
        return json.dumps({"out": str(jobs.folder), "tasks": tasks, "others": others, "formats": FORMATS}).encode()

    async def looked(request: Request) -> bytes:
        return await turns.take(f"tasks {id(request)}", "tasks", look)  # in a lane of its own: nothing newer counts

    async def tasks(request: Request) -> Response:
        return Response(await looked(request), media_type="application/json")

    async def state(request: Request) -> Response:
        return JSONResponse(_allowed(jobs).state())

    async def begin(request: Request) -> Response:
        allowed, asked = _allowed(jobs), await _read(request)
        await looked(request)
        form = forms.get(asked["task"])
        if form is None:
            raise BadInput(f"no task {asked['task'][:40]!r} is offered here")
        words = form.words(asked["options"])
        await to_thread.run_sync(allowed.start, form.name, words, asked["format"])
        return JSONResponse(allowed.state())

    async def cancel(request: Request) -> Response:
        await to_thread.run_sync(_allowed(jobs).cancel)
        return JSONResponse(_allowed(jobs).state())

    return [
        Route("/tasks", tasks, methods=["GET"]),
        Route("/job", state, methods=["GET"]),
        Route("/job", begin, methods=["POST"]),
        Route("/cancel", cancel, methods=["POST"]),
    ]


def _allowed(jobs: Jobs | None) -> Jobs:
    if jobs is None:
        raise BadInput(HOW)
    return jobs


async def _read(request: Request) -> dict[str, Any]:
    """A filled form: a task, its options as texts, and the format of the answer."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_LETTERS:
            raise BadInput(f"a form may have {MOST_LETTERS} letters")
    try:
        found = json.loads(body)
        task, options, suffix = found["task"], found["options"], found["format"]
        whole = all(isinstance(text, str) for text in (task, suffix, *options, *options.values()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    if request.headers.get("content-type") != "application/json" or not whole:
        raise BadInput("a form is JSON: a task, its options and a format, all of them texts")
    return {"task": task, "options": options, "format": suffix}
