"""Clips with more in them than pictures, damaged; and clips whose tables claim what they do not hold."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import crafted
import numpy as np
from hypothesis import strategies as st
from sounding import sounding, titled
from strange import damage

from invr_core.io.hevc import has_x265

Case = tuple[str, dict[str, bytes | str]]
UNEVEN = (0, 1, 2, 7, 8, 9, 30, 31, 40, 60)
"""Ticks of a variable rate."""
_MS = Fraction(1, 1000)
LIGHT = "colorprim=9:transfer=16:colormatrix=9:max-cll=1000,400:" + (
    "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
)


@cache
def rich() -> dict[str, bytes]:
    """Small clips with sound, subtitles, chapters, attached files, HDR data, at uneven times; by name."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sounding(folder / "tone.mp4", ticks=UNEVEN)
        titled(folder / "titled.mkv", folder / "tone.mp4")
        _attach(folder / "attached.mkv", folder / "titled.mkv")
        sounding(folder / "turned.mov", sound="pcm_s16le", tags=(9, 18, 9, 1))
        sounding(
            folder / "voice.webm",
            codec="libvpx-vp9",
            sound="libopus",
            rate=48000,
            tick=_MS,
            ticks=[40 * t for t in UNEVEN],
        )
        for suffix in (".avi", ".ts", ".flv", ".nut"):
            sounding(folder / f"old{suffix}", sound="mp2" if suffix != ".flv" else "aac", ticks=range(4))
        if has_x265():
            _hdr(folder / "hdr.mp4")
            _hdr(folder / "hdr.mkv")
        for path in sorted(folder.iterdir()):
            if path.suffix != ".srt":
                found[path.name] = path.read_bytes()
    return found


def _attach(path: Path, clip: Path) -> None:
    """A clip with a font within it."""
    with av.open(str(clip)) as given, av.open(str(path), "w") as made:
        copies: dict[Any, Any] = {stream: made.add_stream_from_template(stream) for stream in given.streams}
        made.set_chapters(given.chapters())
        if hasattr(made, "add_attachment"):
            made.add_attachment("a.ttf", "font/ttf", bytes(range(256)))
        for packet in given.demux():
            if packet.size:
                packet.stream = copies[packet.stream]
                made.mux(packet)


def _hdr(path: Path) -> None:
    """A few frames of 10 bits in HEVC, with the light that they were mastered for."""
    words = f"log-level=none:repeat-headers=1:{LIGHT}"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx265", rate=25, options={"x265-params": words})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p10le"
        for stamp in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((96, 64), 300 + 50 * stamp, np.uint16), "yuv420p10le")
            frame.pts = stamp
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@st.composite
def damaged(draw: st.DrawFn) -> Case:
    """Bytes of them changed, cut off, put in or moved; many where a table is, at the beginning or the end."""
    name = draw(st.sampled_from(sorted(rich())))
    content = bytearray(rich()[name])
    backwards = draw(st.booleans())
    if backwards:
        content.reverse()
    damage(
        draw,
        content,
        draw(st.sampled_from([200, 1500, 20_000])),
        ("flip", "flip", "number", "cut", "put in", "take out", "move"),
    )
    if backwards:
        content.reverse()
    return f"damaged rich {Path(name).suffix}", {f"clip{Path(name).suffix}": bytes(content)}


wild = st.sampled_from([0, 100, 2**16, 2**20, 2**27, 2**31 - 1, 2**31, 2**32 - 1])
counts = st.one_of(*[st.integers(1, 3)] * 4, wild)
runs = st.lists(st.tuples(counts, counts), min_size=0, max_size=3)


@st.composite
def tables(draw: st.DrawFn) -> Case:
    """An ``.mp4`` whose index claims any number of samples, of any size, for any time, in parts or in fragments."""
    tracks = [
        crafted.track(
            number,
            crafted.DATA,
            samples=draw(counts),
            size=draw(st.sampled_from([0, 1, 2, 768]) | counts),
            times=draw(runs),
            chunk=draw(counts),
            edits=draw(runs),
            sound=draw(st.booleans()) if number > 1 else False,
        )
        for number in range(1, draw(st.integers(2, 4)))
    ]
    data = crafted.FRAME * draw(st.integers(0, 3))
    return "claims .mp4", {"clip.mp4": crafted.mp4(*tracks, data=data, runs=draw(st.lists(counts, max_size=2)))}


@st.composite
def elements(draw: st.DrawFn) -> Case:
    """An ``.mkv`` with many chapters, tags and attached files, and blocks with laces of any kind."""
    few = st.integers(0, 300)
    more = [
        crafted.chapters(draw(few), draw(st.booleans())),
        crafted.tags(draw(few)),
        crafted.attachments(draw(st.integers(0, 20)), draw(st.integers(0, 2000))),
    ]
    lace = st.builds(
        lambda flags, count, data: b"\x81\0\0" + bytes([flags, count]) + data + crafted.FRAME,
        st.sampled_from([0x80, 0x82, 0x84, 0x86, 0xFF]),
        st.integers(0, 255),
        st.binary(max_size=300),
    )
    blocks = draw(st.lists(lace | st.just(b"\x81\0\0\x80" + crafted.FRAME), min_size=1, max_size=5))
    return "claims .mkv", {"clip.mkv": crafted.mkv(*draw(st.permutations(more)), blocks=blocks)}


cases = st.one_of(damaged(), damaged(), damaged(), tables(), elements())
