"""Models side by side on one clip, at equal parameters and equal length, each fit in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from invr_core.device import resolve
from invr_core.errors import BadInput, InvrError
from invr_core.models import registry
from invr_core.models.base import Geometry
from invr_core.observation import Observation
from invr_core.video import Video
from invr_tasks.bench.clips import benchmark_clip, facts, keep
from invr_tasks.bench.jobs import Budget, Job
from invr_tasks.bench.processes import alone
from invr_tasks.bench.records import Record, append, check_writable
from invr_tasks.bench.variants import Variant, check_options
from invr_tasks.engine import Done
from invr_tasks.operators import interpolation_split
from invr_tasks.temporary import temporary_folder

PEER = "hnerv"
"""The model that the others are held against, where it runs beside them."""
KEY = ("clip", "frames", "size", "model", "variant", "params", "seed", "given", "budget", "device")
"""What tells one of these records from another; a later one takes an earlier one's place."""

Spread = Callable[[Mapping[int, str]], Iterable[Done]]
Work = Callable[..., Record]
"""How a measurement is made: `invr_tasks.bench.processes.alone`, or ``here`` for tests."""


@dataclass(frozen=True)
class ModelBench:
    """What to compare, on what, for how long.

    Args:
        clip: path of a video file or a folder of images.
        params: how many parameters each model gets.
        budget: of each fit.
        variants: models, as they are or changed.
        size: (H, W), see `invr_tasks.bench.clips.benchmark_clip`.
        frames: how many, from the first on; None for all.
        seeds: each fit is repeated with each.
        unseen: also fit the even frames, and score the odd ones.
        device: "auto", "cpu", "cuda" or "cuda:N".
        looks, watched: see `Job`.
    """

    clip: str
    params: tuple[int, ...]
    budget: Budget
    variants: tuple[Variant, ...]
    size: tuple[int, int] | None = None
    frames: int | None = None
    seeds: tuple[int, ...] = (0,)
    unseen: bool = False
    device: str = "auto"
    looks: int = 24
    watched: int = 8

    def jobs(self, clip: str, quiet: bool = False) -> list[Job]:
        """All fits, the peer before those that are held against it.

        Args:
            clip: path of the prepared clip.
            quiet: tell nothing on stderr.
        """
        ordered = sorted(self.variants, key=lambda one: (one.model, one.name) != (PEER, ""))
        given: list[Literal["all", "even"]] = ["all", "even"] if self.unseen else ["all"]
        return [
            Job(
                clip=clip,
                model=one.model,
                params=params,
                budget=self.budget,
                variant=one.name,
                options=one.options,
                seed=seed,
                device=self.device,
                given=which,
                looks=self.looks,
                watched=self.watched,
                quiet=quiet,
            )
            for params in self.params
            for seed in self.seeds
            for which in given
            for one in ordered
        ]


def run_models(
    bench: ModelBench,
    out: Path,
    *,
    quiet: bool = False,
    work: Work | None = None,
    tell: Callable[[str], None] = print,
    there: Sequence[Record] = (),
    spread: Spread | None = None,
) -> list[Record]:
    """Fit, measure and append a record for each fit, as soon as it is done. A fit that fails is a record that says so.

    Args:
        bench: what to do; all that can be refused is refused before the first fit.
        out: the file of records.
        quiet: tell nothing.
        work: how a measurement is made; None for `invr_tasks.bench.processes.alone`.
        tell: is told one line a fit.
        there: records of fits that are left out, but those of failures.
        spread: has `measure_one` done for the fits of these places, with their titles, elsewhere; None for here.

    Returns:
        The new records.

    Raises:
        BadInput: if the clip, a model, an option or a size will not do.
        BadOutput: if the file cannot be written.
        DeviceUnavailable: if the device is not there.
    """
    device = bench.device if spread else str(resolve(bench.device))
    check_writable(out)
    check_variants(bench.variants)
    clip = benchmark_clip(bench.clip, bench.frames, bench.size)
    for job in replace(bench, seeds=bench.seeds[:1]).jobs(""):
        check_solvable(job, interpolation_split(clip, 2)[0] if job.given == "even" else clip)
    about, records = {"kind": "model", **facts(bench.clip, clip), "device": device}, list[Record]()
    done = [record for record in there if all(record.get(name) == about[name] for name in KEY[:3])]
    jobs = [job for job in enumerate(bench.jobs("", quiet)) if not _is_kept(job[1], done)]

    def keep_record(job: Job, found: Record) -> None:
        record = {**about, **found}
        record["peer"] = held_against(record, [*done, *records])
        append(out, record)
        records.append(record)
        if not quiet:
            tell(in_a_line(job, record))

    with temporary_folder("invr-bench") as folder:
        if spread is None:
            kept = keep(clip, folder)
            del clip
            for _, job in jobs:
                keep_record(job, measured(replace(job, clip=str(kept)), folder, work or alone))
        else:
            _collect(dict(jobs), spread, keep_record)
    return records


def measure_one(bench: ModelBench, place: int, *, quiet: bool = False) -> Record:
    """One fit of a benchmark by itself; its record without what is known of the clip.

    Args:
        bench: what is compared.
        place: of the fit, among `ModelBench.jobs`.
        quiet: tell nothing.
    """
    with temporary_folder("invr-bench") as folder:
        kept = keep(benchmark_clip(bench.clip, bench.frames, bench.size), folder)
        record = measured(bench.jobs(str(kept), quiet)[place], folder, alone)
    return {"device": str(resolve(bench.device)), **record}


