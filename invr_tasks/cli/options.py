"""The options that commands share, and the command line of one task."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, make_dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from invr_core.errors import BadInput, InvrError
from invr_tasks.cli.masks import is_mask, mask_options
from invr_tasks.cli.parse import Count, written
from invr_tasks.cli.workers import EngineOptions
from invr_tasks.pieces import LEAST_PIECE, PIECE
from invr_tasks.registry import BrokenTask
from invr_tasks.stores import place

if TYPE_CHECKING:
    from invr_core.fitting import FitConfig
    from invr_tasks.task import Task

Flag = tyro.conf.FlagCreatePairsOff[bool]
Input = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="INPUT", help="a video file or a folder of images")]
Place = Annotated[str, written("FILE", place)]
Output = Annotated[
    Place,
    tyro.conf.Positional,
    tyro.conf.arg(
        metavar="OUTPUT",
        help=".mp4 (H.264; HEVC for 10 bits), .mkv (FFV1, lossless), .gif, or a folder for PNGs; may be at a URL",
    ),
]
Device = Annotated[str, tyro.conf.arg(metavar="auto|cpu|cuda")]
Stored = Annotated[str | None, tyro.conf.arg(metavar="FILE.invr")]
Report = Annotated[
    Place | None,
    tyro.conf.arg(
        metavar="FILE.html", help="Also write one page to look at: pictures by a wipe, motion, curves, settings."
    ),
]
Known = Annotated[
    str | None,
    tyro.conf.arg(
        metavar="PATH",
        help="What OUTPUT should be, file or folder: --report is held against it. The fit never sees it.",
    ),
]
Confidence = Annotated[
    Place | None,
    tyro.conf.arg(
        metavar="FILE|DIR",
        help="Also write how sure each pixel is, as grey frames: white was given, mid-grey may be off by 10 of 255.",
    ),
]
Bits = Annotated[int, tyro.conf.arg(metavar="4..16|32")]


@dataclass(frozen=True)
class FitOptions:
    """How long and how large to fit, and where."""

    minutes: float | None = None
    """Bound on the duration of the fit, in minutes. Without this and --steps it depends on clip and device."""
    steps: int | None = None
    """Number of optimisation steps, instead of --minutes."""
    params: Count | None = None
    """Number of parameters, such as 3M, 350k or 3000000; left out, it depends on the clip."""
    model: Annotated[str, tyro.conf.arg(metavar="NAME")] = "cwrnn"
    """The architecture; `invr models` lists them."""
    seed: int = 0
    """Of all random choices: the same seed on the same machine gives the same bytes."""
    device: Device = "auto"
    """Where to compute; auto takes CUDA where there is one."""

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            BadInput: naming the option.
        """
        if self.minutes is not None and self.steps is not None:
            raise BadInput("give --minutes or --steps, not both")
        if self.minutes is not None and not (math.isfinite(self.minutes) and self.minutes > 0):
            raise BadInput(f"--minutes must be a positive number, got {self.minutes:g}")
        if self.steps is not None and self.steps < 1:
            raise BadInput(f"--steps must be at least 1, got {self.steps}")
        if not 0 <= self.seed < 2**63:
            raise BadInput(f"--seed must be a whole number from 0 to 2^63 - 1, got {self.seed}")

    def config(self) -> FitConfig:
        """The same as `invr_core.fitting.FitConfig`."""
        from invr_core.fitting import FitConfig

        return FitConfig(steps=self.steps, minutes=self.minutes, seed=self.seed, device=self.device)

    def chosen(self) -> list[str]:
        """Which of these options, but the device, are not at their defaults."""
        fields = [field for field in dataclasses.fields(self) if field.name != "device"]
        return [f"--{field.name}" for field in fields if getattr(self, field.name) != field.default]


