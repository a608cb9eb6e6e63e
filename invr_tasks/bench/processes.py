"""Each measurement in a Python process of its own, so that its peak memory is its own and nothing is warm.

python -m invr_tasks.bench.processes < job.json
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from invr_core.errors import InvrError
from invr_tasks.bench.records import Record
from invr_tasks.children import ask, question


def alone(work: str, **arguments: Any) -> Record:
    """Do a piece of work in a new process.

    Args:
        work: "fit" (a `Job`, as `Job.as_dict` gives it), "answer" (an `invr_tasks.bench.answers.AnswerJob`, likewise)
            or "decode" (`invr_tasks.bench.decoding.run_decode`).
        arguments: JSON values.

    Raises:
        InvrError: what the work raises, or if its process dies.
    """
    code, last = ask(__name__, {"work": work, "arguments": arguments})
    if code or not last.startswith("{"):
        cause = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
        raise InvrError(f"the process of the {work} {cause}; what it said is above")
    answer: Record = json.loads(last)
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
    asked = question()
    if "OMP_NUM_THREADS" in os.environ:  # OpenCV has threads of its own
        import cv2
        import torch

        cv2.setNumThreads(torch.get_num_threads())
    try:
        answer: Record = {"record": here(asked["work"], **asked["arguments"])}
    except InvrError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer, allow_nan=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
