"""Which files come through: small clips of many containers, codecs, depths and rates, read and written again.

    python docs/benchmarks/formats.py > docs/benchmarks/formats.jsonl
    python docs/benchmarks/formats.py --table > docs/benchmarks/formats.md

It makes its clips itself, by PyAV. Each line is one clip written to one kind of output with
``save_video(beside=clip)``: what came in, and what of it survived. The second command shows the lines as a page.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

import av
import numpy as np

from invr_core.errors import InvrError
from invr_core.io import open_video, save_video
from invr_core.io.light import Light

FRAMES = 12
TICK = Fraction(1, 90_000)


@dataclass(frozen=True)
class Format:
    """One way to write a clip."""

    suffix: str
    codec: str
    pixels: str
    sound: str | None
    tags: tuple[int, int, int, int] | None = None
    light: str = ""
    aspect: Fraction = Fraction(1)


HDR = (9, 16, 9, 1)
LIGHT = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"
FORMATS = [
    Format(".mp4", "libx264", "yuv420p", "aac"),
    Format(".mp4", "libx264", "yuv444p", "ac3"),
    Format(".mp4", "libx264", "yuv420p10le", "aac", HDR),
    Format(".mp4", "libx265", "yuv420p", "aac"),
    Format(".mp4", "libx265", "yuv420p10le", "aac", HDR, LIGHT),
    Format(".mp4", "libsvtav1", "yuv420p10le", "libopus", HDR),
    Format(".mp4", "mpeg4", "yuv420p", "libmp3lame"),
    Format(".mov", "prores_ks", "yuv422p10le", "pcm_s16le", (1, 1, 1, 1), aspect=Fraction(4, 3)),
    Format(".mov", "libx264", "yuv420p", "pcm_s24le"),
    Format(".mkv", "ffv1", "yuv420p", "flac"),
    Format(".mkv", "ffv1", "gbrp16le", "pcm_s24le"),
    Format(".mkv", "libx264", "yuv420p", "eac3", aspect=Fraction(16, 15)),
    Format(".mkv", "libx265", "yuv420p12le", "libopus", HDR, LIGHT),
    Format(".webm", "libvpx-vp9", "yuv420p", "libopus"),
    Format(".webm", "libvpx", "yuv420p", "libopus"),
    Format(".avi", "mpeg4", "yuv420p", "libmp3lame"),
    Format(".avi", "ffv1", "bgr0", "pcm_s16le"),
    Format(".ts", "libx264", "yuv420p", "aac"),
    Format(".ts", "mpeg2video", "yuv420p", "mp2", aspect=Fraction(32, 27)),
    Format(".flv", "libx264", "yuv420p", "aac"),
    Format(".gif", "gif", "rgb8", None),
]
RATES = {"25": 3600, "29.97": 3003, "variable": 0}
"""Ticks of a 90 000th of a second from frame to frame."""
RECORDS = Path(__file__).with_suffix(".jsonl")
PAGE = """# Formats, one by one

