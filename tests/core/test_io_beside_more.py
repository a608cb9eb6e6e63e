"""What a source holds beyond pictures, sound and subtitles, covers and fonts, time code and tags: kept, or named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest
from av.container import OutputContainer
from av.stream import Disposition
from sounding import kinds, sounding, titled

from invr_core.io import open_video, save_video


def more(
    path: Path, *, cover: bool = False, second: bool = False, code: str = "", font: bytes = b"", **tags: str
) -> Path:
    """A frame, and what else a file may hold."""
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"} if tags else {}) as container:
        container.metadata.update(tags)
        streams: list[Any] = [container.add_stream("libx264", rate=25)]
        if second:
            streams.append(container.add_stream("libx264", rate=25))
        if cover:
            streams.append(container.add_stream("mjpeg", rate=25))
            streams[-1].disposition = Disposition.attached_pic
        if code:
            streams[0].metadata["timecode"] = code
        if font:
            container.add_attachment("a.ttf", "application/x-truetype-font", font)
        for stream in streams:
            pixels = "yuvj420p" if stream.codec_context.name == "mjpeg" else "yuv420p"
            stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        for stream in streams:
            frame = av.VideoFrame(64, 48, stream.pix_fmt)
            frame.pts = 0
            container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


@pytest.mark.parametrize("out", ["out.mp4", "out.mkv"])
@pytest.mark.parametrize(
    ("suffix", "given", "said"),
    [
        (".mp4", {"cover": True}, "its cover"),
        (".mp4", {"second": True}, "another video"),
        (".mov", {"code": "01:02:03:04"}, "the time code"),
        (".mov", {"code": "01:02:03:04", "second": True}, "another video, the time code"),
    ],
    ids=["cover", "second video", "time code", "two"],
)
def test_tracks_that_are_not_copied_are_named(
    tmp_path: Path, suffix: str, given: dict[str, Any], said: str, out: str
) -> None:
    path = more(tmp_path / f"in{suffix}", **given)
    notes: list[str] = []
    save_video(open_video(path), tmp_path / out, notes.append, beside=path)
    assert notes == [f"{out}: not kept of {path.name}: {said}"]
    assert kinds(tmp_path / out) == ["video"]


def test_a_sound_that_nobody_knows_is_named_unless_it_is_not_wanted(tmp_path: Path) -> None:
    path = sounding(tmp_path / "in.mp4", sound="ac3")
    path.write_bytes(path.read_bytes().replace(b"ac-3", b"zzzz"))
    notes: list[str] = []
    save_video(open_video(path), tmp_path / "out.mkv", notes.append, beside=path)
    assert notes == ["out.mkv: not kept of in.mp4: sound of an unknown kind"]
    save_video(open_video(path), tmp_path / "out.mkv", pytest.fail, beside=path, audio=False)


@pytest.mark.parametrize("out", ["out.mp4", "out.mkv"])
def test_on_another_clock_nothing_is_kept_that_has_the_time_of_the_source(tmp_path: Path, out: str) -> None:
    plain = sounding(tmp_path / "plain.mkv", sound="ac3")
    full = titled(tmp_path / "full.mkv", plain)
    for path, left in ((plain, "sound"), (full, "sound, subtitles, chapters")):
        notes: list[str] = []
        save_video(open_video(path), tmp_path / out, notes.append, beside=path, same_clock=False)
        assert notes == [f"{out}: not kept of {path.name}, whose clock is another: {left}"]
        with av.open(str(tmp_path / out)) as container:
            assert [stream.type for stream in container.streams] == ["video"] and not container.chapters()


def test_tracks_that_only_hold_chapters_are_not_missed(tmp_path: Path) -> None:
    titled(tmp_path / "titled.mkv", sounding(tmp_path / "plain.mkv", sound="ac3"))
    save_video(open_video(tmp_path / "titled.mkv"), tmp_path / "in.mp4", beside=tmp_path / "titled.mkv")
    path = tmp_path / "in.mp4"
    with av.open(str(path)) as container:
        assert "data" in {stream.type for stream in container.streams}
    save_video(open_video(path), tmp_path / "out.mkv", pytest.fail, beside=path)


@pytest.mark.skipif(not hasattr(OutputContainer, "add_attachment"), reason="this PyAV attaches no files")
def test_attached_fonts_are_copied_where_they_can_be(tmp_path: Path) -> None:
    path = more(tmp_path / "in.mkv", font=b"font" * 1000)
    save_video(open_video(path), tmp_path / "out.mkv", pytest.fail, beside=path)
    with av.open(str(tmp_path / "out.mkv")) as container:
        (font,) = container.streams.attachments
        assert (font.name, font.mimetype, bytes(font.data or b"")) == (
            "a.ttf",
            "application/x-truetype-font",
            b"font" * 1000,
        )
    notes: list[str] = []
    save_video(open_video(path), tmp_path / "out.mp4", notes.append, beside=path)
    assert notes == ["out.mp4: not kept of in.mkv: the attached files"]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_tags_of_a_phone_are_kept(tmp_path: Path, suffix: str) -> None:
    tags = {"com.apple.quicktime.make": "Apple", "location": "+48.1000+011.5000/"}
    path = more(tmp_path / "in.mov", **tags)
    out = tmp_path / f"out{suffix}"
    save_video(open_video(path), out, pytest.fail, beside=path)
    with av.open(str(out)) as container:
        kept = {key.lower(): value for key, value in container.metadata.items()}
    assert kept.items() >= tags.items()


def test_a_title_keeps_its_usual_place_and_what_that_costs_is_told(tmp_path: Path) -> None:
    path = more(tmp_path / "in.mov", title="A title", make="Apple", a="1", b="2", c="3")
    notes: list[str] = []
    save_video(open_video(path), tmp_path / "out.mp4", notes.append, beside=path)
    assert notes == [
        "out.mp4: not kept of in.mov: the tags make a b and 1 more, for which an .mp4 with a title has no place"
    ]
    assert b"\xa9nam" in (tmp_path / "out.mp4").read_bytes()
    save_video(open_video(path), tmp_path / "out.mkv", pytest.fail, beside=path)
