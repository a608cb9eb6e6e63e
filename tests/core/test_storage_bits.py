"""The .invr file of fewer than 32 bits: small, hardly off, and never more than its header promises."""

from __future__ import annotations

import lzma
import math
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor

from invr_core import quantise as quantising
from invr_core.errors import BadFile, BadInput, BadOutput
from invr_core.fitted import Fitted
from invr_core.fitting import FitConfig, fit
from invr_core.models.cwrnn import CWRNN
from invr_core.observation import Observation
from invr_core.quantise import channels_of, pack, quantise, unpack
from invr_core.query import Query
from invr_core.storage import load, save
from invr_core.testing import MovingDisc
from invr_core.video import Video

BITS = st.integers(quantising.LEAST_BITS, quantising.MOST_BITS)
FINITE = st.floats(-(2.0**100), 2.0**100, width=32)


@pytest.fixture(scope="session")
def good8(forger: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bits") / "good8.invr"
    save(forger.small(), path, 8)
    return path


@pytest.fixture(scope="session")
def clip() -> Video:
    times = torch.linspace(0, 1, 8, dtype=torch.float64)
    return Video.of((MovingDisc((32, 48))(Query(times)) * 255).round().to(torch.uint8), times)


@pytest.fixture(scope="session")
def fitted(clip: Video) -> Fitted:
    return fit(Observation(clip), CWRNN(params=40_000), FitConfig(steps=40, device="cpu"))


def psnr(rep: Fitted, clip: Video) -> float:
    shown = (rep(Query(clip.times)) * 255).round() / 255
    return -10 * math.log10(float((shown - clip.frames()).square().mean()))


def numbers(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# -------------------------------------------------------------------- how far it is off
@settings(max_examples=200, deadline=None)
@given(values=arrays.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 30)), elements=FINITE), bits=BITS)
def test_each_number_is_at_most_half_a_step_off(values: np.ndarray[Any, Any], bits: int) -> None:
    exact = values.astype(np.float64)
    found = quantise(exact, bits)
    even = np.ptp(exact, axis=1, keepdims=True) / (2**bits - 1)
    assert bool((np.abs(found.values() - exact) <= found.step / 2 * (1 + 1e-6)).all())
    assert bool((found.step <= even * (1 + 2**-22) + 2e-45).all())
    assert int(found.codes.max()) <= 2**bits - 1


@pytest.mark.parametrize("bits", [4, 7, 8, 9, 12, 16])
@pytest.mark.parametrize("shape", [(5, 3, 3, 3), (4, 3, 9, 11), (6, 7), (2, 2, 8, 8), (3, 1, 3, 3)])
def test_each_channel_has_steps_of_its_own(shape: tuple[int, ...], bits: int) -> None:
    """A channel of thousandths beside one of thousands keeps its detail."""
    per_channel = channels_of(shape)
    size = torch.logspace(-3, 3, per_channel).view(-1, 1)
    value = (numbers(shape).reshape(per_channel, -1) * size).reshape(shape)
    found = unpack(pack({"x": value}, bits), {"x": value.to("meta")}, bits)["x"]
    gap, flat = (found - value).reshape(per_channel, -1).abs(), value.reshape(per_channel, -1)
    step = (flat.amax(1) - flat.amin(1)) / (2**bits - 1)
    assert bool((gap.amax(1) <= 0.51 * step + flat.abs().amax(1) * 2e-7).all())
    assert bits == 16 or float((gap.amax(1) / step).max()) > 0.2
    assert found.dtype == value.dtype and found.shape == value.shape


def test_channels_are_output_channels_of_weights_and_nodes_times_channels_of_grids() -> None:
    assert channels_of((24, 16, 3, 3)) == 24
    assert channels_of((24, 16, 7, 7)) == 24
    assert channels_of((24, 16)) == 24
    assert channels_of((9, 4, 8, 8)) == 36
    assert channels_of((9, 4, 7, 8)) == 9
    assert (channels_of((24,)), channels_of(()), channels_of((0, 3)), channels_of((3, 0))) == (0, 0, 0, 0)


def test_vectors_whole_numbers_and_constant_channels_stay_exact() -> None:
    tensors = {
        "bias": numbers((17,)),
        "count": torch.arange(6).reshape(2, 3),
        "scalar": torch.tensor(1 / 3),
        "flag": torch.tensor([True, False]),
        "empty": torch.zeros(0, 3),
        "flat": torch.tensor([[1 / 3], [-0.7], [0.0]]).expand(3, 50).contiguous(),
        "double": torch.tensor([1e-300, math.pi], dtype=torch.float64),
    }
    found = unpack(pack(tensors, 4), {name: value.to("meta") for name, value in tensors.items()}, 4)
    assert found.keys() == tensors.keys()
    for name, value in tensors.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value), name


