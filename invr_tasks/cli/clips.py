"""Which clips a batch is of, and where each one's answer goes; all of it settled before any work begins."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from invr_core.errors import BadFile, BadInput, BadOutput
from invr_core.io.pictures import list_pictures, natural
from invr_tasks.stores import is_url, present, there

VIDEOS = re.compile(r"\.(3gp|avi|flv|gif|m2ts|m4v|mkv|mov|mp4|mpe?g|mts|mxf|ogv|ts|vob|webm|wmv|y4m)$", re.IGNORECASE)
"""What a file in a folder of clips is called; one that is named on the command line may be called as it likes."""


@dataclass(frozen=True)
class Clip:
    """One clip of a batch.

    Args:
        path: a video file or a folder of images.
        output: where its answer goes, as `invr run` takes it.
        done: whether its answer was there when the batch began.
    """

    path: str
    output: str
    done: bool = False

    @property
    def stem(self) -> str:
        """What it is called, without a suffix; names its answer."""
        return stem_of(self.path)

    def answered(self) -> bool:
        """Whether its answer is there now: answers are put in place whole, so one that is there is finished."""
        return there(self.output) if is_url(self.output) else _finished(self.output)


def existing(paths: Iterable[str]) -> set[str]:
    """Those of many outputs, paths or URLs, that are there.

    Raises:
        BadOutput: if the store of a URL cannot be reached.
    """
    every = set(paths)
    urls = {path for path in every if is_url(path)}
    return present(urls) | {path for path in every - urls if _finished(path)}


def _finished(path: str) -> bool:
    answer = Path(path)
    return any(answer.iterdir()) if answer.is_dir() else answer.exists()


def stem_of(path: str) -> str:
    """What a clip is called: a file without its suffix, a folder as it is.

    Example:
        >>> stem_of("clips/one.cut.mp4"), stem_of("frames/two/")
        ('one.cut', 'two')
    """
    return Path(path).resolve().name if Path(path).is_dir() else Path(path).stem


def find_clips(words: Sequence[str], into: str, suffix: str, on_note: Callable[[str], None]) -> list[Clip]:
    """The clips that the words of a command line mean.

    Args:
        words: each a video file, a folder of images, a folder of such files and folders, or a pattern with ``*``.
        into: the folder of the answers; a path or a URL.
        suffix: of each answer; "/" for a folder of PNGs.
        on_note: is told what is left out of a folder.

    Raises:
        BadInput: if a word means no clip, or two clips have one name.
        BadOutput: if an answer would replace a clip.
    """
    paths = [path for word in words for match in _matches(word) for path in _within(match, on_note)]
    folder = into if into.endswith("/") else f"{into}/"
    clips = [Clip(path, f"{folder}{stem_of(path)}{suffix}") for path in paths]
    named: dict[str, str] = {}
    given = {Path(path).resolve() for path in paths}
    for clip in clips:
        if clip.stem in named:
            both = f"{named[clip.stem]} and {clip.path} would both be written to {clip.output}"
            raise BadInput(f"{both}; rename one, or give it to a batch with another --into")
        if Path(clip.output).resolve() in given:
            raise BadOutput(f"{clip.output} would replace a clip that is read; name another folder with --into")
        named[clip.stem] = clip.path
    done = existing(clip.output for clip in clips)
    return [replace(clip, done=clip.output in done) for clip in clips]


def _matches(word: str) -> list[str]:
    if Path(word).exists():
        return [word]
    if not glob.has_magic(word):
        raise BadFile(f"{word} does not exist; give a video file, a folder or a pattern such as 'clips/*.mp4'")
    found = sorted(glob.glob(word, recursive=True), key=natural)
    if not found:
        raise BadInput(f"nothing matches {word}; give a video file, a folder or a pattern such as 'clips/*.mp4'")
    return found


def _within(path: str, on_note: Callable[[str], None]) -> list[str]:
    """The clips of a folder; a file, or a folder of images, is one itself."""
    folder = Path(path)
    if not folder.is_dir():
        return [path]
    try:
        entries = sorted((e for e in folder.iterdir() if not e.name.startswith(".")), key=lambda e: natural(e.name))
        clips = [entry for entry in entries if _is_clip(entry)]
        if list_pictures(folder) and not any(clip.is_file() for clip in clips):
            return [path]
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror or error}") from error
    if not clips:
        raise BadFile(f"{path} holds neither videos nor images, nor folders of images")
    others = [entry.name for entry in entries if entry not in clips]
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        on_note(f"{path}: no clips, and left out: {', '.join(others[:3])}{more}")
    return [str(clip) for clip in clips]


def _is_clip(entry: Path) -> bool:
    return bool(list_pictures(entry)) if entry.is_dir() else VIDEOS.search(entry.name) is not None
