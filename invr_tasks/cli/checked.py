"""Options of ``invr run`` that do not go together, refused before any file is opened."""

from __future__ import annotations

import math
from typing import Any

from invr_core.errors import BadInput
from invr_tasks.cli.options import ClipOptions, RepOptions


def check_options(parsed: Any) -> None:
    """Refuse what cannot be, before any file is opened.

    Raises:
        BadInput: naming the options.
    """
    fit, clip, file = parsed.fit, parsed.clip, parsed.file
    fit.check()
    clip.check()
    parsed.who.check()
    _check_bits(file)
    if parsed.truth is not None and parsed.report is None:
        raise BadInput(f"--truth {parsed.truth} is what --report holds the answer against; give that too, FILE.html")
    if file.rep is None:
        return
    whole = [*(["--cuts"] if clip.cuts else []), *(["--piece"] if clip.piece != ClipOptions.piece else [])]
    files = [f"--{name.replace('_', '-')}" for name in ("save_rep", "keep") if getattr(file, name)]
    unused = [*fit.chosen(), *whole, *files]
    if unused:
        raise BadInput(f"--rep leaves out the fit, so {', '.join(unused)} would have no effect; leave it out")


def check_preview(parsed: Any) -> None:
    """Refuse an excerpt that is none, or of what is fitted already.

    Raises:
        BadInput: naming the options.
    """
    if parsed.preview is None:
        return
    if not (math.isfinite(parsed.preview) and parsed.preview > 0):
        raise BadInput(f"--preview must be a positive number of seconds, got {parsed.preview:g}")
    others = [name for name, given in (("--rep", parsed.file.rep), ("--save-rep", parsed.file.save_rep)) if given]
    if others:
        raise BadInput(f"--preview fits a small excerpt, which {others[0]} is not of; leave one of them out")
    if parsed.truth is not None:
        raise BadInput("--preview shows a small excerpt, which --truth is not of; leave one of them out")


def check_confidence(task: Any, parsed: Any) -> None:
    """Refuse to keep how sure a task is that cannot tell.

    Raises:
        BadInput: naming the option.
    """
    from invr_tasks.task import Task

    if parsed.confidence and type(task).with_confidence is Task.with_confidence:
        raise BadInput(f"the task {type(task).__name__} cannot tell how sure it is; leave --confidence out")


def _check_bits(file: RepOptions) -> None:
    if file.bits == RepOptions.bits:
        return
    if file.save_rep is None:
        raise BadInput(f"--bits {file.bits} is of the file that --save-rep names; give that too, or leave it out")
    from invr_core.quantise import check_bits

    check_bits(file.bits)