@pytest.mark.parametrize(("bits", "loss"), [(16, 0.001), (12, 0.005), (8, 0.1)])
def test_what_is_fitted_loses_hardly_anything(
    fitted: Fitted, clip: Video, tmp_path: Path, bits: int, loss: float
) -> None:
    fitted.save(tmp_path / "clip.invr", bits)
    loaded, best = load(tmp_path / "clip.invr"), psnr(fitted, clip)
    assert best > 26
    assert abs(psnr(loaded, clip) - best) <= loss
    assert (loaded.config, loaded.geometry, loaded.info) == (fitted.config, fitted.geometry, fitted.info)


def test_fewer_bits_make_a_smaller_file_and_a_larger_loss(fitted: Fitted, clip: Video, tmp_path: Path) -> None:
    sizes, scores = {}, {}
    for bits in (32, 16, 8, 6, 4):
        path = tmp_path / f"{bits}.invr"
        fitted.save(path, bits)
        sizes[bits], scores[bits] = path.stat().st_size, psnr(load(path), clip)
    assert sizes[32] > 1.5 * sizes[16] and sizes[16] > 1.5 * sizes[8] > 1.5 * sizes[6] > 1.5 * sizes[4] / 1.5
    assert sizes[8] < sizes[32] / 3.2
    assert scores[4] < scores[8] - 0.2


# --------------------------------------------------------------------------- the file
def test_the_same_clip_gives_the_same_bytes(forger: Any, good8: Path, tmp_path: Path) -> None:
    save(forger.small(), tmp_path / "again.invr", 8)
    assert (tmp_path / "again.invr").read_bytes() == good8.read_bytes()


def test_a_file_says_its_bits_and_one_of_32_is_as_it_always_was(forger: Any, good: Path, good8: Path) -> None:
    header, tensors = forger.parts_of(good8)
    assert (header["format"], header["bits"]) == (2, 8)
    assert [(name, value.dtype, value.ndim) for name, value in tensors.items()] == [("packed", torch.uint8, 1)]
    header, _ = forger.parts_of(good)
    assert header["format"] == 1 and "bits" not in header


def test_what_was_loaded_can_be_saved_exactly(good8: Path, tmp_path: Path) -> None:
    loaded = load(good8)
    loaded.save(tmp_path / "exact.invr")
    query = Query(torch.tensor([0.0, 0.21]))
    assert torch.equal(load(tmp_path / "exact.invr")(query), loaded(query))


