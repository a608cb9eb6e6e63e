"""The motion of a fit against the true one, beside OpenCV's DIS and no motion at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from invr_core.device import resolve
from invr_core.errors import BadInput
from invr_core.fitted import Fitted
from invr_core.fitting import solved_for
from invr_core.models.base import Geometry
from invr_core.observation import Observation
from invr_core.representation import Motion, Representation
from invr_core.storage import load
from invr_core.video import Video
from invr_tasks.bench.clips import facts, keep
from invr_tasks.bench.flows import DIS, TRUSTED, dis_flow, flow_scores, read_flow
from invr_tasks.bench.jobs import Budget, Job
from invr_tasks.bench.model import Work
from invr_tasks.bench.processes import alone
from invr_tasks.bench.records import Record, append, check_writable
from invr_tasks.bench.tables import Column, budget_of, column, columns_table, grouped
from invr_tasks.bench.variants import ABLATIONS
from invr_tasks.pictures import flow_colours, side_by_side
from invr_tasks.pixels import Bytes, to_bytes
from invr_tasks.provenance import provenance
from invr_tasks.temporary import temporary_folder

KEY = ("clip", "frames", "size", "truth", "between", "method", "model", "params", "seed", "budget", "device")
"""What tells one of these records from another; a later one takes an earlier one's place."""
COLD = "cold start"
"""The variant that is given no motion to start from."""
PICTURE = 584
"""Width of a picture on the sheet."""


@dataclass(frozen=True)
class MotionBench:
    """What to fit, and where its motion is known.

    Args:
        clip: path of a video file or a folder of images; all of its frames are fitted, at their size.
        truth: path of a .flo file of that size.
        between: indices of the frame whose pixels are followed, and of that which they are followed to.
        budget: of each fit.
        params: how many parameters; None for the model's own choice.
        model: a name of the registry, of a model that knows motion.
        seed: of the fits.
        device: "auto", "cpu", "cuda" or "cuda:N".
    """

    clip: str
    truth: Path
    between: tuple[int, int]
    budget: Budget
    params: int | None = None
    model: str = "cwrnn"
    seed: int = 0
    device: str = "auto"

    def jobs(self, clip: str, rep: str, quiet: bool) -> list[Job]:
        """The model as it is, and without a motion to start from, if that is a variant of it."""
        cold = ABLATIONS.get(self.model, {}).get(COLD)
        return [
            Job(
                clip=clip,
                model=self.model,
                params=self.params,
                budget=self.budget,
                variant=name,
                options=options,
                seed=self.seed,
                device=self.device,
                looks=0,
                watched=1,
                rep=rep,
                quiet=quiet,
            )
            for name, options in (("", {}), (COLD, cold))
            if options is not None
        ]


@dataclass(frozen=True, eq=False)
class Found:
    """A motion, and what is said of it.

    Args:
        method: how it was found.
        flow: (2, H, W) pixels.
        trusted: (H, W) bool, where its own confidence is at least `TRUSTED`; None if it has none.
        about: further entries of its record.
    """

    method: str
    flow: Tensor
    trusted: Tensor | None
    about: Record


def run_motion(
    wanted: MotionBench, out: Path, *, picture: Path | None = None, quiet: bool = False, work: Work | None = None
) -> list[Record]:
    """Find the motion in every way, score each, and append a record for each.

    Args:
        wanted: what.
        out: the file of records.
        picture: also show all motions there, in the same colours.
        quiet: tell nothing on stderr.
        work: how a fit is made; None for `invr_tasks.bench.processes.alone`.

    Returns:
        the records: ``everywhere``, ``trusted`` (where the method itself is confident) and ``agreed`` (where the fitted
        model is, for all methods alike), each as `invr_tasks.bench.flows.flow_scores` gives it.

    Raises:
        BadInput: if clip, truth and frames do not fit together.
        BadFile: if the truth cannot be read.
        Unsupported: if the model knows no motion.
        BadOutput: if a file cannot be written.
    """
    for path in (out, picture):
        if path is not None:
            check_writable(path)
    device = resolve(wanted.device)
    truth, clip = read_flow(wanted.truth), Video.open(wanted.clip)
    _require_fit(wanted, clip, truth)
    zero = Found("no motion", torch.zeros_like(truth), None, {})
    found = [zero, *(Found(f"DIS, {preset}", dis_flow(clip, wanted.between, preset), None, {}) for preset in DIS)]
    with temporary_folder("invr-bench") as folder:
        rep = folder / "fitted.invr"
        for job in wanted.jobs(str(keep(clip, folder)), str(rep), quiet):
            found.append(_found(job, "before the fit", begun(job, clip), clip, wanted.between, {"steps": 0}))
            about = (work or alone)("fit", **job.as_dict())
            fields = ("variant", "options", "parameters", "steps", "seconds", "psnr", "notes", "provenance")
            kept = {name: about[name] for name in fields}
            found.append(_found(job, "fitted", load(rep, device), clip, wanted.between, kept))
    agreed = next(one.trusted for one in found if "psnr" in one.about)
    records = []
    for one in found:
        record = {
            "kind": "motion",
            **facts(wanted.clip, clip),
            "truth": wanted.truth.name,
            "between": list(wanted.between),
            "device": str(device),
            "method": one.method,
            "model": wanted.model,
            "variant": "",
            "params": wanted.params,
            "seed": wanted.seed,
            "budget": {wanted.budget.unit: wanted.budget.amount},
            "everywhere": flow_scores(one.flow, truth),
            "trusted": None if one.trusted is None else flow_scores(one.flow, truth, one.trusted),
            "agreed": flow_scores(one.flow, truth, agreed),
            "provenance": provenance(wanted.seed, device),
            **one.about,
        }
        append(out, record)
        records.append(record)
    if picture is not None:
        _show(found, records, clip.read([wanted.between[0]]), truth, picture)
    return records


