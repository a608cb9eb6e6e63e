"""Memory and time against the length of a clip."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from invr_core.errors import BadInput
from invr_core.io import open_video
from invr_core.video import Video
from invr_tasks.bench.clips import ping_pong
from invr_tasks.bench.lengths import LengthBench, run_lengths
from invr_tasks.bench.processes import here
from invr_tasks.bench.records import read
from invr_tasks.bench.variants import Variant
from invr_tasks.pixels import to_bytes


def bench(disc_file: Path, **changes: Any) -> LengthBench:
    values = {"clip": str(disc_file), "frames": (5, 20), "params": 24_000, "steps": 3, "variants": (Variant("cwrnn"),)}
    return LengthBench(**{**values, "device": "cpu", **changes})


@pytest.mark.parametrize(
    ("frames", "order"), [(2, [0, 1]), (3, [0, 1, 2]), (8, [0, 1, 2, 1, 0, 1, 2, 1]), (5, [0, 1, 2, 1, 0])]
)
def test_a_clip_is_played_forth_and_back(make_video: Callable[..., Video], frames: int, order: list[int]) -> None:
    source = make_video(3, times=[1.0, 1.5, 2.0])
    longer = ping_pong(source, frames)
    assert longer.times.tolist() == pytest.approx([1 + i / 2 for i in range(frames)])
    assert (to_bytes(longer.frames()) == to_bytes(source.frames())[order]).all()


@pytest.mark.parametrize(("given", "asked"), [(1, 5), (3, 1)])
def test_what_cannot_be_played_back_is_refused(make_video: Callable[..., Video], given: int, asked: int) -> None:
    with pytest.raises(BadInput, match="both must be at least 2"):
        ping_pong(make_video(given), asked)


def test_each_length_is_a_record_of_a_fit_of_that_length(disc_file: Path, tmp_path: Path) -> None:
    lengths: list[int] = []

    def work(name: str, **arguments: Any) -> Any:
        if name == "fit":
            lengths.append(len(open_video(arguments["clip"])))
        return here(name, **arguments)

    lines: list[str] = []
    run_lengths(bench(disc_file), tmp_path / "r.jsonl", work=work, tell=lines.append)
    records = read(tmp_path / "r.jsonl")
    assert lengths == [record["frames"] for record in records] == [5, 20]
    for record in records:
        assert (record["kind"], record["steps"], record["params"]) == ("memory", 3, 24_000)
        setup = record["setup_seconds_per_frame"] * record["frames"]
        stepping = record["step_seconds_per_frame"] * 3 * record["batch"]
        assert setup + stepping == pytest.approx(record["seconds"], abs=1e-3)
        assert record["memory"]["peak_mib"] > 0 and record["decode"]["decode_peak_mib"] > 0
    assert len(lines) == 2 and lines[0].startswith("5 frames, cwrnn") and "MiB" in lines[0]


def test_what_cannot_be_is_refused_before_any_fit(disc_file: Path, tmp_path: Path) -> None:
    def work(name: str, **arguments: Any) -> Any:
        raise AssertionError("a fit began")

    for changes, message in (
        ({"frames": (5, 1)}, "both must be at least 2"),
        ({"steps": 0}, "--steps must be a positive whole number"),
        ({"params": 5}, "too few for this clip"),
        ({"variants": (Variant("none"),)}, "there is no model 'none'"),
        ({"size": (100, 100)}, "smaller than 100x100"),
    ):
        with pytest.raises(BadInput, match=message):
            run_lengths(bench(disc_file, **changes), tmp_path / "r.jsonl", quiet=True, work=work)
