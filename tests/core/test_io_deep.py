"""More than 8 bits, pixels that are not square, and the light of an HDR clip: kept in .mp4 and .mkv, or told."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
import torch
from av.codec.codec import UnknownCodecError
from av.video.stream import VideoStream

from invr_core.errors import BadOutput
from invr_core.io import hevc, matroska, open_video, save_video, saving
from invr_core.io.beside import Beside
from invr_core.io.colours import FULL, LIMITED, Colours
from invr_core.io.from_rgb import ToYUV420P10
from invr_core.io.hevc import has_x265
from invr_core.io.light import Light
from invr_core.io.matroska import ROOM, describe
from invr_core.video import Video

needs_x265 = pytest.mark.skipif(not has_x265(), reason="this PyAV has no x265")
LIGHT = Light(
    ((34000, 16000), (13250, 34500), (7500, 3000), (15635, 16450)),
    (10_000_000, 50),
    (1000, 400),
)


def ramp(depth: int = 10, size: tuple[int, int] = (64, 96)) -> Video:
    """Greys so near to each other that 8 bits hold a few of them only."""
    greys = torch.linspace(0.5, 0.53, size[1]).expand(4, 3, *size)
    return Video.of(greys + torch.arange(4)[:, None, None, None] / 1000, depth=depth)


def hdr(path: Path, aspect: Fraction = Fraction(1), light: Light = LIGHT, title: str = "") -> Path:
    """A clip of 96x64 in HEVC, in BT.2020 and PQ."""
    words = ":".join(["log-level=none", "repeat-headers=1", *light.x265()])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=25, options={"x265-params": words})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 16, 9, 1
        context.sample_aspect_ratio = aspect
        if title:
            stream.metadata["title"] = title
        for number in range(5):
            grey = np.full((96, 96), 64 + 150 * number, np.uint16)
            grey[64:] = 512
            frame = av.VideoFrame.from_ndarray(grey, "yuv420p10le")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


HDR10_PLUS = (
    *(
        (0xB5, 8),
        (0x3C, 16),
        (1, 16),
        (4, 8),
        (1, 8),
    ),  # the United States, Samsung, dynamic metadata 2094-40, version 1
    *((1, 2), (1000, 27), (0, 1)),  # one window, for a display of 1000 cd/m²
    *((9000, 17), (8000, 17), (7000, 17), (500, 17), (0, 4), (10, 10)),  # the brightest and the mean of the scene
    *((0, 1), (0, 1), (0, 1)),  # no more of the display, no curve, no saturation
)
"""Numbers and how many bits each has. Source: SMPTE ST 2094-40 in the user data of ITU-T T.35."""


def unit(kind: int, held: bytes) -> bytes:
    """A NAL unit of HEVC behind its length; no bytes in it look like the beginning of another."""
    made = bytearray((kind << 1, 1))
    for byte in held:
        made += b"\3" if made[-2:] == b"\0\0" and byte < 4 else b""
        made.append(byte)
    return len(made).to_bytes(4, "big") + bytes(made)


def hdr10_plus() -> bytes:
    """What every frame of an HDR10+ clip begins with."""
    bits = "".join(f"{value:0{width}b}" for value, width in HDR10_PLUS)
    data = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    return unit(39, bytes((4, len(data))) + data + b"\x80")


def dolby_vision() -> bytes:
    """What every frame of a Dolby Vision clip ends with; its numbers mean nothing."""
    return unit(62, bytes((0x19, *range(1, 30), 0x80)))


def with_units(path: Path, source: Path, before: bytes, after: bytes) -> Path:
    """A clip with more units around each frame."""
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(given.streams.video[0]):
            if packet.size:
                more = av.Packet(before + bytes(packet) + after)
                more.pts, more.dts, more.duration = packet.pts, packet.dts, packet.duration
                more.time_base, more.is_keyframe, more.stream = packet.time_base, packet.is_keyframe, stream
                made.mux(more)
    return path


def seen(path: Path) -> tuple[Fraction, Light, str | None]:
    """The shape of a pixel, the light, and the title of the pictures, as any reader of the file is told."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(stream))
        return stream.sample_aspect_ratio or Fraction(1), Light.of(frame), stream.metadata.get("title")


# ------------------------------------------------------------------ 10 bits in .mp4
@needs_x265
def test_mp4_keeps_10_bits_as_hevc(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    video, path = ramp(), tmp_path / "a.mp4"
    save_video(video, path, pytest.fail)
    assert capfd.readouterr() == ("", "")  # x265 would say a lot
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.codec_tag) == ("hevc", "yuv420p10le", "hvc1")
        assert (context.colorspace, context.color_range, context.color_primaries, context.color_trc) == (1, 1, 1, 1)
    data = path.read_bytes()
    assert data.find(b"moov") < data.find(b"mdat")
    back = open_video(path)
    assert back.depth == 10 and torch.equal(back.times, video.times)
    assert (back.frames() - video.frames()).abs().mean() < 1 / 1023 < 0.25 / 255
    save_video(video, tmp_path / "b.mp4")
    assert (tmp_path / "b.mp4").read_bytes() == data


