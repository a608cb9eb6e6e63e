"""Decoded frames stay in memory up to a cap, and go to a file beyond it; both read alike."""

from __future__ import annotations

import shutil
import tempfile
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch

from invr_core.errors import NotEnoughMemory
from invr_core.io.scratch import OVERHEAD, RESERVE, Scratch

FRAMES = np.random.default_rng(0).integers(0, 65536, (6, 5, 7, 3), dtype=np.uint16)


def filled(cap: int, frames: np.ndarray = FRAMES) -> Scratch:
    scratch = Scratch("clip.mp4", len(frames), cap)
    for frame in frames:
        scratch.append(frame)
    scratch.seal()
    return scratch


@pytest.mark.parametrize("kept", [0, 1, 3, 5, 6])
@pytest.mark.parametrize("frames", [FRAMES, (FRAMES >> 8).astype(np.uint8)], ids=["16", "8"])
def test_frames_read_the_same_wherever_they_are(frames: np.ndarray, kept: int) -> None:
    scratch = filled(kept * (frames[0].nbytes + OVERHEAD), frames)
    expected = torch.from_numpy(frames.astype(np.float32) / np.iinfo(frames.dtype).max).permute(0, 3, 1, 2)
    assert len(scratch) == 6
    assert torch.equal(scratch.read(range(6)), expected)
    assert torch.equal(scratch.read([5, 0, 5]), expected[[5, 0, 5]])


def test_the_file_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    scratch = filled(0)
    assert list(tmp_path.iterdir()) == []
    assert scratch.read([2]).shape == (1, 3, 5, 7)


def test_a_full_disk_is_told_before_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12, 1000))
    with pytest.raises(NotEnoughMemory, match=r"clip\.mp4 .*to spare; free some, set TMPDIR"):
        filled(0)
    assert len(filled(10**6)) == 6
    held = 6 * (FRAMES[0].nbytes + OVERHEAD)  # a frame in memory is more than its samples
    assert len(filled(held)) == 6
    with pytest.raises(NotEnoughMemory):
        filled(held - 1)


def test_how_much_is_needed_and_how_much_is_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    usage, many = namedtuple("usage", "total used free"), 6 * 2**30 // FRAMES[0].nbytes
    for free, spare in ((RESERVE + 3 * 2**29, "1.5"), (RESERVE // 2, "0.0")):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: usage(10**12, 10**12, free))
        with pytest.raises(NotEnoughMemory, match=rf"take 6\.0 GiB or more, and .* has {spare} GiB to spare"):
            Scratch("clip.mp4", many, 0).append(FRAMES[0])
