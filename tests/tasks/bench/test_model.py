"""Models side by side: which fits are made, in which order, on which clip, and what is made of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from invr_core.errors import BadInput, DeviceUnavailable, InvrError
from invr_core.io import open_video
from invr_core.video import Video
from invr_tasks.bench.jobs import Budget
from invr_tasks.bench.model import ModelBench, held_against, run_models
from invr_tasks.bench.records import read
from invr_tasks.bench.variants import Variant
from invr_tasks.pixels import to_bytes

Make = Callable[..., dict[str, Any]]
BOTH = (Variant("cwrnn"), Variant("hnerv", "", {"strides": (2, 2), "encoder": 8, "lower_width": 4}))


@pytest.fixture
def bench(disc_file: Path) -> Callable[..., ModelBench]:
    def make(**changes: Any) -> ModelBench:
        values = {"clip": str(disc_file), "params": (24_000,), "budget": Budget("steps", 6), "variants": BOTH}
        return ModelBench(**{**values, "device": "cpu", **changes})

    return make


class Works:
    """Stands in for the processes: notes what is asked, and answers with made-up records."""

    def __init__(self, record: Make) -> None:
        self.record, self.asked, self.clips = record, list[dict[str, Any]](), list[Video]()
        self.failing = ""

    def __call__(self, work: str, **arguments: Any) -> dict[str, Any]:
        if work == "decode":
            return {"frames_per_second": 10.0, "random_ratio": 2.0}
        self.asked.append(arguments)
        self.clips.append(open_video(arguments["clip"]))
        if arguments["variant"] == self.failing != "":
            raise InvrError("it fell over")
        about = ("clip", "frames", "size", "fps", "device")
        same = ("model", "variant", "options", "params", "seed", "given")
        psnr = 22.0 if arguments["model"] == "hnerv" else 30.0
        made = self.record(psnr=psnr, budget={"steps": 6}, **{name: arguments[name] for name in same})
        return {name: value for name, value in made.items() if name not in ("kind", *about)}


@pytest.fixture
def works(record: Make) -> Works:
    return Works(record)


# ------------------------------------------------------------------------- which fits
def test_every_combination_once_the_peer_first(bench: Any, works: Works, tmp_path: Path) -> None:
    variants = (*BOTH, Variant("cwrnn", "uncoupled", {"warm_start": False}))
    wanted = bench(variants=variants, params=(24_000, 30_000), seeds=(0, 7), unseen=True)
    run_models(wanted, tmp_path / "r.jsonl", quiet=True, work=works)
    fits = [(a["params"], a["seed"], a["given"], a["model"], a["variant"]) for a in works.asked]
    names = [("hnerv", ""), ("cwrnn", ""), ("cwrnn", "uncoupled")]
    assert fits == [
        (params, seed, given, *name)
        for params in (24_000, 30_000)
        for seed in (0, 7)
        for given in ("all", "even")
        for name in names
    ]
    assert {str(asked["budget"]) for asked in works.asked} == {"{'unit': 'steps', 'amount': 6}"}
    assert works.asked[2]["options"] == {"warm_start": False}


def test_each_record_is_in_the_file_with_its_clip_and_its_peer(bench: Any, works: Works, tmp_path: Path) -> None:
    lines: list[str] = []
    records = run_models(bench(), tmp_path / "r.jsonl", work=works, tell=lines.append)
    assert read(tmp_path / "r.jsonl") == json.loads(json.dumps(records))
    peer, ours = records
    expected = {"kind": "model", "clip": "disc.mkv", "frames": 9, "size": "24x16", "device": "cpu"}
    assert {key: ours[key] for key in expected} == expected
    assert peer["peer"] is None and ours["peer"]["gain"] == 8.0
    assert ours["decode"]["frames_per_second"] == 10.0
    assert len(lines) == 2 and "+8.00 dB against hnerv" in lines[1] and "2.00 times" in lines[1]


@pytest.mark.parametrize(("device", "asked"), [("cpu", 0), ("cuda", 2)])
def test_what_is_there_is_not_fitted_again_unless_it_was_elsewhere(
    bench: Any, works: Works, tmp_path: Path, device: str, asked: int
) -> None:
    there = [{**one, "device": device} for one in run_models(bench(), tmp_path / "a.jsonl", quiet=True, work=works)]
    works.asked.clear()
    run_models(bench(), tmp_path / "b.jsonl", quiet=True, work=works, there=there)
    assert len(works.asked) == asked


def test_a_fit_that_fails_is_a_record_and_the_others_go_on(bench: Any, works: Works, tmp_path: Path) -> None:
    works.failing = "bad"
    variants = (Variant("cwrnn", "bad", {"channels": 8}), *BOTH)
    records = run_models(bench(variants=variants), tmp_path / "r.jsonl", quiet=True, work=works)
    assert [record.get("failed") for record in records] == [None, "it fell over", None]
    failed = read(tmp_path / "r.jsonl")[1]
    assert (failed["variant"], failed["params"], failed["seed"], failed["peer"]) == ("bad", 24_000, 0, None)
    assert failed["budget"] == {"steps": 6} and failed["clip"] == "disc.mkv"


# --------------------------------------------------------------------------- the clip
def test_the_clip_is_cropped_and_shrunk_by_the_protocol(bench: Any, works: Works, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(3)
    frames = torch.randint(0, 256, (5, 3, 40, 50), generator=generator, dtype=torch.uint8)
    Video.of(frames, fps=10).save(tmp_path / "in.mkv")
    wanted = bench(clip=str(tmp_path / "in.mkv"), size=(16, 24), frames=4, variants=BOTH[:1])
    record = run_models(wanted, tmp_path / "r.jsonl", quiet=True, work=works)[0]
    given = works.clips[0]
    pictures = frames.permute(0, 2, 3, 1).numpy()[:4, 3:36, :]  # 50x33 is the largest crop of that shape
    expected = np.stack([cv2.resize(np.ascontiguousarray(p), (24, 16), interpolation=cv2.INTER_AREA) for p in pictures])
    assert np.array_equal(to_bytes(given.frames()), expected)
    assert given.times.tolist() == pytest.approx([0, 0.1, 0.2, 0.3])
    assert (record["frames"], record["size"], record["fps"]) == (4, "24x16", 10.0)


# ------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip": "nowhere.mp4"}, "nowhere.mp4 does not exist"),
        ({"size": (32, 48)}, "the clip is 24x16, smaller than 48x32"),
        ({"frames": 10}, "has 9 frames, 10 were asked for; give 1 to 9"),
        ({"frames": 0}, "0 were asked for"),
        ({"variants": (Variant("cwrn"),)}, "no model 'cwrn'. Did you mean 'cwrnn'"),
        ({"variants": (Variant("cwrnn", "x", {"warm_stat": True}),)}, "no option 'warm_stat'; it has params, channels"),
        ({"variants": BOTH[:1] * 2}, "'cwrnn' is named twice"),
        ({"variants": ()}, "at least one model"),
        ({"params": (24_000, 5)}, "cannot have 5 parameters"),
        ({"frames": 2, "unseen": True}, "needs at least 3 frames"),
    ],
)
def test_what_cannot_be_is_refused_before_any_fit(
    bench: Any, works: Works, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        run_models(bench(**changes), tmp_path / "r.jsonl", quiet=True, work=works)
    assert works.asked == [] and not (tmp_path / "r.jsonl").exists()


def test_a_device_that_is_not_there_is_refused(bench: Any, works: Works, tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable):
        run_models(bench(device="gpu"), tmp_path / "r.jsonl", quiet=True, work=works)


# --------------------------------------------------------------------------- the peer
def test_how_soon_it_was_where_the_peer_ended(record: Make) -> None:
    peer, ours = record("hnerv", 22.0), record(psnr=30.0)
    assert held_against(ours, [peer]) == {
        "model": "hnerv",
        "psnr": 22.0,
        "seconds": 10.0,
        "gain": 8.0,
        "gain_unseen": None,
        "reached_seconds": 4.6,  # 21 dB after 4 steps, 24 dB after 16; the peer ended at 22 dB
        "time_ratio": 0.46,
    }


def test_one_that_never_gets_there_has_no_ratio(record: Make) -> None:
    found = held_against(record(psnr=20.0), [record("hnerv", 22.0)])
    assert found is not None
    assert (found["gain"], found["reached_seconds"], found["time_ratio"]) == (-2.0, None, None)


def test_unseen_instants_are_held_against_the_peers(record: Make) -> None:
    found = held_against(record(psnr=30.0, given="even"), [record("hnerv", 22.0, given="even")])
    assert found is not None and found["gain_unseen"] == 8.0


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"params": 5000}, {"given": "even"}, {"clip": "x"}, {"variant": "v"}, {"failed": "why"}]
)
def test_only_the_same_work_is_a_peer(record: Make, other: dict[str, Any]) -> None:
    assert held_against(record(), [record("hnerv", **other)]) is None
    assert held_against(record("hnerv"), [record("hnerv")]) is None
