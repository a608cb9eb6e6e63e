"""``invr run TASK INPUT OUTPUT``."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from invr_core.errors import BadInput
from invr_tasks import registry
from invr_tasks.cli.options import RepOptions, task_command, task_config
from invr_tasks.cli.parse import UsageError, parse

if TYPE_CHECKING:
    from invr_core.video import Video
    from invr_tasks.cli.files import Further
    from invr_tasks.cli.preview import Preview
    from invr_tasks.cli.progress import Reporter
    from invr_tasks.page.curve import Curve
    from invr_tasks.run import Result
    from invr_tasks.shots import Joined
    from invr_tasks.task import Source


def run(arguments: list[str]) -> int:
    """Fit a clip as a task observes it, and write the task's answer."""
    if arguments[:1] in (["-h"], ["--help"]):
        print(_help())
        return 0
    if not arguments or arguments[0].startswith("-"):
        known = registry.describe_installed(registry.installed())
        raise UsageError(f"name the task first: invr run TASK INPUT OUTPUT [options]. {known}")
    name, *rest = arguments
    task = registry.get(name)
    parsed = parse(task_command(task, name), f"invr run {name}", rest)
    check_options(parsed)
    _check_preview(parsed)
    run_one(task(task_config(task, parsed.task)), parsed)
    return 0


def run_one(task: Any, parsed: Any, *, unfinished: bool = True) -> None:
    """Run a task on one clip, and write what comes of it.

    What can be refused is refused before the fit: outputs, device, inputs, plan, in this order.

    Args:
        task: with its options.
        parsed: the options of `invr run`, by `check_options` found to go together.
        unfinished: whether what a fit has found until Ctrl-C ended it is good enough to be written.

    Raises:
        KeyboardInterrupt: if it is not; nothing is written then.
    """
    started = time.monotonic()
    from invr_core.device import resolve
    from invr_core.storage import load
    from invr_tasks.cli.files import check_outputs, further_inputs, open_source, paths_of
    from invr_tasks.cli.preview import Preview
    from invr_tasks.cli.progress import Reporter
    from invr_tasks.cli.wrote import wrote
    from invr_tasks.page.curve import Curve
    from invr_tasks.run import default_model
    from invr_tasks.run import run as run_task
    from invr_tasks.shots import run_shots

    extras = further_inputs(task, parsed)
    stored = [parsed.file.rep] if parsed.file.rep else []
    check_outputs([parsed.input, *paths_of(extras), *stored], parsed.output, parsed.file.save_rep, parsed.report)
    resolve(parsed.fit.device)
    with Reporter(parsed.quiet) as reporter:
        rep = load(parsed.file.rep, parsed.fit.device) if parsed.file.rep else None
        model = default_model(parsed.fit.model, parsed.fit.params) if rep is None else None
        source, opened = open_source(parsed.input, extras, reporter.note), time.monotonic()
        config, preview = parsed.fit.config(), None
        if parsed.preview is not None and model is not None:
            preview = Preview(task, source, parsed.preview, model, config, reporter.note)
            source, config = preview.source, preview.config
        curve = Curve(reporter.on_step)
        result: Any
        if rep is not None:
            result = first = run_task(task, source, rep=rep)
        else:
            cuts = _cuts(source.video, parsed, preview, reporter.note)
            result = run_shots(task, source, cuts, model=model, fit_config=config, on_step=curve, on_shot=reporter.shot)
            first = result.shots[0]
            if result.interrupted and not unfinished:
                raise KeyboardInterrupt
            _remark(result, reporter.note)
        if parsed.file.save_rep:
            first.representation.save(parsed.file.save_rep, parsed.file.bits)
        rendering = _write(result.video, parsed, preview, reporter)
        if parsed.report:
            _report(task, source, first, curve, parsed, extras, time.monotonic() - started)
    wrote(parsed.quiet, parsed.output, result.video, time.monotonic() - started, parsed.file.save_rep, parsed.report)
    if preview and not parsed.quiet:
        print(preview.told(result, rendering, opened - started))


def _write(video: Video, parsed: Any, preview: Preview | None, reporter: Reporter) -> float:
    """Render an answer and write it; the seconds that it took. That of an excerpt begins at 0, and has no sound."""
    from invr_core.io import save_video

    began = time.monotonic()
    shown = reporter.watched(video)
    if preview is None:
        save_video(shown, parsed.output, reporter.note, beside=parsed.input, audio=not parsed.clip.no_audio)
    else:
        save_video(replace(shown, times=shown.times - shown.times[0]), parsed.output, reporter.note)
    return time.monotonic() - began


