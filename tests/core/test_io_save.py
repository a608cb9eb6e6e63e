"""What is saved comes back: exactly where the format is lossless, at its own times, whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from invr_core.errors import BadInput, BadOutput
from invr_core.io import open_video, save_video
from invr_core.video import Video

Make = Callable[..., Video]


def at_depth(depth: int, size: tuple[int, int] = (13, 17)) -> Video:
    values = torch.rand(3, 3, *size, generator=torch.Generator().manual_seed(depth))
    top = 2**depth - 1
    return Video.of((values * top).round() / top, depth=depth)


def psnr(one: Video, other: Video) -> float:
    return float(-10 * (one.frames() - other.frames()).square().mean().log10())


@pytest.mark.parametrize("depth", [8, 10, 12, 16])
def test_mkv_is_exact_at_any_depth_and_odd_size(tmp_path: Path, depth: int) -> None:
    video, top = at_depth(depth), 2**depth - 1
    video.save(tmp_path / "a.mkv")
    back = open_video(tmp_path / "a.mkv")
    assert (back.depth, back.size) == (depth, video.size)
    assert torch.equal((back.frames() * top).round(), (video.frames() * top).round())


@pytest.mark.parametrize("depth", [8, 16])
def test_png_folders_are_exact(tmp_path: Path, depth: int) -> None:
    video = at_depth(depth)
    video.save(tmp_path / "frames")
    assert sorted(f.name for f in (tmp_path / "frames").iterdir()) == ["000000.png", "000001.png", "000002.png"]
    back = open_video(tmp_path / "frames")
    assert back.depth == depth
    assert torch.equal(back.frames(), video.frames())
    read = cv2.imread(str(tmp_path / "frames" / "000001.png"), cv2.IMREAD_UNCHANGED)
    assert read.dtype == (np.uint8 if depth == 8 else np.uint16)


def test_mp4_is_what_browsers_play(tmp_path: Path, bunny_path: Path) -> None:
    video = open_video(bunny_path)[:12]
    save_video(video, tmp_path / "a.mp4", on_note=pytest.fail)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt, stream.frames) == ("h264", "yuv420p", 12)
        assert (context.colorspace, context.color_range, context.color_primaries, context.color_trc) == (1, 1, 1, 1)
        assert stream.average_rate == 25
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.find(b"moov") < data.find(b"mdat")
    assert psnr(open_video(tmp_path / "a.mp4"), video) > 34


def test_mp4_keeps_colours_of_flat_areas(tmp_path: Path) -> None:
    colours = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [90, 160, 30]], dtype=torch.uint8)
    frames = colours[:, :, None, None].expand(4, 3, 32, 32)
    Video.of(frames).save(tmp_path / "a.mp4")
    back = open_video(tmp_path / "a.mp4").frames()[:, :, 8:24, 8:24].mean((2, 3)) * 255
    assert (back - colours).abs().max() < 3


def test_odd_sizes_are_padded_in_mp4_and_told(tmp_path: Path, make_video: Make) -> None:
    video = make_video(height=33, width=47, smooth=True)
    notes: list[str] = []
    save_video(video, tmp_path / "a.mp4", notes.append)
    assert notes == ["a.mp4: written as 48x34, not 47x33, since .mp4 needs even sizes; the edge is repeated"]
    back = open_video(tmp_path / "a.mp4")
    assert back.size == (34, 48)
    cut = back.map(lambda frames: frames[..., :33, :47])
    assert psnr(cut, video) > 30


TIMES = {
    "gaps": [0.0, 0.04, 0.12, 0.16, 0.4],
    "late": [10.0, 10.04, 10.08, 10.12, 10.16],
    "ntsc": [k * 1001 / 30000 for k in range(5)],
    "tripled": [k / 75 for k in range(5)],
    "slow": [0.0, 3.0, 6.0, 9.0, 12.0],
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("name", TIMES)
def test_times_are_kept(tmp_path: Path, make_video: Make, name: str, suffix: str) -> None:
    save_video(make_video(frames=5, times=TIMES[name]), tmp_path / f"a{suffix}", on_note=pytest.fail)
    back = open_video(tmp_path / f"a{suffix}", on_note=pytest.fail)
    assert back.times.tolist() == pytest.approx(TIMES[name], abs=1e-9)


@pytest.mark.parametrize(("suffix", "exact"), [(".mp4", 0.6e-6), (".mkv", 0.6e-3), (".gif", 6e-3)])
def test_arbitrary_times_are_kept_as_finely_as_the_format_can(
    tmp_path: Path, make_video: Make, suffix: str, exact: float
) -> None:
    times = [0.0, 0.0712345, 0.1999999, 0.35, 0.9]
    make_video(frames=5, times=times).save(tmp_path / f"a{suffix}")
    assert open_video(tmp_path / f"a{suffix}").times.tolist() == pytest.approx(times, abs=exact)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_times_before_zero_are_moved_and_told(tmp_path: Path, make_video: Make, suffix: str) -> None:
    notes: list[str] = []
    save_video(make_video(frames=3, times=[-0.08, -0.04, 0.0]), tmp_path / f"a{suffix}", notes.append)
    assert notes == [f"a{suffix}: its clock starts at 0 s, not -0.08 s; no format holds times before 0"]
    assert open_video(tmp_path / f"a{suffix}").times.tolist() == pytest.approx([0, 0.04, 0.08])


def test_gif_leaves_out_what_it_cannot_show(tmp_path: Path, make_video: Make) -> None:
    notes: list[str] = []
    save_video(make_video(frames=10, times=[k / 100 for k in range(10)]), tmp_path / "a.gif", notes.append)
    assert notes == ["a.gif: a GIF shows at most 50 frames per second; 5 of 10 frames are left out"]
    assert open_video(tmp_path / "a.gif").times.tolist() == pytest.approx([0, 0.02, 0.04, 0.06, 0.08])


def test_gif_starts_at_zero_and_a_folder_has_no_clock_and_both_are_told(tmp_path: Path, make_video: Make) -> None:
    video, notes = make_video(frames=4, times=[3.0, 3.04, 3.2, 3.6]), list[str]()
    save_video(video, tmp_path / "a.gif", notes.append)
    save_video(video, tmp_path / "frames", notes.append)
    assert notes == [
        "a.gif: its clock starts at 0 s, not 3 s; a GIF holds no other start",
        "frames: images have no clock, and are read as 25 frames a second from 0 s; .mp4 and .mkv keep its times",
    ]
    assert open_video(tmp_path / "a.gif").times.tolist() == pytest.approx([0, 0.04, 0.2, 0.6])
    assert open_video(tmp_path / "frames").times.tolist() == pytest.approx([0, 0.04, 0.08, 0.12])
    for name in ("b.gif", "nothing lost"):
        save_video(make_video(frames=4, times=[0, 0.04, 0.08, 0.12]), tmp_path / name, pytest.fail)
    save_video(make_video(frames=2, times=[0, 0.2]), tmp_path / "uneven.gif", pytest.fail)


def test_mkv_refuses_times_it_cannot_tell_apart(tmp_path: Path, make_video: Make) -> None:
    with pytest.raises(BadOutput, match="less than a millisecond"):
        make_video(frames=3, times=[0, 0.0001, 0.0002]).save(tmp_path / "a.mkv")
    assert list(tmp_path.iterdir()) == []


def test_gif_colours_are_close(tmp_path: Path, bunny_path: Path) -> None:
    video = open_video(bunny_path)[:6]
    video.save(tmp_path / "a.gif")
    back = open_video(tmp_path / "a.gif")
    assert torch.equal(back.times, video.times)
    assert psnr(back, video) > 30


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".gif"])
def test_single_frames_and_one_channel(tmp_path: Path, suffix: str) -> None:
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., :8] = 1
    Video.of(mask).save(tmp_path / f"a{suffix}")
    back = open_video(tmp_path / f"a{suffix}")
    assert (len(back), back.channels) == (1, 3)
    assert torch.equal(back.frames().round(), mask.expand(1, 3, 16, 16))


def test_values_outside_are_cut_and_channels_are_counted(tmp_path: Path) -> None:
    Video.of(torch.tensor([-1.0, 2.0]).view(1, 1, 1, 2).expand(1, 3, 2, 2)).save(tmp_path / "a.mkv")
    assert open_video(tmp_path / "a.mkv").frames()[0, 0, 0].tolist() == [0, 1]
    with pytest.raises(BadInput, match="2 channels"):
        Video.of(torch.zeros(1, 2, 4, 4)).save(tmp_path / "b.mkv")


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.gif"])
def test_the_same_video_gives_the_same_bytes(tmp_path: Path, make_video: Make, name: str) -> None:
    video = make_video(frames=6, smooth=True)
    video.save(tmp_path / name)
    video.save(tmp_path / f"again {name}")
    assert (tmp_path / name).read_bytes() == (tmp_path / f"again {name}").read_bytes()


def test_frames_are_read_in_batches(tmp_path: Path) -> None:
    asked: list[int] = []

    def read(indices: Sequence[int]) -> Tensor:
        asked.append(len(indices))
        return torch.zeros(len(indices), 3, 512, 1024)

    Video(torch.arange(12, dtype=torch.float64), (512, 1024), read).save(tmp_path / "a.mkv")
    assert sum(asked) == 12
    assert max(asked) * 3 * 512 * 1024 * 4 <= 32 * 2**20


def failing(error: BaseException) -> Video:
    def read(indices: Sequence[int]) -> Tensor:
        if max(indices) >= 3:
            raise error
        return torch.zeros(len(indices), 3, 2048, 1024)

    return Video(torch.arange(5, dtype=torch.float64), (2048, 1024), read)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.gif", "a"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("broken")], ids=["interrupt", "error"])
def test_a_failure_leaves_what_was_there(tmp_path: Path, make_video: Make, name: str, error: BaseException) -> None:
    old = make_video(frames=2)
    old.save(tmp_path / name)
    before = open_video(tmp_path / name).frames()
    with pytest.raises(type(error)):
        failing(error).save(tmp_path / name)
    assert [f.name for f in tmp_path.iterdir()] == [name]
    assert torch.equal(open_video(tmp_path / name).frames(), before)


@pytest.mark.parametrize("name", ["a.mp4", "a"])
def test_a_killed_run_leaves_nothing_under_the_name(tmp_path: Path, name: str) -> None:
    program = f"""
import os, signal, torch
from invr_core.video import Video
def read(indices):
    if max(indices) >= 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return torch.zeros(len(indices), 3, 2048, 1024)
Video(torch.arange(5, dtype=torch.float64), (2048, 1024), read).save({str(tmp_path / name)!r})
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, check=False)
    assert done.returncode == -9
    left = [f.name for f in tmp_path.iterdir()]
    assert name not in left
    assert all(n.startswith(".a.") and ".part" in n for n in left)