@dataclass(frozen=True)
class ClipOptions:
    """How the clip is cut, and what becomes of its clock and its sound."""

    cuts: tuple[float, ...] | None = None
    """Instants in seconds at which new shots begin, such as 1.2,3.04; left out, they are looked for."""
    no_shots: Flag = False
    """Fit the clip as one, whatever cuts it has."""
    piece: Annotated[int, tyro.conf.arg(metavar="FRAMES")] = PIECE
    """How many frames are fitted together at the most; a longer shot is fitted in overlapping pieces."""
    slow: Annotated[float, tyro.conf.arg(metavar="N")] = 1.0
    """Play the answer N times as slowly as the clip; its sound, subtitles and chapters are then left out."""
    no_audio: Flag = False
    """Leave the sound out; else it is copied as it is, where OUTPUT can hold it."""

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            BadInput: naming the options.
        """
        if self.no_shots and self.cuts is not None:
            raise BadInput("give --cuts or --no-shots, not both")
        if self.piece < LEAST_PIECE:
            raise BadInput(f"--piece must be at least {LEAST_PIECE} frames, got {self.piece}")
        if not (math.isfinite(self.slow) and self.slow >= 1):
            raise BadInput(f"--slow must be a number of at least 1, got {self.slow:g}")


@dataclass(frozen=True)
class RepOptions:
    """What was fitted, as one file."""

    save_rep: Stored = None
    """Keep what is fitted in this file; of several parts, each in one of its own, NAME-1.invr and so on."""
    bits: Bits = 32
    """Of each parameter in that file: 32 is exact, 8 a fifth of the size for a loss that is hard to see, any from 4 to
    16."""
    rep: Annotated[str | None, tyro.conf.arg(metavar="FILE.invr|RUN")] = None
    """Take what was fitted from this file, or from the parts of a run that was kept, and leave out the fit."""
    keep: Annotated[str | None, tyro.conf.arg(metavar="RUN")] = None
    """Keep the run in this new folder while it goes on, so that `invr resume RUN` can after a Ctrl-C or worse."""


@dataclass(frozen=True)
class BatchRepOptions(RepOptions):
    """The same of many clips, whose runs are not kept: what a batch has finished is not done again anyway."""

    keep: tyro.conf.Suppress[str | None] = None


Preview = Annotated[
    float | None,
    tyro.conf.arg(
        metavar="SECONDS",
        help="Only so long an excerpt from the middle, at most 320 pixels wide, and what the whole would take.",
    ),
]
RUN: tuple[tuple[Any, ...], ...] = (
    ("input", Input),
    ("output", Output),
    ("preview", Preview, dataclasses.field(default=None)),
)
"""What `invr run` takes first."""


def task_command(
    task: type[Task[Any]],
    name: str,
    command: str = "invr run",
    first: Sequence[tuple[Any, ...]] = RUN,
    file: type[RepOptions] = RepOptions,
) -> type[Any]:
    """The command line of one task as a dataclass: its inputs, its options, those of the fit.

    Args:
        task: its class.
        name: by which it was asked for.
        command: whose command line it is, for messages.
        first: the fields of that command, as `dataclasses.make_dataclass` takes them.
        file: its options of what was fitted.

    Raises:
        BrokenTask: if an input or an option of the task has a name that is taken.
    """
    extras = [given for given in task.inputs if given != "video"]
    masks = [option for given in extras if is_mask(given) for option in mask_options(given)]
    inputs = [*(given for given in extras if not is_mask(given)), *(option for option, _, _ in masks)]
    _refuse_clashes(task, name, command, [field[0] for field in first], inputs)
    quiet: Any = Annotated[Flag, tyro.conf.arg(help="Show no progress.")]
    made = make_dataclass(
        "Command",
        [
            *first,
            *((extra, Annotated[str, _further(extra)]) for extra in extras if not is_mask(extra)),
            ("task", _unchecked(task.Config)),
            ("fit", FitOptions),
            ("clip", ClipOptions),
            ("file", file),
            ("who", EngineOptions),
            *masks,
            ("report", Report, dataclasses.field(default=None)),
            ("truth", Known, dataclasses.field(default=None)),
            ("confidence", Confidence, dataclasses.field(default=None)),
            ("quiet", quiet, dataclasses.field(default=False)),
        ],
        kw_only=True,
    )
    own = vars(task).get("__doc__") or ""
    made.__doc__ = inspect.cleandoc(own).split("\n\n")[0] or f"Run the task {name}."
    return made


def task_config(task: type[Task[Any]], values: Any) -> Any:
    """The task's own config, made of the options that were read.

    Raises:
        BadInput: if the config refuses them; the message names the options that are to blame.
    """
    fields = [field for field in dataclasses.fields(task.Config) if field.init]
    given = {field.name: getattr(values, field.name) for field in fields}
    error = _refusal(task, given)
    if error is None:
        return task.Config(**given)
    changed = {field.name: given[field.name] for field in fields if not _is_default(field, given[field.name])}
    alone = {key: value for key, value in changed.items() if str(_refusal(task, {key: value})) == str(error)}
    blamed = ", ".join(f"{_flag(key)} {_as_typed(value)}" for key, value in (alone or changed or given).items())
    raise BadInput(f"{blamed}: {error}") from error


def _unchecked(config: type[Any]) -> type[Any]:
    """The same dataclass without its checks, so that they run where we can say which option they refuse."""
    return type(config.__name__, (config,), {"__post_init__": lambda self: None, "__doc__": config.__doc__})


def _refusal(task: type[Task[Any]], options: dict[str, Any]) -> Exception | None:
    try:
        task.Config(**options)
    except (InvrError, ValueError, TypeError) as error:
        return error
    return None


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    if field.default_factory is not MISSING:
        return bool(value == field.default_factory())
    return field.default is not MISSING and bool(value == field.default)


def _refuse_clashes(
    task: type[Task[Any]], name: str, command: str, first: Sequence[str], inputs: Sequence[str]
) -> None:
    """Refuse a task whose inputs or options are called like options of the command, or like each other.

    Args:
        task: its class.
        name: by which it was asked for.
        command: whose command line it is.
        first: what that takes before all else.
        inputs: what the inputs of the task are called there.
    """
    groups = {"fit": FitOptions, "clip": ClipOptions, "file": RepOptions, "who": EngineOptions}
    taken = {"help", "report", "truth", "confidence", "quiet", *first}
    taken |= {field.name for group in groups.values() for field in dataclasses.fields(group)}
    options = {field.name for field in dataclasses.fields(task.Config)}
    twice = {given for given, count in Counter(inputs).items() if count > 1}
    for what, where, clashes in (
        ("inputs", "inputs", twice | set(inputs) & {*taken, *groups, "task"}),
        ("options", "Config", options & {*taken, *inputs}),
    ):
        if clashes:
            raise BrokenTask(
                f"the task {name!r} ({task.__module__}:{task.__name__}) has {what} that `{command}` has itself: "
                f"{', '.join(map(_flag, sorted(clashes)))}; rename them in its {where}"
            )


def _further(extra: str) -> Any:
    return tyro.conf.arg(metavar="PATH", help=f"the {extra.replace('_', ' ')}: a video file or a folder of images")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _as_typed(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
