"""Each measurement in a Python process of its own, so that its peak memory is its own and nothing is warm.

python -m invr_tasks.bench.processes < job.json
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from invr_core.errors import InvrError
from invr_core.threads import wait_briefly
from invr_tasks.bench.records import Record


def alone(work: str, **arguments: Any) -> Record:
    """Do a piece of work in a new process.

    Args:
        work: "fit" (a `Job`, as `Job.as_dict` gives it), "answer" (an `invr_tasks.bench.answers.AnswerJob`, likewise)
            or "decode" (`invr_tasks.bench.decoding.run_decode`).
        arguments: JSON values.

    Raises:
        InvrError: what the work raises, or if its process dies.
    """
    path = os.pathsep.join(entry for entry in sys.path if entry)
    environment = {**os.environ, "PYTHONPATH": path}
    wait_briefly(environment)
    done = subprocess.run(
        [sys.executable, "-P", "-m", __name__],
        input=json.dumps({"work": work, "arguments": arguments}),
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        check=False,
    )
    last = done.stdout.splitlines()[-1:] or [""]
    if done.returncode or not last[0].startswith("{"):
        cause = f"was ended by signal {-done.returncode}" if done.returncode < 0 else f"ended with {done.returncode}"
        raise InvrError(f"the process of the {work} {cause}; what it said is above")
    answer: Record = json.loads(last[0])
    if "error" in answer:
        raise InvrError(answer["error"])
    result: Record = answer["record"]
    return result


def here(work: str, **arguments: Any) -> Record:
    """Do a piece of work in this process: the same, but for the memory, which is then all that was ever taken here.

    Raises:
        InvrError: what the work raises.
    """
    if work == "fit":
        from invr_tasks.bench.fits import run_fit
        from invr_tasks.bench.jobs import Job

        return run_fit(Job.from_dict(arguments))
    if work == "answer":
        from invr_tasks.bench.answers import AnswerJob, run_answer

        return run_answer(AnswerJob.from_dict(arguments))
    from invr_tasks.bench.decoding import run_decode

    return run_decode(**arguments)


def main() -> int:
    """Read a piece of work from stdin, do it, and write one JSON line to stdout."""
    asked = json.loads(sys.stdin.read())
    try:
        answer: Record = {"record": here(asked["work"], **asked["arguments"])}
    except InvrError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer, allow_nan=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
