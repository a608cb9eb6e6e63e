"""The tasks against the naive and the strong classical methods, on the same bytes, in one run."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import torch

from invr_core.device import resolve
from invr_core.errors import BadInput, InvrError, did_you_mean
from invr_core.io.notes import silent
from invr_core.video import Video
from invr_tasks import registry
from invr_tasks.bench.answers import OURS, AnswerJob
from invr_tasks.bench.cases import make_case
from invr_tasks.bench.classical import METHODS, of_setting
from invr_tasks.bench.clips import facts, keep
from invr_tasks.bench.jobs import Budget
from invr_tasks.bench.model import Work
from invr_tasks.bench.processes import alone
from invr_tasks.bench.records import Record, append, check_writable
from invr_tasks.bench.scoring import Scored, score_answer
from invr_tasks.bench.sheets import answers_sheet
from invr_tasks.bench.suites import Cell
from invr_tasks.bench.warping import Paths, paths
from invr_tasks.metrics import Perceptual
from invr_tasks.operators import crop_to
from invr_tasks.perceptual import lpips_if_ready
from invr_tasks.provenance import provenance
from invr_tasks.temporary import temporary_folder

KEY = ("suite", "clip", "frames", "size", "task", "setting", "method", "seed", "budget", "device")
"""What tells one of these records from another; a later one takes an earlier one's place."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class TaskBench:
    """What to measure.

    Args:
        suite: its name, for the records.
        cells: settings of clips, each with a seed; those of one clip and size together.
        methods: only these; empty for all.
        budget: of each fit, in seconds or steps; None for that of `invr_tasks.bench.answers`.
        frames: of each clip, the first so many at the most; None for all.
        device: "auto", "cpu", "cuda" or "cuda:N".
    """

    suite: str
    cells: tuple[Cell, ...]
    methods: tuple[str, ...] = ()
    budget: Budget | None = None
    frames: int | None = None
    device: str = "auto"


@dataclass(frozen=True, eq=False)
class _Clip:
    """One clip of the suite, prepared."""

    path: Path
    truth: Video
    moved: Paths
    about: Record


def run_tasks(
    wanted: TaskBench,
    out: Path,
    *,
    sheet: Path | None = None,
    lpips: Path | None = None,
    quiet: bool = False,
    work: Work | None = None,
    tell: Tell = print,
) -> list[Record]:
    """Answer, score and append a record for each method, as soon as it is done. A failure is a record, too.

    Args:
        wanted: what; all that can be refused is refused before the first answer.
        out: the file of records.
        sheet: a folder for one PNG a setting; None for none.
        lpips: file with the weights of LPIPS' backbone; None to look in PyTorch's cache.
        quiet: tell nothing.
        work: how an answer is made; None for `invr_tasks.bench.processes.alone`.
        tell: is told one line a method.

    Returns:
        the records.

    Raises:
        BadInput: if a clip, a method or a task is not there, or a clip is too short or small.
        BadOutput: if a file cannot be written.
    """
    device = str(resolve(wanted.device))
    check(wanted, out, sheet)
    distance, status = lpips_if_ready(lpips)
    records: list[Record] = []
    say = tell if not quiet else silent
    say(status)
    for _, group in groupby(wanted.cells, key=lambda cell: cell.entry):
        together = list(group)
        with temporary_folder("invr-bench") as folder:
            video = _cut(together[0], wanted.frames)
            path = keep(video, folder, "truth.mkv")
            truth = Video.open(path)
            about = {**facts(str(together[0].path), video), "clip": together[0].entry.name, "device": device}
            clip = _Clip(path, truth, paths(truth), {**about, "file": together[0].path.name})
            for cell in together:
                records += _cell(wanted, cell, clip, out, sheet, distance, say, work or alone, quiet)
    return records


def check(wanted: TaskBench, out: Path, sheet: Path | None = None) -> None:
    """Refuse, before the first answer, all that can be refused; arguments and errors are those of `run_tasks`."""
    check_writable(out)
    if sheet is not None:
        check_writable(sheet / "sheet.png")
    check_methods(wanted)
    for cell in wanted.cells:
        masks = None if cell.masks is None else Video.open(cell.masks)
        make_case(cell.task, cell.setting, _cut(cell, wanted.frames)[:9], cell.seed, masks)


def missing(wanted: TaskBench, there: Sequence[Record]) -> dict[int, Cell]:
    """The cells, by their place, of which a method has no record yet, but of its failure.

    Args:
        wanted: what is measured; how many frames there are is compared only where that is asked for.
        there: the records.
    """

    def kept(cell: Cell, name: str, family: str) -> bool:
        asked = {**_asked_for(wanted, cell, name, family), "clip": cell.entry.name, "size": _as_size(cell.entry.size)}
        if wanted.frames is not None:
            asked["frames"] = wanted.frames
        if wanted.device != "auto":
            asked["device"] = wanted.device
        same = (all(record.get(key) == value for key, value in asked.items()) for record in there)
        return any(one and "failed" not in record for one, record in zip(same, there, strict=True))

    return {
        index: cell
        for index, cell in enumerate(wanted.cells)
        if not all(kept(cell, *method) for method in _asked(wanted, cell, silent))
    }


