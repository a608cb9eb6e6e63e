"""Records as a page: tables and plots in Markdown, made of nothing but the records."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from invr_core.atomic import atomic_file
from invr_core.errors import BadInput
from invr_tasks.bench import lengths, model, motion, size, tasks
from invr_tasks.bench.plots import Line, Panel, draw
from invr_tasks.bench.records import Record, latest
from invr_tasks.bench.scoreboard import Peers, tasks_sections
from invr_tasks.bench.tables import Column, budget_of, column, columns_table, grouped, name_of, table, value

Draw = Callable[[Sequence[Panel], str], str]
"""(panels, title) -> the Markdown that shows the plot."""

_KEYS = {"model": model.KEY, "memory": lengths.KEY, "size": size.KEY, "motion": motion.KEY, "tasks": tasks.KEY}
"""The kinds of records that a page shows, and what tells one of a kind from another."""
_WHO: list[Column] = [
    ("model", lambda records: name_of(records[0])),
    column("parameters", "parameters", digits=0),
]
_QUALITY: list[Column] = [
    *_WHO,
    ("seeds", lambda records: str(len(records))),
    column("PSNR, dB", "psnr"),
    column("worst frame", "psnr_worst_frame"),
    column("dB above peer", "peer", "gain"),
    column("reaches the peer's end after, s", "peer", "reached_seconds"),
    column("of the peer's time", "peer", "time_ratio", digits=4),
    column("seconds", "seconds", digits=1),
    column("of them before the first step", "setup_seconds", digits=1),
    column("steps", "steps", digits=0),
    column("epochs", "epochs", digits=1),
]
_UNSEEN: list[Column] = [
    *_WHO,
    ("seeds", lambda records: str(len(records))),
    column("PSNR at given instants, dB", "psnr"),
    column("at unseen ones", "psnr_unseen"),
    ("unseen less given", lambda records: _gap(records)),
    column("worst unseen frame", "psnr_unseen_worst_frame"),
    column("unseen, dB above peer", "peer", "gain_unseen"),
    column("seconds", "seconds", digits=1),
]
_COST: list[Column] = [
    *_WHO,
    column("decodes, frames/s", "decode", "frames_per_second", digits=1),
    column("random frame, ms", "decode", "random_frame_seconds", digits=1, scale=1000),
    column("of one in sequence", "decode", "random_ratio"),
    column("fit peak, MiB", "memory", "peak_mib", digits=0),
    column("before it", "memory", "before_mib", digits=0),
    column("fit peak on GPU, MiB", "memory", "gpu_mib", digits=0),
    column("decode peak, MiB", "decode", "decode_peak_mib", digits=0),
    column("before decoding", "decode", "decode_libraries_mib", digits=0),
    column("decode peak on GPU, MiB", "decode", "decode_gpu_mib", digits=0),
    column("processor s a second of fit", "cpu_share", digits=2),
    column("load before", "load_before", digits=1),
]
_LENGTH: list[Column] = [
    *_WHO,
    column("frames", "frames", digits=0),
    column("fit peak, MiB", "memory", "peak_mib", digits=0),
    column("libraries", "memory", "libraries_mib", digits=0),
    column("no mapped files", "memory", "anonymous_mib", digits=0),
    column("fit peak on GPU, MiB", "memory", "gpu_mib", digits=0),
    column("decode peak, MiB", "decode", "decode_peak_mib", digits=0),
    column("of decoding", "decode", "decode_libraries_mib", digits=0),
    column("start, ms a frame", "setup_seconds_per_frame", digits=1, scale=1000),
    column("step, ms a frame", "step_seconds_per_frame", digits=1, scale=1000),
    column("decode, ms a frame", "decode", "seconds_per_frame", digits=1, scale=1000),
    column("steps", "steps", digits=0),
]


def write_page(records: Sequence[Record], path: Path, peers: Peers | None = None) -> list[Path]:
    """Write a page, and its plots beside it, atomically. The same records give the same bytes.

    Args:
        records: of any kinds; those that no section shows are left out, and of repeated ones the last is shown.
        path: ends in ``.md``; plots get its name with a number.
        peers: figures of others, shown beside those of `invr_tasks.bench.tasks`.

    Returns:
        the files, the page first.

    Raises:
        BadInput: if there is nothing to show.
        Unsupported: without matplotlib.
        BadOutput: if a file cannot be written.
    """
    plots: list[Path] = []

    def plot(panels: Sequence[Panel], title: str) -> str:
        file = path.with_name(f"{path.stem}-{len(plots) + 1}.svg")
        draw(panels, title, file)
        plots.append(file)
        return f"![{title}]({file.name})"

    shown = [
        record for kind, key in _KEYS.items() for record in latest((one for one in records if one["kind"] == kind), key)
    ]
    sections = [section for make in (_models, _lengths) for section in make(shown, plot)]
    sections += [f"## {size.size_heading(one)}\n\n{size.size_section(one)}" for one in shown if one["kind"] == "size"]
    sections += motion.motion_sections([one for one in shown if one["kind"] == "motion"])
    sections += tasks_sections([one for one in shown if one["kind"] == "tasks"], peers)
    if not sections:
        raise BadInput("there is no record that a page could show; run `invr bench model` or another first")
    text = "\n\n".join(["# Benchmarks", *sections, _failures(shown), _origin(shown)])
    with atomic_file(path) as private:
        private.write_text(re.sub(r"\n{3,}", "\n\n", text).strip() + "\n", encoding="utf-8")
    return [path, *plots]


def _models(records: Sequence[Record], plot: Draw) -> list[str]:
    """For each clip and length of fit: quality, unseen instants, cost, and PSNR against seconds and epochs."""
    done = [_with_share(record) for record in records if record["kind"] == "model" and "failed" not in record]
    sections = []
    for group in grouped(done, "clip", "frames", "size", "budget", "device").values():
        first = group[0]
        heading = (
            f"{first['clip']}, {first['size']}, {first['frames']} frames; {budget_of(first)} each, {first['device']}"
        )
        text = [f"## {heading}"]
        whole = [record for record in group if record["given"] == "all"]
        even = [record for record in group if record["given"] == "even"]
        if whole:
            text += [columns_table(_QUALITY, _rows(whole))]
            for (params,), same in grouped(whole, "params").items():
                title = f"{heading}, {int(params):,} parameters" if params != "None" else heading
                text += [plot(_panels(same), title)]
        if even:
            text += ["Fitted to the even frames alone; the odd ones are unseen:", columns_table(_UNSEEN, _rows(even))]
        if whole:
            text += ["What it costs:", columns_table(_COST, _rows(whole))]
        sections.append("\n\n".join([*text, _variants(group)]))
    return sections


def _variants(records: Sequence[Record]) -> str:
    """What the variants change."""
    changed = {name_of(r): ", ".join(f"{k} = {v}" for k, v in r["options"].items()) for r in records if r["variant"]}
    return "\n".join(f"- {name}: {options}" for name, options in changed.items())


def _panels(records: Sequence[Record]) -> list[Panel]:
    def lines(key: str) -> tuple[Line, ...]:
        return tuple(
            Line(name_of(r), tuple(p[key] for p in r["curve"]), tuple(p["psnr"] for p in r["curve"])) for r in records
        )

    label = f"PSNR of {len(value(records[0], 'curve_frames', 'psnr') or [])} frames, dB"
    labels = {"seconds": "seconds of fitting", "epochs": "passes over the clip"}
    return [Panel(labels["seconds"], label, lines("seconds")), Panel(labels["epochs"], label, lines("epoch"))]


def _lengths(records: Sequence[Record], plot: Draw) -> list[str]:
    """For each clip: memory and time against its length."""
    done = [record for record in records if record["kind"] == "memory" and "failed" not in record]
    sections = []
    for group in grouped(done, "clip", "size", "budget", "device").values():
        first = group[0]
        what = f"{first['clip']}, {first['size']}; {budget_of(first)} each, {first['device']}"
        heading = f"Against the length of the clip: {what}"
        ordered = sorted(group, key=lambda one: (name_of(one), str(one["params"]), one["frames"]))
        rows = grouped(ordered, "model", "variant", "params", "frames").values()
        curves = {name: tuple(same) for (name, *_), same in grouped(ordered, "model", "variant", "params").items()}
        memory = tuple(
            Line(name_of(same[0]), _numbers(same, "frames"), _numbers(same, "memory", "peak_mib"))
            for same in curves.values()
        )
        shown = plot([Panel("frames", "peak memory of the fit, MiB", memory, False)], heading)
        sections.append("\n\n".join([f"## {heading}", columns_table(_LENGTH, rows), shown]))
    return sections


def _numbers(records: Sequence[Record], *path: str) -> tuple[float, ...]:
    return tuple(float(value(record, *path)) for record in records)


def _rows(records: Sequence[Record]) -> list[list[Record]]:
    """Records that differ in nothing but the seed, a row each; by size first."""
    groups = grouped(records, "params", "model", "variant").values()
    return sorted(groups, key=lambda group: group[0]["params"] or 0)


def _gap(records: Sequence[Record]) -> str:
    apart = [{"gap": record["psnr_unseen"] - record["psnr"]} for record in records]
    return column("", "gap")[1](apart)


def _with_share(record: Record) -> Record:
    """With how much of the processor the fit had: far under the number of its threads, others were at work."""
    return {**record, "cpu_share": record["cpu_seconds"] / record["seconds"]}


def _failures(records: Sequence[Record]) -> str:
    failed = [[_who(record), str(record["seed"]), record["failed"]] for record in records if "failed" in record]
    return f"## Failed\n\n{table(['what', 'seed', 'why'], failed)}" if failed else ""


def _who(record: Record) -> str:
    if record["kind"] == "tasks":
        return ", ".join(record[name] for name in ("clip", "size", "task", "setting", "method"))
    return name_of(record)


def _origin(records: Sequence[Record]) -> str:
    """Where the numbers come from: each different origin once."""
    facts = [record["provenance"] for record in records if record.get("provenance")]
    rows = []
    for origin in facts:
        versions = origin["versions"]
        row = [
            str(origin["commit"] or "not from a checkout"),
            origin["device"],
            str(origin["threads"]),
            f"{versions['invr']}, torch {versions['torch']}, Python {origin['python']}",
            origin["platform"],
        ]
        if row not in rows:
            rows.append(row)
    header = ["commit (+: changed since)", "device", "threads", "invr", "platform"]
    return f"## Where this comes from\n\n{table(header, rows)}"
