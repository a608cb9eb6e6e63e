"""Small files with sound, subtitles, titles and tags, made by PyAV; and what a file holds, read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

SUBTITLES = "1\n00:00:00,100 --> 00:00:00,200\nHello\n\n2\n00:00:00,200 --> 00:00:00,390\nWorld\n"


def sounding(
    path: Path,
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    sound: str | None = "aac",
    rate: int = 44100,
    ticks: Sequence[int] = tuple(range(10)),
    tick: Fraction = Fraction(1, 25),
    last: int | None = None,
    tags: tuple[int, int, int, int] | None = None,
    aspect: Fraction | None = None,
    start: float = 0.0,
) -> Path:
    """A clip of 64x48 with a tone.

    Args:
        path: where to; its suffix chooses the container.
        codec: of the pictures.
        pixels: their format.
        sound: its codec; None for none.
        rate: samples a second.
        ticks: when each frame is shown.
        tick: seconds.
        last: ticks that the last frame is shown; None for 1/25 s.
        tags: primaries, transfer, matrix and range.
        aspect: width of a pixel to its height.
        start: seconds at which the sound begins.
    """
    options = {} if path.suffix == ".mkv" else {"movie_timescale": str(rate * 1000)}
    with av.open(str(path), "w", options=options) as container:
        container.metadata["title"] = "A title"
        video: Any = container.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, pixels
        video.time_base = video.codec_context.time_base = tick
        video.metadata["language"] = "fra"
        if tags:
            context = video.codec_context
            context.color_primaries, context.color_trc, context.colorspace, context.color_range = tags
        if aspect:
            video.codec_context.sample_aspect_ratio = aspect
        audio: Any = container.add_stream(sound, rate=rate, layout="mono") if sound else None
        if audio:
            audio.metadata["language"] = "deu"
        random = np.random.default_rng(0)
        for stamp in ticks:
            frame = av.VideoFrame.from_ndarray(random.integers(0, 255, (48, 64, 3), dtype=np.uint8), "rgb24")
            frame.pts, frame.time_base = stamp, tick
            for packet in video.encode(frame):
                container.mux(packet)
        for packet in video.encode(None):
            if last and packet.pts == ticks[-1]:
                packet.duration = last
            container.mux(packet)
        for packet in _tone(audio, rate, float(ticks[-1] * tick), start) if audio else ():
            container.mux(packet)
    return path


def _tone(stream: Any, rate: int, seconds: float, start: float) -> list[Any]:
    wave = (8000 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(wave[None], "s16", "mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, round(start * rate), Fraction(1, rate)
    context = stream.codec_context
    resampler = av.AudioResampler(context.format, "mono", rate, context.frame_size or 1024)
    packets = [p for part in (frame, None) for f in resampler.resample(part) for p in stream.encode(f)]
    return [*packets, *stream.encode(None)]


def titled(path: Path, clip: Path) -> Path:
    """A clip, with subtitles and two chapters added."""
    text = path.with_suffix(".srt")
    text.write_text(SUBTITLES)
    with av.open(str(clip)) as one, av.open(str(text)) as two, av.open(str(path), "w") as container:
        given = [one.streams.video[0], one.streams.audio[0], two.streams[0]]
        copies: dict[Any, Any] = {stream: container.add_stream_from_template(stream) for stream in given}
        copies[given[2]].metadata["language"] = "ita"
        marks = [("one", 0, 200), ("two", 200, 400)]
        base = Fraction(1, 1000)
        container.set_chapters(
            [
                {"id": i, "start": begin, "end": end, "time_base": base, "metadata": {"title": name}}
                for i, (name, begin, end) in enumerate(marks)
            ]
        )
        for packet in [*one.demux(given[:2]), *two.demux(given[2])]:
            if packet.size:
                packet.stream = copies[packet.stream]
                container.mux(packet)
    return path


@dataclass(frozen=True)
class Held:
    """What a file holds of one kind of stream."""

    stamps: list[float]
    ends: list[float]
    data: list[bytes]
    start: float
    codec: str
    language: str | None


def held(path: Path, kind: str) -> Held:
    """The first stream of a kind, "video", "audio" or "subtitles"; its packets in the order they are shown."""
    with av.open(str(path)) as container:
        stream: Any = getattr(container.streams, kind)[0]
        packets: list[Any] = sorted((p for p in container.demux(stream) if p.size), key=lambda p: p.pts)
        stamps = [float(p.pts * p.time_base) for p in packets]
        ends = [float((p.pts + (p.duration or 0)) * p.time_base) for p in packets]
        data = [bytes(p) for p in packets]
        return Held(stamps, ends, data, stamps[0], stream.codec_context.name, stream.metadata.get("language"))


def kinds(path: Path) -> list[str]:
    """Which kinds of streams a file has."""
    with av.open(str(path)) as container:
        return [stream.type for stream in container.streams if stream.type != "data"]
