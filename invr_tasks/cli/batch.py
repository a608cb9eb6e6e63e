"""``invr batch TASK INPUT… --into DIR|URL``: `invr run` on one clip after the other."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

from invr_core.errors import BadInput, BadOutput
from invr_tasks import registry
from invr_tasks.cli.blame import blame, one_line, say
from invr_tasks.cli.checked import check_options
from invr_tasks.cli.clips import Clip, existing, find_clips
from invr_tasks.cli.options import BatchRepOptions, Place, task_command, task_config
from invr_tasks.cli.parse import UsageError, parse
from invr_tasks.cli.run import run_one, tasks_help

if TYPE_CHECKING:
    from invr_tasks.task import Task

STEM = "{stem}"
"""Stands for the name of a clip in the path of another file."""
Inputs = Annotated[
    list[str],
    tyro.conf.Positional,
    tyro.conf.arg(metavar="INPUT …", help="video files, folders of images, folders of clips, patterns"),
]
Into = Annotated[
    Place,
    tyro.conf.arg(
        metavar="DIR|URL", help="The folder for the answers, each called as its clip; may be s3://… or alike."
    ),
]
Suffix = Annotated[
    Literal[".mp4", ".mkv", ".gif", "/"], tyro.conf.arg(help="What the answers are; / is a folder of PNGs for each.")
]
FIRST = (("inputs", Inputs), ("into", Into), ("suffix", Suffix, dataclasses.field(default=".mp4")))
"""What `invr batch` takes first; all else is as in `invr run`, for each clip."""


@dataclass(frozen=True)
class Outcome:
    """What became of one clip.

    Args:
        kind: "written", "there already", "failed", "stopped", "not begun", or "not done" for one of the last two.
        text: in a line.
        code: the exit code that it deserves.
    """

    kind: str
    text: str
    code: int = 0


def batch(arguments: list[str]) -> int:
    """Run a task on many clips; one that fails does not stop the rest."""
    if arguments[:1] in (["-h"], ["--help"]):
        print(_help())
        return 0
    if not arguments or arguments[0].startswith("-"):
        raise UsageError("name the task first: invr batch TASK INPUT… --into DIR [options]; `invr tasks` lists them")
    task, config, parsed = read(arguments)
    left_out: list[str] = []
    clips = find_clips(parsed.inputs, parsed.into, parsed.suffix, left_out.append)
    jobs = [job_of(parsed, clip) for clip in clips]
    _check(task, parsed, clips, jobs)
    crew = parsed.who.crew(parsed.fit.device, sum(not clip.done for clip in clips))
    for line in [*left_out, *_lacking(clips, jobs)]:
        _note(parsed.quiet, line)
    if crew is None:
        outcomes = _work(lambda job: run_one(task(config), job, [], unfinished=False), clips, jobs)
    else:
        from invr_tasks.cli.spread import spread

        outcomes = spread(arguments, clips, crew, partial(_note, parsed.quiet))
    if not parsed.quiet:
        _summarise(clips, outcomes)
    return max((outcome.code for outcome in outcomes), key=[0, 2, 1, 130].index)


def read(arguments: Sequence[str]) -> tuple[type[Task[Any]], Any, Any]:
    """The task of a batch, its config, and all options; what cannot be is refused.

    Args:
        arguments: what follows ``invr batch``.
    """
    name, *rest = arguments
    task = registry.get(name)
    parsed: Any = parse(task_command(task, name, "invr batch", FIRST, BatchRepOptions), f"invr batch {name}", rest)
    if not parsed.inputs:
        raise UsageError(f"missing: INPUT (see `invr batch {name} --help`)")
    check_options(parsed)
    return task, task_config(task, parsed.task), parsed


def job_of(parsed: Any, clip: Clip) -> Any:
    """The options of `invr run` for one clip: its own paths, and its name where another path asks for it."""

    def own(value: Any) -> Any:
        return value.replace(STEM, clip.stem) if isinstance(value, str) else value

    options = {name: own(value) for name, value in vars(parsed).items() if name not in ("inputs", "into", "suffix")}
    file = parsed.file
    options["file"] = dataclasses.replace(file, rep=own(file.rep), save_rep=own(file.save_rep))
    return SimpleNamespace(**{**options, "input": clip.path, "output": clip.output, "preview": None})


def _check(task: Any, parsed: Any, clips: Sequence[Clip], jobs: Sequence[Any]) -> None:
    """Refuse, before the first fit, what no clip could be written to."""
    from invr_core.device import resolve
    from invr_tasks.cli.files import check_outputs, further_inputs, paths_of

    for option, path in _others(parsed):
        if path and STEM not in path and len(jobs) > 1:
            raise BadInput(f"{option} {path} would be written by each of {len(jobs)} clips; put {STEM} into its name")
    there = existing(path for job in jobs for _, path in _others(job) if path)
    for clip, job in zip(clips, jobs, strict=True):
        taken = [path for _, path in _others(job) if path in there]
        if taken and not clip.done:
            raise BadOutput(f"{taken[0]} exists, and {clip.path} is not done yet; remove it, or choose another name")
        others = [path for path in (job.file.rep, job.truth) if path]
        read = [job.input, *paths_of(further_inputs(task, job)), *others]
        check_outputs(read, job.output, job.file.save_rep, job.report, confidence=job.confidence)
    if parsed.who.engine == "local":
        resolve(parsed.fit.device)


def _others(parsed: Any) -> tuple[tuple[str, str | None], ...]:
    """What is written beside the answer of a clip: the option, and its path."""
    return (
        ("--report", parsed.report),
        ("--confidence", parsed.confidence),
        ("--save-rep", parsed.file.save_rep),
    )


def _lacking(clips: Sequence[Clip], jobs: Sequence[Any]) -> list[str]:
    """Of answers that are there, what was stopped before it was written beside them; a line for each."""
    asked = [
        (clip, option, path)
        for clip, job in zip(clips, jobs, strict=True)
        for option, path in (("--report", job.report), ("--confidence", job.confidence))
        if clip.done and path
    ]
    there = existing(path for _, _, path in asked)
    return [
        f"{path} ({option}) is not there, though {clip.output} is; remove that to have both"
        for clip, option, path in asked
        if path not in there
    ]


def _work(run: Any, clips: Sequence[Clip], jobs: Sequence[Any]) -> list[Outcome]:
    """Each clip in turn, until Ctrl-C."""
    outcomes: list[Outcome] = []
    for number, (clip, job) in enumerate(zip(clips, jobs, strict=True), 1):
        began = time.monotonic()
        try:
            if clip.done or clip.answered():  # another command may be at work on the same folder
                outcomes.append(there_already(clip))
                continue
            _note(job.quiet, f"clip {number}/{len(clips)}: {clip.path}")
            run(job)
        except KeyboardInterrupt:
            outcomes.append(Outcome("stopped", "stopped; no answer is written", 130))
            break
        except BrokenPipeError:
            raise
        except Exception as error:
            code, text = blame(error)
            say("error", f"{clip.path}: {text}")
            outcomes.append(Outcome("failed", one_line(text), code))
        else:
            outcomes.append(Outcome("written", f"wrote {clip.output}, in {time.monotonic() - began:.1f} s"))
    return outcomes + [Outcome("not begun", "not begun")] * (len(clips) - len(outcomes))


def there_already(clip: Clip) -> Outcome:
    """Of a clip whose answer is found."""
    return Outcome("there already", f"{clip.output} is there already; left as it is")


def _summarise(clips: Sequence[Clip], outcomes: Sequence[Outcome]) -> None:
    table = Table("clip", "outcome", box=None, pad_edge=False, header_style="bold")
    for clip, outcome in zip(clips, outcomes, strict=True):
        table.add_row(Text(clip.path), Text(outcome.text))
    console = Console()
    if not console.is_terminal:  # a pipe has no width to keep to
        console.width = 1000
    console.print(table)
    counts = Counter(outcome.kind for outcome in outcomes)
    told = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    again = "; what was there already is not computed again: remove it first to have it anew"
    print(f"{len(clips)} clips: {told}{again if counts['there already'] else ''}")


def _note(quiet: bool, line: str) -> None:
    if not quiet:
        from invr_tasks.cli.progress import Reporter

        Reporter().note(line)


def _help() -> str:
    return (
        "usage: invr batch TASK INPUT… --into DIR|URL [--suffix .mp4|.mkv|.gif|/] [options]\n\n"
        "Run a task on many clips, with the options of `invr run` for each; one that fails does not stop the rest.\n"
        "INPUT is a video file, a folder of images, a folder of clips, or a pattern such as 'clips/*.mp4'. The\n"
        "answers go to a folder, or to a URL of any protocol that fsspec knows, such as s3://bucket/folder. An answer\n"
        f"that is there already is left as it is. {STEM} in the path of a mask, a report, a truth, a confidence or an\n"
        ".invr file stands for the clip's name.\n\n"
        f"{tasks_help('invr batch')}"
    )