def _as_size(size: tuple[int, int]) -> str:
    """As `invr_tasks.bench.clips.facts` writes it."""
    return f"{size[1]}x{size[0]}"


def check_methods(wanted: TaskBench) -> None:
    """Refuse methods that no setting knows, and a task that is not installed.

    Raises:
        BadInput: naming it, and what there is.
    """
    known = [OURS, *(method.name for methods in METHODS.values() for method in methods)]
    for name in wanted.methods:
        if name not in known:
            hint = did_you_mean(name, known)
            raise BadInput(
                f"there is no method {name!r}. {hint}There are: {', '.join(dict.fromkeys(known))} (--methods)"
            )
    if not wanted.methods or OURS in wanted.methods:
        for task in dict.fromkeys(cell.task for cell in wanted.cells):
            registry.get(task)


def _cut(cell: Cell, frames: int | None) -> Video:
    """The clip of a cell: its frames, cropped and shrunk."""
    first, end = cell.entry.frames
    clip = Video.open(cell.path)
    if end is not None and len(clip) < end:
        raise BadInput(f"{cell.path} has {len(clip)} frames, the suite needs {end}; it is another clip (--clips)")
    return crop_to(clip[first:end][:frames], cell.entry.size)


def _cell(
    wanted: TaskBench,
    cell: Cell,
    clip: _Clip,
    out: Path,
    sheet: Path | None,
    distance: Perceptual | None,
    say: Tell,
    work: Work,
    quiet: bool,
) -> list[Record]:
    """All methods on one setting of one clip; then its sheet."""
    masks = None if cell.masks is None else Video.open(cell.masks)
    case = make_case(cell.task, cell.setting, clip.truth, cell.seed, masks)
    records, done = list[Record](), list[Scored]()
    with temporary_folder("invr-bench") as folder:
        for name, family in _asked(wanted, cell, say):
            job = AnswerJob(
                clip=str(clip.path),
                task=cell.task,
                setting=cell.setting,
                method=name,
                answer=str(folder / f"{len(records)}.mkv"),
                masks=None if cell.masks is None else str(cell.masks),
                budget=wanted.budget,
                seed=cell.seed,
                device=wanted.device,
                quiet=quiet,
            )
            record = {**_asked_for(wanted, cell, name, family), **clip.about}
            try:
                told = work("answer", **job.as_dict())
                answer, times = Video.open(job.answer), torch.tensor(told.pop("times"), dtype=torch.float64)
                if len(answer) == len(times):  # else the score says which one is missing
                    answer = replace(answer, times=times)
                scored = score_answer(name, family, answer, case, clip.truth, clip.moved, distance)
            except InvrError as error:
                record = {**record, "failed": str(error)}
                say(f"{cell.title()}, {name}: FAILED: {error}")
            else:
                each = round(told["seconds"] / len(clip.truth), 6)
                record = {**record, **scored.figures, **told, "seconds_per_frame": each}
                done.append(scored)
                say(in_a_line(cell, scored, each))
            record["provenance"] = provenance(cell.seed, clip.about["device"])
            append(out, record)
            records.append(record)
        if sheet is not None and done:
            file = sheet / f"{_file_name(cell.title())}.png"
            answers_sheet(case, clip.truth, to_show(done), file)
    return records


def _asked(wanted: TaskBench, cell: Cell, say: Tell) -> list[tuple[str, str]]:
    """Names and families of the methods for a cell, ours last; it is said which are left out, and what they lack."""
    chosen = []
    for method in of_setting(cell.task, cell.setting):
        if wanted.methods and method.name not in wanted.methods:
            continue
        missing = method.missing()
        if missing:
            say(f"{cell.title()}, {method.name}: left out, {missing}")
        else:
            chosen.append((method.name, str(method.family)))
    return [*chosen, *([(OURS, OURS)] if not wanted.methods or OURS in wanted.methods else [])]


def _asked_for(wanted: TaskBench, cell: Cell, method: str, family: str) -> Record:
    budget = None if wanted.budget is None else {wanted.budget.unit: wanted.budget.amount}
    return {
        "kind": "tasks",
        "suite": wanted.suite,
        "task": cell.task,
        "setting": cell.setting,
        "method": method,
        "family": family,
        "seed": cell.seed,
        "budget": budget if method == OURS else None,
        "first_frame": cell.entry.frames[0],
    }


def to_show(done: Sequence[Scored]) -> list[Scored]:
    """Of all answers the best naive one, the best classical one and ours, as far as there are some."""
    families = ([one for one in done if one.family == family] for family in ("naive", "classical", OURS))
    return [max(family, key=lambda one: one.counts) for family in families if family]


def in_a_line(cell: Cell, scored: Scored, seconds_per_frame: float) -> str:
    """What came out, for the one who waits."""
    figures = scored.figures
    said = f"{cell.title()}, {scored.method}: {figures['psnr']:.2f} dB"
    if figures["psnr_hole"] is not None:
        said += f", in the hole {figures['psnr_hole']:.2f} dB"
    lpips = "" if figures["lpips"] is None else f", LPIPS {figures['lpips']:.4f}"
    return f"{said}, SSIM {figures['ssim']:.4f}{lpips}, {seconds_per_frame:.3f} s a frame"


def _file_name(title: str) -> str:
    return re.sub(r"[^\w]+", "-", title).strip("-")
