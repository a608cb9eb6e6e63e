"""The one way in: a path to a `Video`."""

from __future__ import annotations

from pathlib import Path

from invr_core.errors import BadFile
from invr_core.io.decode import decode
from invr_core.io.notes import Note, silent
from invr_core.io.pictures import SUFFIXES, open_pictures
from invr_core.video import Video


def open_video(path: str | Path, on_note: Note | None = None) -> Video:
    """Open a video file, a folder of images, or one image.

    The file is decoded once, here; frames are then read at random from memory or from a scratch file. They are
    the RGB frames that plain FFmpeg gives: untagged video is BT.601 limited range, tagged video keeps to its tags,
    and the display matrix is applied. More than 8 bits are kept.

    Args:
        path: any video file that FFmpeg reads, animated GIF too; a folder of PNG, JPEG, TIFF or WebP images (one
            size and depth, in natural order, 25 frames per second); or one such image.
        on_note: is told, in one line each, what was odd about the file and what was done about it.

    Returns:
        the frames, on the clock of the file: variable rates and a start other than 0 are kept.

    Raises:
        BadFile: if it is missing, cannot be read as a video, holds no frame, is not opaque, or brings no frame for two
            minutes on end.
        NotEnoughMemory: if the decoded frames fit neither into memory nor into the temporary folder.

    Example:
        >>> import tempfile
        >>> import torch
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Video.of(torch.zeros(2, 3, 4, 6)).save(Path(folder) / "clip.mkv")
        ...     video = open_video(Path(folder) / "clip.mkv")
        >>> len(video), video.size, video.times.tolist()
        (2, (4, 6), [0.0, 0.04])
    """
    path = Path(path)
    note = silent if on_note is None else on_note
    try:
        if not path.exists():
            raise BadFile(f"{path} does not exist; give a video file or a folder of images")
        if path.is_dir() or path.suffix.lower() in SUFFIXES:
            return open_pictures(path)
        return decode(path, note)
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror or error}") from error
