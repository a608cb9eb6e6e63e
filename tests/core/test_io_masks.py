"""Masks: white is filled; whatever does not fit the clip is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from invr_core.errors import BadInput
from invr_core.io import open_mask
from invr_core.video import Video

Make = Callable[..., Video]


def picture(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values.astype(np.uint8)).save(path)
    return path


def half(height: int = 16, width: int = 24) -> np.ndarray:
    values = np.zeros((height, width))
    values[:, : width // 2] = 255
    return values


def test_an_image_holds_for_all_frames(tmp_path: Path, make_video: Make) -> None:
    clip = make_video(times=[1.0, 1.5, 3.0], frames=3)
    mask = open_mask(picture(tmp_path / "m.png", half()), clip)
    assert (len(mask), mask.channels, mask.depth, mask.size) == (3, 1, 8, (16, 24))
    assert torch.equal(mask.times, clip.times)
    expected = torch.from_numpy(half() > 0).float().expand(3, 1, -1, -1)
    assert torch.equal(mask.frames(), expected)
    assert torch.equal(open_mask(tmp_path / "m.png", clip, invert=True).frames(), 1 - expected)


def test_a_folder_and_a_video_go_frame_by_frame(tmp_path: Path, make_video: Make) -> None:
    clip = make_video(frames=3)
    moving = torch.zeros(3, 1, 16, 24)
    for i in range(3):
        moving[i, :, i : i + 4] = 1
    Video.of(moving).save(tmp_path / "masks")
    Video.of(moving).save(tmp_path / "masks.mkv")
    Video.of(moving).save(tmp_path / "masks.mp4")
    for name in ("masks", "masks.mkv", "masks.mp4"):
        assert torch.equal(open_mask(tmp_path / name, clip).frames(), moving), name
    assert torch.equal(open_mask(tmp_path / "masks", clip).read([2, 0]), moving[[2, 0]])


def test_half_of_full_brightness_in_any_channel_is_white(tmp_path: Path, make_video: Make) -> None:
    values = np.zeros((16, 24, 3))
    values[0, 0, 1], values[0, 1] = 128, 127
    mask = open_mask(picture(tmp_path / "m.png", values), make_video(frames=1)).frames()
    assert mask[0, 0, 0, :2].tolist() == [1, 0]
    assert mask.sum() == 1


def test_what_does_not_fit_is_refused(tmp_path: Path, make_video: Make) -> None:
    clip = make_video(frames=3)
    with pytest.raises(BadInput, match=r"20x10.*24x16"):
        open_mask(picture(tmp_path / "small.png", half(10, 20)), clip)
    Video.of(torch.zeros(2, 1, 16, 24)).save(tmp_path / "two")
    with pytest.raises(BadInput, match=r"has 2 frames.*has 3"):
        open_mask(tmp_path / "two", clip)


def test_all_white_is_refused_and_all_black_is_not(tmp_path: Path, make_video: Make) -> None:
    clip = make_video(frames=2)
    path = picture(tmp_path / "m.png", np.zeros((16, 24)))
    assert open_mask(path, clip).frames().sum() == 0
    with pytest.raises(BadInput, match="covers everything; nothing is left to learn from"):
        open_mask(path, clip, invert=True)
    Video.of(torch.ones(2, 1, 16, 24)).save(tmp_path / "white")
    with pytest.raises(BadInput, match="covers everything"):
        open_mask(tmp_path / "white", clip)
    one = torch.ones(2, 1, 16, 24)
    one[1, 0, 3, 3] = 0
    Video.of(one).save(tmp_path / "nearly")
    assert open_mask(tmp_path / "nearly", clip).frames().sum() == one.sum()
