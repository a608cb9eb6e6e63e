"""The .invr file: exact, atomic, and safe to open whoever made it."""

from __future__ import annotations

import json
import os
import pickle
import resource
import struct
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save as serialise
from torch import Tensor

from invr_core import storage
from invr_core.errors import BadFile, BadOutput, DeviceUnavailable
from invr_core.fitted import Fitted
from invr_core.models.base import Geometry, Network
from invr_core.models.hnerv import HNeRV
from invr_core.query import Query
from invr_core.storage import HEADER_LIMIT, checksum, load, save

GEOMETRY = Geometry((0.0, 0.1, 1 / 3), (0.0, 0.5), (9, 14))


def small(geometry: Geometry = GEOMETRY) -> Fitted:
    config = HNeRV(strides=(2, 2), width=6.5, lower_width=4, embedding=4).solve(geometry)
    network = config.build(geometry).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(1)
    for value in network.state_dict().values():
        value.uniform_(-0.3, 0.3, generator=generator)
    return Fitted(network, config, geometry, {"seed": 3, "psnr": 31.25, "nested": {"list": [1, None, True, "ü"]}})


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("storage") / "good.invr"
    save(small(), path)
    return path


def parts_of(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    with storage.safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["invr"]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def forge(path: Path, header: dict[str, Any], tensors: dict[str, Tensor]) -> Path:
    """A file as a stranger would write it: whatever it says, its checksum is right."""
    content = json.dumps({key: value for key, value in header.items() if key != "checksum"}, sort_keys=True)
    if "checksum" in header:
        header = {**header, "checksum": checksum(content, tensors)}
    path.write_bytes(serialise(tensors, {"invr": json.dumps(header)}))
    return path


def raw(path: Path, header: bytes, data: bytes = b"") -> Path:
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
    return path


def refused(path: Path | str) -> str:
    with pytest.raises(BadFile) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 700 and str(path) in message
    return message


# ------------------------------------------------------------------ what is kept
def test_a_loaded_clip_is_the_saved_one(tmp_path: Path) -> None:
    rep = small()
    save(rep, tmp_path / "clip.invr")
    loaded = load(tmp_path / "clip.invr")
    query = Query(torch.tensor([0.0, 0.21, 0.5]))
    assert torch.equal(loaded(query), rep(query))
    assert (loaded.config, loaded.geometry, loaded.info) == (rep.config, rep.geometry, rep.info)
    assert loaded.geometry.times[2] == 1 / 3
    assert not loaded.network.training
    assert not any(parameter.requires_grad for parameter in loaded.network.parameters())


def test_the_same_clip_gives_the_same_bytes(tmp_path: Path) -> None:
    save(small(), tmp_path / "a.invr")
    save(small(), tmp_path / "b.invr")
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


def test_the_header_says_what_it_is(good: Path) -> None:
    header, tensors = parts_of(good)
    assert header["format"] == 1 and header["model"] == "hnerv"
    assert header["versions"]["torch"] == version("torch")
    assert header["geometry"] == {"times": [0.0, 0.1, 1 / 3], "span": [0.0, 0.5], "size": [9, 14]}
    assert header["config"]["strides"] == [2, 2]
    assert tensors["embeddings"].shape == (3, 4, 3, 4)


def test_many_instants_fit_in_a_header(tmp_path: Path) -> None:
    times = tuple(i / 29.97 for i in range(60_000))
    rep = small(Geometry(times, (times[0], times[-1]), (4, 4)))
    save(rep, tmp_path / "long.invr")
    assert load(tmp_path / "long.invr").geometry.times == times


def test_a_device_that_is_not_there_is_named(good: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="tpu"):
        load(good, "tpu")


# ------------------------------------------------------------------------- writing
def test_a_wrong_suffix_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(BadOutput, match=r"clip\.invr"):
        save(small(), tmp_path / "clip.pt")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_that_name_stays(tmp_path: Path) -> None:
    (tmp_path / "clip.invr").mkdir()
    with pytest.raises(BadOutput, match="not a file"):
        save(small(), tmp_path / "clip.invr")
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.invr"]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    with pytest.raises(BadOutput, match="cannot be written"):
        save(small(), tmp_path / "file" / "clip.invr")


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    save(small(), tmp_path / "new" / "clip.invr")
    assert load(tmp_path / "new" / "clip.invr").size == (9, 14)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    path = tmp_path / "clip.invr"
    save(small(), path)
    before = path.read_bytes()

    def fail(descriptor: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(BadOutput if isinstance(error, OSError) else KeyboardInterrupt):
        save(small(), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.invr"]


# -------------------------------------------------------------------- what is refused
def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "absent.invr")
    assert "folder" in refused(tmp_path)
    os.mkfifo(tmp_path / "pipe.invr")
    assert "regular" in refused(tmp_path / "pipe.invr")
    with pytest.raises(BadFile, match="cannot be read"):
        load(tmp_path / ("x" * 300 + ".invr"))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.invr"
    path.write_bytes(b"")
    assert "empty" in refused(path)
    for content in (b"abc", b"\x89PNG\r\n\x1a\n" + bytes(100), pickle.dumps({"a": 1}), b"{}" * 50, bytes(64)):
        path.write_bytes(content)
        refused(path)
    raw(path, b"not json at all!")
    refused(path)
    raw(path, b'{"__metadata__":{"format":"pt"}}')
    assert "no header of ours" in refused(path)


def test_a_header_that_is_far_too_long_is_not_even_read(good: Path, tmp_path: Path) -> None:
    content = good.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header, data = content[8:end], content[end:]
    assert load(raw(tmp_path / "padded.invr", header + b" " * 80_000, data)).size == (9, 14)
    refused(raw(tmp_path / "padded.invr", header.ljust(HEADER_LIMIT + 8), data))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"x"', "[" * 100_000, '{"a":' * 100_000, "9" * 10_000, "nul"])
def test_a_header_that_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.invr"
    path.write_bytes(serialise({"a": torch.zeros(1)}, {"invr": text}))
    refused(path)


def test_deep_json_within_the_header_is_refused(good: Path, tmp_path: Path) -> None:
    header, tensors = parts_of(good)
    for depth in (50, 300, 900, 985, 990):
        text = json.dumps({**header, "info": {"deep": "@"}}).replace('"@"', "[" * depth + "1" + "]" * depth)
        path = tmp_path / "deep.invr"
        path.write_bytes(serialise(tensors, {"invr": text}))
        refused(path)  # its checksum is of another text: never more than a BadFile


def test_a_newer_format_says_so(good: Path, tmp_path: Path) -> None:
    message = refused(raw_header(tmp_path, good, {"format": 2, "whatever": "comes"}))
    assert "newer invr" in message and "upgrade" in message


def raw_header(folder: Path, good: Path, header: Any) -> Path:
    path = folder / "forged.invr"
    path.write_bytes(serialise(parts_of(good)[1], {"invr": json.dumps(header)}))
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
def test_each_malformed_header_is_refused(good: Path, tmp_path: Path, reason: str) -> None:
    header, tensors = parts_of(good)
    HEADER_EDITS[reason](header)
    assert reason in refused(forge(tmp_path / "forged.invr", header, tensors))


TENSOR_EDITS: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "'embeddings' is missing": lambda t: t.pop("embeddings"),
    "'zzz' does not belong there": lambda t: t.update(zzz=torch.zeros(1)),
    "'embeddings' is F32 (3, 4, 12)": lambda t: t.update(embeddings=t["embeddings"].flatten(2)),
    "'embeddings' is F64": lambda t: t.update(embeddings=t["embeddings"].double()),
    "not finite": lambda t: t["embeddings"].fill_(float("nan")),
}


@pytest.mark.parametrize("reason", TENSOR_EDITS)
def test_each_malformed_tensor_is_refused(good: Path, tmp_path: Path, reason: str) -> None:
    header, tensors = parts_of(good)
    TENSOR_EDITS[reason](tensors)
    assert reason in refused(forge(tmp_path / "forged.invr", header, tensors))


def test_a_forged_file_that_is_sound_loads(good: Path, tmp_path: Path) -> None:
    header, tensors = parts_of(good)
    header["geometry"]["span"] = [0, 1]
    assert load(forge(tmp_path / "forged.invr", header, tensors)).span == (0.0, 1.0)


def test_a_changed_number_is_noticed(good: Path, tmp_path: Path) -> None:
    header, tensors = parts_of(good)
    tensors["embeddings"][0, 0, 0, 0] += 0.125
    path = tmp_path / "changed.invr"
    path.write_bytes(serialise(tensors, {"invr": json.dumps(header)}))
    assert "checksum" in refused(path)
    header, tensors = parts_of(good)
    header["info"]["seed"] = 4
    path.write_bytes(serialise(tensors, {"invr": json.dumps(header)}))
    assert "checksum" in refused(path)


def test_a_huge_claim_allocates_nothing(good: Path, tmp_path: Path) -> None:
    header, _ = parts_of(good)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for shape, end in (([10**9, 10**9], 4 * 10**18), ([10**9], 4 * 10**9), ([2**62, 4], 0), ([2**63], 0)):
        claim = {"x": {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}}
        text = json.dumps({"__metadata__": {"invr": json.dumps(header)}, **claim}).encode()
        refused(raw(tmp_path / "claim.invr", text, bytes(16)))
    for options in ({"width": 65536.0}, {"embedding": 65536, "width": 65536.0}):
        forged = {**header, "config": {**header["config"], **options}}
        refused(forge(tmp_path / "claim.invr", forged, parts_of(good)[1]))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100_000, f"{grown} KiB were allocated for claims of terabytes"


# --------------------------------------------------------------------------- fuzzing
def survives(path: Path) -> bool:
    """Whether a file loads; if it does, it answers; if not, it says so as it should."""
    try:
        rep = load(path)
    except BadFile as refusal:
        assert "\n" not in str(refusal)
        return False
    picture = rep(Query(torch.tensor([rep.span[0]])))
    assert tuple(picture.shape) == (1, 3, *rep.size) and bool(torch.isfinite(picture).all())
    return True


@settings(max_examples=250, deadline=None)
@given(flips=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(1, 255)), min_size=1, max_size=4))
def test_flipped_bits_are_noticed(good: Path, flips: list[tuple[int, int]]) -> None:
    content = bytearray(good.read_bytes())
    for place, mask in flips:
        content[place % len(content)] ^= mask
    path = good.with_name("flipped.invr")
    path.write_bytes(content)
    if bytes(content) != good.read_bytes() and survives(path):
        assert parts_of(path)[0] == parts_of(good)[0]  # only how the JSON is written may differ unnoticed


@settings(max_examples=100, deadline=None)
@given(length=st.integers(0, 1 << 20), tail=st.binary(max_size=16))
def test_truncated_files_are_noticed(good: Path, length: int, tail: bytes) -> None:
    content = good.read_bytes()
    cut = content[: length % len(content)] + tail
    path = good.with_name("cut.invr")
    path.write_bytes(cut)
    assert cut == content or not survives(path)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-3, 20) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_edited_headers_are_refused_or_work(good: Path, data: st.DataObject) -> None:
    header, tensors = parts_of(good)
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
    survives(forge(good.with_name("edited.invr"), header, tensors))
