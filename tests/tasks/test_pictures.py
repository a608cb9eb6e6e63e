"""Motion as colours, and the sheet."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from invr_core.errors import BadInput
from invr_tasks.pictures import PAPER, TEXT, colour_wheel, flow_colours, grey, side_by_side


@pytest.mark.parametrize(
    ("parts", "colour"), [(0, (255, 0, 0)), (15, (255, 255, 0)), (25, (0, 255, 255)), (49, (255, 0, 255))]
)
def test_the_corners_of_the_wheel(parts: float, colour: tuple[int, int, int]) -> None:
    angle = 2 * math.pi * parts / 55
    flow = 3 * torch.tensor([math.cos(angle), math.sin(angle)]).view(2, 1, 1)
    assert np.abs(flow_colours(flow)[0, 0].astype(int) - colour).max() <= 1


def test_the_shorter_the_paler_and_what_is_too_long_is_darker() -> None:
    flow = torch.tensor([[[1.0, 2.0, 4.0, torch.nan]], [[0.0, 0.0, 0.0, 1.0]]])
    assert flow_colours(flow, 2.0)[0].tolist() == [[255, 128, 128], [255, 0, 0], [191, 0, 0], [0, 0, 0]]


def test_the_key_shows_the_colours_of_the_directions() -> None:
    key = colour_wheel(101)
    assert key[50, 50].tolist() == [255, 255, 255] and key[0, 0].tolist() == [255, 255, 255]
    assert key[50, 100].tolist() == [255, 0, 0]
    left = flow_colours(torch.tensor([-1.0, 0.0]).view(2, 1, 1))[0, 0]
    assert key[50, 0].tolist() == left.tolist() and left[2] == 255 and left[0] == 0


@pytest.mark.parametrize(("flow", "longest"), [(torch.zeros(1, 2, 3, 3), None), (torch.zeros(2, 3, 3), 0.0)])
def test_what_is_no_flow_is_refused(flow: torch.Tensor, longest: float | None) -> None:
    with pytest.raises(BadInput):
        flow_colours(flow, longest)


def test_a_field_as_grey() -> None:
    assert grey(torch.tensor([[[0.0, 0.5, 1.0]]])).tolist() == [[[0] * 3, [128] * 3, [255] * 3]]


def test_the_sheet_holds_the_pictures_in_rows(tmp_path: Path) -> None:
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    pictures = [np.full((8, 16, 3), colour, np.uint8) for colour in colours]
    side_by_side([[("a", pictures[0]), ("b", pictures[1])], [("c", pictures[2])]], tmp_path / "a.png", 40)
    sheet = np.asarray(Image.open(tmp_path / "a.png"))
    assert sheet.shape == (2 * (TEXT + 10 + 20) + 10, 10 + 2 * 50, 3)
    for colour in colours:
        assert int((sheet == colour).all(2).sum()) == 40 * 20
    assert tuple(sheet[-1, -1]) == PAPER


def test_a_sheet_of_nothing_or_of_no_known_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="at least one picture"):
        side_by_side([[]], tmp_path / "a.png", 40)
    with pytest.raises(BadInput, match=r"not written as \.txt"):
        side_by_side([[("a", np.zeros((2, 2, 3), np.uint8))]], tmp_path / "a.txt", 40)
