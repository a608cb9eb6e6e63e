"""A clip coded by x264 and x265, and how many bytes they need for a given PSNR."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean

import av
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from invr_core.errors import BadInput, Unsupported
from invr_core.io import open_video
from invr_core.io.clock import ticks
from invr_core.io.graph import Chain
from invr_core.video import Video
from invr_tasks.metrics import psnr
from invr_tasks.pixels import to_bytes

LIBRARIES = {"x264": "libx264", "x265": "libx265"}
"""FFmpeg's name of each coder."""
ALONE = {"x264": {"threads": "1"}, "x265": {"x265-params": "log-level=none:pools=1:frame-threads=1"}}
"""One thread: nothing is lost at the seams, and the seconds can be compared."""
PIXELS = ("yuv420p", "yuv444p")
FINEST, COARSEST = 0, 51
"""Rate factors (CRF) of both coders."""
_BT709, _LIMITED = 1, 1


@dataclass(frozen=True)
class Coder:
    """A coder and how hard it tries; always tuned for PSNR, the score it is held against.

    Args:
        name: of `LIBRARIES`.
        preset: of the coder: "medium", "slow", "veryslow" and so on.
        pixels: of `PIXELS`: with a quarter of the colour samples, or with all.
    """

    name: str
    preset: str
    pixels: str


@dataclass(frozen=True)
class Coded:
    """A clip, coded once.

    Args:
        crf: the rate factor.
        bytes: of the .mp4 file, all of it.
        psnr: dB in RGB, both sides rounded to 8 bits: the mean over frames of `invr_tasks.metrics.psnr`.
        seconds: of coding, on one thread.
    """

    crf: int
    bytes: int
    psnr: float
    seconds: float


def check_coders(size: tuple[int, int]) -> None:
    """Refuse, before the work, what could not be coded.

    Raises:
        Unsupported: if this PyAV lacks one of the coders.
        BadInput: if the size, (H, W), is not even: a quarter of the colour samples cannot be taken.
    """
    missing = [name for name, library in LIBRARIES.items() if library not in av.codecs_available]
    if missing:
        raise Unsupported(f"this build of PyAV has no {' and no '.join(missing)}; pip install av, whose wheel has both")
    if size[0] % 2 or size[1] % 2:
        raise BadInput(f"the frames are {size[1]}x{size[0]}; x264 and x265 need an even width and height (--size)")


def code(clip: Video, coder: Coder, crf: int, file: Path) -> Coded:
    """Code a clip into a file, decode it, and score it.

    Args:
        clip: 3 channels, of even size.
        coder: that does it.
        crf: `FINEST` to `COARSEST`.
        file: ends in ``.mp4``; it is replaced.
    """
    began = time.perf_counter()
    _write(clip, coder, crf, file)
    seconds = time.perf_counter() - began
    shown = open_video(file)
    if len(shown) != len(clip):
        raise BadInput(f"{coder} wrote {len(shown)} of {len(clip)} frames")
    scores = [psnr(to_bytes(shown.read([index]))[0], to_bytes(clip.read([index]))[0]) for index in range(len(clip))]
    return Coded(crf, file.stat().st_size, fmean(scores), seconds)


def _write(clip: Video, coder: Coder, crf: int, file: Path) -> None:
    height, width = clip.size
    stamps, tick, rate = ticks(clip.times - clip.times[0])
    scale = "scale=in_range=full:out_color_matrix=bt709:out_range=limited:flags=bicubic+accurate_rnd"
    convert = Chain(width, height, "rgb24", [scale, f"format={coder.pixels}"])
    options = {"crf": str(crf), "preset": coder.preset, "tune": "psnr", **ALONE[coder.name]}
    with av.open(f"file:{file}", "w", format="mp4") as container:
        stream = container.add_stream(LIBRARIES[coder.name], rate=rate, options=options)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = height, width, coder.pixels
        stream.time_base = stream.codec_context.time_base = tick
        stream.codec_context.colorspace, stream.codec_context.color_range = _BT709, _LIMITED
        for index, stamp in enumerate(stamps):
            frame = convert(VideoFrame.from_ndarray(to_bytes(clip.read([index]))[0], "rgb24"))
            frame.colorspace, frame.color_range = _BT709, _LIMITED
            frame.pts, frame.time_base = int(stamp), tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def around(at: Callable[[int], Coded], target: float) -> tuple[Coded, Coded] | None:
    """The two neighbouring rate factors between which a PSNR lies, found by halving.

    Args:
        at: a rate factor -> what it gives; PSNR falls as the factor rises.
        target: dB.

    Returns:
        the better one, of at least ``target``, and the worse one, below it; None if no factor reaches it, or all do.
    """
    better, worse = FINEST, COARSEST
    if at(better).psnr < target or at(worse).psnr >= target:
        return None
    while worse - better > 1:
        middle = (better + worse) // 2
        better, worse = (middle, worse) if at(middle).psnr >= target else (better, middle)
    return at(better), at(worse)


def bytes_between(better: Coded, worse: Coded, target: float) -> float:
    """Bytes at a PSNR between those of two files: the logarithm of the size is taken as linear in dB.

    Example:
        >>> round(bytes_between(Coded(20, 4000, 32.0, 1.0), Coded(21, 1000, 30.0, 1.0), 31.0))
        2000
    """
    share = (target - worse.psnr) / (better.psnr - worse.psnr)
    return math.exp(share * math.log(better.bytes) + (1 - share) * math.log(worse.bytes))


def remembered(clip: Video, coder: Coder, folder: Path) -> Callable[[int], Coded]:
    """A rate factor -> `code`, each done once."""
    return cache(lambda crf: code(clip, coder, crf, folder / "coded.mp4"))
