"""What a fit takes is told before it begins, and what would fit is true."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import torch

from invr_core import memory
from invr_core.errors import NotEnoughMemory
from invr_core.memory import (
    BYTES_PER_PIXEL,
    available,
    estimate,
    frames_a_step,
    require_carried,
    require_memory,
    require_picture,
)
from invr_core.models.base import Geometry, ModelConfig
from invr_core.models.cwrnn import CWRNN
from invr_core.models.hnerv import HNeRV

CPU = torch.device("cpu")
MEMINFO = "MemTotal:       16000 kB\nMemFree:        1000 kB\nMemAvailable:    9000 kB\n"


def clip(size: tuple[int, int], frames: int = 16) -> Geometry:
    times = tuple(i / 25 for i in range(frames))
    return Geometry(times, (times[0], times[-1]), size)


def files(monkeypatch: pytest.MonkeyPatch, **texts: str) -> None:
    """The files that tell of memory, by their paths or their mere names, hold this and nothing else."""

    def read_text(path: Path, *args: object, **kwargs: object) -> str:
        for name in (path.as_posix(), path.name):
            if name in texts:
                return texts[name]
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", read_text)


def test_the_least_of_what_machine_and_container_leave_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    group = {"memory.current": "1000\n"}
    files(monkeypatch, meminfo=MEMINFO)
    assert available(CPU) == 9000 * 1024
    files(monkeypatch, meminfo=MEMINFO, **group, **{"memory.max": "max\n"})
    assert available(CPU) == 9000 * 1024
    files(monkeypatch, meminfo=MEMINFO, **group, **{"memory.max": "501000\n"})
    assert available(CPU) == 500_000
    stat = "anon 900\nactive_file 30\ninactive_file 40\n"  # what was read of files is there to be had
    files(monkeypatch, meminfo=MEMINFO, **group, **{"memory.max": "501000\n", "memory.stat": stat})
    assert available(CPU) == 500_070


UNIFIED, LEGACY = "/sys/fs/cgroup", "/sys/fs/cgroup/memory"
JOB = "system.slice/slurmstepd.scope/job_7"
UNLIMITED = "9223372036854771712\n"


@pytest.mark.parametrize("tight", [JOB, "system.slice/slurmstepd.scope", "system.slice", ""], ids=repr)
def test_a_job_is_left_the_least_of_what_its_groups_are(monkeypatch: pytest.MonkeyPatch, tight: str) -> None:
    texts = {"/proc/self/cgroup": f"1:name=systemd:/elsewhere\n0::/{JOB}\n"}
    for group in (JOB, "system.slice/slurmstepd.scope", "system.slice", ""):
        folder = f"{UNIFIED}/{group}".rstrip("/")
        texts[f"{folder}/memory.max"] = "3000500\n" if group == tight else "6000000\n"
        texts[f"{folder}/memory.current"] = "1000500\n"
        texts[f"{folder}/memory.stat"] = "active_file 30\ninactive_file 40\n"
    files(monkeypatch, meminfo=MEMINFO, **texts)
    assert available(CPU) == 2_000_070


@pytest.mark.parametrize("seen", [f"{LEGACY}/{JOB}", LEGACY], ids=["on the machine", "from within the container"])
def test_groups_of_the_first_version_are_asked_alike(monkeypatch: pytest.MonkeyPatch, seen: str) -> None:
    texts = {
        "/proc/self/cgroup": f"5:cpu,cpuacct:/\n4:hugetlb,memory:/{JOB}\n0::/\n",
        f"{LEGACY}/memory.limit_in_bytes": UNLIMITED,
        f"{LEGACY}/memory.usage_in_bytes": "5\n",
        f"{seen}/memory.limit_in_bytes": "501000\n",
        f"{seen}/memory.usage_in_bytes": "1000\n",
        f"{seen}/memory.stat": "active_file 1\ninactive_file 2\ntotal_active_file 30\ntotal_inactive_file 40\n",
    }
    files(monkeypatch, meminfo=MEMINFO, **texts)
    assert available(CPU) == 500_070
    files(monkeypatch, meminfo=MEMINFO, **texts | {f"{seen}/memory.limit_in_bytes": UNLIMITED})
    assert available(CPU) == 9000 * 1024


def test_without_such_files_it_is_what_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    files(monkeypatch)
    assert available(CPU) == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_an_unreadable_machine_says_nothing_and_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda device: None)
    require_memory(CWRNN().solve(clip((16, 24))), clip((16, 24)), 4, CPU)


def test_this_machine_has_some() -> None:
    free = available(CPU)
    assert free is not None and 0 < free < 1 << 50


@pytest.mark.parametrize("model", [CWRNN(params=200_000), HNeRV(params=200_000)], ids=["cwrnn", "hnerv"])
def test_the_estimate_grows_with_parameters_pixels_and_batch(model: ModelConfig) -> None:
    geometry, larger = clip((160, 320)), clip((320, 640))
    solved = model.solve(geometry)
    needed = estimate(solved, geometry, 2)
    assert needed == solved.build(geometry).counted() * 24 + 2 * 160 * 320 * BYTES_PER_PIXEL
    assert estimate(solved, geometry, 4) - needed == 2 * 160 * 320 * BYTES_PER_PIXEL
    assert estimate(model.solve(larger), larger, 2) > 3 * needed


def refusal(monkeypatch: pytest.MonkeyPatch, free: int, size: tuple[int, int], params: int, batch: int = 4) -> str:
    monkeypatch.setattr(memory, "available", lambda device: free)
    geometry = clip(size, 64)
    with pytest.raises(NotEnoughMemory) as caught:
        require_memory(CWRNN(params=params).solve(geometry), geometry, batch, CPU)
    return str(caught.value)


@pytest.mark.parametrize(
    ("free", "size", "params"),
    [(200 << 20, (320, 640), 400_000), (80 << 20, (160, 320), 400_000), (60 << 20, (160, 320), 1_000_000)],
)
def test_the_size_that_is_said_to_fit_does(
    monkeypatch: pytest.MonkeyPatch, free: int, size: tuple[int, int], params: int
) -> None:
    message = refusal(monkeypatch, free, size, params)
    needed = estimate(CWRNN(params=params).solve(clip(size, 64)), clip(size, 64), 4) / 2**30
    assert f"{size[1]}x{size[0]} takes about {needed:.1f} GiB and {free / 2**30:.1f} GiB are free on cpu" in message
    found = re.search(r"a clip of (\d+)x(\d+) would fit", message)
    assert found is not None, message
    width, height = int(found[1]), int(found[2])
    assert params * 24 + 4 * height * width * BYTES_PER_PIXEL <= free
    assert height * width * 4 * BYTES_PER_PIXEL > 0.5 * (free - params * 24)  # and not needlessly small
    assert width / height == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("free", [700 << 20, 2 << 30, 3500 << 20])
def test_what_is_said_to_fit_does_with_as_many_frames_a_step_as_it_then_has(
    monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    whole = (2160, 3840)
    message = refusal(monkeypatch, free, whole, 400_000, frames_a_step(CWRNN(), whole, 64))
    found = re.search(r"a clip of (\d+)x(\d+) would fit", message)
    assert found is not None, message
    size = int(found[2]), int(found[1])
    model, geometry = CWRNN(params=400_000), clip(size, 64)
    require_memory(model.solve(geometry), geometry, frames_a_step(model, size, 64), CPU)


@pytest.mark.parametrize(
    ("size", "frames", "model", "found"),
    [
        ((288, 352), 64, CWRNN(), 4),
        ((288, 352), 3, CWRNN(), 3),
        ((360, 640), 64, CWRNN(), 2),
        ((720, 1280), 64, CWRNN(), 1),
        ((1080, 1920), 64, CWRNN(), 1),
        ((2160, 3840), 64, CWRNN(), 1),
        ((360, 640), 64, HNeRV(), 2),
        ((1080, 1920), 64, HNeRV(), 1),
    ],
)
def test_a_step_looks_at_few_large_frames(size: tuple[int, int], frames: int, model: ModelConfig, found: int) -> None:
    assert frames_a_step(model, size, frames) == found


def test_no_size_is_offered_where_the_parameters_alone_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal(monkeypatch, 10 << 20, (160, 320), 1_000_000)
    assert "would fit" not in message and "fewer parameters" in message
    geometry = clip((160, 320), 64)
    counted = CWRNN(params=1_000_000).solve(geometry).build(geometry).counted()
    assert f"its {counted:,} parameters alone" in message


def test_what_fits_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    geometry = clip((16, 24))
    model = CWRNN().solve(geometry)
    monkeypatch.setattr(memory, "available", lambda device: estimate(model, geometry, 4))
    require_memory(model, geometry, 4, CPU)


def test_the_estimate_allocates_nothing() -> None:
    geometry = clip((4000, 8000), 300)
    assert estimate(CWRNN(params=20_000_000_000).solve(geometry), geometry, 4) > 400 << 30


# ------------------------------------------------------------------- pictures, and what is carried
NATIVE, SHOWN = (1080, 1920), (4320, 7680)


def unasked(device: torch.device) -> int:
    raise AssertionError("it was asked what is free")


@pytest.mark.parametrize("free", [900 << 20, 1200 << 20, 1500 << 20])
def test_the_picture_that_is_said_to_fit_does(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(memory, "available", lambda device: free)
    with pytest.raises(NotEnoughMemory, match=r"a frame of 7680x4320 takes about 2.3 GiB, ") as caught:
        require_picture(NATIVE, SHOWN, CPU)
    assert f"{free / 2**30:.1f} GiB are free" in str(caught.value)
    found = re.search(r"(\d+)x(\d+) would fit", str(caught.value))
    assert found is not None
    width, height = int(found[1]), int(found[2])
    assert width / height == pytest.approx(16 / 9, rel=0.01)
    monkeypatch.setattr(memory, "ASKED", 0)
    require_picture(NATIVE, (height, width), CPU)
    with pytest.raises(NotEnoughMemory):
        require_picture(NATIVE, (height + 2, width + 2), CPU)


def test_where_the_fitted_clip_alone_is_too_much_no_picture_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda device: 700 << 20)
    with pytest.raises(NotEnoughMemory, match="none of this clip would fit"):
        require_picture(NATIVE, SHOWN, CPU)


def test_as_many_frames_as_are_said_to_fit_are_carried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda device: 2 << 30)
    with pytest.raises(
        NotEnoughMemory, match=r"30 frames of 1920x1080 together takes about 5.8 GiB and 2.0 GiB are free on cpu;"
    ) as caught:
        require_carried(30, NATIVE, 3, CPU)
    found = re.search(r"; (\d+) would fit", str(caught.value))
    assert found is not None
    require_carried(int(found[1]), NATIVE, 3, CPU)
    with pytest.raises(NotEnoughMemory):
        require_carried(int(found[1]) + 1, NATIVE, 3, CPU)
    require_carried(int(found[1]) + 1, NATIVE, 1, CPU)  # one channel takes less than three


def test_what_needs_little_does_not_ask_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading it takes longer than many a small picture."""
    monkeypatch.setattr(memory, "available", unasked)
    require_picture((1080, 1920), (1080, 1920), CPU)
    require_carried(4, (1080, 1920), 3, CPU)
    for ask in (lambda: require_picture(NATIVE, SHOWN, CPU), lambda: require_carried(30, NATIVE, 3, CPU)):
        with pytest.raises(AssertionError, match="asked"):
            ask()


def test_where_it_cannot_be_told_what_is_free_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda device: None)
    require_picture(NATIVE, SHOWN, CPU)
    require_carried(1000, NATIVE, 3, CPU)