@pytest.mark.parametrize(("extent", "white", "blue"), [(LIMITED, 940, 960), (FULL, 1023, 1023)])
def test_10_bits_are_used_to_the_end_of_their_range(extent: int, white: int, blue: int) -> None:
    turn = ToYUV420P10(8, 8, Colours(primaries=1, transfer=1, matrix=1, range=extent))
    most = []
    for shown in ((65535, 65535, 65535), (0, 0, 65535)):
        frame = turn(np.tile(np.array(shown, np.uint16), (8, 8, 1)))
        most += [np.frombuffer(plane, np.uint16).max() for plane in frame.planes[:2]]  # what pads a line is 0
    assert (most[0], most[1], most[3]) == (white, 512, blue)


@needs_x265
def test_colours_of_10_bits_are_kept_in_odd_sizes(tmp_path: Path) -> None:
    colours = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.35, 0.62, 0.12], [1, 1, 1], [0, 0, 0]])
    notes: list[str] = []
    video = Video.of(colours[:, :, None, None].expand(6, 3, 71, 97), depth=10)
    save_video(video, tmp_path / "a.mp4", notes.append)
    assert notes == ["a.mp4: written as 98x72, not 97x71, since .mp4 needs even sizes; the edge is repeated"]
    back = open_video(tmp_path / "a.mp4").frames()[:, :, 8:60, 8:80].mean((2, 3))
    assert (back - colours).abs().max() < 0.006


@pytest.mark.parametrize(
    ("depth", "size", "note"),
    [
        (11, (64, 96), "its 11 bits are written as 10, the most that .mp4 holds here; .mkv keeps them"),
        (10, (64, 62), "its 10 bits are written as 8; .mkv keeps them"),
        (10, (16, 96), "its 10 bits are written as 8; .mkv keeps them"),
    ],
)
@needs_x265
def test_bits_that_go_are_told(tmp_path: Path, depth: int, size: tuple[int, int], note: str) -> None:
    notes: list[str] = []
    save_video(ramp(depth, size), tmp_path / "a.mp4", notes.append)
    assert notes == [f"a.mp4: {note}"]
    assert open_video(tmp_path / "a.mp4").depth == (10 if depth == 11 else 8)


def test_without_x265_it_is_8_bits_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "has_x265", lambda: False)
    notes: list[str] = []
    save_video(ramp(), tmp_path / "a.mp4", notes.append)
    assert notes == ["a.mp4: its 10 bits are written as 8; .mkv keeps them"]
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"


@pytest.mark.parametrize(
    ("formats", "found"),
    [(["yuv420p", "yuv420p10le"], True), (["yuv420p"], False), (None, False), (UnknownCodecError(1, "none"), False)],
)
def test_only_an_x265_of_10_bits_is_one(monkeypatch: pytest.MonkeyPatch, formats: Any, found: bool) -> None:
    def codec(name: str, mode: str) -> Any:
        if isinstance(formats, Exception):
            raise formats
        return SimpleNamespace(video_formats=formats and [SimpleNamespace(name=name) for name in formats])

    monkeypatch.setattr(hevc, "Codec", codec)
    assert has_x265.__wrapped__() is found


# ------------------------------------------------------------------ shape and light
@needs_x265
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("aspect", [Fraction(1), Fraction(16, 15), Fraction(32, 27), Fraction(8, 9)])
def test_the_shape_of_pixels_and_the_light_survive(tmp_path: Path, suffix: str, aspect: Fraction) -> None:
    path, out = hdr(tmp_path / "in.mp4", aspect), tmp_path / f"out{suffix}"
    assert seen(path)[:2] == (aspect, LIGHT)
    video = open_video(path)
    save_video(video, out, pytest.fail, beside=path)
    assert seen(out) == (aspect, LIGHT, None)
    back = open_video(out)
    assert back.depth == 10 and torch.equal(back.times, video.times)
    with av.open(str(out)) as container:
        context = container.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc) == (9, 16)
    again = tmp_path / f"again{suffix}"
    save_video(back, again, pytest.fail, beside=out)
    assert seen(again) == (aspect, LIGHT, None)


@needs_x265
def test_a_title_stays_and_parts_of_the_light_do_too(tmp_path: Path) -> None:
    level = Light(level=(700, 300))
    path = hdr(tmp_path / "in.mkv", Fraction(4, 3), level, "A title")
    save_video(open_video(path), tmp_path / "out.mkv", pytest.fail, beside=path)
    assert seen(tmp_path / "out.mkv") == (Fraction(4, 3), level, "A title")
    assert ROOM.encode() not in (tmp_path / "out.mkv").read_bytes()


