"""``invr run TASK INPUT OUTPUT``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invr_core.errors import BadOutput, NotEnoughMemory
from invr_tasks import registry
from invr_tasks.cli.ahead import crew_of, fitting_ahead
from invr_tasks.cli.checked import check_confidence, check_options, check_preview
from invr_tasks.cli.options import task_command, task_config
from invr_tasks.cli.parse import UsageError, parse

if TYPE_CHECKING:
    from invr_core.atomic import Together
    from invr_core.video import Video
    from invr_tasks.cli.files import Further
    from invr_tasks.cli.noted import Noted
    from invr_tasks.cli.preview import Preview
    from invr_tasks.cli.progress import Reporter
    from invr_tasks.engine import Crew
    from invr_tasks.keeping import Kept
    from invr_tasks.rendered import Rendered
    from invr_tasks.truth import Truth


def run(arguments: list[str]) -> int:
    """Fit a clip as a task observes it, and write the task's answer."""
    return go(arguments)


def go(arguments: list[str], kept: Kept | None = None) -> int:
    """Run a task, from the beginning or with what is kept of it.

    Args:
        arguments: what follows ``invr run``.
        kept: a run that has begun; None for a new one.
    """
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
    check_preview(parsed)
    crew = crew_of(parsed, kept)
    run_one(task(task_config(task, parsed.task)), parsed, arguments, kept, crew=crew)
    return 0


def run_one(
    task: Any,
    parsed: Any,
    arguments: list[str],
    kept: Kept | None = None,
    *,
    unfinished: bool = True,
    crew: Crew | None = None,
) -> None:
    """Run a task on one clip, and write what comes of it.

    What can be refused is refused before the fit: outputs, device, inputs, plan, in this order. Of several parts each
    but the first is fitted while the answer is written, when its first frame is read. The answer is put in place last:
    where it is, all that was asked for is. What was fitted is saved at once, unless only a finished answer counts.

    Args:
        task: with its options.
        parsed: the options of `invr run`, by `check_options` found to go together.
        arguments: what they were read from, to be kept with a run that is.
        kept: a run that has begun; None for a new one.
        unfinished: whether what a fit has found until Ctrl-C ended it is good enough to be written.
        crew: who fits the parts of a run that is kept; None for this process.

    Raises:
        KeyboardInterrupt: if it is not; nothing is written then.
    """
    started = time.monotonic()
    from torch import set_num_threads

    from invr_core.device import resolve
    from invr_core.storage import load
    from invr_tasks.cli.cutting import cuts_of
    from invr_tasks.cli.files import check_outputs, further_inputs, open_source, paths_of
    from invr_tasks.cli.known import truth_of
    from invr_tasks.cli.noted import Noted
    from invr_tasks.cli.parts import Byproducts
    from invr_tasks.cli.preview import Preview
    from invr_tasks.cli.progress import Reporter
    from invr_tasks.cli.wrote import wrote
    from invr_tasks.keeping import Kept
    from invr_tasks.reused import is_run, reuse
    from invr_tasks.run import default_model
    from invr_tasks.run import run as run_task
    from invr_tasks.shots import run_shots

    extras = further_inputs(task, parsed)
    stored = [path for path in (parsed.file.rep, parsed.truth) if path]
    inputs, new = [parsed.input, *paths_of(extras)], parsed.file.keep if kept is None else None
    check_outputs(
        [*inputs, *stored], parsed.output, parsed.file.save_rep, parsed.report, new, confidence=parsed.confidence
    )
    check_confidence(task, parsed)
    if crew is None:
        resolve(parsed.fit.device)
    else:
        set_num_threads(crew.threads)  # as its workers: the bytes of the answer depend on it
    if new is not None:
        kept = Kept.new(new, arguments, inputs)
    others = [path for path in (parsed.report, parsed.confidence) if path]
    with (
        _goes_on(kept),
        Reporter(parsed.quiet) as reporter,
        _places(parsed.output, others) as (here, outputs),
    ):
        if kept is not None:
            kept.tell = reporter.note
            kept.remark()
        run_again = is_run(parsed.file.rep)
        rep = load(parsed.file.rep, parsed.fit.device) if parsed.file.rep and not run_again else None
        model = default_model(parsed.fit.model, parsed.fit.params) if rep is None else None
        source, opened = open_source(parsed.input, extras, reporter.note), time.monotonic()
        truth = truth_of(parsed.truth, task, source, reporter.note)
        config, preview = parsed.fit.config(), None
        if crew is not None and config.device == "cuda":  # of its workers; here the answer is rendered by what there is
            config = replace(config, device="auto")
        if parsed.preview is not None and model is not None:
            piece, given = parsed.clip.piece, () if parsed.clip.no_shots else parsed.clip.cuts or ()
            preview = Preview(task, source, parsed.preview, model, config, piece, given, reporter.note)
            source, config = preview.source, preview.config
        asked = bool(parsed.confidence or parsed.report)
        result: Any
        if rep is not None:
            byproducts = Byproducts(None, 32, here.get(parsed.report), 1, reporter, truth)
            result = run_task(task, source, rep=rep, confidence=asked)
        else:
            again = reuse(parsed.file.rep, source.video, task.minimum_frames) if run_again else None
            cuts, count = (
                cuts_of(task, source, parsed, preview, reporter.note) if again is None else (again.cuts, again.count)
            )
            ahead = fitting_ahead(arguments, kept, cuts, crew, reporter.note) if crew and kept else None
            saved, bits = parsed.file.save_rep, parsed.file.bits
            byproducts = Byproducts(saved, bits, here.get(parsed.report), count, reporter, truth)
            for file in byproducts.files if not unfinished else []:
                outputs.add(Path(file))
            result = run_shots(
                task,
                source,
                cuts,
                piece=again.piece if again else parsed.clip.piece,
                model=model,
                fit_config=config,
                on_step=preview.watched(byproducts.step) if preview else byproducts.step,
                on_part=byproducts.begin,
                on_done=byproducts.done if parsed.file.save_rep or parsed.report else None,
                tell=reporter.note,
                keep=again.keep if again else kept,
                unfinished=unfinished,
                ahead=again.require if again else ahead,
                confidence=asked,
            )
        fitting = preview.fitting if preview else 0.0
        noted = Noted(result.video, result.confidence, bool(parsed.confidence)) if result.confidence else None
        frames = kept.rendered if kept is not None and kept.begun and preview is None else None
        shown = noted.video if noted else result.video
        rendering = _write(shown, noted, parsed, here, preview, reporter, frames, truth)
        if rep is None:
            result.finish()
        facts = _facts(parsed, extras, time.monotonic() - started)
        byproducts.write(task, source, result, facts, noted.sureness if noted else None)
        if kept is not None and kept.begun:
            reporter.note(f"{kept.folder} keeps what was fitted; remove it when it is of no more use")
    if frames is not None:
        frames.clear()
    told = (byproducts.told, parsed.report, parsed.confidence if noted else None)
    wrote(parsed.quiet, parsed.output, result.video, time.monotonic() - started, *told)
    if truth and not parsed.quiet:
        print(truth.told())
    if noted and not parsed.quiet:
        print(noted.sureness.told())
    if preview and not parsed.quiet:
        print(preview.told(result, rendering - (preview.fitting - fitting), opened - started))