def begun(job: Job, clip: Video) -> Representation:
    """What a fit begins with, before its first step."""
    observation = Observation(clip)
    geometry = Geometry.of(observation)
    config = solved_for(observation, job.config(), job.fit_config(len(clip)))
    with torch.random.fork_rng(devices=[]):
        network = config.build(geometry)
    network.start(observation.beginning, torch.Generator().manual_seed(job.seed))
    network.finish()
    return Fitted(network.eval().requires_grad_(False), config, geometry, {})


def _found(job: Job, state: str, rep: Representation, clip: Video, between: tuple[int, int], about: Record) -> Found:
    motion: Motion = rep.motion(clip.times[between[0] : between[0] + 1], clip.times[between[1] : between[1] + 1])
    name = ", ".join(part for part in (job.model, job.variant, state) if part)
    return Found(name, motion.flow[0].cpu(), motion.confidence[0, 0].cpu() >= TRUSTED, about)


def _require_fit(wanted: MotionBench, clip: Video, truth: Tensor) -> None:
    """Refuse frames that are not there, and a truth of another size.

    Raises:
        BadInput: saying what there is.
    """
    last = len(clip) - 1
    a, b = wanted.between
    if not (0 <= a <= last and 0 <= b <= last and a != b):
        raise BadInput(f"--between names two different frames, from 0 to {last}; got {wanted.between}")
    size = (truth.shape[1], truth.shape[2])
    if size != clip.size:
        raise BadInput(
            f"the truth is {size[1]}x{size[0]}, the clip {clip.size[1]}x{clip.size[0]}; they must be of one size"
        )
    if not bool(torch.isfinite(truth).all(0).any()):
        raise BadInput(f"{wanted.truth} knows no pixel's motion; give another (--truth)")


def _show(found: Sequence[Found], records: Sequence[Record], frame: Tensor, truth: Tensor, path: Path) -> None:
    """Frame and truth, then every motion but none, all in the colours of the truth's scale."""
    lengths = truth.square().sum(0).sqrt()
    longest = max(float(lengths[torch.isfinite(lengths)].max()), 1e-3)
    pictures: list[tuple[str, Bytes]] = [("frame", to_bytes(frame)[0]), ("true motion", flow_colours(truth, longest))]
    for one, record in zip(found[1:], records[1:], strict=True):
        name = f"{one.method}: {record['everywhere']['epe']:.3f} px"
        pictures.append((name, flow_colours(one.flow, longest)))
    side_by_side([pictures[i : i + 3] for i in range(0, len(pictures), 3)], path, PICTURE)


_COLUMNS: list[Column] = [
    ("motion", lambda records: str(records[0]["method"])),
    column("parameters", "parameters", digits=0),
    column("steps", "steps", digits=0),
    column("seconds", "seconds", digits=1),
    column("PSNR, dB", "psnr"),
    column("end-point error, px", "everywhere", "epe", digits=3),
    column("over 1 px, %", "everywhere", "over_1_px", digits=1, scale=100),
    column("angle, °", "everywhere", "angle", digits=2),
    column("itself confident, % of pixels", "trusted", "share", digits=1, scale=100),
    column("error there, px", "trusted", "epe", digits=3),
    column("error where the fit is confident, px", "agreed", "epe", digits=3),
]


def motion_sections(records: Sequence[Record]) -> list[str]:
    """Records as Markdown: for each clip, truth and length of fit a heading and a table, a row each method."""
    sections = []
    for group in grouped(records, "clip", "truth", "between", "model", "params", "budget", "device").values():
        first = group[0]
        heading = (
            f"Motion of {first['clip']}, {first['size']}, frame {first['between'][0]} to {first['between'][1]}; "
            f"{first['model']}, {budget_of(first)}, {first['device']}"
        )
        rows = grouped(group, "method").values()
        sections.append(f"## {heading}\n\n{columns_table(_COLUMNS, rows)}")
    return sections