@needs_x265
def test_light_that_cannot_be_kept_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, notes = hdr(tmp_path / "in.mp4"), list[str]()
    monkeypatch.setattr(saving, "has_x265", lambda: False)
    save_video(open_video(path), tmp_path / "out.mp4", notes.append, beside=path)
    assert notes == [
        "out.mp4: its 10 bits are written as 8; .mkv keeps them",
        "out.mp4: its HDR mastering data is not kept; .mkv keeps it",
    ]


@needs_x265
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        (hdr10_plus(), b"", "HDR10+"),
        (b"", dolby_vision(), "Dolby Vision"),
        (hdr10_plus(), dolby_vision(), "HDR10+ and Dolby Vision"),
        (b"", b"", None),
    ],
)
def test_light_that_changes_from_frame_to_frame_is_told_and_the_rest_is_kept(
    tmp_path: Path, suffix: str, before: bytes, after: bytes, named: str | None
) -> None:
    path, notes = with_units(tmp_path / f"in{suffix}", hdr(tmp_path / "plain.mkv"), before, after), list[str]()
    video = open_video(path, notes.append)
    told = [note for note in notes if "frame by frame" in note]
    if named is None:
        assert told == []
    else:
        (line,) = told
        assert line.startswith(f"in{suffix} says frame by frame how it is to be shown ({named}); that is left out")
    out = tmp_path / f"out{suffix}"
    save_video(video, out, pytest.fail, beside=path)
    assert seen(out)[1] == LIGHT
    open_video(out, notes.append)
    assert [note for note in notes if "frame by frame" in note] == told  # it is said of the source alone


def test_a_file_that_is_not_as_expected_is_refused(tmp_path: Path) -> None:
    for data in (b"", b"\x1a\x45\xdf\xa3", bytes(100)):
        (tmp_path / "a.mkv").write_bytes(data)
        with pytest.raises(BadOutput, match="its tracks are not where they are written"):
            describe(tmp_path / "a.mkv", Fraction(2), Light())


@pytest.mark.parametrize("size", [0, 126, 127, 128, 16382, 16383, 16384])
def test_an_element_says_its_size_and_never_that_it_is_not_known(size: int) -> None:
    made = matroska._made(0xE0, bytes(size))
    wide = 9 - made[1].bit_length()
    said, unknown = int.from_bytes(made[1 : 1 + wide], "big"), (1 << 7 * wide + 1) - 1
    assert said == size | 1 << 7 * wide != unknown
    (element,) = matroska._within(made, 0, len(made))
    assert (element.kind, element.begin, element.end) == (0xE0, 1 + wide, len(made))


@needs_x265
def test_the_checksum_of_the_tracks_is_right(tmp_path: Path, elements: Callable[[bytes], bytes]) -> None:
    path = hdr(tmp_path / "in.mp4", Fraction(4, 3))
    save_video(open_video(path), tmp_path / "out.mkv", beside=path)
    tracks = elements((tmp_path / "out.mkv").read_bytes())
    assert tracks[:2] == b"\xbf\x84" and int.from_bytes(tracks[2:6], "little") == zlib.crc32(tracks[6:])


@needs_x265
def test_it_is_right_for_tracks_of_more_than_a_mebibyte_too(tmp_path: Path, elements: Callable[[bytes], bytes]) -> None:
    with av.open(str(hdr(tmp_path / "plain.mkv"))) as given, av.open(str(tmp_path / "long.mkv"), "w") as made:
        pictures = given.streams.video[0]
        stream = made.add_stream_from_template(pictures)
        stream.metadata["title"] = ROOM
        other = made.add_stream("ffv1", rate=25)
        other.metadata["title"] = "x" * 3_000_000
        for packet in given.demux(pictures):
            if packet.size:
                packet.stream = stream
                made.mux(packet)
    before = elements((tmp_path / "long.mkv").read_bytes())
    describe(tmp_path / "long.mkv", Fraction(4, 3), LIGHT)
    tracks = elements((tmp_path / "long.mkv").read_bytes())
    assert len(tracks) == len(before) > 3_000_000 and tracks != before
    assert tracks[:2] == b"\xbf\x84" and int.from_bytes(tracks[2:6], "little") == zlib.crc32(tracks[6:])
    assert seen(tmp_path / "long.mkv")[0] == Fraction(4, 3)


@pytest.fixture
def elements() -> Callable[[bytes], bytes]:
    """What the element Tracks of a file holds, by its own size."""

    def tracks(data: bytes) -> bytes:
        at = data.index(b"\x16\x54\xae\x6b", data.index(b"\x16\x54\xae\x6b") + 1) + 4  # the index names it first
        wide = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + wide], "big") & (1 << 7 * wide) - 1
        return data[at + wide : at + wide + size]

    return tracks


def test_a_source_without_pictures_beside_says_nothing_of_light(tmp_path: Path) -> None:
    ramp(8).save(tmp_path / "a.mp4")
    with Beside(tmp_path / "a.mp4", True, pytest.fail) as beside:
        assert not beside.light and beside.aspect == 1
