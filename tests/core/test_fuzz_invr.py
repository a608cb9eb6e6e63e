"""Strange .invr files by the hundred: each is refused in one line, or shows a finite picture. The big run is on demand.

python docs/benchmarks/fuzz.py --cases 100000
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import heavy_invr
import pytest
import torch
from hypothesis import given
from safetensors.torch import save as serialise
from strange import some
from strange_invr import GEOMETRY, Case, cases, outcome, parts, sealed, small, sound

from invr_core import memory
from invr_core.errors import BadInput, NotEnoughMemory
from invr_core.query import Query
from invr_core.storage import load


@some(300)
@given(case=cases)
def test_strange_files_are_refused_or_shown(tmp_path_factory: pytest.TempPathFactory, case: Case) -> None:
    path = tmp_path_factory.getbasetemp() / "strange.invr"
    path.write_bytes(case[1])
    outcome(path)


@pytest.mark.parametrize("model", ["hnerv", "cwrnn"])
@pytest.mark.parametrize("bits", [32, 8, 11])
def test_the_sound_files_are_shown(tmp_path: Path, model: str, bits: int) -> None:
    (tmp_path / "sound.invr").write_bytes(sound()[model, bits])
    assert outcome(tmp_path / "sound.invr") == "shown"


# ------------------------------------------------------------------- what was found
def forged(path: Path, model: str, value: float = 1.0, **geometry: Any) -> Path:
    header, tensors = parts(sound()[model, 32])
    header["geometry"].update(geometry)
    path.write_bytes(sealed(header, {name: held * value for name, held in tensors.items()}))
    return path


@pytest.mark.parametrize("model", ["hnerv", "cwrnn"])
def test_numbers_that_overflow_are_no_picture(tmp_path: Path, model: str) -> None:
    rep = load(forged(tmp_path / "wild.invr", model, 1e38))
    with pytest.raises(BadInput, match="no picture at 0 s, only numbers that overflow"):
        rep(Query(torch.zeros(1)))


def test_a_motion_that_overflows_is_none(tmp_path: Path) -> None:
    rep = load(forged(tmp_path / "wild.invr", "cwrnn", 1e38))
    with pytest.raises(BadInput, match="overflow"):
        rep.motion(torch.zeros(1), torch.ones(1) * 0.4)


@pytest.mark.parametrize("span", [[-1e308, 1e308], [0.0, 1e13], [-2e12, 0.5]])
def test_instants_beyond_all_clocks_are_refused(forger: Any, tmp_path: Path, span: list[float]) -> None:
    assert "instants are out of range" in forger.refused(forged(tmp_path / "far.invr", "cwrnn", span=span))


def test_a_name_that_is_said_twice_is_refused(forger: Any, tmp_path: Path) -> None:
    header, tensors = parts(sound()["hnerv", 32])
    text = json.dumps(header)[:-1] + ', "info": {}}'
    path = tmp_path / "twice.invr"
    path.write_bytes(serialise(tensors, {"invr": text}))
    assert "says 'info' twice" in forger.refused(path)


def test_a_format_of_many_digits_is_told_in_few(forger: Any, tmp_path: Path) -> None:
    header, tensors = parts(sound()["hnerv", 32])
    path = tmp_path / "future.invr"
    path.write_bytes(sealed({**header, "format": 10**4000}, tensors))
    assert "newer invr" in forger.refused(path)


def test_a_recurrence_without_end_is_refused(forger: Any, tmp_path: Path) -> None:
    header, tensors = parts(sound()["cwrnn", 32])
    header["config"]["rounds"] = 10**6
    path = tmp_path / "long.invr"
    path.write_bytes(sealed(header, tensors))
    assert "rounds of the cwrnn model must be from 1 to 64" in forger.refused(path)


def test_a_frame_that_does_not_fit_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "huge.invr"
    path.write_bytes(heavy_invr.HEAVY["the largest frame"]())
    rep = load(path)
    monkeypatch.setattr(memory, "available", lambda device: 8 << 30)
    with pytest.raises(NotEnoughMemory, match=r"16384x16384 takes about .* none of this clip would fit"):
        rep(Query(torch.zeros(1)))
    with pytest.raises(NotEnoughMemory, match=r"would fit"):
        small("hnerv")(Query(torch.zeros(1), size=(99_000, 99_000)))


def test_what_an_allocator_refuses_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda device: None)
    with pytest.raises(NotEnoughMemory, match="fewer pixels"):
        small("hnerv")(Query(torch.zeros(1), size=(1 << 24, 1 << 24)))
    assert tuple(small("hnerv")(Query(torch.zeros(1))).shape[2:]) == GEOMETRY.size


# --------------------------------------------------------------------------- memory
@pytest.mark.parametrize("name", ["a million names", "sixteen million numbers"])
def test_the_dearest_files_stay_below_the_cap(tmp_path: Path, name: str) -> None:
    command = [sys.executable, heavy_invr.__file__, name, str(tmp_path)]
    for _ in range(2):  # written by one process, loaded by another
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    found = json.loads(done.stdout)
    assert found["grew"] <= found["cap"], found
    assert found["outcome"] in ("refused", "shown", "large")