Each kind of clip that was tried
([how, and in sum](robustness.md#which-files-come-through-formatsjsonl)), read and written again with what is beside its
pictures. At each rate: whether all frames came back. *Pictures*: PSNR to what was read, at the rate where it is least.
*Times*: how far a frame has moved, at most; Matroska counts milliseconds; "exact" is to the microsecond. *Sound*:
"same" is the same packets, and how far one has moved, at most. "Not made": PyAV makes no such clip.

    python docs/benchmarks/formats.py --table > docs/benchmarks/formats.md

| in | codec | pixels | out | bits | {rates} | pictures | times | sound in | sound out |
|---|---|---|---|---|---|---|---|---|---|---|---|
"""


def stamps(rate: str) -> list[int]:
    """When each frame is shown, in ticks."""
    if rate != "variable":
        return [i * RATES[rate] for i in range(FRAMES)]
    return np.cumsum([0, *np.random.default_rng(1).integers(1500, 9000, FRAMES - 1)]).tolist()


def make(path: Path, format: Format, rate: str) -> None:
    """A moving gradient, with a tone."""
    with av.open(str(path), "w") as container:
        steady = {"25": Fraction(25), "29.97": Fraction(30000, 1001)}.get(rate)
        said = ":".join(filter(None, ("log-level=none", "repeat-headers=1", format.light)))
        options = {"x265-params": said} if format.codec == "libx265" else {}
        video: Any = container.add_stream(format.codec, rate=steady or 25, options=options)
        video.codec_context.sample_aspect_ratio = format.aspect
        video.width, video.height, video.pix_fmt = 96, 64, format.pixels
        video.time_base = video.codec_context.time_base = 1 / steady if steady else TICK
        if format.tags:
            context = video.codec_context
            context.color_primaries, context.color_trc, context.colorspace, context.color_range = format.tags
        sound: Any = container.add_stream(format.sound, rate=48000, layout="stereo") if format.sound else None
        x, y = np.meshgrid(np.linspace(0, 1, 96), np.linspace(0, 1, 64))
        times = stamps(rate)
        packets = []
        for i, stamp in enumerate(times):
            picture = np.stack([x, y, (x + y + i / FRAMES) % 1], 2)
            frame = av.VideoFrame.from_ndarray((picture * 65535).astype(np.uint16), "rgb48le")
            frame = frame.reformat(format=format.pixels)
            frame.pts, frame.time_base = (i, 1 / steady) if steady else (stamp, TICK)
            packets += video.encode(frame)
        packets += video.encode(None)
        if sound:
            packets += tone(sound, times[-1] * float(TICK))
        for packet in packets:
            container.mux(packet)


def tone(stream: Any, seconds: float) -> list[Any]:
    """Packets of a tone."""
    wave = (8000 * np.sin(np.arange(int(seconds * 48000)) / 17)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], "s16", "stereo")
    frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
    context = stream.codec_context
    resampler = av.AudioResampler(context.format, "stereo", 48000, context.frame_size or 1024)
    packets = [p for part in (frame, None) for f in resampler.resample(part) for p in stream.encode(f)]
    return [*packets, *stream.encode(None)]


def sound_of(path: Path) -> tuple[list[bytes], list[float]]:
    """The packets of the sound, and when each is heard."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return [], []
        packets: list[Any] = [p for p in container.demux(audio=0) if p.size]
        return [bytes(p) for p in packets], [float(p.pts * p.time_base) for p in packets]


def tags_of(path: Path) -> list[int]:
    """Primaries and transfer."""
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        return [int(context.color_primaries), int(context.color_trc)]


def beside_of(path: Path) -> tuple[str, bool]:
    """The shape of a pixel, and whether there is HDR mastering data."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        light = Light.of(next(container.decode(stream)))
        ratio = stream.sample_aspect_ratio or Fraction(1)
        return f"{ratio.numerator}:{ratio.denominator}", light.primaries is not None and light.level is not None


def survived(path: Path, output: Path) -> dict[str, Any]:
    """What of a clip is in what is written from it."""
    notes: list[str] = []
    video = open_video(path, notes.append)
    save_video(video, output, notes.append, beside=path)
    back = open_video(output)
    error = float((back.frames() - video.frames()).square().mean()) if len(back) == len(video) else None
    (given, begun), (copied, began) = sound_of(path), sound_of(output)
    missing = len(given) - len(copied)
    kept = given[max(missing, 0) :]  # .ts writes a header before each packet of AAC, which no other holds
    same = bool(copied) and all(one.endswith(two) for one, two in zip(kept, copied, strict=True))
    return {
        "frames": [FRAMES, len(video), len(back)],
        "depth": [video.depth, back.depth],
        "psnr": None if error is None else round(min(-10 * np.log10(error + 1e-12), 99.0), 1),
        "times_ms": round(float((back.times - video.times).abs().max()) * 1000, 4) if error is not None else None,
        "sound": "none" if not given else "left out" if not copied else "same" if same else "changed",
        "sound_packets_dropped": missing if copied else None,
        "sound_moved_ms": round(max(abs(a - b) for a, b in zip(begun[missing:], began, strict=True)) * 1000, 4)
        if same
        else None,
        "tags": [tags_of(path), tags_of(output)],
        "aspect": [beside_of(path)[0], beside_of(output)[0]],
        "hdr_data": [beside_of(path)[1], beside_of(output)[1]],
        "notes": [note.replace(str(path.parent), "") for note in notes],
    }


def lines(folder: Path) -> Iterator[dict[str, Any]]:
    """One for each clip and output."""
    for format in FORMATS:
        for rate in RATES:
            path = folder / f"in{format.suffix}"
            said: dict[str, Any] = {
                "container": format.suffix[1:],
                "codec": format.codec,
                "pixels": format.pixels,
                "audio": format.sound,
                "rate": rate,
            }
            try:
                make(path, format, rate)
            except (av.FFmpegError, ValueError) as error:
                yield {**said, "cannot_be_made": f"{type(error).__name__}: {error}".replace(str(folder), "")}
                continue
            for suffix in (".mp4", ".mkv"):
                try:
                    yield {**said, "output": suffix[1:], **survived(path, folder / f"out{suffix}")}
                except InvrError as error:
                    yield {**said, "output": suffix[1:], "refused": str(error).replace(str(folder), "")}


def worst(records: list[dict[str, Any]], key: str) -> float | None:
    """The largest of a figure, if there is one."""
    return max((record[key] for record in records if record.get(key) is not None), default=None)


def milliseconds(value: float | None) -> str:
    """In words; below a microsecond it is exact."""
    return "–" if value is None else "exact" if value < 0.001 else f"{value:.2g} ms"


def row(records: list[dict[str, Any]]) -> str:
    """A line of the table: one kind of clip, at all its rates, written to one kind of output."""
    first, done = records[0], [record for record in records if "psnr" in record]
    rates = []
    for name in RATES:
        record = next(record for record in records if record["rate"] == name)
        why = "not made" if "cannot_be_made" in record else "refused" if "refused" in record else ""
        rates.append(why or ("all" if len(set(record["frames"])) == 1 else "of {} {}".format(*record["frames"][::2])))
    least = min((record["psnr"] for record in done if record["psnr"] is not None), default=None)
    pictures = "–" if least is None else "exact" if least >= 99 else f"{least:.1f} dB"
    depth = "–" if not done else "{} → {}".format(*done[0]["depth"])
    heard = sorted({record["sound"] for record in done})
    moved = worst(done, "sound_moved_ms")
    sound = ", ".join(heard) + (f", moved {moved:.2g} ms" if moved and moved >= 0.001 else "")
    kind = [f"`.{first['container']}`", first["codec"], first["pixels"], f"`.{first['output']}`"]
    cells = [*kind, depth, *rates, pictures, milliseconds(worst(done, "times_ms")), first["audio"] or "–", sound]
    return f"| {' | '.join(cells)} |"


def table(records: list[dict[str, Any]]) -> str:
    """The page: a row for each container, codec, depth and output; the worst over the rates."""
    rows = []
    for _, group in groupby(records, key=lambda record: (record["container"], record["codec"], record["pixels"])):
        members = list(group)
        unmade = [record for record in members if "output" not in record]
        for output in ("mp4", "mkv"):
            rows.append(
                row([r for r in members if r.get("output") == output] + [{**r, "output": output} for r in unmade])
            )
    return PAGE.format(rates=" | ".join(f"{rate} fps" if rate != "variable" else rate for rate in RATES)) + "\n".join(
        rows
    )


def main() -> None:
    """Print the lines, or the page of those that are there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="show the records beside this script as a page")
    if parser.parse_args().table:
        print(table([json.loads(line) for line in RECORDS.read_text().splitlines()]))
        return
    with tempfile.TemporaryDirectory() as folder:
        for line in lines(Path(folder)):
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
