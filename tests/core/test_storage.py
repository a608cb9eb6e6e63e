"""The .invr file of 32 bits: exact, atomic, and noticed when it is damaged."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from invr_core.errors import BadFile, BadOutput, DeviceUnavailable
from invr_core.models.base import Geometry, Network
from invr_core.models.hnerv import HNeRV
from invr_core.query import Query
from invr_core.storage import geometry_of, load, save


# ------------------------------------------------------------------ what is kept
def test_a_loaded_clip_is_the_saved_one(forger: Any, tmp_path: Path) -> None:
    rep = forger.small()
    save(rep, tmp_path / "clip.invr")
    loaded = load(tmp_path / "clip.invr")
    query = Query(torch.tensor([0.0, 0.21, 0.5]))
    assert torch.equal(loaded(query), rep(query))
    assert (loaded.config, loaded.geometry, loaded.info) == (rep.config, rep.geometry, rep.info)
    assert loaded.geometry.times[2] == 1 / 3
    assert not loaded.network.training
    assert not any(parameter.requires_grad for parameter in loaded.network.parameters())


def test_the_same_clip_gives_the_same_bytes(forger: Any, tmp_path: Path) -> None:
    save(forger.small(), tmp_path / "a.invr")
    save(forger.small(), tmp_path / "b.invr")
    save(load(tmp_path / "a.invr"), tmp_path / "c.invr")
    assert (
        (tmp_path / "a.invr").read_bytes() == (tmp_path / "b.invr").read_bytes() == (tmp_path / "c.invr").read_bytes()
    )


def test_loading_leaves_the_global_random_state(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = HNeRV.build

    def draw_and_build(config: HNeRV, geometry: Geometry) -> Network:
        torch.rand(3)
        return build(config, geometry)

    monkeypatch.setattr(HNeRV, "build", draw_and_build)
    before = torch.get_rng_state()
    load(good)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_header_says_what_it_is(forger: Any, good: Path) -> None:
    header, tensors = forger.parts_of(good)
    assert header["format"] == 1 and header["model"] == "hnerv"
    assert header["versions"]["torch"] == version("torch")
    assert header["geometry"] == {"times": [0.0, 0.1, 1 / 3], "span": [0.0, 0.5], "size": [9, 14]}
    assert header["config"]["strides"] == [2, 2]
    assert tensors["embeddings"].shape == (3, 4, 3, 4)


def test_the_header_alone_tells_of_the_clip(good: Path, tmp_path: Path) -> None:
    assert geometry_of(good) == load(good).geometry
    cut = tmp_path / "cut.invr"
    cut.write_bytes(good.read_bytes()[:100])
    for path in (cut, tmp_path / "nothing.invr", tmp_path):
        with pytest.raises(BadFile, match=str(path)):
            geometry_of(path)


def test_many_instants_fit_in_a_header(forger: Any, tmp_path: Path) -> None:
    times = tuple(i / 29.97 for i in range(60_000))
    rep = forger.small(Geometry(times, (times[0], times[-1]), (4, 4)))
    save(rep, tmp_path / "long.invr")
    assert load(tmp_path / "long.invr").geometry.times == times


def test_a_device_that_is_not_there_is_named(good: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="tpu"):
        load(good, "tpu")


# ------------------------------------------------------------------------- writing
def test_a_wrong_suffix_is_refused_before_anything_is_written(forger: Any, tmp_path: Path) -> None:
    with pytest.raises(BadOutput, match=r"clip\.invr"):
        save(forger.small(), tmp_path / "clip.pt")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_that_name_stays(forger: Any, tmp_path: Path) -> None:
    (tmp_path / "clip.invr").mkdir()
    with pytest.raises(BadOutput, match="not a file"):
        save(forger.small(), tmp_path / "clip.invr")
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.invr"]


def test_a_folder_that_cannot_be_made_is_refused(forger: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    with pytest.raises(BadOutput, match="cannot be written"):
        save(forger.small(), tmp_path / "file" / "clip.invr")


def test_a_missing_folder_is_made(forger: Any, tmp_path: Path) -> None:
    save(forger.small(), tmp_path / "new" / "clip.invr")
    assert load(tmp_path / "new" / "clip.invr").size == (9, 14)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file(
    forger: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    path = tmp_path / "clip.invr"
    save(forger.small(), path)
    before = path.read_bytes()

    def fail(descriptor: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(BadOutput if isinstance(error, OSError) else KeyboardInterrupt):
        save(forger.small(), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.invr"]


# --------------------------------------------------------------------------- fuzzing
@settings(max_examples=250, deadline=None)
@given(flips=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(1, 255)), min_size=1, max_size=4))
def test_flipped_bits_are_noticed(forger: Any, good: Path, flips: list[tuple[int, int]]) -> None:
    content = bytearray(good.read_bytes())
    for place, mask in flips:
        content[place % len(content)] ^= mask
    path = good.with_name("flipped.invr")
    path.write_bytes(content)
    if bytes(content) != good.read_bytes() and forger.survives(path):
        assert forger.parts_of(path)[0] == forger.parts_of(good)[0]  # only how the JSON is written may differ unnoticed


@settings(max_examples=100, deadline=None)
@given(length=st.integers(0, 1 << 20), tail=st.binary(max_size=16))
def test_truncated_files_are_noticed(forger: Any, good: Path, length: int, tail: bytes) -> None:
    content = good.read_bytes()
    cut = content[: length % len(content)] + tail
    path = good.with_name("cut.invr")
    path.write_bytes(cut)
    assert cut == content or not forger.survives(path)
