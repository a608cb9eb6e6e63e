"""Clips as they should not be: each is read as far as it goes, or refused in one line."""

from __future__ import annotations

import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from av.codec.codec import UnknownCodecError
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


def clip(path: Path, codec: str, frames: int = 25, **options: str) -> Path:
    """A pattern of 96x64 that moves."""
    if codec == "libx265":
        options["x265-params"] = ":".join(["log-level=none", *filter(None, [options.get("x265-params")])])
    try:
        pattern = np.random.default_rng(0).integers(0, 255, (64, 96 + frames, 3), dtype=np.uint8)
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream(codec, rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for i in range(frames):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pattern[:, i : i + 96]), "rgb24")
                frame.pts, frame.time_base = i, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except UnknownCodecError:
        pytest.skip(f"this PyAV has no {codec}")
    return path


def spoiled(path: Path, number: int, begin: int = 8, end: int | None = None) -> None:
    """Overwrite some bytes of a packet."""
    with av.open(str(path)) as container:
        packet = [p for p in container.demux(video=0) if p.size][number]
        assert packet.pos is not None
        data = bytearray(path.read_bytes())
        start = data.index(bytes(packet), packet.pos)
        bad = slice(start + begin, start + (packet.size if end is None else end))
    data[bad] = b"\xff" * len(data[bad])
    path.write_bytes(data)


RAISING = ["ffv1", "libx264", "libvpx-vp9", "mjpeg"]
SILENT = ["libx265", "mpeg2video"]


@pytest.mark.parametrize("number", [5, 20])
@pytest.mark.parametrize("codec", RAISING + SILENT)
def test_a_frame_that_cannot_be_read_does_not_take_the_others_along(tmp_path: Path, codec: str, number: int) -> None:
    path = clip(tmp_path / "in.mkv", codec)
    whole = open_video(path, pytest.fail)
    spoiled(path, number)
    notes: list[str] = []
    video = open_video(path, notes.append)
    assert number <= len(video) < len(whole) == 25
    reaches = video.times[-1] == whole.times[-1]
    left = "the others are left out" if reaches else "the rest is left out"
    assert notes == [f"in.mkv is damaged: {len(video)} frames could be decoded, {left}"]
    assert reaches or codec == "libx265"  # from there on it waits for a key frame
    assert set(video.times.tolist()) < set(whole.times.tolist())
    assert torch.equal(video[:3].frames(), whole[:3].frames())
    if codec == "mjpeg":  # each of its frames stands alone
        kept = [i for i in range(25) if i != number]
        assert torch.equal(video.frames(), whole.read(kept))


def test_a_temporal_unit_of_av1_that_is_passed_over_is_told(tmp_path: Path) -> None:
    path = clip(tmp_path / "in.mkv", "libsvtav1")
    spoiled(path, 10, 0, 1)
    notes: list[str] = []
    video = open_video(path, notes.append)
    assert len(video) < 25
    assert notes == [f"in.mkv is damaged: {len(video)} frames could be decoded, the others are left out"]


def test_a_lost_frame_in_the_middle_of_hevc_is_told(tmp_path: Path) -> None:
    path = clip(tmp_path / "in.mkv", "libx265", **{"x265-params": "bframes=0:keyint=5:min-keyint=5:no-open-gop=1"})
    spoiled(path, 7, 6)
    notes: list[str] = []
    video = open_video(path, notes.append)
    assert len(video) < 25 and float(video.times[-1]) == pytest.approx(0.96)
    assert notes == [f"in.mkv is damaged: {len(video)} frames could be decoded, the others are left out"]


@pytest.mark.parametrize("suffix", [".mkv", ".ts"])
@pytest.mark.parametrize("codec", SILENT)
def test_frames_that_lean_on_what_was_cut_off_before_are_no_damage(tmp_path: Path, codec: str, suffix: str) -> None:
    options = {"x265-params": "keyint=10:min-keyint=10:no-scenecut=1"} if codec == "libx265" else {"bf": "2", "g": "9"}
    path = clip(tmp_path / "whole.mkv", codec, 40, **options)
    cut = tmp_path / f"in{suffix}"
    with av.open(str(path)) as given, av.open(str(cut), "w") as container:
        copy = container.add_stream_from_template(given.streams.video[0])
        packets: list[Any] = [p for p in given.demux(video=0) if p.size]
        start = [i for i, packet in enumerate(packets) if packet.is_keyframe][1]
        for packet in packets[start:]:
            packet.stream = copy
            container.mux(packet)
    assert len(open_video(cut, pytest.fail)) < 40 - start


def test_frames_that_a_container_hides_are_no_damage(tmp_path: Path) -> None:
    path = clip(tmp_path / "in.mp4", "libx265", **{"x265-params": "bframes=0:keyint=8"})
    data = bytearray(path.read_bytes())
    edit = data.find(b"elst") + 12  # after its length in ticks: where in the pictures it begins
    data[edit : edit + 8] = struct.pack(">2i", 800, 5 * 512)
    path.write_bytes(data)
    assert len(open_video(path, pytest.fail)) == 20


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
