"""Memory and time against the length of a clip: one clip, played forth and back until it is as long as asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from invr_core.device import resolve
from invr_tasks.bench.clips import benchmark_clip, facts, keep, ping_pong
from invr_tasks.bench.jobs import Budget, Job
from invr_tasks.bench.model import Work, check_solvable, check_variants, measured
from invr_tasks.bench.processes import alone
from invr_tasks.bench.records import Record, append, check_writable
from invr_tasks.bench.variants import Variant
from invr_tasks.temporary import temporary_folder

KEY = ("clip", "frames", "size", "model", "variant", "params", "seed", "budget", "device")
"""What tells one of these records from another; a later one takes an earlier one's place."""


@dataclass(frozen=True)
class LengthBench:
    """What to measure.

    Args:
        clip: path of a video file or a folder of images.
        frames: the lengths.
        params: how many parameters, the same at each length.
        steps: of each fit, the same at each length.
        variants: models, as they are or changed.
        size: (H, W), see `invr_tasks.bench.clips.benchmark_clip`.
        seed: of the fits.
        device: "auto", "cpu", "cuda" or "cuda:N".
    """

    clip: str
    frames: tuple[int, ...]
    params: int
    steps: int
    variants: tuple[Variant, ...]
    size: tuple[int, int] | None = None
    seed: int = 0
    device: str = "auto"

    def job(self, clip: str, variant: Variant, quiet: bool = False) -> Job:
        """One fit; it is looked at once, at its end."""
        return Job(
            clip=clip,
            model=variant.model,
            params=self.params,
            budget=Budget("steps", self.steps),
            variant=variant.name,
            options=variant.options,
            seed=self.seed,
            device=self.device,
            looks=0,
            watched=1,
            quiet=quiet,
        )


def run_lengths(
    bench: LengthBench, out: Path, *, quiet: bool = False, work: Work | None = None, tell: Callable[[str], None] = print
) -> list[Record]:
    """Fit clips of several lengths, and append a record for each; see `invr_tasks.bench.model.run_models`."""
    device = str(resolve(bench.device))
    check_writable(out)
    check_variants(bench.variants)
    source = benchmark_clip(bench.clip, None, bench.size)
    clips = {frames: ping_pong(source, frames) for frames in bench.frames}
    for clip in clips.values():
        for variant in bench.variants:
            check_solvable(bench.job("", variant), clip)
    records = []
    for frames, clip in clips.items():
        with temporary_folder("invr-bench") as folder:
            kept = keep(clip, folder)
            for variant in bench.variants:
                job = bench.job(str(kept), variant, quiet)
                record = {
                    "kind": "memory",
                    **facts(bench.clip, clip),
                    "device": device,
                    **measured(job, folder, work or alone),
                }
                record.update(_per_frame(record))
                append(out, record)
                records.append(record)
                if not quiet:
                    tell(f"{frames} frames, {in_a_line(job, record)}")
    return records


def _per_frame(record: Record) -> Record:
    """Of the parts of a fit: what is done once for each frame of the clip, and what is done in each step."""
    if "failed" in record:
        return {}
    stepping = record["seconds"] - record["setup_seconds"]
    return {
        "setup_seconds_per_frame": round(record["setup_seconds"] / record["frames"], 6),
        "step_seconds_per_frame": round(stepping / (record["steps"] * record["batch"]), 6),
    }


def in_a_line(job: Job, record: Record) -> str:
    """What came out, for the one who waits."""
    if "failed" in record:
        return f"{job.title()}: FAILED: {record['failed']}"
    memory, decode = record["memory"], record["decode"]
    return (
        f"{job.title()}: fit {memory['peak_mib']:.0f} MiB ({memory['libraries_mib']:.0f} of them libraries), decode "
        f"{decode['decode_peak_mib']:.0f} MiB; a frame costs {1000 * record['setup_seconds_per_frame']:.1f} ms at the "
        f"start, {1000 * record['step_seconds_per_frame']:.1f} ms in a step, "
        f"{1000 * decode['seconds_per_frame']:.1f} ms to show"
    )
