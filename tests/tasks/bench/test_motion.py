"""Motion against the truth: what is read, what is scored, and that a panning clip's motion is found."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from invr_core.errors import BadFile, BadInput, Unsupported
from invr_core.fitting import fit
from invr_core.observation import Observation
from invr_core.video import Video
from invr_tasks.bench.flows import DIS, dis_flow, flow_scores, read_flow
from invr_tasks.bench.jobs import Budget, Job
from invr_tasks.bench.motion import MotionBench, begun, motion_sections, run_motion
from invr_tasks.bench.processes import here

SIZE, SHIFT = (48, 64), (2.0, -1.0)
"""(H, W) of the clip; pixels that everything moves from one frame to the next, x then y."""
MOVED = 5**0.5


def write_flow(path: Path, flow: torch.Tensor) -> Path:
    cv2.writeOpticalFlow(str(path), np.ascontiguousarray(flow.permute(1, 2, 0).numpy()))
    return path


@pytest.fixture(scope="module")
def true_flow() -> torch.Tensor:
    return torch.tensor(SHIFT).view(2, 1, 1).expand(2, *SIZE).contiguous()


@pytest.fixture(scope="module")
def truth(true_flow: torch.Tensor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_flow(tmp_path_factory.mktemp("truth") / "pan.flo", true_flow)


@pytest.fixture(scope="module")
def pan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A window that slides over a smooth random wall: 6 frames in which all moves by `SHIFT`."""
    wall = torch.rand(1, 3, 100, 120, generator=torch.Generator().manual_seed(3))
    for _ in range(3):
        wall = torch.nn.functional.avg_pool2d(wall, 3, 1, 1)
    wall = (wall - wall.mean()) / (6 * wall.std()) + 0.5
    frames = [wall[0, :, 20 + i : 20 + i + SIZE[0], 30 - 2 * i : 30 - 2 * i + SIZE[1]] for i in range(6)]
    path = tmp_path_factory.mktemp("pan") / "pan.mkv"
    Video.of(torch.stack(frames).clamp(0, 1)).save(path)
    return path


@pytest.fixture(scope="module")
def records(pan: Path, truth: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("out")
    wanted = MotionBench(str(pan), truth, (2, 3), Budget("steps", 8), params=30_000, device="cpu")
    made = run_motion(wanted, folder / "m.jsonl", picture=folder / "m.png", quiet=True, work=here)
    assert [json.loads(line) for line in (folder / "m.jsonl").read_text().splitlines()] == made
    assert (folder / "m.png").stat().st_size > 10_000
    return made


# ------------------------------------------------------------------------------ files
def test_a_flow_is_read_and_the_unknown_is_nan(tmp_path: Path) -> None:
    flow = torch.arange(12.0).view(2, 2, 3) - 4.5
    flow[0, 1, 2] = 1.7e9
    read = read_flow(write_flow(tmp_path / "a.flo", flow))
    assert bool(read[:, 1, 2].isnan().all()) and int(read.isnan().sum()) == 2
    flow[:, 1, 2] = torch.nan
    torch.testing.assert_close(read, flow, equal_nan=True, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PIEH", "has 4 bytes"),
        (struct.pack("<fii", 1.0, 1, 1) + bytes(8), "does not begin with 202021.25"),
        (struct.pack("<fii", 202021.25, 2, 2) + bytes(31), "do not hold the flow of 2x2"),
        (struct.pack("<fii", 202021.25, -1, -1) + bytes(8), "do not hold the flow of -1x-1"),
        (struct.pack("<fii", 202021.25, 2**30, 2**30), "do not hold the flow"),
    ],
)
def test_a_broken_flow_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.flo").write_bytes(content)
    with pytest.raises(BadFile, match=message):
        read_flow(tmp_path / "a.flo")


def test_a_missing_flow_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="cannot be read"):
        read_flow(tmp_path / "a.flo")


# ----------------------------------------------------------------------------- scores
def test_the_truth_has_no_error_and_no_motion_has_all_of_it(truth: Path, true_flow: torch.Tensor) -> None:
    known = read_flow(truth)
    assert flow_scores(true_flow, known) == {"epe": 0, "over_1_px": 0, "angle": pytest.approx(0, abs=1e-4), "share": 1}
    none = flow_scores(torch.zeros_like(known), known)
    assert none["epe"] == pytest.approx(MOVED, abs=1e-5) and none["over_1_px"] == 1
    assert none["angle"] == pytest.approx(np.degrees(np.arctan(MOVED)), abs=1e-3)


