"""`invr_tasks.bench.size`: what is counted is the file, what is scored is what it holds, and coders are met fairly."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from invr_core.errors import BadInput
from invr_core.query import Query
from invr_core.testing import MovingDisc
from invr_core.video import Video
from invr_tasks.bench import size as sizes
from invr_tasks.bench.codecs import Coded, Coder, around, bytes_between, check_coders, code
from invr_tasks.bench.jobs import Budget
from invr_tasks.bench.size import SizeBench, held_against, run_size, size_heading, size_section, verdict


@pytest.fixture(scope="module")
def clip() -> Video:
    times = torch.arange(6, dtype=torch.float64) / 25
    frames = MovingDisc((48, 64), (0.0, 0.2))(Query(times))
    return Video.of((frames * 255).round().to(torch.uint8), times)


@pytest.fixture(scope="module")
def stored_clip(clip: Video, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("size") / "disc.mkv"
    clip.save(path)
    return str(path)


# ----------------------------------------------------------------------------- coders
@pytest.mark.parametrize("name", ["x264", "x265"])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p"])
def test_a_coder_writes_the_clip_it_was_given(clip: Video, tmp_path: Path, name: str, pixels: str) -> None:
    coder, file = Coder(name, "medium", pixels), tmp_path / "a.mp4"
    fine, coarse = code(clip, coder, 4, file), code(clip, coder, 40, file)
    assert coarse.bytes == file.stat().st_size < fine.bytes
    assert fine.psnr > coarse.psnr + 5
    assert fine.psnr > (40 if pixels == "yuv444p" else 33), "shifted, or of other colours"
    shown = Video.open(file)
    assert (len(shown), shown.size) == (6, (48, 64))
    mean = [-10 * math.log10(float((shown.read([i]) - clip.read([i])).square().mean())) for i in range(6)]
    assert coarse.psnr == pytest.approx(sum(mean) / 6, abs=1e-3)


def test_full_colour_beats_a_quarter_of_it(clip: Video, tmp_path: Path) -> None:
    full, quarter = (code(clip, Coder("x265", "medium", p), 0, tmp_path / "a.mp4") for p in ("yuv444p", "yuv420p"))
    assert full.psnr > quarter.psnr + 3


def test_odd_sizes_are_refused() -> None:
    with pytest.raises(BadInput, match="65x48"):
        check_coders((48, 65))


@pytest.mark.parametrize("target", [20.5, 31.7, 32.0, 71.0])
def test_the_rate_factors_around_a_psnr_are_neighbours(target: float) -> None:
    asked = []

    def at(crf: int) -> Coded:
        asked.append(crf)
        return Coded(crf, 1000 - crf, 71.0 - crf, 0.0)

    found = around(at, target)
    assert found is not None
    better, worse = found
    assert worse.crf == better.crf + 1 and better.psnr >= target > worse.psnr
    assert len(set(asked)) < 10


@pytest.mark.parametrize("target", [19.9, 71.1])
def test_a_psnr_out_of_reach_is_none(target: float) -> None:
    assert around(lambda crf: Coded(crf, 1000 - crf, 71.0 - crf, 0.0), target) is None


def test_bytes_between_two_files() -> None:
    better, worse = Coded(20, 8000, 33.0, 0.0), Coded(21, 1000, 30.0, 0.0)
    assert [round(bytes_between(better, worse, psnr)) for psnr in (33, 32, 31, 30)] == [8000, 4000, 2000, 1000]


def test_held_against_names_what_it_cannot_reach(clip: Video, tmp_path: Path) -> None:
    files = [{"bits": 8, "bytes": 10_000, "psnr": 30.0}, {"bits": 6, "bytes": 10_000, "psnr": 99.0}]
    found = held_against(files, clip, ["ultrafast"], tmp_path)
    assert [(one["coder"], one["pixels"], one["bits"]) for one in found] == [
        (coder, pixels, bits) for coder in ("x264", "x265") for pixels in ("yuv420p", "yuv444p") for bits in (8, 6)
    ]
    for one in found:
        if one["bits"] == 6:
            assert (one["bytes"], one["ratio"], one["crf"]) == (None, None, None) and 30 < one["best_psnr"] < 99
        else:
            again = [
                code(clip, Coder(one["coder"], "ultrafast", one["pixels"]), c, tmp_path / "b.mp4") for c in one["crf"]
            ]
            assert again[0].psnr >= 30 > again[1].psnr
            assert again[1].bytes <= one["bytes"] <= again[0].bytes
            assert one["ratio"] == pytest.approx(10_000 / one["bytes"], abs=1e-3)


# -------------------------------------------------------------------------------- whole
def test_a_record_holds_true_sizes_and_scores(stored_clip: str, tmp_path: Path, monkeypatch: Any) -> None:
    kept: dict[int, int] = {}
    save = sizes.save

    def spy(rep: Any, path: Path, bits: int) -> None:
        save(rep, path, bits)
        kept[bits] = path.stat().st_size

    monkeypatch.setattr(sizes, "save", spy)
    out = tmp_path / "new" / "size.jsonl"
    wanted = SizeBench(stored_clip, 40_000, Budget("steps", 3), bits=(32, 8), presets=("ultrafast",), device="cpu")
    record = run_size(wanted, out, quiet=True)
    assert json.loads(out.read_text()) == record
    exact, short = record["files"]
    assert {exact["bits"]: exact["bytes"], short["bits"]: short["bytes"]} == kept
    assert exact["loss"] == 0 and abs(short["loss"]) < 0.1 and short["bytes"] < exact["bytes"] / 3
    assert short["bits_a_parameter"] == pytest.approx(8 * short["bytes"] / record["parameters"], abs=1e-3)
    assert exact["kbit_a_second"] == pytest.approx(8 * exact["bytes"] / 1000 / (6 / 25), rel=1e-3)
    assert (record["kind"], record["steps"], record["frames"], record["size"]) == ("size", 3, 6, "64x48")
    assert record["provenance"]["versions"]["av"]
    assert len(record["coders"]) == 2 * 2 * 2
    text = size_section(record)
    assert size_heading(record).endswith(f"cwrnn, {record['parameters']:,} parameters, 3 steps, seed 0, cpu")
    assert f"{short['bytes']:,}" in text and text.count("ultrafast") == 4
    assert verdict(record) in text


def test_the_verdict_takes_the_best_coder_for_each_file() -> None:
    coders = [
        {"coder": "x264", "bits": 8, "ratio": 0.5},
        {"coder": "x265", "bits": 8, "ratio": 0.8},
        {"coder": "x265", "bits": 32, "ratio": 3.0},
        {"coder": "x264", "bits": 6, "ratio": None},
    ]
    assert "file of 8 bits: x265 needs 1.25 times more bytes" in verdict({"coders": coders})
    assert "file of 32 bits: x265 needs 3.00 times fewer" in verdict({"coders": coders[2:]})
    assert "No coder" in verdict({"coders": coders[3:]})
