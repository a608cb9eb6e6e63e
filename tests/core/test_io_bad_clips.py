"""Clips as they should not be: each is read as far as it goes, or refused in one line."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from sounding import sounding

from invr_core.errors import BadFile
from invr_core.io import open_video
from invr_core.video import Video


def stamped(path: Path, stamps: list[int]) -> Path:
    """FFV1 frames of growing brightness, at these milliseconds, whatever they are."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "bgr0"
        for i, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), 10 * i, np.uint8), "rgb24").reformat(format="bgr0")
            frame.pts, frame.time_base = i * 1000, Fraction(1, 1000)
            for packet in stream.encode(frame):
                packet.pts, packet.dts = stamp, i
                packet.time_base, packet.duration = Fraction(1, 1000), 40
                container.mux(packet)
    return path


@pytest.mark.parametrize(
    ("stamps", "mended", "times"),
    [
        ([0, 40, 40, 120, 160], 1, [0, 0.02, 0.04, 0.12, 0.16]),
        ([0, 40, 80, 80, 80], 2, [0, 0.04, 0.04 + 0.04 / 3, 0.04 + 0.08 / 3, 0.08]),
        ([0, 40, 20, 120, 160], 1, [0, 0.01, 0.02, 0.12, 0.16]),
    ],
    ids=["repeated", "stuck", "going back"],
)
def test_stamps_that_do_not_increase_are_mended_and_told(
    tmp_path: Path, stamps: list[int], mended: int, times: list[float]
) -> None:
    notes: list[str] = []
    video = open_video(stamped(tmp_path / "in.mkv", stamps), notes.append)
    assert notes == [f"in.mkv has {mended} frames without a usable timestamp; they were put between the others"]
    assert video.times.tolist() == pytest.approx(times, abs=1e-9)
    assert (video.frames()[:, 0, 0, 0] * 255).round().tolist() == [0, 10, 20, 30, 40]


def test_a_stream_without_a_frame_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "bgr0"
        container.start_encoding()
    with pytest.raises(BadFile, match=r"in.mkv is not a video that FFmpeg can read"):
        open_video(tmp_path / "in.mkv")


@pytest.mark.parametrize("size", [(16, 1), (1, 16), (1, 1)])
def test_a_clip_one_pixel_wide_goes_in_and_out(tmp_path: Path, size: tuple[int, int]) -> None:
    video = Video.of(torch.rand(3, 3, *size, generator=torch.Generator().manual_seed(0)).mul(255).round().div(255))
    for name, depth in (("a.mkv", 8), ("b.mkv", 10), ("c.mkv", 16), ("frames", 8)):
        replace(video, depth=depth).save(tmp_path / name)
        assert (open_video(tmp_path / name).frames() - video.frames()).abs().max() < (1e-6 if depth == 8 else 1e-3)
    video.save(tmp_path / "a.mp4")
    assert open_video(tmp_path / "a.mp4").size == tuple(side + side % 2 for side in size)


@pytest.mark.parametrize("codec", ["ffv1", "libx264"])
def test_a_frame_that_cannot_be_read_does_not_take_the_others_along(tmp_path: Path, codec: str) -> None:
    path = sounding(tmp_path / "in.mkv", codec=codec, pixels="yuv420p", sound=None)
    whole = open_video(path)
    with av.open(str(path)) as container:
        packet = [bytes(p) for p in container.demux(video=0)][5]
    data = path.read_bytes()
    path.write_bytes(data.replace(packet, packet[:8] + b"\xff" * (len(packet) - 8)))
    notes: list[str] = []
    video = open_video(path, notes.append)
    if codec == "ffv1":
        assert notes == [f"in.mkv is damaged: {len(video)} frames could be decoded, the rest is left out"]
        assert video.times.tolist() == [t for i, t in enumerate(whole.times.tolist()) if i != 5]
        assert torch.equal(video[:5].frames(), whole[:5].frames())
    else:
        assert 5 <= len(video) <= 10 and torch.equal(video[:3].frames(), whole[:3].frames())


def test_a_codec_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    path = sounding(tmp_path / "in.mp4", sound=None)
    path.write_bytes(path.read_bytes().replace(b"avc1\x00\x00", b"zzzz\x00\x00"))
    with pytest.raises(BadFile, match=r"coded in a way that this FFmpeg cannot decode; convert it first"):
        open_video(path)


def test_a_pixel_format_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "in.avi"), "w") as container:
        stream: Any = container.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        frame = av.VideoFrame(16, 16, "yuv420p")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(frame))
    path = tmp_path / "in.avi"
    assert open_video(path).size == (16, 16) and b"I420" in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(b"I420", b"ZZZZ"))
    with pytest.raises(BadFile, match=r"in.avi .*convert it"):
        open_video(path)


@pytest.mark.parametrize("pixels", ["gray", "gray10le", "nv12", "yuv410p", "monob", "rgb565le", "uyvy422", "xyz12le"])
def test_rare_pixel_formats_are_read(tmp_path: Path, pixels: str) -> None:
    with av.open(str(tmp_path / "in.nut"), "w") as container:
        stream: Any = container.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, pixels
        frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), 255, np.uint8), "rgb24").reformat(format=pixels)
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    video = open_video(tmp_path / "in.nut")
    assert video.size == (16, 16) and video.frames().min() > 0.95