def test_only_what_is_known_and_asked_for_counts() -> None:
    truth, flow = torch.zeros(2, 1, 4), torch.zeros(2, 1, 4)
    truth[:, 0, 0], flow[0, 0] = torch.nan, torch.tensor([9.0, 0.5, 2.0, 8.0])
    where = torch.tensor([[True, True, True, False]])
    found = flow_scores(flow, truth, where)
    assert (found["epe"], found["over_1_px"], found["share"]) == (1.25, 0.5, pytest.approx(2 / 3, abs=1e-4))
    assert flow_scores(flow, truth, torch.zeros(1, 4).bool())["epe"] is None


@pytest.mark.parametrize("preset", DIS)
def test_dis_follows_the_first_frame_to_the_second(pan: Path, true_flow: torch.Tensor, preset: str) -> None:
    clip = Video.open(pan)
    assert flow_scores(dis_flow(clip, (2, 3), preset), true_flow)["epe"] < 0.5
    assert flow_scores(dis_flow(clip, (3, 2), preset), -true_flow)["epe"] < 0.5


# ------------------------------------------------------------------------------ whole
def test_ours_is_far_below_no_motion(records: list[dict[str, Any]]) -> None:
    error = {record["method"]: record["everywhere"]["epe"] for record in records}
    assert error["no motion"] == pytest.approx(MOVED, abs=1e-5) == error["cwrnn, cold start, before the fit"]
    assert error["cwrnn, before the fit"] < 0.5 and error["cwrnn, fitted"] < 0.6
    assert set(error) == {
        "no motion",
        *(f"DIS, {preset}" for preset in DIS),
        *(f"cwrnn, {state}" for state in ("before the fit", "fitted")),
        *(f"cwrnn, cold start, {state}" for state in ("before the fit", "fitted")),
    }


def test_records_say_what_was_done(records: list[dict[str, Any]]) -> None:
    by_name = {record["method"]: record for record in records}
    fitted, begun = by_name["cwrnn, fitted"], by_name["cwrnn, before the fit"]
    assert (fitted["kind"], fitted["steps"], begun["steps"], fitted["between"]) == ("motion", 8, 0, [2, 3])
    assert (fitted["size"], fitted["truth"], fitted["frames"]) == ("64x48", "pan.flo", 6)
    assert fitted["psnr"] > 20 and by_name["cwrnn, cold start, fitted"]["options"] == {"warm_start": False}
    assert fitted["trusted"] == fitted["agreed"] and by_name["no motion"]["trusted"] is None
    assert all(record["agreed"]["share"] == fitted["agreed"]["share"] for record in records)
    assert all(record["provenance"]["versions"]["torch"] for record in records)


def test_the_table_has_a_row_for_each_method(records: list[dict[str, Any]]) -> None:
    (section,) = motion_sections(records)
    assert section.startswith("## Motion of pan.mkv, 64x48, frame 2 to 3; cwrnn, 8 steps, cpu")
    assert "| no motion | – | – | – | – | 2.236 | 100.0 |" in section
    assert section.count("\n| ") == 1 + len(records)


@pytest.mark.parametrize(
    ("between", "size", "message"),
    [
        ((0, 6), SIZE, "from 0 to 5; got"),
        ((-1, 2), SIZE, "from 0 to 5; got"),
        ((2, 2), SIZE, "two different frames"),
        ((2, 3), (48, 62), "the truth is 62x48, the clip 64x48"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    pan: Path, tmp_path: Path, between: tuple[int, int], size: tuple[int, int], message: str
) -> None:
    truth = write_flow(tmp_path / "a.flo", torch.zeros(2, *size))
    with pytest.raises(BadInput, match=message):
        run_motion(MotionBench(str(pan), truth, between, Budget("steps", 1)), tmp_path / "m.jsonl", work=here)
    assert not (tmp_path / "m.jsonl").exists()


def test_a_model_that_knows_no_motion_is_refused_before_the_fit(pan: Path, truth: Path, tmp_path: Path) -> None:
    def never(work: str, **arguments: Any) -> Any:
        pytest.fail("it was fitted")

    wanted = MotionBench(str(pan), truth, (2, 3), Budget("steps", 1), 200_000, "hnerv", device="cpu")
    with pytest.raises(Unsupported):
        run_motion(wanted, tmp_path / "m.jsonl", work=never)


def test_what_a_fit_begins_with_is_of_its_own_size(pan: Path) -> None:
    """Of a plain clip a fit has more parameters than a config by itself."""
    clip = Video.open(pan)
    job = Job(str(pan), "cwrnn", None, Budget("steps", 1), device="cpu")
    assert begun(job, clip).config == fit(Observation(clip), job.config(), job.fit_config(len(clip))).config
