"""``invr bench``: the benchmarks by name, and the commands of those that compare models."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from invr_core.errors import did_you_mean
from invr_tasks.cli.bench_motion import motion
from invr_tasks.cli.bench_shared import Kept, Length, Missing, check_page, end
from invr_tasks.cli.bench_size import size
from invr_tasks.cli.bench_tasks import tasks
from invr_tasks.cli.options import Flag
from invr_tasks.cli.parse import Count, Size, UsageError, count, parse, written
from invr_tasks.cli.workers import EngineOptions

if TYPE_CHECKING:
    from invr_tasks.bench.model import ModelBench
    from invr_tasks.bench.variants import Variant
    from invr_tasks.engine import Done

Counts = Annotated[tuple[int, ...], written("COUNT,…", lambda text: tuple(count(part) for part in text.split(",")))]
Variants = tyro.conf.UseAppendAction[list[Annotated[str, written("NAME:field=value,…", str)]]]


@dataclass(frozen=True)
class Models:
    """What is compared."""

    models: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME,…")] = ("cwrnn", "hnerv")
    """Models, side by side; `invr models` lists them. hnerv is the peer that the others are held against."""
    ablations: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME,…")] = ()
    """Also these ablations of the first model; "all" for all there are."""
    variant: Variants = dataclasses.field(default_factory=list)
    """Also the first model with other options of its own, or learning_rate, batch, loss. Can be given several times."""

    def chosen(self) -> tuple[Variant, ...]:
        """All of them.

        Raises:
            BadInput: naming what is unknown, and what there is.
        """
        from invr_tasks.bench.variants import Variant, ablations, read_variant

        first = self.models[0]
        known = [Variant(name) for name in self.models]
        return (*known, *ablations(first, self.ablations), *(read_variant(text, first) for text in self.variant))


@dataclass(frozen=True)
class ModelCommand:
    """Fit a clip with several models, side by side at equal parameters and equal seconds, epochs or steps; keep PSNR
    against time, speed and memory as JSON lines.
    """

    clip: str
    """A video file or a folder of images."""
    params: Counts
    """How many parameters each model gets, such as 350k or 350k,3M."""
    kept: Kept
    what: Models
    length: Length
    size: Size | None = None
    """The largest centred crop of this shape, shrunk to it by area; left out, the clip's own size."""
    frames: int | None = None
    """The first frames of the clip; left out, all."""
    seeds: tuple[int, ...] = (0,)
    """Each fit is repeated with each of these."""
    unseen: Flag = False
    """Also fit the even frames alone, and score the odd ones."""
    missing: Missing = False
    who: EngineOptions = dataclasses.field(default_factory=EngineOptions)


@dataclass(frozen=True)
class MemoryCommand:
    """Measure memory and time of a fit and of its decoding against the length of the clip, which is played forth and
    back until it is long enough.
    """

    clip: str
    """A video file or a folder of images."""
    frames: tuple[int, ...]
    """The lengths, such as 60,150,600."""
    params: Count
    """How many parameters, the same at each length."""
    kept: Kept
    what: Models
    steps: int = 20
    """Steps of each fit."""
    size: Size | None = None
    """The largest centred crop of this shape, shrunk to it by area; left out, the clip's own size."""
    seed: int = 0
    """Of the fits."""


@dataclass(frozen=True)
class PageCommand:
    """Show records as a page of tables, with its plots beside it; needs invr[bench]."""

    records: Annotated[list[Path], tyro.conf.Positional, tyro.conf.arg(metavar="FILE.jsonl …")]
    """files of records"""
    page: Annotated[Path, tyro.conf.arg(metavar="PAGE.md")]
    """File to write; plots get its name, too."""
    peers: Annotated[Path | None, tyro.conf.arg(metavar="FILE.csv")] = None
    """Show the best row of these figures of others beside those of `invr bench tasks`."""


def bench(arguments: list[str]) -> int:
    """Run a benchmark, or show what others have found."""
    if arguments[:1] in ([], ["-h"], ["--help"]):
        print(_help())
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in _KINDS:
        raise UsageError(f"there is no benchmark {name!r}. {did_you_mean(name, _KINDS)}There are: {', '.join(_KINDS)}")
    return _KINDS[name][0](rest)


def _model(arguments: list[str]) -> int:
    parsed, wanted = read_models(arguments)
    parsed.kept.check()
    from invr_tasks.bench.model import run_models
    from invr_tasks.bench.records import read

    out, quiet = parsed.kept.out, parsed.kept.quiet
    crew = parsed.who.crew(wanted.device, len(wanted.jobs("")))
    work_through, bugs = None, list[int]()
    if crew is not None:
        from invr_tasks.cli.bench_spread import FIT, spread

        def work_through(titles: Mapping[int, str]) -> Iterator[Done]:
            for done in spread(FIT, arguments, titles, crew, quiet):
                if done.code == 1:
                    bugs.append(1)
                yield done

    there = read(out) if parsed.missing and out.exists() else []
    records = run_models(wanted, out, quiet=quiet, there=there, spread=work_through)
    failed = [2 for record in records if "failed" in record]
    return parsed.kept.end([*bugs, *failed[len(bugs) :]])


def read_models(arguments: Sequence[str]) -> tuple[ModelCommand, ModelBench]:
    """What `invr bench model` is asked for.

    Args:
        arguments: what follows it.
    """
    parsed = parse(ModelCommand, "invr bench model", arguments)
    parsed.who.check()
    budget = parsed.length.budget()
    from invr_tasks.bench.model import ModelBench

    return parsed, ModelBench(
        clip=parsed.clip,
        params=parsed.params,
        budget=budget,
        variants=parsed.what.chosen(),
        size=parsed.size,
        frames=parsed.frames,
        seeds=parsed.seeds,
        unseen=parsed.unseen,
        device=parsed.kept.device,
    )


def _memory(arguments: list[str]) -> int:
    parsed = parse(MemoryCommand, "invr bench memory", arguments)
    parsed.kept.check()
    from invr_tasks.bench.lengths import LengthBench, run_lengths

    wanted = LengthBench(
        clip=parsed.clip,
        frames=parsed.frames,
        params=parsed.params,
        steps=parsed.steps,
        variants=parsed.what.chosen(),
        size=parsed.size,
        seed=parsed.seed,
        device=parsed.kept.device,
    )
    records = run_lengths(wanted, parsed.kept.out, quiet=parsed.kept.quiet)
    return parsed.kept.end([2 for record in records if "failed" in record])


def _page(arguments: list[str]) -> int:
    parsed = parse(PageCommand, "invr bench page", arguments)
    check_page(parsed.page)
    return end(parsed.records, parsed.page, False, peers=parsed.peers)


def _help() -> str:
    kinds = "\n".join(f"  {name:7} {what}" for name, (_, what) in _KINDS.items())
    return (
        "usage: invr bench BENCHMARK …\n\n"
        "Measure, and keep the results as JSON lines, each with where it comes from.\n\n"
        f"benchmarks:\n{kinds}\n\n"
        "`invr bench BENCHMARK --help` shows the options of one."
    )


_KINDS: dict[str, tuple[Callable[[list[str]], int], str]] = {
    "model": (_model, "models side by side: PSNR against time, unseen instants, decoding, memory, ablations"),
    "memory": (_memory, "memory and time against the length of the clip"),
    "size": (size, "bytes on disk against PSNR, beside x264 and x265"),
    "motion": (motion, "the motion of a fit against the true one, beside OpenCV's DIS"),
    "tasks": (tasks, "the tasks beside naive and classical methods, on the same bytes"),
    "page": (_page, "show records as a page of tables and plots"),
}
