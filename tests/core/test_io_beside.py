"""What a source holds beside its pictures comes along: the same packets, at the same instants, under the same names."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest
import torch
from av.error import ArgumentError
from sounding import held, kinds, sounding, titled

from invr_core.errors import BadFile
from invr_core.io import open_video, save_video
from invr_core.query import at_rate, subdivide
from invr_core.video import Video

MILLISECOND = 0.51e-3


def between(video: Video) -> Video:
    """Twice as many frames."""
    times = subdivide(video.times, 2)
    return Video(times, video.size, lambda indices: video.read([i // 2 for i in indices]), depth=video.depth)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(("source", "sound"), [(".mp4", "aac"), (".mkv", "libopus"), (".mkv", "flac"), (".mp4", "ac3")])
@pytest.mark.parametrize("doubled", [False, True], ids=["as it is", "doubled"])
def test_sound_is_copied_packet_by_packet_at_its_own_time(
    tmp_path: Path, source: str, sound: str, suffix: str, doubled: bool
) -> None:
    path = sounding(tmp_path / f"in{source}", sound=sound, rate=48000)
    video = open_video(path)
    out = tmp_path / f"out{suffix}"
    save_video(between(video) if doubled else video, out, pytest.fail, beside=path)
    given, copy = held(path, "audio"), held(out, "audio")
    early = sum(end <= 0 for end in given.ends) if suffix == ".mkv" else 0
    assert early == ((source, sound, suffix) == (".mp4", "aac", ".mkv"))  # what AAC needs to get going is not sound
    assert copy.data == given.data[early:] and copy.codec == given.codec and copy.language == "deu"
    expected = [stamp if suffix == ".mp4" or sound == "libopus" else max(stamp, 0.0) for stamp in given.stamps[early:]]
    assert copy.stamps == pytest.approx(expected, abs=MILLISECOND if ".mkv" in (source, suffix) else 1e-9)
    back = open_video(out, pytest.fail)
    assert back.times.tolist() == pytest.approx((between(video) if doubled else video).times.tolist(), abs=1e-9)


def test_sound_and_pictures_that_start_late_keep_their_distance_to_the_tick(tmp_path: Path) -> None:
    late = [75 + k for k in range(10)]
    path = sounding(tmp_path / "in.mp4", ticks=late, start=2.987654, sound="ac3")
    save_video(open_video(path), tmp_path / "out.mp4", pytest.fail, beside=path)
    for kind in ("video", "audio"):
        assert held(tmp_path / "out.mp4", kind).stamps == pytest.approx(held(path, kind).stamps, abs=1e-6)
    assert held(path, "video").start == 3.0 and 2.97 < held(path, "audio").start < 2.99


def test_sound_moves_with_pictures_that_are_moved(tmp_path: Path) -> None:
    path = sounding(tmp_path / "in.mp4")
    video = open_video(path)
    early = Video(video.times - 0.2, video.size, video.read)
    save_video(early, tmp_path / "out.mp4", lambda line: None, beside=path)
    moved = held(tmp_path / "out.mp4", "audio").stamps
    assert moved == pytest.approx([stamp + 0.2 for stamp in held(path, "audio").stamps], abs=2e-5)


@pytest.mark.parametrize("tick", [Fraction(1, 15360), Fraction(1, 600), Fraction(1001, 30000), Fraction(1, 90000)])
@pytest.mark.parametrize("doubled", [False, True], ids=["as it is", "doubled"])
def test_variable_rates_are_kept_to_the_tick(tmp_path: Path, tick: Fraction, doubled: bool) -> None:
    uneven = [3, 4, 7, 8, 15, 16, 31, 33, 57, 58]
    path = sounding(tmp_path / "in.mp4", ticks=uneven, tick=tick * 11, last=9)
    video = open_video(path, pytest.fail)
    assert video.times.tolist() == pytest.approx([float(k * tick * 11) for k in uneven], abs=1e-9)
    shown = between(video) if doubled else video
    save_video(shown, tmp_path / "out.mp4", pytest.fail, beside=path)
    given, back = held(path, "video"), held(tmp_path / "out.mp4", "video")
    assert back.stamps == pytest.approx(shown.times.tolist(), abs=1e-9)
    assert back.ends[-1] == pytest.approx(given.ends[-1], abs=1e-9)  # the last frame stays as long as it did


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("fps", [60, 24, 30000 / 1001, 12, 10, 25, 50, 100])
def test_another_rate_lasts_until_the_end_of_its_source(tmp_path: Path, fps: float, suffix: str) -> None:
    path = sounding(tmp_path / "in.mp4")
    given, times = open_video(path), at_rate((0.0, 0.36), fps)
    shown = Video(times, given.size, lambda indices: given.read([0 for _ in indices]))
    save_video(shown, tmp_path / f"out{suffix}", pytest.fail, beside=path)
    back, fine = held(tmp_path / f"out{suffix}", "video"), 1e-9 if suffix == ".mp4" else MILLISECOND
    assert held(path, "video").ends[-1] == 0.4
    assert back.stamps == pytest.approx(times.tolist(), abs=fine)
    assert back.ends[-1] == pytest.approx(0.4, abs=fine if fps != 30000 / 1001 else 1 / 25600)  # half a tick of it


def test_another_rate_lasts_to_the_end_of_a_source_with_a_long_last_frame(tmp_path: Path) -> None:
    path = sounding(tmp_path / "in.mp4", tick=Fraction(1001, 30000), last=4)
    given, times = open_video(path), at_rate((0.0, 9 * 1001 / 30000), 29.97)
    assert len(times) == 9  # the grid ends a step, less a few millionths, before the last given frame
    save_video(Video(times, given.size, given.read), tmp_path / "out.mp4", pytest.fail, beside=path)
    back = held(tmp_path / "out.mp4", "video")
    assert back.stamps == pytest.approx(times.tolist(), abs=0.5e-6)
    assert back.ends[-1] == pytest.approx(held(path, "video").ends[-1], abs=0.5e-6)
    assert held(path, "video").ends[-1] == pytest.approx(13 * 1001 / 30000)


@pytest.mark.parametrize("fps", [25, 10, 12.5, 30, 60])
def test_a_gif_lasts_until_the_end_of_its_source_too(tmp_path: Path, fps: float) -> None:
    path = sounding(tmp_path / "in.mp4", last=9)
    given, times = open_video(path), at_rate((0.0, 0.36), fps)
    shown = Video(times, given.size, lambda indices: given.read([0 for _ in indices]))
    save_video(shown, tmp_path / "out.gif", lambda line: None, beside=path)
    back = held(tmp_path / "out.gif", "video")
    assert held(path, "video").ends[-1] == pytest.approx(0.72)
    assert back.ends[-1] == pytest.approx(0.72, abs=1e-9)
    assert (len(back.stamps) < len(times)) == (fps > 50)  # at 60 a second some are left out
    save_video(shown, tmp_path / "alone.gif", lambda line: None)
    alone = held(tmp_path / "alone.gif", "video")
    assert alone.ends[-1] - alone.stamps[-1] == pytest.approx(alone.stamps[-1] - alone.stamps[-2])
    save_video(given[:4], tmp_path / "part.gif", pytest.fail)
    assert held(tmp_path / "part.gif", "video").ends[-1] == pytest.approx(0.16)


def test_a_gif_of_one_frame_has_a_length(tmp_path: Path) -> None:
    path = sounding(tmp_path / "in.mp4")
    save_video(open_video(path)[:1], tmp_path / "out.gif", pytest.fail)
    assert held(tmp_path / "out.gif", "video").ends == [0.02]


def test_a_part_of_a_clip_does_not_last_to_its_end(tmp_path: Path) -> None:
    path = sounding(tmp_path / "in.mp4")
    for count in (1, 4, 9):
        save_video(open_video(path)[:count], tmp_path / "out.mp4", pytest.fail, beside=path)
        assert held(tmp_path / "out.mp4", "video").ends[-1] == pytest.approx(count * 0.04)


def test_sound_is_left_out_where_that_is_asked_for_and_all_else_kept(tmp_path: Path) -> None:
    path = titled(tmp_path / "in.mkv", sounding(tmp_path / "plain.mkv", sound="libopus", rate=48000))
    save_video(open_video(path), tmp_path / "out.mkv", pytest.fail, beside=path, audio=False)
    assert kinds(tmp_path / "out.mkv") == ["video", "subtitle"]
    open_video(path).save(tmp_path / "plain out.mkv")
    assert kinds(tmp_path / "plain out.mkv") == ["video"]
    open_video(path).save(tmp_path / "whole.mkv", beside=path)
    assert kinds(tmp_path / "whole.mkv") == ["video", "audio", "subtitle"]


def test_subtitles_chapters_and_titles_are_kept(tmp_path: Path) -> None:
    path = titled(tmp_path / "in.mkv", sounding(tmp_path / "plain.mkv", sound="libopus", rate=48000))
    save_video(open_video(path), tmp_path / "out.mkv", pytest.fail, beside=path)
    given, copy = held(path, "subtitles"), held(tmp_path / "out.mkv", "subtitles")
    assert copy == given and copy.stamps == [0.1, 0.2] and copy.language == "ita" and copy.data[0] == b"Hello"
    with av.open(str(tmp_path / "out.mkv")) as container:
        chapters = [(c["metadata"]["title"], float(c["start"] * c["time_base"])) for c in container.chapters()]
    assert chapters == [("one", 0.0), ("two", 0.2)]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_titles_and_languages_are_kept_and_how_a_file_was_made_is_not(tmp_path: Path, suffix: str) -> None:
    path = sounding(tmp_path / "in.mp4")
    save_video(open_video(path), tmp_path / f"out{suffix}", pytest.fail, beside=path)
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        assert container.metadata["title"] == "A title"
        assert container.streams.video[0].metadata["language"] == "fra"
        if suffix == ".mkv":
            assert {key.lower() for key in container.metadata} == {"title", "encoder"}


def test_what_a_format_cannot_hold_is_told_and_the_rest_written(tmp_path: Path) -> None:
    path = titled(tmp_path / "in.mkv", sounding(tmp_path / "plain.mkv", sound="libopus", rate=48000))
    notes: list[str] = []
    save_video(open_video(path), tmp_path / "out.mp4", notes.append, beside=path)
    assert notes == ["out.mp4: the subtitles (srt) of in.mkv cannot be kept in this format; .mkv takes most"]
    assert kinds(tmp_path / "out.mp4") == ["video", "audio"]
    for name in ("out.gif", "frames"):
        notes.clear()
        save_video(open_video(path), tmp_path / name, notes.append, beside=path)
        assert notes == [f"{name}: it holds no sound; that of in.mkv is left out, .mp4 and .mkv would keep it"]
        save_video(open_video(path), tmp_path / name, pytest.fail, beside=path, audio=False)


TAGS = {"2020 PQ": (9, 16, 9, 1), "709 full": (1, 1, 1, 2), "601": (6, 6, 6, 1), "P3 HLG": (12, 18, 9, 1)}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("name", TAGS)
def test_colour_tags_survive_and_so_do_the_colours(tmp_path: Path, name: str, suffix: str) -> None:
    path = sounding(tmp_path / "in.mp4", tags=TAGS[name])
    video = open_video(path)
    save_video(video, tmp_path / f"out{suffix}", pytest.fail, beside=path)
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        context = container.streams.video[0].codec_context
        written = tuple(
            int(x) for x in (context.color_primaries, context.color_trc, context.colorspace, context.color_range)
        )
    assert written == (TAGS[name] if suffix == ".mp4" else (*TAGS[name][:2], 0, 2))
    difference = (open_video(tmp_path / f"out{suffix}").frames() - video.frames()).abs().mean()
    assert difference < (0.03 if suffix == ".mp4" else 1e-6)


@pytest.mark.parametrize("output", ["out.gif", "frames"])
@pytest.mark.parametrize(("name", "lost"), [("2020 PQ", "BT.2020, PQ"), ("P3 HLG", "Display P3, HLG")])
def test_colours_that_an_output_without_tags_loses_are_told(tmp_path: Path, name: str, lost: str, output: str) -> None:
    path, notes = sounding(tmp_path / "in.mp4", tags=TAGS[name], sound=None), list[str]()
    save_video(open_video(path), tmp_path / output, notes.append, beside=path)
    assert notes == [f"{output}: it holds no colour tags; those of in.mp4 ({lost}) are left out, .mkv would keep them"]
    for kept in ("601", "709 full"):
        path = sounding(tmp_path / "in.mp4", tags=TAGS[kept], sound=None)
        save_video(open_video(path), tmp_path / output, pytest.fail, beside=path)


def test_an_untagged_source_is_written_as_bt709(tmp_path: Path) -> None:
    path = sounding(tmp_path / "in.mp4")
    save_video(open_video(path), tmp_path / "out.mp4", pytest.fail, beside=path)
    open_video(path).save(tmp_path / "alone.mp4")
    for name in ("out.mp4", "alone.mp4"):
        with av.open(str(tmp_path / name)) as container:
            context = container.streams.video[0].codec_context
            assert (context.color_primaries, context.color_trc, context.colorspace, context.color_range) == (1, 1, 1, 1)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_shape_of_pixels_survives_beside_sound(tmp_path: Path, suffix: str) -> None:
    path, out = sounding(tmp_path / "in.mp4", aspect=Fraction(16, 15), sound="ac3"), tmp_path / f"out{suffix}"
    save_video(open_video(path), out, pytest.fail, beside=path)
    with av.open(str(out)) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(16, 15)
        assert container.streams.video[0].metadata["language"] == "fra"
    assert held(out, "audio").data == held(path, "audio").data
    assert (open_video(out).frames() - open_video(path).frames()).abs().mean() < 0.03


def turned(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Write a display matrix into an .mp4."""
    import struct

    data = bytearray(path.read_bytes())
    matrix = data.find(b"tkhd") + 44
    data[matrix : matrix + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def test_a_turned_clip_is_shown_and_written_upright(tmp_path: Path) -> None:
    path = turned(sounding(tmp_path / "in.mp4", aspect=Fraction(4, 3)), 0, 1, -1, 0)
    video = open_video(path)
    assert video.size == (64, 48)
    save_video(video, tmp_path / "out.mp4", pytest.fail, beside=path)
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.height, stream.width, stream.sample_aspect_ratio) == (64, 48, Fraction(3, 4))
        assert next(container.decode(stream)).rotation == 0
    assert (open_video(tmp_path / "out.mp4").frames() - video.frames()).abs().mean() < 0.03


