"""Outputs are refused before any work is done, and put in place as a whole."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from invr_core.errors import BadOutput
from invr_core.io import check_output, open_video, save_video
from invr_core.io.targets import ALLOWED
from invr_core.video import Video

Make = Callable[..., Video]


@pytest.mark.parametrize("name", ["a.mp4", "a.MKV", "a.gif", "a", "a/", "a.b/", "new/deep/a.mp4", "new/deep/a"])
def test_good_outputs_pass_and_nothing_is_made(tmp_path: Path, name: str) -> None:
    check_output(f"{tmp_path}/{name}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.avi", "a.png", "a.mp4.part", "clip.v2"])
def test_unknown_suffixes_are_refused_with_the_list(tmp_path: Path, name: str, make_video: Make) -> None:
    for attempt in (check_output, make_video().save):
        with pytest.raises(BadOutput) as caught:
            attempt(tmp_path / name)
        assert ALLOWED in str(caught.value)
        assert Path(name).suffix in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_other_kind_is_refused(tmp_path: Path, make_video: Make) -> None:
    (tmp_path / "a.mp4").mkdir()
    (tmp_path / "frames").write_text("kept")
    os.mkfifo(tmp_path / "pipe.mkv")
    for name, reason in (("a.mp4", "is a folder"), ("frames", "is a file"), ("pipe.mkv", "not a plain file")):
        for attempt in (check_output, make_video().save):
            with pytest.raises(BadOutput, match=reason):
                attempt(tmp_path / name)
    assert (tmp_path / "frames").read_text() == "kept"


def test_places_that_cannot_be_written_are_refused(tmp_path: Path, make_video: Make) -> None:
    (tmp_path / "file").write_text("kept")
    places = [tmp_path / "file" / "a.mp4", tmp_path / "file" / "deep" / "frames", Path("/proc/invr/a.mp4")]
    for place in places:
        for attempt in (check_output, make_video().save):
            with pytest.raises(BadOutput, match="cannot be written"):
                attempt(place)


def test_a_locked_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(dir: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", locked)
    with pytest.raises(BadOutput, match=f"Permission denied in {tmp_path}"):
        check_output(tmp_path / "a.mp4")


def test_a_folder_that_cannot_be_looked_into_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(folder: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", locked)
    with pytest.raises(BadOutput, match=f"{tmp_path} cannot be read: Permission denied; choose another folder"):
        check_output(tmp_path)


def test_links_that_go_round_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").symlink_to("b.mp4")
    (tmp_path / "b.mp4").symlink_to("a.mp4")
    with pytest.raises(BadOutput, match=r"a\.mp4 cannot be written: .*choose another name$"):
        check_output(tmp_path / "a.mp4")


def test_a_file_is_replaced(tmp_path: Path, make_video: Make) -> None:
    (tmp_path / "a.mkv").write_text("old")
    video = make_video()
    with (tmp_path / "a.mkv").open() as reader:  # one who reads the old file goes on reading it
        video.save(tmp_path / "a.mkv")
        assert reader.read() == "old"
    assert torch.equal(open_video(tmp_path / "a.mkv").frames(), video.frames())
    assert [f.name for f in tmp_path.iterdir()] == ["a.mkv"]


def test_a_link_leads_to_the_file(tmp_path: Path, make_video: Make) -> None:
    (tmp_path / "real.mkv").write_text("old")
    (tmp_path / "link.mkv").symlink_to(tmp_path / "real.mkv")
    make_video().save(tmp_path / "link.mkv")
    assert (tmp_path / "link.mkv").is_symlink()
    assert len(open_video(tmp_path / "real.mkv")) == 4


def test_missing_folders_are_made(tmp_path: Path, make_video: Make) -> None:
    make_video().save(tmp_path / "new" / "deep" / "a.mp4")
    make_video().save(tmp_path / "other" / "frames")
    assert len(open_video(tmp_path / "new" / "deep" / "a.mp4")) == 4
    assert len(open_video(tmp_path / "other" / "frames")) == 4


def test_a_slash_asks_for_a_folder(tmp_path: Path, make_video: Make) -> None:
    save_video(make_video(), f"{tmp_path}/a.mp4/")
    assert (tmp_path / "a.mp4" / "000003.png").is_file()
    make_video(frames=2).save(f"{tmp_path}/b.v2/")
    make_video(frames=3).save(tmp_path / "b.v2")
    assert len(open_video(tmp_path / "b.v2")) == 3


def test_folders_of_our_frames_are_replaced_as_a_whole(tmp_path: Path, make_video: Make) -> None:
    (tmp_path / "frames").mkdir()
    make_video(frames=5).save(tmp_path / "frames")
    make_video(frames=2).save(tmp_path / "frames")
    assert sorted(f.name for f in (tmp_path / "frames").iterdir()) == ["000000.png", "000001.png"]
    assert [f.name for f in tmp_path.iterdir()] == ["frames"]


@pytest.mark.parametrize("foreign", ["notes.txt", "a.png", "00000.png", ".hidden", "000002.jpg"])
def test_folders_with_anything_else_are_left_alone(tmp_path: Path, make_video: Make, foreign: str) -> None:
    make_video(frames=2).save(tmp_path / "frames")
    for name in (foreign, "zzz"):
        (tmp_path / "frames" / name).write_text("kept")
    before = sorted(f.name for f in (tmp_path / "frames").iterdir())
    for attempt in (check_output, make_video(frames=5).save):
        with pytest.raises(BadOutput, match=f"other things than frames .{re.escape(foreign)}."):
            attempt(tmp_path / "frames")
    assert sorted(f.name for f in (tmp_path / "frames").iterdir()) == before


def test_files_get_the_usual_rights(tmp_path: Path, make_video: Make) -> None:
    (tmp_path / "usual").write_text("")
    make_video().save(tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").stat().st_mode == (tmp_path / "usual").stat().st_mode
