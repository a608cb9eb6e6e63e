"""The .invr file of a stranger: whatever it says, it loads and answers, or is refused in one line."""

from __future__ import annotations

import json
import os
import pickle
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save as serialise
from torch import Tensor

from invr_core.errors import BadFile
from invr_core.storage import HEADER_LIMIT, load


# -------------------------------------------------------------------- what is refused
def test_what_is_no_file_is_refused(forger: Any, tmp_path: Path) -> None:
    assert "no such file" in forger.refused(tmp_path / "absent.invr")
    assert "folder" in forger.refused(tmp_path)
    os.mkfifo(tmp_path / "pipe.invr")
    assert "regular" in forger.refused(tmp_path / "pipe.invr")
    with pytest.raises(BadFile, match="cannot be read"):
        load(tmp_path / ("x" * 300 + ".invr"))


def test_other_files_are_refused(forger: Any, tmp_path: Path) -> None:
    path = tmp_path / "other.invr"
    path.write_bytes(b"")
    assert "empty" in forger.refused(path)
    for content in (b"abc", b"\x89PNG\r\n\x1a\n" + bytes(100), pickle.dumps({"a": 1}), b"{}" * 50, bytes(64)):
        path.write_bytes(content)
        forger.refused(path)
    forger.raw(path, b"not json at all!")
    forger.refused(path)
    forger.raw(path, b'{"__metadata__":{"format":"pt"}}')
    assert "no header of ours" in forger.refused(path)