def test_sound_that_is_cut_off_is_copied_as_far_as_it_goes(tmp_path: Path) -> None:
    path = sounding(tmp_path / "in.mkv", sound="flac", ticks=range(50))
    video = open_video(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    save_video(video, tmp_path / "out.mkv", beside=path)
    whole, copy = held(path, "audio").data, held(tmp_path / "out.mkv", "audio").data
    assert 3 < len(copy) <= len(whole) and copy == whole[: len(copy)]
    assert len(open_video(tmp_path / "out.mkv")) == 50


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_sound_without_a_packet_is_left_out_and_told(tmp_path: Path, suffix: str) -> None:
    """As a transport stream may list one that is never sent; nothing is known of it then."""
    source, target = tmp_path / "in.ts", tmp_path / f"out{suffix}"
    with av.open(str(source), "w") as file:
        pictures = file.add_stream("mpeg2video", rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        file.add_stream("aac", rate=48000)
        for _ in range(5):
            file.mux(pictures.encode(av.VideoFrame(64, 48, "yuv420p")))
        file.mux(pictures.encode(None))
    notes: list[str] = []
    save_video(open_video(source), target, notes.append, beside=source)
    assert len(open_video(target)) == 5 and any("the sound" in note for note in notes)


def test_packets_out_of_order_are_left_out_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sounding(tmp_path / "in.mp4", sound="ac3")
    from invr_core.io import beside

    class Backwards(beside.Beside):
        def join(self, *given: Any) -> None:
            super().join(*given)
            self._latest = dict.fromkeys(self._latest, 3000)

    monkeypatch.setattr("invr_core.io.saving.Beside", Backwards)
    notes: list[str] = []
    save_video(open_video(path), tmp_path / "out.mp4", notes.append, beside=path)
    assert notes == ["out.mp4: 2 damaged packets of sound or subtitles of in.mp4 are left out"]


def test_packets_that_the_writer_refuses_are_left_out_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sounding(tmp_path / "in.mp4", sound="ac3")
    from invr_core.io import beside

    class Refused(beside.Beside):
        def _copy(self, packet: Any) -> None:
            target, self._target = self._target, SimpleNamespace(mux=self.refuse)
            super()._copy(packet)
            self._target = target

        def refuse(self, packet: Any) -> None:
            raise ArgumentError(22, "not in order")

    monkeypatch.setattr("invr_core.io.saving.Beside", Refused)
    notes: list[str] = []
    save_video(open_video(path), tmp_path / "out.mp4", notes.append, beside=path)
    count = len(held(path, "audio").data)
    assert notes == [f"out.mp4: {count} damaged packets of sound or subtitles of in.mp4 are left out"]


def test_pictures_and_folders_have_nothing_to_copy(tmp_path: Path) -> None:
    frames = Video.of(torch.zeros(2, 3, 16, 16))
    frames.save(tmp_path / "frames")
    for source in (tmp_path / "frames", tmp_path / "frames" / "000000.png"):
        save_video(frames, tmp_path / "out.mp4", pytest.fail, beside=source)
    assert kinds(tmp_path / "out.mp4") == ["video"]


def test_a_source_that_is_gone_is_an_error_and_nothing_is_written(tmp_path: Path) -> None:
    path = sounding(tmp_path / "in.mp4")
    video = open_video(path)
    path.unlink()
    with pytest.raises(BadFile, match=r"in.mp4 cannot be read again"):
        save_video(video, tmp_path / "out.mp4", beside=path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_may_take_the_place_of_its_own_source(tmp_path: Path) -> None:
    path = sounding(tmp_path / "in.mp4")
    given = held(path, "audio")
    shutil.copy(path, tmp_path / "kept.mp4")
    save_video(open_video(path), path, pytest.fail, beside=path)
    assert held(path, "audio") == given
