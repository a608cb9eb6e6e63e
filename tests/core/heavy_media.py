"""The dearest images and clips that a stranger can send: small on disk, large when decoded. And what one takes.

    python tests/core/heavy_media.py NAME FOLDER

writes one, the next time opens it, and prints a JSON line: what became of it, and by how many bytes the process grew.
"""

from __future__ import annotations

import json
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import crafted
import torch
from strange_images import animated, chunk, gif, overlapping, passes, png, tiff
from strange_media import outcome, sound

from invr_core.io.bounds import DECODED
from invr_tasks.bench import rss

FIXED = 96 << 20
"""Bytes that a process may grow by in any case; beside them `DECODED` for each pixel of a frame that is not refused."""
SIDE = 4096
"""Of the largest square frame that is tried in full."""


def _flat(bits: int, colour: int, side: int) -> bytes:
    """A PNG of one colour: a thousand times as large when it is decoded."""
    row = {0: 1, 2: 3, 6: 4}[colour] * side * bits // 8 + 1
    return png(side, side, bits, colour, bytes(row * side))


HEAVY: dict[str, tuple[str, Callable[[], bytes], int]] = {
    "the largest claim, 8 bits": ("a.png", lambda: png(2**31 - 1, 2**31 - 1, 8, 2, b""), 0),
    "the largest claim, 16 bits": ("a.png", lambda: png(2**31 - 1, 2**31 - 1, 16, 6, b""), 0),
    "beyond what is offered": ("a.png", lambda: _flat(8, 0, 13_000), 0),
    "grey, 8 bits": ("a.png", lambda: _flat(8, 0, SIDE), SIDE**2),
    "colour, 8 bits": ("a.png", lambda: _flat(8, 2, SIDE), SIDE**2),
    "colour, 16 bits": ("a.png", lambda: _flat(16, 2, SIDE), SIDE**2),
    "a title of half a gigabyte": (
        "a.png",
        lambda: png(1, 1, 8, 2, b"\0abc", chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 29)))),
        0,
    ),
    "a tiff that claims": ("a.tif", lambda: tiff(60_000, 60_000), 0),
    "a tiff of 100,000 pages": ("a.tif", lambda: tiff(8000, 8000, 100_000), 0),
    "a gif that claims": ("a.gif", lambda: gif(65_535, 65_535), 0),
    "a gif": ("a.gif", lambda: gif(SIDE, SIDE), SIDE**2),
    "a deep png of 5,000 pictures": ("a.png", lambda: animated(5000, 2000), 0),
    "a tiff of pages on top of each other": ("a.tif", lambda: overlapping(100_000), 0),
    "a jpeg of 20,000 passes": ("a.jpg", lambda: passes(20_000), 0),
    "an mp4 that claims samples": ("a.mp4", lambda: crafted.mp4(crafted.track(1, 40, samples=1 << 27, size=1)), 0),
    "an mp4 of 20,000 edits": ("a.mp4", lambda: crafted.mp4(crafted.track(1, 40, edits=((0, 0),) * 20_000)), 0),
    "an mkv of 20,000 chapters": ("a.mkv", lambda: crafted.mkv(crafted.chapters(20_000)), 0),
    "an mkv of 5,000 tags": ("a.mkv", lambda: crafted.mkv(crafted.tags(5_000)), 0),
    "an mkv of 10,000 files": ("a.mkv", lambda: crafted.mkv(crafted.attachments(10_000)), 0),
    "a raw clip that claims": ("a.y4m", lambda: b"YUV4MPEG2 W30000 H30000 F25:1\nFRAME\n", 0),
}


def peak() -> int:
    """The most bytes that this process has held."""
    return round(rss.peak() * 2**20)


def measured(name: str, folder: Path) -> dict[str, Any]:
    """What one takes, in this process, which should be a fresh one with the file already written."""
    path = folder / HEAVY[name][0]
    warm = folder / "warm.png"
    warm.write_bytes(sound()["deep.png"])
    assert outcome(warm) == "opened"
    before, began = peak(), time.perf_counter()
    found = outcome(path)
    seconds = time.perf_counter() - began
    cap = FIXED + DECODED * HEAVY[name][2]
    size = path.stat().st_size
    grew = peak() - before
    return {"file": name, "bytes": size, "outcome": found, "grew": grew, "cap": cap, "seconds": round(seconds, 2)}


def main() -> None:
    """Write the file in a process of its own, then open it in this one."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    path = folder / HEAVY[name][0]
    if not path.exists():
        path.write_bytes(HEAVY[name][1]())
        return
    torch.set_num_threads(1)
    print(json.dumps(measured(name, folder)))


if __name__ == "__main__":
    main()
