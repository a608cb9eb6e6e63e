"""Bytes on disk against PSNR: one fit stored with fewer and fewer bits, beside x264 and x265 at the same PSNR.

The clip is cut and shrunk as in all benchmarks (`invr_tasks.bench.clips`). Every file is read back and scored: the mean
over frames of PSNR in RGB, both sides rounded to 8 bits. All bytes count, headers and containers too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import fmean

from invr_core.fitted import Fitted
from invr_core.fitting import FitConfig, fit
from invr_core.observation import Observation
from invr_core.quantise import check_bits
from invr_core.storage import load, save
from invr_core.video import Video
from invr_tasks.bench.clips import benchmark_clip, facts, keep
from invr_tasks.bench.codecs import LIBRARIES, PIXELS, Coder, around, bytes_between, check_coders, remembered
from invr_tasks.bench.fits import frame_psnrs
from invr_tasks.bench.jobs import Budget
from invr_tasks.bench.records import Record, append, check_writable
from invr_tasks.bench.tables import NOTHING, budget_of, table
from invr_tasks.provenance import provenance
from invr_tasks.run import default_model
from invr_tasks.temporary import temporary_folder

KEY = ("clip", "frames", "size", "model", "params", "seed", "budget", "device")
"""What tells one of these records from another; a later one takes an earlier one's place."""


@dataclass(frozen=True)
class SizeBench:
    """What to fit and to store.

    Args:
        clip: path of a video file or a folder of images.
        params: how many parameters; None for the model's own choice.
        budget: of the fit.
        model: a name of the registry.
        bits: of each parameter, one file for each; see `invr_core.storage.save`.
        presets: of x264 and x265.
        size: (H, W), see `invr_tasks.bench.clips.benchmark_clip`.
        frames: how many, from the first on; None for all.
        seed: of the fit.
        device: "auto", "cpu", "cuda" or "cuda:N".
    """

    clip: str
    params: int | None
    budget: Budget
    model: str = "cwrnn"
    bits: tuple[int, ...] = (32, 16, 8, 6)
    presets: tuple[str, ...] = ("medium", "slow")
    size: tuple[int, int] | None = None
    frames: int | None = None
    seed: int = 0
    device: str = "auto"


def run_size(wanted: SizeBench, out: Path, quiet: bool = False) -> Record:
    """Fit, store, code, and add one record to a file.

    Args:
        wanted: what.
        out: file of JSON lines.
        quiet: tell nothing on stderr.

    Returns:
        the record: ``files`` (ours, one for each bits), ``coders`` (one for each coder and each of our files).

    Raises:
        BadInput: if clip, size or bits cannot be.
        BadOutput: if ``out`` cannot be written.
    """
    for bits in wanted.bits:
        check_bits(bits)
    check_writable(out)
    with temporary_folder("invr-bench") as folder:
        clip = benchmark_clip(wanted.clip, wanted.frames, wanted.size)
        check_coders(clip.size)
        clip = Video.open(keep(clip, folder))
        began = time.monotonic()
        rep = fit(Observation(clip), default_model(wanted.model, wanted.params), _fit_config(wanted, clip))
        seconds = time.monotonic() - began
        _say(quiet, f"fitted {rep.info['steps']} steps in {seconds:.1f} s")
        files = [stored(rep, clip, bits, folder) for bits in wanted.bits]
        coders = held_against(files, clip, wanted.presets, folder, quiet)
    record = {
        "kind": "size",
        **facts(wanted.clip, clip),
        "device": str(rep.device),
        "model": wanted.model,
        "params": wanted.params,
        "parameters": rep.info["parameters"],
        "budget": {wanted.budget.unit: wanted.budget.amount},
        "steps": rep.info["steps"],
        "seconds": round(seconds, 2),
        "seed": wanted.seed,
        "files": files,
        "coders": coders,
        "provenance": provenance(wanted.seed, rep.device),
    }
    append(out, record)
    return record


def _fit_config(wanted: SizeBench, clip: Video) -> FitConfig:
    batch = min(default_model(wanted.model, wanted.params).recipe.batch, len(clip))
    minutes = wanted.budget.amount / 60 if wanted.budget.unit == "seconds" else None
    return FitConfig(wanted.budget.steps(len(clip), batch), minutes, wanted.seed, wanted.device, batch=batch)


