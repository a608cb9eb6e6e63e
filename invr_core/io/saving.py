"""The one way out: a `Video` to a path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import torch
from av.error import FFmpegError

from invr_core.atomic import atomic_file, atomic_folder
from invr_core.errors import BadInput, BadOutput
from invr_core.io.beside import Beside
from invr_core.io.encode import FFV1, H264, Encoder
from invr_core.io.gif import GIF
from invr_core.io.graph import Pixels
from invr_core.io.hevc import HEVC, LEAST, has_x265
from invr_core.io.notes import Note, silent
from invr_core.io.pictures import FPS, SUFFIXES
from invr_core.io.targets import FRAME_NAME, check_output, kind, resolve
from invr_core.video import Video

_BATCH = 32 * 2**20
"""Bytes of float frames that are read at a time."""
_ENCODERS: dict[str, type[Encoder]] = {".mp4": H264, ".mkv": FFV1, ".gif": GIF}
"""For each suffix; a deep ``.mp4`` has one of its own."""


def save_video(
    video: Video,
    path: str | Path,
    on_note: Note | None = None,
    *,
    beside: str | Path | None = None,
    audio: bool = True,
    same_clock: bool = True,
) -> None:
    """Write a video, atomically: a killed run leaves what was there before, never a broken file.

    - ``.mp4``: H.264, 8-bit 4:2:0, tagged BT.709, plays in browsers. A video of more than 8 bits becomes HEVC of 10
      bits instead, as phones and cameras write it, if this PyAV has x265 and no side is below 64 pixels. An odd width
      or height gains one repeated column or row, since 4:2:0 cannot hold it.
    - ``.mkv``: FFV1, lossless at the depth of the video; times are rounded to milliseconds, as Matroska has it
      (`open_video` undoes that for constant rates).
    - ``.gif``: 256 colours a frame, times rounded to 1/100 s, at most 50 frames per second.
    - a folder (a name with no suffix, or a string that ends in a slash): lossless PNGs ``000000.png`` …, 8 or 16 bit.

    Frames are read and written a few at a time. A file that exists is replaced; a folder only if it is empty or
    holds nothing but such PNGs.

    Args:
        video: 3 channels, or 1, which is repeated.
        path: where to; missing folders above it are made.
        on_note: is told, in one line each, where the format cannot hold the video as it is.
        beside: the file that the video was made from. Its sound, subtitles, chapters and titles are copied as they
            are, on the same clock; its colour tags and the shape of its pixels are kept. What the format cannot hold
            is left out, and told. A folder or an image has nothing to copy.
        audio: whether the sound is among it.
        same_clock: whether the video is on the clock of that file. If not, as in slow motion, its sound, subtitles and
            chapters are left out, and that is told.

    Raises:
        BadInput: if the video has neither 1 nor 3 channels.
        BadFile: if ``beside`` cannot be read, or nothing comes of it for two minutes on end.
        BadOutput: if it cannot be written there.
    """
    if video.channels not in (1, 3):
        raise BadInput(f"a video of {video.channels} channels cannot be saved; it must have 1 or 3")
    check_output(path)
    target, what = resolve(path), kind(path)
    note = silent if on_note is None else on_note

    def tell(line: str) -> None:
        note(f"{target.name}: {line}")

    try:
        with ExitStack() as opened:
            source = _with_streams(beside)
            origin = opened.enter_context(Beside(source, audio, tell, same_clock)) if source else None
            if origin is not None and origin.has_sound and what in (".gif", "folder"):
                tell(f"it holds no sound; that of {origin.path.name} is left out, .mp4 and .mkv would keep it")
            if origin is not None and what in (".gif", "folder") and origin.colours.beyond_srgb():
                lost = f"those of {origin.path.name} ({', '.join(origin.colours.beyond_srgb())})"
                tell(f"it holds no colour tags; {lost} are left out, .mkv would keep them")
            if what == "folder":
                _tell_of_times(video, tell)
                with atomic_folder(target) as folder:
                    _write_pictures(video, folder)
            else:
                with atomic_file(target) as file, _encoder(what, video)(file, video, tell, origin) as output:
                    for picture in _pictures(video, output.depth):
                        output.write(picture)
    except (OSError, FFmpegError) as error:
        raise BadOutput(f"{path} could not be written: {error.strerror or error}") from error


def _encoder(what: str, video: Video) -> type[Encoder]:
    deep = what == ".mp4" and video.depth > 8 and min(video.size) >= LEAST
    return HEVC if deep and has_x265() else _ENCODERS[what]


def _with_streams(beside: str | Path | None) -> Path | None:
    """The file that streams can be copied from; pictures hold none."""
    if beside is None or Path(beside).is_dir() or Path(beside).suffix.lower() in SUFFIXES:
        return None
    return Path(beside)


def _tell_of_times(video: Video, tell: Note) -> None:
    """Images have no clock; say so, unless the video has the one that they are read with."""
    assumed = torch.arange(len(video), dtype=torch.float64) / FPS
    if float((video.times - assumed).abs().max()) > 1e-6:
        tell(f"images have no clock, and are read as {FPS:g} frames a second from 0 s; .mp4 and .mkv keep its times")


def _write_pictures(video: Video, folder: Path) -> None:
    for i, picture in enumerate(_pictures(video, 16 if video.depth > 8 else 8)):
        _, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        (folder / FRAME_NAME.format(i)).write_bytes(data.tobytes())


def _pictures(video: Video, depth: int) -> Iterator[Pixels]:
    """Each frame, (H, W, 3), as whole numbers of ``depth`` bits: uint8, or uint16 for more than 8."""
    height, width = video.size
    batch = max(1, _BATCH // (12 * height * width))
    for start in range(0, len(video), batch):
        frames = video.read(range(start, min(start + batch, len(video)))).detach()
        whole = (frames.clamp(0, 1) * (2**depth - 1)).round().expand(-1, 3, -1, -1).permute(0, 2, 3, 1)
        yield from whole.cpu().numpy().astype(np.uint8 if depth == 8 else np.uint16)