def test_a_header_that_is_far_too_long_is_not_even_read(forger: Any, good: Path, tmp_path: Path) -> None:
    content = good.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header, data = content[8:end], content[end:]
    assert load(forger.raw(tmp_path / "padded.invr", header + b" " * 80_000, data)).size == (9, 14)
    forger.refused(forger.raw(tmp_path / "padded.invr", header.ljust(HEADER_LIMIT + 8), data))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"x"', "[" * 100_000, '{"a":' * 100_000, "9" * 10_000, "nul"])
def test_a_header_that_is_no_json_object_is_refused(forger: Any, tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.invr"
    path.write_bytes(serialise({"a": torch.zeros(1)}, {"invr": text}))
    forger.refused(path)


def test_deep_json_within_the_header_is_refused(forger: Any, good: Path, tmp_path: Path) -> None:
    header, tensors = forger.parts_of(good)
    for depth in (50, 300, 900, 985, 990):
        text = json.dumps({**header, "info": {"deep": "@"}}).replace('"@"', "[" * depth + "1" + "]" * depth)
        path = tmp_path / "deep.invr"
        path.write_bytes(serialise(tensors, {"invr": text}))
        forger.refused(path)  # its checksum is of another text: never more than a BadFile


def test_a_newer_format_says_so(forger: Any, good: Path, tmp_path: Path) -> None:
    message = forger.refused(raw_header(forger, tmp_path, good, {"format": 3, "whatever": "comes"}))
    assert "newer invr" in message and "upgrade" in message


def raw_header(forger: Any, folder: Path, good: Path, header: Any) -> Path:
    path = folder / "forged.invr"
    path.write_bytes(serialise(forger.parts_of(good)[1], {"invr": json.dumps(header)}))
    return path


Edit = Callable[[dict[str, Any]], Any]
HEADER_EDITS: dict[str, Edit] = {
    'format should be int, not "1"': lambda h: h.update(format="1"),
    "format should be int, not true": lambda h: h.update(format=True),
    "format 0": lambda h: h.update(format=0),
    "lacks 'info'": lambda h: h.pop("info"),
    "lacks 'checksum'": lambda h: h.pop("checksum"),
    "unknown entry 'hook'": lambda h: h.update(hook="os.system"),
    "'os:system'": lambda h: h.update(model="os:system"),
    "'invr_core.models.hnerv:HNeRV'": lambda h: h.update(model="invr_core.models.hnerv:HNeRV"),
    "no model ''": lambda h: h.update(model=""),
    "100 characters": lambda h: h.update(model="x" * 10_000),
    "its model should be str": lambda h: h.update(model=["hnerv"]),
    "config is not": lambda h: h.update(config=[]),
    "unknown entry 'colour'": lambda h: h["config"].update(colour=1),
    "lacks 'strides'": lambda h: h["config"].pop("strides"),
    "embedding should be int, not 4.0": lambda h: h["config"].update(embedding=4.0),
    "embedding should be int, not true": lambda h: h["config"].update(embedding=True),
    "width should be float, not Infinity": lambda h: h["config"].update(width=float("inf")),
    "width should be float, not NaN": lambda h: h["config"].update(width=float("nan")),
    "width should be float, not 1000": lambda h: h["config"].update(width=10**400),
    "strides should be": lambda h: h["config"].update(strides=[2, "2"]),
    "builds no hnerv network": lambda h: h["config"].update(strides=[]),
    "builds no hnerv": lambda h: h["config"].update(width=1e300),
    "hnerv network": lambda h: h["config"].update(strides=[2] * 100_000),
    "out of range": lambda h: h["config"].update(embedding=-4),
    "lacks 'span'": lambda h: h["geometry"].pop("span"),
    "times should be": lambda h: h["geometry"].update(times=[0, "a"]),
    "times should": lambda h: h["geometry"].update(times=[0, float("nan"), 1]),
    "times do not increase": lambda h: h["geometry"].update(times=[0.0, 0.2, 0.1]),
    "do not increase": lambda h: h["geometry"].update(times=[]),
    "span should be": lambda h: h["geometry"].update(span=[0.0]),
    "span should": lambda h: h["geometry"].update(span=[0, float("inf")]),
    "before it begins": lambda h: h["geometry"].update(span=[1, 0]),
    "size should be": lambda h: h["geometry"].update(size=[9.0, 14.0]),
    "out of range: (-9, 14)": lambda h: h["geometry"].update(size=[-9, 14]),
    "out of range: (0, 14)": lambda h: h["geometry"].update(size=[0, 14]),
    "out of range: (1000000000, 1)": lambda h: h["geometry"].update(size=[10**9, 1]),
    "out of range: (65536, 65536)": lambda h: h["geometry"].update(size=[65536, 65536]),
    "embeddings": lambda h: h["geometry"].update(times=[0.0, 0.1]),
}


@pytest.mark.parametrize("reason", HEADER_EDITS)
def test_each_malformed_header_is_refused(forger: Any, good: Path, tmp_path: Path, reason: str) -> None:
    header, tensors = forger.parts_of(good)
    HEADER_EDITS[reason](header)
    assert reason in forger.refused(forger.forge(tmp_path / "forged.invr", header, tensors))


TENSOR_EDITS: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "'embeddings' is missing": lambda t: t.pop("embeddings"),
    "'zzz' does not belong there": lambda t: t.update(zzz=torch.zeros(1)),
    "'embeddings' is F32 (3, 4, 12)": lambda t: t.update(embeddings=t["embeddings"].flatten(2)),
    "'embeddings' is F64": lambda t: t.update(embeddings=t["embeddings"].double()),
    "not finite": lambda t: t["embeddings"].fill_(float("nan")),
}


@pytest.mark.parametrize("reason", TENSOR_EDITS)
def test_each_malformed_tensor_is_refused(forger: Any, good: Path, tmp_path: Path, reason: str) -> None:
    header, tensors = forger.parts_of(good)
    TENSOR_EDITS[reason](tensors)
    assert reason in forger.refused(forger.forge(tmp_path / "forged.invr", header, tensors))


def test_a_forged_file_that_is_sound_loads(forger: Any, good: Path, tmp_path: Path) -> None:
    header, tensors = forger.parts_of(good)
    header["geometry"]["span"] = [0, 1]
    assert load(forger.forge(tmp_path / "forged.invr", header, tensors)).span == (0.0, 1.0)


def test_a_changed_number_is_noticed(forger: Any, good: Path, tmp_path: Path) -> None:
    header, tensors = forger.parts_of(good)
    tensors["embeddings"][0, 0, 0, 0] += 0.125
    path = tmp_path / "changed.invr"
    path.write_bytes(serialise(tensors, {"invr": json.dumps(header)}))
    assert "checksum" in forger.refused(path)
    header, tensors = forger.parts_of(good)
    header["info"]["seed"] = 4
    path.write_bytes(serialise(tensors, {"invr": json.dumps(header)}))
    assert "checksum" in forger.refused(path)


def test_a_huge_claim_allocates_nothing(forger: Any, good: Path, tmp_path: Path) -> None:
    header, _ = forger.parts_of(good)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for shape, end in (([10**9, 10**9], 4 * 10**18), ([10**9], 4 * 10**9), ([2**62, 4], 0), ([2**63], 0)):
        claim = {"x": {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}}
        text = json.dumps({"__metadata__": {"invr": json.dumps(header)}, **claim}).encode()
        forger.refused(forger.raw(tmp_path / "claim.invr", text, bytes(16)))
    for options in ({"width": 65536.0}, {"embedding": 65536, "width": 65536.0}):
        forged = {**header, "config": {**header["config"], **options}}
        forger.refused(forger.forge(tmp_path / "claim.invr", forged, forger.parts_of(good)[1]))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100_000, f"{grown} KiB were allocated for claims of terabytes"


# --------------------------------------------------------------------------- fuzzing
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-3, 20) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_edited_headers_are_refused_or_work(forger: Any, good: Path, data: st.DataObject) -> None:
    header, tensors = forger.parts_of(good)
    place: Any = header
    while True:
        key = (
            data.draw(st.sampled_from(sorted(place)))
            if isinstance(place, dict)
            else data.draw(st.integers(0, len(place) - 1))
        )
        inner = place[key]
        if not (isinstance(inner, dict | list) and inner and data.draw(st.booleans())):
            break
        place = inner
    if data.draw(st.booleans()) or isinstance(place, list):
        place[key] = data.draw(JSON_VALUES)
    else:
        del place[key]
    forger.survives(forger.forge(good.with_name("edited.invr"), header, tensors))
