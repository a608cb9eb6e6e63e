"""Strange clips, images, masks and folders: each is refused in one line or opens, and none takes what it claims.

The big run is on demand: ``python docs/benchmarks/fuzz.py --of media``.
"""

from __future__ import annotations

import os
import struct
import threading
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from strange import some
from strange_images import gif, png, tiff
from strange_media import Case, Place, cases, outcome, sound

from invr_core.errors import BadFile, NotEnoughMemory
from invr_core.io import bounds, open_video
from invr_core.io.declared import tiff_pages
from invr_core.io.graph import Chain
from invr_core.io.to_rgb import upright
from invr_core.video import Video


@some(150)
@given(case=cases)
def test_strange_media_are_refused_or_opened(tmp_path_factory: pytest.TempPathFactory, case: Case) -> None:
    outcome(Place(tmp_path_factory.getbasetemp()).put(case))


@pytest.mark.parametrize("name", sorted(sound()))
def test_the_sound_files_open(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(sound()[name])
    assert outcome(tmp_path / name) == "opened"


# ------------------------------------------------------------------- what was found
HUGE = {
    "eight.png": png(13_000, 13_000, 8, 0, bytes(1000)),
    "sixteen.png": png(30_000, 30_000, 16, 2, b""),
    "huge.tif": tiff(30_000, 30_000),
    "huge.gif": gif(16_000, 16_000),
    "huge.y4m": b"YUV4MPEG2 W16000 H16000 F25:1\nFRAME\n",
}


@pytest.mark.parametrize("name", HUGE)
def test_a_size_beyond_all_is_refused_before_it_is_decoded(
    tmp_path: Path, name: str, recwarn: pytest.WarningsRecorder
) -> None:
    (tmp_path / name).write_bytes(HUGE[name])
    with pytest.raises(BadFile, match=r"claims frames of .*x.*; at most 134,217,728 pixels"):
        open_video(tmp_path / name)
    assert not recwarn.list


def test_a_frame_that_does_not_fit_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "large.png").write_bytes(png(10_000, 10_000, 8, 0, bytes(1000)))
    monkeypatch.setattr(bounds, "available", lambda device: 1 << 30)
    with pytest.raises(NotEnoughMemory, match=r"10000x10000, takes about 3.0 GiB .* 5792x5792 would fit"):
        open_video(tmp_path / "large.png")


def test_a_file_that_is_larger_than_any_picture_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long.png"
    path.write_bytes(png(10, 10, 8, 2, bytes(310)))
    os.truncate(path, 64 << 20)
    assert open_video(path).size == (10, 10)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("it was read"))
    monkeypatch.setattr(bounds, "ASKED", 1 << 20)
    monkeypatch.setattr(bounds, "available", lambda device: 1 << 25)
    with pytest.raises(NotEnoughMemory, match=r"long.png has 0\.1 GiB and 0\.0 GiB are free"):
        open_video(path)
    os.truncate(path, bounds.MOST_BYTES + 1)
    with pytest.raises(BadFile, match=r"long.png has 1,073,741,825 bytes; an image of 134,217,728 pixels"):
        open_video(path)


def test_the_pages_of_a_tiff_are_counted_before_they_are_decoded(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    path.write_bytes(tiff(14, 10, 3))
    with pytest.raises(BadFile, match="holds several pictures"):
        open_video(path)
    path.write_bytes(tiff(14, 10, 0))
    with pytest.raises(BadFile, match="cannot be read as an image"):
        open_video(path)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_says_its_size_in_both_orders(order: str) -> None:
    ok, data = cv2.imencode(".tif", np.zeros((5, 7, 3), np.uint8))
    assert ok and tiff_pages(data.tobytes()) == [(5, 7)]
    tags = b"".join(struct.pack(f"{order}HHIHH", tag, 3, 1, side, 0) for tag, side in ((256, 7), (257, 5)))
    page = struct.pack(f"{order}H", 2) + tags + bytes(4)
    begin = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    assert tiff_pages(begin + page) == [(5, 7)]


@pytest.mark.parametrize("name", ["endless.png", "endless.mp4"])
def test_what_never_ends_is_not_begun(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(BadFile, match="not a plain file"):
        open_video(tmp_path / name)
    os.mkfifo(tmp_path / f"pipe-{name}")
    refused: list[Exception] = []

    def ask() -> None:
        try:
            open_video(tmp_path / f"pipe-{name}")
        except BadFile as refusal:
            refused.append(refusal)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(20)
    assert refused, "it waits for somebody to write"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.mkv\n#EXT-X-ENDLIST\n"),
        ("list.mp4", "ffconcat version 1.0\nfile secret.mkv\n"),
    ],
)
def test_a_list_of_other_files_is_no_clip(tmp_path: Path, name: str, text: str) -> None:
    Video.of(torch.rand(3, 3, 8, 8)).save(tmp_path / "secret.mkv")
    (tmp_path / name).write_text(text)
    with pytest.raises(BadFile, match="is a list of other files"):
        open_video(tmp_path / name)


class Stranger:
    """A frame with something beside it that PyAV does not know."""

    def __init__(self, rotation: int) -> None:
        self.rotation = rotation

    @property
    def side_data(self) -> dict[str, bytes]:
        raise ValueError("31 is not a valid Type")


@pytest.mark.parametrize("turn", [0, -90, 90, 180, -180, 45])
def test_what_pyav_does_not_know_beside_a_frame_hides_no_rotation(turn: int) -> None:
    filters = upright(Stranger(turn))  # type: ignore[arg-type]
    frame = av.VideoFrame.from_ndarray(np.arange(6, dtype=np.uint8).reshape(2, 3), "gray")
    chain = Chain(3, 2, "gray", [*filters, "format=gray"])
    quarters = turn // 90 if turn % 90 == 0 else 0
    assert np.array_equal(chain(frame).to_ndarray(), np.rot90(frame.to_ndarray(), quarters))
