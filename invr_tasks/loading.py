"""Load plugins in a process of their own, which they may leave, crash or hold up: what is wrong with each."""

from __future__ import annotations

import faulthandler
import json
import os
import subprocess
import sys
from collections.abc import Sequence

from invr_core.discovery import Offer
from invr_core.models import registry as models
from invr_tasks import registry as tasks

SECONDS = 60.0
"""That a plugin may take to load."""


def tried(offers: Sequence[tuple[str, Offer]], seconds: float = SECONDS) -> list[str]:
    """What is wrong with each of some plugins; "" where nothing is.

    One process loads them in turn. Where it ends before it has told of all, the next one has ended it, and
    another process goes on with those that are left.

    Args:
        offers: each with its kind, "task" or "model".
        seconds: that each may take.
    """
    told: list[str] = []
    while len(told) < len(offers):
        answers, end = _load(offers[len(told) :], seconds)
        told += answers
        if len(told) < len(offers):
            kind, offer = offers[len(told)]
            told.append(f"the {kind} {offer.name!r} of {offer.distribution} {offer.version} ({offer.value}) {end}")
    return told


def fault(kind: str, offer: Offer) -> str:
    """What is wrong with one plugin, loaded here; "" if nothing is."""
    from invr_tasks.cli.options import task_command

    try:
        if kind == "task":
            task_command(tasks.load(offer), offer.name)
        else:
            models.load(offer)
    except Exception as cause:
        return str(cause)
    return ""


def _load(offers: Sequence[tuple[str, Offer]], seconds: float) -> tuple[list[str], str]:
    """What one process tells of as many as it can, and how it ended."""
    order = json.dumps([seconds, [[kind, offer.qualified, offer.value] for kind, offer in offers]])
    done = subprocess.run(
        [sys.executable, "-m", __name__, order],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if "Timeout (" in done.stderr:  # faulthandler's word
        end = f"is not loaded after {seconds:g} s"
    else:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        end = f"ends the process that loads it ({'; '.join([how, *done.stderr.strip().splitlines()[-1:]])})"
    return [json.loads(line) for line in done.stdout.splitlines()], end


def main(order: str) -> None:
    """Do what `_load` orders: a line for each plugin; whatever plugins print goes elsewhere."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import invr_tasks.cli.options  # noqa: F401  # with torch, whose seconds are not the plugins'

    seconds, wanted = json.loads(order)
    installed = {
        (kind, offer.qualified, offer.value): offer
        for kind, registry in (("task", tasks), ("model", models))
        for offer in registry.installed()
    }
    for kind, name, value in wanted:
        faulthandler.dump_traceback_later(seconds, exit=True)
        said = fault(kind, installed[kind, name, value])
        faulthandler.cancel_dump_traceback_later()
        print(json.dumps(said), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