def stored(rep: Fitted, clip: Video, bits: int, folder: Path) -> Record:
    """Save, load and score.

    Returns:
        ``bits``; ``bytes`` of the file; ``psnr`` of what it holds, ``loss`` against what was saved, both dB;
        ``bits_a_parameter`` and ``kbit_a_second`` of the whole file.
    """
    path = folder / f"{bits}.invr"
    save(rep, path, bits)
    every = range(len(clip))
    before, after = (fmean(frame_psnrs(each, clip, every)) for each in (rep, load(path, rep.device)))
    size = path.stat().st_size
    return {
        "bits": bits,
        "bytes": size,
        "psnr": round(after, 4),
        "loss": round(before - after, 4),
        "bits_a_parameter": round(8 * size / rep.info["parameters"], 3),
        "kbit_a_second": round(8 * size / 1000 / _duration(clip), 2),
    }


def _say(quiet: bool, line: str) -> None:
    if not quiet:
        print(line, file=sys.stderr)


def _duration(clip: Video) -> float:
    """Seconds, each frame shown for as long as the mean."""
    return len(clip) / clip.fps


def held_against(
    files: Sequence[Record], clip: Video, presets: Sequence[str], folder: Path, quiet: bool = True
) -> list[Record]:
    """What the coders need for the PSNR of each of our files.

    Args:
        files: as `stored` gives them.
        clip: the truth.
        presets: of the coders.
        folder: for files that are not kept.
        quiet: tell nothing on stderr.

    Returns:
        ``bytes``, interpolated between the two neighbouring rate factors in ``crf``, and ``ratio``, by how much ours is
        larger; both None where no rate factor has that PSNR. ``best_psnr`` is that of the finest rate factor.
    """
    records: list[Record] = []
    for name, preset, pixels in product(LIBRARIES, presets, PIXELS):
        at = remembered(clip, Coder(name, preset, pixels), folder)
        for file in files:
            found = around(at, file["psnr"])
            record = {"coder": name, "preset": preset, "pixels": pixels, "bits": file["bits"], "psnr": file["psnr"]}
            record |= {"bytes": None, "ratio": None, "crf": None, "best_psnr": round(at(0).psnr, 4)}
            if found is not None:
                size = bytes_between(*found, file["psnr"])
                record |= {"bytes": round(size), "ratio": round(file["bytes"] / size, 3)}
                record |= {"crf": [side.crf for side in found], "seconds": round(found[0].seconds, 3)}
            records.append(record)
        _say(quiet, f"{name} {preset} {pixels} is done")
    return records


def size_section(record: Record) -> str:
    """A record as two tables of Markdown, ours and the bytes that the coders need, and who is ahead in one sentence."""
    ours = [
        [str(f["bits"]), f"{f['bytes']:,}", f"{f['bits_a_parameter']:.2f}", f"{f['psnr']:.2f}", f"{f['loss']:.3f}"]
        for f in record["files"]
    ]
    header = ["coder", "preset", "pixels", *(f"at our {f['bits']} bits, {f['psnr']:.2f} dB" for f in record["files"])]
    by_coder: dict[tuple[str, ...], list[str]] = {}
    for one in record["coders"]:
        needs = NOTHING if one["bytes"] is None else f"{one['bytes']:,} (ours {one['ratio']:.2f} times that)"
        by_coder.setdefault((one["coder"], one["preset"], one["pixels"]), []).append(needs)
    theirs = [[*coder, *needs] for coder, needs in by_coder.items()]
    files = table(["bits", "bytes", "bits a parameter", "PSNR, dB", "loss, dB"], ours)
    return "\n\n".join([files, table(header, theirs), verdict(record)])


def size_heading(record: Record) -> str:
    """What was stored, in a few words."""
    what = f"{record['clip']}, {record['size']}, {record['frames']} frames"
    fitted = f"{record['model']}, {record['parameters']:,} parameters, {budget_of(record)}, seed {record['seed']}"
    return f"Size on disk: {what}; {fitted}, {record['device']}"


def verdict(record: Record) -> str:
    """Who is ahead, in one sentence, at the best of our files for each coder.

    Example:
        >>> ratios = [{"coder": "x265", "bits": bits, "ratio": ratio} for bits, ratio in ((8, 5.0), (6, 4.0))]
        >>> verdict({"coders": ratios})
        'At equal PSNR our smallest margin is the file of 6 bits: x265 needs 4.00 times fewer bytes.'
    """
    known = [one for one in record["coders"] if one["ratio"] is not None]
    if not known:
        return "No coder has a rate factor of this PSNR."
    margin = {bits: max(one["ratio"] for one in known if one["bits"] == bits) for bits in {k["bits"] for k in known}}
    bits = min(margin, key=lambda each: (margin[each], each))
    best = max((one for one in known if one["bits"] == bits), key=lambda one: float(one["ratio"]))
    ratio = float(best["ratio"])
    factor = f"{ratio:.2f} times fewer" if ratio >= 1 else f"{1 / ratio:.2f} times more"
    return f"At equal PSNR our smallest margin is the file of {bits} bits: {best['coder']} needs {factor} bytes."
