"""The device of a name."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace

import pytest
import torch

from invr_core.device import fast_bfloat16, flushed_denormals, keep_freed_memory, resolve
from invr_core.errors import DeviceUnavailable
from invr_core.fitting import FitConfig, fit
from invr_core.models.cwrnn import CWRNN
from invr_core.observation import Observation
from invr_core.query import Query
from invr_core.video import Video


def cuda(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


@pytest.mark.parametrize("count", [0, 2])
def test_auto_is_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    cuda(monkeypatch, count)
    assert resolve("auto") == torch.device("cuda" if count else "cpu")
    assert resolve("cpu") == torch.device("cpu")


def test_cuda_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda(monkeypatch, 2)
    assert resolve("cuda") == torch.device("cuda")
    assert resolve("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(DeviceUnavailable, match="cuda:2 was asked for, but there are 2 CUDA devices"):
        resolve("cuda:2")


@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_cuda_asked_for_and_absent_says_what_to_do(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    cuda(monkeypatch, 0)
    with pytest.raises(DeviceUnavailable, match=f"{name} was asked for, .* use --device cpu or auto"):
        resolve(name)


@pytest.mark.parametrize("name", ["", "CPU", "tpu", "mps", "cuda:", "cuda:-1", "cuda:x", "cuda:²", "cuda:٣", "cpu:0"])
@pytest.mark.parametrize("count", [0, 9])
def test_other_names_are_unknown(monkeypatch: pytest.MonkeyPatch, name: str, count: int) -> None:
    cuda(monkeypatch, count)
    with pytest.raises(DeviceUnavailable, match=r"unknown device .*; use auto, cpu, cuda or cuda:N"):
        resolve(name)


TRIM, MAPPING = -1, -3
"""As malloc.h of glibc numbers them."""


@pytest.mark.parametrize(
    ("most", "granted"),
    [
        (1 << 40, [(MAPPING, 1 << 30), (TRIM, 1 << 30)]),
        (32 << 20, [(MAPPING, 32 << 20), (TRIM, 1 << 30)]),  # an older glibc
        (0, []),
    ],
)
def test_the_allocator_is_asked_once_to_keep_a_gibibyte_or_what_it_grants(
    monkeypatch: pytest.MonkeyPatch, most: int, granted: list[tuple[int, int]]
) -> None:
    done: list[tuple[int, int]] = []

    def mallopt(name: int, value: int) -> int:
        if name == MAPPING and value > most:
            return 0
        done.append((name, value))
        return 1

    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=mallopt))
    monkeypatch.setattr(sys, "platform", "linux")
    keep_freed_memory.cache_clear()
    keep_freed_memory()
    keep_freed_memory()
    assert done == granted


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace())
    keep_freed_memory.cache_clear()
    keep_freed_memory()


def test_what_a_gpu_only_emulates_is_not_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    assert not fast_bfloat16(torch.device("cuda"))


def smallest() -> float:
    """A denormal number, or 0 where they are flushed."""
    return sys.float_info.min / 2


def test_denormals_are_flushed_for_a_while_only() -> None:
    assert smallest() > 0
    with pytest.raises(KeyError), flushed_denormals():
        assert smallest() == 0
        with flushed_denormals():
            assert smallest() == 0
        assert smallest() == 0
        raise KeyError
    assert smallest() > 0


def test_fitting_and_asking_leave_the_arithmetic_of_the_process_alone() -> None:
    seen: list[float] = []
    video = Video.of(torch.rand(3, 3, 16, 24))
    rep = fit(Observation(video), CWRNN(), FitConfig(steps=1, device="cpu"), on_step=lambda p: seen.append(smallest()))
    assert seen == [0.0] and smallest() > 0
    rep(Query(video.times))
    rep.motion(video.times[:1], video.times[1:2])
    assert smallest() > 0
