"""What a file claims is compared with what it can hold before anything is made of it, in time linear in its size."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import crafted
import pytest
import torch
from crafted import DATA, mp4, track
from PIL import Image
from strange_images import animated, chunk, overlapping, passes, tiff

from invr_core.errors import BadFile
from invr_core.io import bounds, declared, decode, index, open_video, pictures
from invr_core.video import Video

# ---------------------------------------------------------------------- what is claimed
PLAIN = {"size": 2, "samples": 300, "times": ((300, 1),), "chunk": 300, "sound": True}
MANY = 1 << 27
CLAIMS: dict[str, Callable[[], bytes]] = {
    "samples of one size": lambda: mp4(track(1, DATA, samples=MANY, size=1)),
    "samples of no size": lambda: mp4(track(1, DATA, samples=MANY, size=0)),
    "samples of a first track": lambda: mp4(track(1, DATA, samples=MANY, size=1), track(2, DATA)),
    "samples of a second track": lambda: mp4(track(1, DATA), track(2, DATA, samples=MANY, size=1)),
    "a list of edits": lambda: mp4(track(1, DATA, samples=2000, size=1, edits=((1, 0),) * 2000)),
    "chunks of plain sound": lambda: mp4(track(1, DATA), track(2, DATA, **{**PLAIN, "chunk": 1 << 31})),  # type: ignore[arg-type]
    "sound of uneven times": lambda: mp4(
        track(1, DATA), track(2, DATA, samples=MANY, size=1, times=((2, 5),), sound=True)
    ),
    "fragments": lambda: mp4(track(1, DATA), runs=[MANY]),
    "fragments together": lambda: mp4(track(1, DATA), runs=[1 << 19, 1 << 19, 1 << 19]),
    "a stray table": lambda: mp4(track(1, DATA, more=crafted.box(b"wave", crafted.box(b"stsz", bytes(12))))),
    "an index under another name": lambda: mp4(track(1, DATA, samples=MANY)).replace(b"moov", b"free"),
    "a packed index": lambda: packed(mp4(track(1, DATA, samples=MANY))),
    "an index whose size has 64 bits": lambda: wide(mp4(track(1, DATA, samples=MANY))),
}
KEPT: dict[str, Callable[[], bytes]] = {
    "one picture": lambda: mp4(track(1, DATA)),
    "with plain sound": lambda: mp4(track(1, DATA), track(2, DATA, **PLAIN)),  # type: ignore[arg-type]
    "times of 2^31 samples": lambda: mp4(track(1, DATA, times=((1 << 31, 1),) * 3)),
    "sound that was cut off": lambda: mp4(track(1, DATA), track(2, DATA, **{**PLAIN, "chunk": 1 << 22})),  # type: ignore[arg-type]
    "a few edits": lambda: mp4(track(1, DATA, edits=((1, 0),) * 3)),
    "a packed index": lambda: packed(mp4(track(1, DATA))),
    "an index whose size has 64 bits": lambda: wide(mp4(track(1, DATA))),
}


def packed(data: bytes) -> bytes:
    """A file with its index as QuickTime once packed it."""
    at = data.index(b"moov") - 4
    whole = data[at:]
    held = crafted.numbers(len(whole)) + zlib.compress(whole)
    return data[:at] + crafted.box(
        b"moov", crafted.box(b"cmov", crafted.box(b"dcom", b"zlib"), crafted.box(b"cmvd", held))
    )


def wide(data: bytes) -> bytes:
    """A file whose index says how long it is in a number of 64 bits."""
    at = data.index(b"moov") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    return data[:at] + crafted.numbers(1) + b"moov" + (size + 8).to_bytes(8, "big") + data[at + 8 :]


@pytest.mark.parametrize("name", CLAIMS)
def test_an_index_that_claims_too_much_is_not_given_to_ffmpeg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "a.mp4").write_bytes(CLAIMS[name]())
    monkeypatch.setattr(av, "open", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(
        BadFile, match=r"a.mp4 claims more pictures and pieces of sound than its [0-9,]+ bytes can hold"
    ):
        open_video(tmp_path / "a.mp4")


@pytest.mark.parametrize("name", KEPT)
def test_what_is_there_may_be_claimed(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.mp4").write_bytes(KEPT[name]())
    video = open_video(tmp_path / "a.mp4")
    assert video.size == (16, 16) and float(video.read([0]).max()) == 0


def test_large_tables_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = KEPT["a packed index"]()
    assert index._claimed(io.BytesIO(data), 0, len(data)) == 1
    for most in (100, 400):  # less than is packed; more than that, and less than what comes of it
        monkeypatch.setattr(index, "_TABLE", most)
        assert index._claimed(io.BytesIO(data), 0, len(data)) > 1 << 60
    plain = KEPT["one picture"]()
    assert index._claimed(io.BytesIO(plain), 0, len(plain)) == 1
    monkeypatch.setattr(index, "_TABLE", 8)
    assert index._claimed(io.BytesIO(plain), 0, len(plain)) > 1 << 60


# ------------------------------------------------------------------------------ images
def test_the_frames_of_a_clip_and_of_a_folder_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = Video.of(torch.zeros(4, 3, 8, 8))
    video.save(tmp_path / "a.mkv")
    video.save(tmp_path / "folder")
    for most, reason in ((4, None), (3, "more than 3 (frames|images), the most that is offered")):
        monkeypatch.setattr(decode, "MOST_FRAMES", most)
        monkeypatch.setattr(pictures, "MOST_FRAMES", most)
        for name in ("a.mkv", "folder"):
            if reason is None:
                assert len(open_video(tmp_path / name)) == 4
            else:
                with pytest.raises(BadFile, match=reason):
                    open_video(tmp_path / name)
    assert bounds.MOST_FRAMES == 2**21


def test_the_pictures_of_a_deep_png_are_counted_before_they_are_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(animated(1))
    assert open_video(path).size == (9, 9)
    path.write_bytes(animated(3))
    with pytest.raises(BadFile, match="holds several pictures"):
        open_video(path)
    late = animated(3)
    at, size = late.index(b"acTL") - 4, 20
    moved = late[:at] + late[at + size :]
    at = moved.index(b"IDAT") - 4
    at += 12 + int.from_bytes(moved[at : at + 4], "big")
    path.write_bytes(moved[:at] + late[late.index(b"acTL") - 4 :][:size] + moved[at:])
    assert open_video(path).size == (9, 9)  # the first, and nothing is made of the others
    with pytest.raises(ValueError, match="no picture"):
        declared.png_pictures(b"\x89PNG\r\n\x1a\n" + chunk(b"tEXt", b"") * ((1 << 16) + 1))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4])
def test_the_sides_of_a_tiff_are_read_in_any_order_of_bytes(order: str, kind: int) -> None:
    assert declared.tiff_pages(tiff(14, 10, 1, order, kind)) == [(10, 14)]
    large = (300, 500) if kind == 3 else (70_000, 90_000)
    assert declared.tiff_pages(tiff(*large, 2, order, kind)) == [large[::-1]] * 2


def test_no_more_pages_of_a_tiff_are_looked_at_than_it_takes() -> None:
    assert len(declared.tiff_pages(tiff(14, 10, 1))) == 1
    assert len(declared.tiff_pages(tiff(14, 10, 1000))) == len(declared.tiff_pages(overlapping(5))) == 2


def test_a_jpeg_of_many_passes_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert declared.jpeg_scans(passes(20)) == 20
    path = tmp_path / "a.jpg"
    path.write_bytes(passes(10) + b"\0\2" + b"\xff\xda\0\2" * 200)  # a motion photo has a clip behind its end
    assert open_video(path).size == (16, 16)
    path.write_bytes(passes(101))
    monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("it was decoded"))
    with pytest.raises(BadFile, match="drawn in more than 100 passes"):
        open_video(path)
    with pytest.raises(ValueError, match="no picture"):
        declared.jpeg_scans(b"\xff\xd8" + b"\xff\xe0\0\2" * ((1 << 16) + 1))