def _report(
    task: Any, source: Source, result: Result, curve: Curve, parsed: Any, extras: Further, seconds: float
) -> None:
    from invr_tasks.page.report import write_report

    facts = {
        "input": parsed.input,
        **{name: str(given) for name, given in extras.items()},
        "output": parsed.output,
        **({"preview": f"{parsed.preview:g} s from the middle"} if parsed.preview else {}),
        "read, fitted and written in": f"{seconds:.1f} s",
    }
    write_report(parsed.report, task, source, result, curve=curve, facts=facts)


def _cuts(video: Video, parsed: Any, preview: Preview | None, note: Callable[[str], None]) -> tuple[int, ...]:
    """The cuts that are given, or found, in the clip or the excerpt of it; told if there are any."""
    from invr_core.shots import cuts_at, find_cuts

    if parsed.clip.no_shots:
        return ()
    given = parsed.clip.cuts
    if preview is not None and given is not None:
        given = preview.cuts(given)
    cuts = find_cuts(video) if given is None else cuts_at(video, given)
    if not cuts:
        return ()
    shots = f"{parsed.input} has {len(cuts) + 1} shots, with cuts at {_seconds(video, cuts)} s"
    for option, wanted in (("--save-rep", parsed.file.save_rep), ("--report", parsed.report)):
        if wanted:
            raise BadInput(f"{shots}; {option} is of one shot: leave it out, or give --no-shots to fit them as one")
    note(f"{shots}; each is fitted by itself (--no-shots fits them as one, --cuts says where they are)")
    return cuts


def _seconds(video: Video, cuts: tuple[int, ...]) -> str:
    return ",".join(f"{round(float(video.times[index]), 3):.10g}" for index in cuts)


def _remark(result: Joined, note: Callable[[str], None]) -> None:
    if result.interrupted:
        note("stopped; going on with what is fitted so far")
    missing = [str(number) for number, shot in enumerate(result.shots, 1) if shot is None]
    if missing:
        why = "were not fitted any more" if result.interrupted else "are too short for this task"
        note(f"of {len(result.shots)} shots, {', '.join(missing)} {why}; they show the trivial answer")


def check_options(parsed: Any) -> None:
    """Refuse what cannot be, before any file is opened.

    Raises:
        BadInput: naming the options.
    """
    fit, clip, file = parsed.fit, parsed.clip, parsed.file
    fit.check()
    clip.check()
    _check_bits(file)
    if file.rep is None:
        return
    unused = [*fit.chosen(), *(["--cuts"] if clip.cuts else []), *(["--save-rep"] if file.save_rep else [])]
    if unused:
        raise BadInput(f"--rep leaves out the fit, so {', '.join(unused)} would have no effect; leave it out")


def _check_preview(parsed: Any) -> None:
    if parsed.preview is None:
        return
    if not (math.isfinite(parsed.preview) and parsed.preview > 0):
        raise BadInput(f"--preview must be a positive number of seconds, got {parsed.preview:g}")
    others = [name for name, given in (("--rep", parsed.file.rep), ("--save-rep", parsed.file.save_rep)) if given]
    if others:
        raise BadInput(f"--preview fits a small excerpt, which {others[0]} is not of; leave one of them out")


def _check_bits(file: RepOptions) -> None:
    if file.bits == RepOptions.bits:
        return
    if file.save_rep is None:
        raise BadInput(f"--bits {file.bits} is of the file that --save-rep names; give that too, or leave it out")
    from invr_core.quantise import check_bits

    check_bits(file.bits)


def tasks_help(command: str) -> str:
    """The installed tasks, for the help of a command that takes one."""
    offers = registry.installed()
    width = max((len(offer.name) for offer in offers), default=0)
    tasks = "\n".join(f"  {offer.name:{width}}  {offer.summary}" for offer in offers)
    none = "  " + registry.describe_installed([])
    return f"tasks (`{command} TASK --help` shows the options of one):\n{tasks or none}"


def _help() -> str:
    return (
        "usage: invr run TASK INPUT OUTPUT [options]\n\n"
        "Fit a clip as the task observes it, and write the task's answer. A task under development is given as\n"
        f"./file.py:Class or package.module:Class.\n\n{tasks_help('invr run')}"
    )
