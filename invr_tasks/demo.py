"""The demonstration: fit the clip that ships with `invr`, run the tasks on it, and compare with the trivial answers."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from invr_core.atomic import atomic_file
from invr_core.device import resolve
from invr_core.errors import BadInput, BadOutput, InvrError
from invr_core.fitting import FitConfig
from invr_core.video import Video
from invr_tasks import registry
from invr_tasks.cli.progress import Reporter
from invr_tasks.demo_clip import demo_clip_path
from invr_tasks.metrics import Perceptual, compare
from invr_tasks.page.curve import Curve
from invr_tasks.page.report import write_report
from invr_tasks.perceptual import lpips_if_ready
from invr_tasks.pixels import to_bytes
from invr_tasks.provenance import provenance
from invr_tasks.report import Row, contact_sheet, table
from invr_tasks.run import Score, renewed, run
from invr_tasks.task import Source, Task

TASKS = ("interpolate", "inpaint", "denoise", "upscale")
"""The names that are looked up among the installed tasks, in the order in which they are shown."""
INSTALL = "pip install -c constraints.txt ./plugins/*/"
"""What brings the tasks of a checkout in."""
FRAMES = 49
"""How much of the clip is used: its first frames."""
SECONDS = 30.0
"""How long each fit may take."""


def run_demo(
    out: Path,
    quiet: bool = False,
    *,
    seconds: float = SECONDS,
    seed: int = 0,
    device: str = "auto",
    clip: Video | None = None,
    tasks: Sequence[str] = TASKS,
    console: Console | None = None,
) -> list[Row]:
    """Run each task on what it simulates from a clip; leave videos, a contact sheet and ``metrics.json`` in a folder.

    For each task that folder holds another with ``given``, ``naive``, ``ours`` and ``truth`` as ``.mp4``, the
    representation as ``fitted.invr``, and a page to look at, ``report.html``. A task that is not installed is named,
    and left out. Ctrl-C ends the fit that is running; what is finished by then is shown.

    Args:
        out: the folder; made if it is not there.
        quiet: show no progress.
        seconds: bound on the duration of each fit.
        seed: of the simulated inputs and of the fits.
        device: "auto", "cpu", "cuda" or "cuda:N".
        clip: the truth; None for the one that ships with `invr`.
        tasks: names as `invr_tasks.registry.get` takes them.
        console: where the table is printed; None for stdout.

    Returns:
        One row for each task that was run.

    Raises:
        BadInput: if none of the tasks can be loaded.
        BadOutput: if the folder cannot be written.
        DeviceUnavailable: if the device is not there.
        InvrError: what a task raises.
    """
    started = time.monotonic()
    where = resolve(device)
    fit_config = FitConfig(minutes=seconds / 60, seed=seed, device=device)
    loaded, missing = _load(tasks)
    folders = {name: out / _folder(name) for name in loaded}
    for folder in (out, *folders.values()):
        _make_folder(folder)
    perceptual, status = lpips_if_ready()
    truth = _kept(Video.open(demo_clip_path())[:FRAMES] if clip is None else clip)
    rows: list[Row] = []
    for number, (name, task) in enumerate(loaded.items(), start=1):
        with Reporter(quiet) as reporter:
            reporter.note(f"[{number}/{len(loaded)}] {name}: fitting for at most {seconds:g} s")
            row, interrupted = _one(name, task, truth, fit_config, perceptual, folders[name], reporter)
        rows.append(row)
        if interrupted:
            break
    contact_sheet(rows, out / "contact_sheet.png")
    facts = {
        "format": 1,
        "clip": {"frames": len(truth), "size": list(truth.size), "fps": truth.fps},
        "seconds_per_fit": seconds,
        "seconds": round(time.monotonic() - started, 2),
        "lpips": status,
        "missing": missing,
        "tasks": {row.task: _facts(row, loaded[row.task]) for row in rows},
        "provenance": provenance(seed, where),
    }
    with atomic_file(out / "metrics.json") as private:
        private.write_text(json.dumps(facts, indent=2), encoding="utf-8")
    _tell(console or Console(), rows, missing, status, out)
    return rows


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise BadOutput(f"cannot make the folder {folder}: {cause.strerror}; choose another with --out") from cause


def _load(names: Sequence[str]) -> tuple[dict[str, Task[Any]], dict[str, str]]:
    """The tasks that are there, with their default options, and why the others are not."""
    loaded: dict[str, Task[Any]] = {}
    missing: dict[str, str] = {}
    for name in names:
        try:
            loaded[name] = registry.get(name)()
        except registry.UnknownTask:
            missing[name] = f"the task {name!r} is not installed; in a checkout of invr run: {INSTALL}"
        except InvrError as cause:
            missing[name] = str(cause)
    if not loaded:
        raise BadInput(f"there is nothing to show: {'; '.join(dict.fromkeys(missing.values()))}")
    return loaded, missing


def _one(
    name: str,
    task: Task[Any],
    truth: Video,
    fit_config: FitConfig,
    perceptual: Perceptual | None,
    folder: Path,
    reporter: Reporter,
) -> tuple[Row, bool]:
    """Simulate, answer, score and save one task; also whether its fit was interrupted."""
    source: Source = task.simulate(truth, torch.Generator().manual_seed(fit_config.seed))
    judged = task.judged(source, truth)
    asked = renewed(task)  # which has not met the truth
    naive = _kept(asked.naive(source))
    began = time.monotonic()
    curve = Curve(reporter.on_step)
    result = run(asked, source, fit_config=fit_config, on_step=curve)
    ours = _kept(reporter.watched(result.video))
    seconds = time.monotonic() - began
    if result.interrupted:
        reporter.note("stopped; showing what is fitted so far")
    row = Row(
        task=name,
        setting=_setting(task),
        given=source.video,
        naive=naive,
        ours=ours,
        truth=truth,
        judged=judged,
        naive_scores=compare(naive, truth, judged, perceptual),
        ours_scores=compare(ours, truth, judged, perceptual),
        seconds=seconds,
    )
    for kind, video in (("given", row.given), ("naive", naive), ("ours", ours), ("truth", truth)):
        video.save(folder / f"{kind}.mp4")
    result.representation.save(folder / "fitted.invr")
    scored = Score(source, replace(result, video=ours), row.ours_scores, row.naive_scores)
    write_report(folder / "report.html", task, source, scored.result, truth=truth, scored=scored, curve=curve)
    return row, result.interrupted


def _kept(video: Video) -> Video:
    """The same video rendered once, 8 bits deep, in memory."""
    pictures = [torch.from_numpy(to_bytes(video.read([index]))).permute(0, 3, 1, 2) for index in range(len(video))]
    return Video.of(torch.cat(pictures), video.times)


def _folder(name: str) -> str:
    """The name of a task as that of a folder.

    Example:
        >>> _folder("acme/deblur"), _folder("./tasks.py:Deblur")
        ('acme-deblur', 'tasks.py-Deblur')
    """
    return re.sub(r"[^\w.]+", "-", name).strip(".-")


def _setting(task: Task[Any]) -> str:
    """The options of a task, in a few words."""
    options = dataclasses.asdict(task.config)
    return ", ".join(f"{key} {value}" for key, value in options.items() if isinstance(value, int | float | str))


def _facts(row: Row, task: Task[Any]) -> dict[str, Any]:
    """What ``metrics.json`` says of one task."""
    return {
        "options": json.loads(json.dumps(dataclasses.asdict(task.config), default=str)),
        "seconds": round(row.seconds, 2),
        "naive": row.naive_scores.as_dict(),
        "ours": row.ours_scores.as_dict(),
    }


def _tell(console: Console, rows: Sequence[Row], missing: dict[str, str], status: str, out: Path) -> None:
    console.print(table(rows))
    for line in [*missing.values(), status]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"Look at {out / 'contact_sheet.png'}; videos, a report.html for each task and metrics.json are beside it.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
