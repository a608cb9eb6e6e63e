"""Filters of FFmpeg: those of PyAV's wheel, and of the program, where there is one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from fractions import Fraction
from importlib import import_module

import av
import av.filter
import numpy as np
from av.error import BlockingIOError as NotYet
from av.error import EOFError as AtEnd
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from invr_core.errors import InvrError, Unsupported
from invr_tasks.pixels import Bytes

TICKS = 10_000
"""A given picture lasts so many ticks of a second's ten-thousandth: one second, whatever the clip's rate is."""
AHEAD = 4
"""How often the last picture is repeated, for a filter that looks ahead."""


def minterpolate_missing() -> str:
    """What has to be installed for `minterpolate`, or ""."""
    return "" if "minterpolate" in av.filter.filters_available else "this PyAV has no minterpolate"


def minterpolate(pictures: Bytes, places: Sequence[tuple[int, float]]) -> Bytes:
    """FFmpeg's ``minterpolate`` with its defaults, at a whole multiple of the rate.

    It works on 4:4:4, so that no colour is lost on the way.

    Args:
        pictures: (n, H, W, 3) uint8, RGB.
        places: index of the picture before, and share of the way to the next, a multiple of the least.

    Returns:
        one picture a place.

    Raises:
        InvrError: if it shows nothing at a place.
    """
    factor = round(1 / min(share for _, share in places))
    graph = av.filter.Graph()
    height, width = pictures.shape[1:3]
    last = graph.add_buffer(width=width, height=height, format=VideoFormat("rgb24"), time_base=Fraction(1, TICKS))
    for name, options in (("format", "yuv444p"), ("minterpolate", f"fps={factor}"), ("format", "rgb24")):
        following = graph.add(name, options)
        last.link_to(following)
        last = following
    last.link_to(graph.add("buffersink"))
    graph.configure()
    found: dict[int, Bytes] = {}
    for index in range(len(pictures) + AHEAD):
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(pictures[min(index, len(pictures) - 1)]), "rgb24")
        frame.pts, frame.time_base = index * TICKS, Fraction(1, TICKS)
        graph.push(frame)
        _pull(graph, factor, found)
    graph.push(None)
    _pull(graph, factor, found)
    wanted = [round((before + share) * factor) for before, share in places]
    if not found.keys() >= set(wanted):
        raise InvrError(f"minterpolate showed {len(found)} pictures, and none at {sorted(set(wanted) - set(found))}")
    return np.stack([found[at] for at in wanted])


def _pull(graph: av.filter.Graph, factor: int, found: dict[int, Bytes]) -> None:
    """Take what there is, by its place in steps of the result."""
    while True:
        try:
            frame = graph.pull()
        except (NotYet, AtEnd):
            return
        assert isinstance(frame, VideoFrame)
        assert frame.pts is not None and frame.time_base is not None
        found[round(float(frame.pts * frame.time_base) * factor)] = np.asarray(frame.to_ndarray(), np.uint8)


def program() -> str | None:
    """Where FFmpeg's program is: on PATH, or of the package `imageio-ffmpeg`; None without either."""
    on_path = shutil.which("ffmpeg")
    if on_path is not None:
        return on_path
    try:
        return str(import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None


def program_missing() -> str:
    """What has to be installed for `by_program`, or ""."""
    return "" if program() else "there is no ffmpeg on PATH; install it, or pip install imageio-ffmpeg"


def by_program(pictures: Bytes, filters: str) -> Bytes:
    """Pictures through filters of FFmpeg's program that keep their size and number.

    Args:
        pictures: (n, H, W, 3) uint8, RGB.
        filters: as for its option ``-vf``.

    Raises:
        Unsupported: without the program.
        InvrError: what the program complains of.
    """
    found = program()
    if found is None:
        raise Unsupported(program_missing())
    height, width = pictures.shape[1:3]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24"]
    command = [found, "-v", "error", *raw, "-s", f"{width}x{height}", "-i", "-", "-vf", filters, *raw, "-"]
    done = subprocess.run(command, input=np.ascontiguousarray(pictures).tobytes(), capture_output=True, check=False)
    if done.returncode or len(done.stdout) != pictures.size:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise InvrError(f"ffmpeg could not run {filters!r}: {said[-1] if said else 'it wrote too little'}")
    return np.frombuffer(done.stdout, np.uint8).reshape(pictures.shape)