def _collect(jobs: Mapping[int, Job], spread: Spread, keep_record: Callable[[Job, Record], None]) -> None:
    """Keep what comes, as it comes; but what is held against the peer not before the peer's, if that is to come."""
    coming, waiting = dict(jobs), list[tuple[Job, Record]]()

    def is_peer(job: Job) -> bool:
        return (job.model, job.variant) == (PEER, "")

    def is_to_come(job: Job) -> bool:
        same = ("params", "seed", "given")
        peers = (other for other in coming.values() if is_peer(other))
        return any(all(getattr(peer, name) == getattr(job, name) for name in same) for peer in peers)

    try:
        for done in spread({place: job.title() for place, job in jobs.items()}):
            job = coming.pop(done.index)
            found = done.answer if done.failed is None else {**_asked(job), "failed": done.failed}
            waiting.insert(0 if is_peer(job) else len(waiting), (job, found))
            for one in [one for one in waiting if not is_to_come(one[0])]:
                waiting.remove(one)
                keep_record(*one)
    finally:
        for one in waiting:
            keep_record(*one)


def _is_kept(job: Job, records: Sequence[Record]) -> bool:
    asked = _asked(job)
    return any("failed" not in one and all(one.get(name) == asked[name] for name in asked) for one in records)


def check_variants(variants: Sequence[Variant]) -> None:
    """Refuse models and options that are not there, and names that are given twice.

    Raises:
        BadInput: naming it, and what there is.
    """
    if not variants:
        raise BadInput("name at least one model (--models)")
    names = [(one.model, one.name) for one in variants]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise BadInput(f"{' '.join(twice).strip()!r} is named twice; give each model and variant once")
    for one in variants:
        check_options(registry.get(one.model), one.options)


def check_solvable(job: Job, clip: Video) -> None:
    """Refuse a size that a model cannot have on this clip.

    Raises:
        BadInput: saying which it can.
    """
    job.config().solve(Geometry.of(Observation(clip)))


def measured(job: Job, folder: Path, work: Work) -> Record:
    """One fit and, of all frames, its decoding."""
    stored = folder / "fitted.invr"
    values = {**job.as_dict(), "rep": str(stored)}
    try:
        record = work("fit", **values)
        decode = work("decode", path=str(stored), device=job.device, seed=job.seed) if job.given == "all" else None
    except InvrError as error:
        return {**_asked(job), "failed": str(error)}
    return {**record, "decode": decode}


def _asked(job: Job) -> Record:
    values = job.as_dict()
    asked: Record = {name: values[name] for name in ("model", "variant", "options", "params", "seed", "given")}
    device = {} if job.device == "auto" else {"device": job.device}
    return {**asked, **device, "budget": {job.budget.unit: job.budget.amount}}


def held_against(record: Record, others: Sequence[Record]) -> Record | None:
    """How a fit does beside the peer's: more dB, and how soon it was where the peer ended.

    Args:
        record: of a fit.
        others: among them, perhaps, the peer's of the same clip, parameters, seed and budget.

    Returns:
        ``gain`` in dB on all scored frames; ``reached_seconds``: the first look at which it had the PSNR that the peer
        had in the end, on the same few frames, None if it never did; ``time_ratio``: that, over the peer's seconds.
        None for the peer itself, or without one.
    """
    same = [name for name in KEY if name not in ("model", "variant")]
    peers = [
        other
        for other in others
        if (other.get("model"), other.get("variant")) == (PEER, "")
        and "failed" not in other
        and all(other.get(name) == record.get(name) for name in same)
    ]
    if not peers or "failed" in record or (record["model"], record["variant"]) == (PEER, ""):
        return None
    peer = peers[-1]
    wanted = peer["curve"][-1]["psnr"]
    reached = next((point["seconds"] for point in record["curve"] if point["psnr"] >= wanted), None)
    unseen = record["psnr_unseen"]
    return {
        "model": PEER,
        "psnr": peer["psnr"],
        "seconds": peer["seconds"],
        "gain": round(record["psnr"] - peer["psnr"], 4),
        "gain_unseen": None if unseen is None else round(unseen - peer["psnr_unseen"], 4),
        "reached_seconds": reached,
        "time_ratio": None if reached is None else round(reached / peer["seconds"], 5),
    }


def in_a_line(job: Job, record: Record) -> str:
    """What came out, for the one who waits."""
    if "failed" in record:
        return f"{job.title()}: FAILED: {record['failed']}"
    unseen = "" if record["psnr_unseen"] is None else f", unseen {record['psnr_unseen']:.2f} dB"
    said = f"{job.title()}: {record['psnr']:.2f} dB{unseen} after {record['seconds']:.1f} s, {record['steps']} steps"
    peer, decode = record["peer"], record["decode"]
    if peer:
        ratio = "never there" if peer["time_ratio"] is None else f"there after {peer['time_ratio']:.4f} of its time"
        said += f"; {peer['gain']:+.2f} dB against {peer['model']}, {ratio}"
    if decode:
        said += f"; {decode['frames_per_second']:.1f} frames/s, a random one costs {decode['random_ratio']:.2f} times"
    return said
