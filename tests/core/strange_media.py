"""Clips, images, masks and folders that a stranger might send: strategies that make them, and the law for each."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import zlib
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import strange_clips
import torch
from hypothesis import strategies as st
from PIL import Image
from strange import damage
from strange_images import chunk, gif, png, tiff

from invr_core.errors import InvrError
from invr_core.io import open_mask, open_video, save_video
from invr_core.video import Video

Case = tuple[str, dict[str, bytes | str]]
"""What kind of strangeness, and what is put there: bytes of a file, or where a link leads, by name."""
SMALL = 1 << 16
"""Pixels of a frame up to which a clip is tried as a mask of itself."""
OUT = "invr-strange-"
"""How the folder is called in which something is written while a file is tried."""
LIKE = Video.of(torch.zeros(3, 3, 10, 14))


def outcome(path: Path) -> str:
    """What becomes of a file or folder as a clip; the law is held to for its other uses, too."""
    return outcomes(path)[0].removeprefix("clip ")


def outcomes(path: Path) -> list[str]:
    """What becomes of a file or folder as a clip, as a mask (of itself where it can), and as what is beside a clip.

    Raises:
        AssertionError: if it is neither refused in one line, nor gives finite frames at times that increase; if a video
            that is written with it beside does not open, or something is left of one that was not written.
    """
    found, like = [], LIKE
    for use in ("clip", "mask"):
        try:
            video = open_mask(path, like) if use == "mask" else open_video(path)
            for index in {0, len(video) - 1}:
                frame = video.read([index])
                assert tuple(frame.shape) == (1, video.channels, *video.size), "another shape than it says"
                assert float(frame.min()) >= 0 and float(frame.max()) <= 1, "not within [0, 1]"
            assert bool(torch.isfinite(video.times).all()), "times are not finite"
            like = video if video.size[0] * video.size[1] <= SMALL else like
            found.append(f"{use} opened")
        except InvrError as refusal:
            found.append(f"{use} {_in_one_line(refusal)}")
    return found if path.is_dir() else [*found, f"beside {_copied(path)}"]


def _copied(path: Path) -> str:
    """What becomes of a file whose streams are to be copied; whatever is in it, the pictures are those of `LIKE`."""
    out = _out() / ("out.mkv" if zlib.crc32(path.read_bytes()[:5000]) % 2 else "out.mp4")
    try:
        save_video(LIKE, out, beside=path)
    except InvrError as refusal:
        assert not list(out.parent.iterdir()), "something is left of what was not written"
        return _in_one_line(refusal)
    assert len(open_video(out)) == len(LIKE), "what is written with it beside has lost frames"
    out.unlink()
    return "copied"


@cache
def _out() -> Path:
    folder = tempfile.mkdtemp(prefix=OUT)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _in_one_line(refusal: InvrError) -> str:
    text = str(refusal)
    assert "\n" not in text.replace("line\nbreak.png", "") and len(text) < 1500, f"not one line: {text[:2000]!r}"
    return "refused"


# ------------------------------------------------------------------------ sound files
@cache
def sound() -> dict[str, bytes]:
    """Small files of each kind, by suffix."""
    moving = torch.stack(
        [torch.roll(torch.rand(3, 10, 14, generator=torch.Generator().manual_seed(1)), i, 2) for i in range(3)]
    )
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for suffix in (".mp4", ".mkv", ".gif"):
            Video.of(moving).save(folder / f"clip{suffix}")
        picture = (moving[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        for suffix in (".jpg", ".webp"):
            Image.fromarray(picture).save(folder / f"image{suffix}")
        cv2.imwrite(str(folder / "image.png"), picture)
        cv2.imwrite(str(folder / "deep.png"), picture.astype(np.uint16) * 257)
        cv2.imwrite(str(folder / "image.tif"), picture)
        for path in sorted(folder.iterdir()):
            found[path.name] = path.read_bytes()
    return found


# ------------------------------------------------------------------------- strategies
@st.composite
def damaged(draw: st.DrawFn) -> Case:
    """Bytes changed, cut off, put in; a few of them where a header is."""
    name = draw(st.sampled_from(sorted(sound())))
    content = bytearray(sound()[name])
    damage(draw, content, 700, ("flip", "flip", "number", "cut", "put in", "take out"))
    other = draw(st.sampled_from([name, name, name, *sorted(sound())]))
    return f"damaged {Path(name).suffix}", {f"clip{Path(other).suffix}": bytes(content)}


sides = st.sampled_from([0, 1, 2, 10, 14, 300, 16_000, 40_000, 65_535, 2**24, 2**31 - 1])


@st.composite
def claimed(draw: st.DrawFn) -> Case:
    """Images that declare any size at all, mostly without the pixels for it."""
    width, height = draw(sides), draw(sides)
    match draw(st.sampled_from([".png", ".gif", ".tif"])):
        case ".png":
            bits, colour = draw(st.sampled_from([1, 2, 4, 8, 16, 7])), draw(st.sampled_from([0, 2, 3, 4, 6, 1]))
            more = draw(
                st.sampled_from(
                    [b"", chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 24))), chunk(b"acTL", bytes(8))]
                )
            )
            return "claims .png", {"clip.png": png(width, height, bits, colour, draw(st.binary(max_size=50)), more)}
        case ".gif":
            return "claims .gif", {"clip.gif": gif(min(width, 65_535), min(height, 65_535))}
    return "claims .tif", {"clip.tif": tiff(width, height, draw(st.integers(0, 3)))}


ODD = ["a b.png", "-rf.png", "--help.png", "ü.png", "line\nbreak.png", "\udcff.png", "1.PNG", ".hidden.png", "x.txt"]
names = st.sampled_from([*ODD, "9" * 200 + ".png", "%s{}.png", "²3.png"])
PLACES = ["/dev/zero", "/dev/full", "/proc/self/mem", "/proc/self/fd/0", "nowhere.png", ".", "..", "loop.png", "1.PNG"]
leads = st.sampled_from(PLACES)


@st.composite
def folders(draw: st.DrawFn) -> Case:
    """Folders with odd names, links to anywhere, and an image that is none."""
    good = st.just(sound()["image.png"])
    content = st.one_of(good, good, leads, st.binary(max_size=30), st.just(sound()["deep.png"]), damaged().map(_only))
    return "folder", draw(st.dictionaries(names | st.just("loop.png"), content, min_size=1, max_size=4))


def _only(case: Case) -> bytes | str:
    return next(iter(case[1].values()))


TEXTS = [
    b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/dev/zero\n#EXT-X-ENDLIST\n",
    b"ffconcat version 1.0\nfile x.mkv\n",
    b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    b"<MPD></MPD>",
    b"a text\n" * 9,
    b"YUV4MPEG2 W16000 H16000 F25:1\nFRAME\n" + bytes(100),
]
texts = st.sampled_from(TEXTS)
suffixes = st.sampled_from([".mp4", ".mkv", ".m3u8", ".sdp", ".mpd", ".txt", ".y4m", ".png"])
listed = st.builds(lambda text, suffix: ("list or text", {f"clip{suffix}": text}), texts, suffixes)

cases = st.one_of(damaged(), damaged(), strange_clips.cases, strange_clips.cases, claimed(), folders(), listed)


class Place:
    """Where the cases of a run are put, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "case"

    def put(self, case: Case) -> Path:
        """The file, or the folder of them."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        for name, content in case[1].items():
            if isinstance(content, str):
                (self.folder / name).symlink_to(content)
            else:
                (self.folder / name).write_bytes(content)
        return self.folder if case[0] == "folder" else self.folder / next(iter(case[1]))


def kept(case: Case, folder: Path, name: str) -> None:
    """Keep what breaks the law."""
    place = Place(folder / name)
    os.makedirs(folder / name, exist_ok=True)
    place.put(case)