@contextmanager
def _places(answer: str, others: list[str]) -> Iterator[tuple[Mapping[str | None, str], Together]]:
    """Where to write what goes where, and all of it that stays here; at the end it is put in place, the answer last."""
    from invr_core.atomic import Together
    from invr_tasks.stores import is_url, whole

    together = Together(*(Path(path) for path in (answer, *others) if not is_url(path)))
    with ExitStack() as ends:
        if not is_url(answer):
            ends.enter_context(together)
        here = ends.enter_context(whole(*others, answer))
        if is_url(answer):
            ends.enter_context(together)
        yield here, together


def _write(
    video: Video,
    noted: Noted | None,
    parsed: Any,
    here: Mapping[str | None, str],
    preview: Preview | None,
    reporter: Reporter,
    rendered: Rendered | None,
    truth: Truth | None,
) -> float:
    """Render an answer and write it; the seconds that it took. That of an excerpt begins at 0, and has no sound.

    It is held against the truth last of all, so that frames that were rendered before are, too.
    """
    from invr_core.io import save_video

    began = time.monotonic()
    shown = video if rendered is None else rendered.through(video, noted)
    shown = reporter.watched(shown if truth is None else truth.watched(shown))
    slow, first = parsed.clip.slow, shown.times[0]
    if slow != 1:
        shown = replace(shown, times=first + slow * (shown.times - first))
    if preview is None:
        target, audio = here[parsed.output], not parsed.clip.no_audio
        with rendered or nullcontext():
            save_video(shown, target, reporter.note, beside=parsed.input, audio=audio, same_clock=slow == 1)
    else:
        shown = replace(shown, times=shown.times - first)
        save_video(shown, here[parsed.output], reporter.note)
    if parsed.confidence and noted is None:
        reporter.note(f"{parsed.confidence} is not written: the task cannot tell how sure it is of this")
    elif parsed.confidence and noted is not None:
        noted.save(here[parsed.confidence], shown.times, reporter.note)
    return time.monotonic() - began


@contextmanager
def _goes_on(kept: Kept | None) -> Iterator[None]:
    """Where a run that is kept breaks off, say how it goes on."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if kept is None or not kept.begun:
            raise
        raise KeyboardInterrupt(f"stopped; `{kept.again}` goes on from here") from stop
    except (BadOutput, NotEnoughMemory) as cause:
        if kept is None or not kept.begun:
            raise
        raise type(cause)(f"{cause}; what is fitted is kept, and `{kept.again}` goes on from it") from cause


def _facts(parsed: Any, extras: Further, seconds: float) -> dict[str, object]:
    """What was asked, for the report."""
    return {
        "input": parsed.input,
        **{name: str(given) for name, given in extras.items()},
        "output": parsed.output,
        **({"truth": parsed.truth} if parsed.truth else {}),
        **({"preview": f"{parsed.preview:g} s from the middle"} if parsed.preview else {}),
        "read, fitted and written in": f"{seconds:.1f} s",
    }


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