@pytest.mark.parametrize("bits", [0, 3, 17, 31, 33, -8, True, 8.0, "8"])
def test_other_bits_are_refused_before_anything_is_written(forger: Any, tmp_path: Path, bits: Any) -> None:
    with pytest.raises(BadInput, match="4 to 16"):
        save(forger.small(), tmp_path / "clip.invr", bits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bits", [32, 8])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_not_saved(forger: Any, tmp_path: Path, bits: int, value: float) -> None:
    rep = forger.small()
    rep.network.state_dict()["embeddings"][0, 0, 0, 0] = value
    with pytest.raises(BadOutput, match="not finite"):
        save(rep, tmp_path / "clip.invr", bits)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_would_not_be_believed_is_not_saved(forger: Any, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantising, "FREE", 100)
        rep = forger.small()
        save(rep, tmp_path / "clip.invr", 8)
        assert load(tmp_path / "clip.invr").size == rep.size
        for value in rep.network.state_dict().values():
            value.zero_()
        patch.setattr(quantising, "RATIO", 2)
        with pytest.raises(BadOutput, match="bits=32"):
            save(rep, tmp_path / "flat.invr", 8)


# ------------------------------------------------------------------------ what is refused
Header, Tensors = dict[str, Any], dict[str, Tensor]
EDITS: dict[str, Callable[[Header, Tensors], Any]] = {
    "bits should be int, not 8.0": lambda h, t: h.update(bits=8.0),
    "bits should be int, not true": lambda h, t: h.update(bits=True),
    "out of range: 3, not 4 to 16": lambda h, t: h.update(bits=3),
    "out of range: 32, not 4 to 16": lambda h, t: h.update(bits=32),
    "out of range: of more than 20 digits, not": lambda h, t: h.update(bits=10**4000 - 1),
    "lacks 'bits'": lambda h, t: h.pop("bits"),
    "unknown entry 'bits'": lambda h, t: h.update(format=1),
    "more or less than": lambda h, t: h.update(bits=9),
    "one tensor, 'packed', and nothing else; it has 0": lambda h, t: t.clear(),
    "one tensor, 'packed', and nothing else; it has 2": lambda h, t: t.update(zzz=torch.zeros(1)),
    "one tensor, 'packed', and nothing else; it has 1": lambda h, t: t.update(other=t.pop("packed")),
    "'packed' is F32 (4,)": lambda h, t: t.update(packed=torch.zeros(4)),
    "'packed' is U8 (2, 2)": lambda h, t: t.update(packed=torch.zeros(2, 2, dtype=torch.uint8)),
    "to more or less": lambda h, t: t.update(packed=t["packed"][:0]),
    "unpacks to more or less": lambda h, t: t.update(packed=t["packed"][:-1].clone()),
    "or less than its config": lambda h, t: t.update(packed=t["packed"].repeat(2)),
    "cannot be unpacked": lambda h, t: t["packed"][:1].fill_(0x7F),
    "not finite": lambda h, t: t.update(packed=packed(lambda plain: b"\xff" * len(plain), t["packed"])),
    "unpacks to more": lambda h, t: t.update(packed=packed(lambda plain: plain + b"\0", t["packed"])),
    "less than its config asks for": lambda h, t: t.update(packed=packed(lambda plain: plain[:-1], t["packed"])),
    "cannot hold the": lambda h, t: h["config"].update(width=65536.0),
}


def packed(edit: Callable[[bytes], bytes], payload: Tensor) -> Tensor:
    """A payload whose contents are edited, well packed again."""
    filters = quantising._FILTERS
    plain = edit(lzma.decompress(payload.numpy().tobytes(), lzma.FORMAT_RAW, filters=filters))
    return torch.frombuffer(bytearray(lzma.compress(plain, lzma.FORMAT_RAW, filters=filters)), dtype=torch.uint8)


@pytest.mark.parametrize("reason", EDITS)
def test_each_malformed_file_is_refused(forger: Any, good8: Path, tmp_path: Path, reason: str) -> None:
    header, tensors = forger.parts_of(good8)
    EDITS[reason](header, tensors)
    assert reason in forger.refused(forger.forge(tmp_path / "forged.invr", header, tensors))


def test_a_forged_file_that_is_sound_loads(forger: Any, good8: Path, tmp_path: Path) -> None:
    header, tensors = forger.parts_of(good8)
    tensors["packed"] = packed(lambda plain: plain[:-1] + bytes([plain[-1] ^ 1]), tensors["packed"])
    assert forger.survives(forger.forge(tmp_path / "forged.invr", header, tensors))


@pytest.fixture(scope="session")
def bomb() -> Tensor:
    """64 MiB in a few KiB."""
    payload = packed(lambda plain: bytes(64 << 20), pack({"x": numbers((10, 100))}, 8))
    assert len(payload) < 20_000
    return payload


def test_a_bomb_unpacks_no_further_than_it_was_asked_to(bomb: Tensor) -> None:
    expected = {"x": torch.zeros(10, 100, device="meta")}
    tracemalloc.start()
    with pytest.raises(BadFile, match="more or less"):
        unpack(bomb, expected, 8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20, f"{peak:,} bytes"


def test_a_promise_beyond_all_proportion_is_not_even_tried(bomb: Tensor) -> None:
    tracemalloc.start()
    with pytest.raises(BadFile, match="cannot hold the 67,108,8"):
        unpack(bomb, {"x": torch.zeros(1, 64 << 20, device="meta")}, 8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20, f"{peak:,} bytes"


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_payload_is_refused_or_works(forger: Any, good8: Path, data: st.DataObject) -> None:
    header, tensors = forger.parts_of(good8)
    payload = bytearray(tensors["packed"].numpy().tobytes())
    for place, mask in data.draw(st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(1, 255)), max_size=4)):
        payload[place % len(payload)] ^= mask
    payload = payload[: data.draw(st.integers(len(payload) // 2, len(payload)))] + data.draw(st.binary(max_size=8))
    header["bits"] = data.draw(st.just(8) | BITS)
    tensors["packed"] = torch.frombuffer(payload, dtype=torch.uint8)
    forger.survives(forger.forge(good8.with_name("payload.invr"), header, tensors))


@settings(max_examples=150, deadline=None)
@given(plain=st.binary(max_size=999), bits=BITS)
def test_any_contents_give_numbers_or_are_refused(plain: bytes, bits: int) -> None:
    like = {"w": torch.zeros(3, 5, device="meta"), "b": torch.zeros(2, device="meta")}
    size = quantising._Layout(like, bits).size
    for contents in (plain, (plain * size)[:size].ljust(size, b"\1")):
        packed_again = bytearray(lzma.compress(contents, lzma.FORMAT_RAW, filters=quantising._FILTERS))
        payload = torch.frombuffer(packed_again, dtype=torch.uint8)
        try:
            found = unpack(payload, like, bits)
        except BadFile:
            assert len(contents) != size
        else:
            assert len(contents) == size
            assert {name: tuple(value.shape) for name, value in found.items()} == {"w": (3, 5), "b": (2,)}


@settings(max_examples=100, deadline=None)
@given(place=st.integers(0, 1 << 20), mask=st.integers(1, 255))
def test_flipped_bits_are_noticed(forger: Any, good8: Path, place: int, mask: int) -> None:
    content = bytearray(good8.read_bytes())
    content[place % len(content)] ^= mask
    path = good8.with_name("flipped.invr")
    path.write_bytes(content)
    if forger.survives(path):
        assert forger.parts_of(path)[0] == forger.parts_of(good8)[0]
