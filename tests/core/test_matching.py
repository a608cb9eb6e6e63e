"""Matching of two pictures, against a motion that is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from invr_core import matching
from invr_core.matching import match, match_both, matchable
from invr_core.sampling import pixel_grid, sample


def pictures(right: float, down: float) -> tuple[Tensor, Tensor]:
    """A smooth texture, and the same moved."""
    texture = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(1))
    texture = F.interpolate(texture, size=(96, 128), mode="bicubic").clamp(0, 1)
    grid = pixel_grid(64, 96) + 16
    moved = sample(texture, grid - torch.tensor([right, down]).view(1, 2, 1, 1))[0]
    return sample(texture, grid)[0], moved


@pytest.mark.parametrize("patch", [8, 16, 24])
@pytest.mark.parametrize("motion", [(2.0, 0.0), (-1.5, 0.75)], ids=str)
def test_a_motion_is_found_to_a_tenth_of_a_pixel(motion: tuple[float, float], patch: int) -> None:
    for find in (match, match_both):
        flow = find(*pictures(*motion), patch=patch)
        assert flow.shape == (1, 2, 64, 96) and flow.dtype == torch.float32
        wrong = (flow - torch.tensor(motion).view(1, 2, 1, 1))[..., 12:-12, 12:-12]
        assert float(wrong.abs().mean()) < 0.1


def test_black_is_0_and_white_255(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def flow(method: Any, old: Any, new: Any) -> Any:
        seen.extend([old, new])
        return np.zeros((*old.shape, 2), np.float32)

    monkeypatch.setattr(matching, "dense_flow", flow)
    match(torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16))
    match(torch.full((1, 3, 16, 16), 100 / 255), torch.full((1, 3, 16, 16), 1.5))
    assert [(int(picture.min()), int(picture.max())) for picture in seen] == [
        (0, 0),
        (255, 255),
        (100, 100),
        (255, 255),
    ]


@pytest.mark.parametrize(
    ("options", "apart"), [({"patch": 8}, 2), ({"patch": 24}, 6), ({"patch": 16, "stride": 8}, 8)], ids=str
)
def test_patches_are_as_far_apart_as_is_asked(
    options: dict[str, int], apart: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_to: list[int] = []

    def flow(method: Any, old: Any, new: Any) -> Any:
        set_to.append(method.getPatchStride())
        return np.zeros((*old.shape, 2), np.float32)

    monkeypatch.setattr(matching, "dense_flow", flow)
    match(torch.zeros(1, 3, 64, 64), torch.ones(1, 3, 64, 64), **options)
    assert set_to == [apart]


def test_matching_both_ways_is_odd() -> None:
    old, new = pictures(2.0, 1.0)
    assert torch.allclose(match_both(old, new), -match_both(new, old))


@pytest.mark.parametrize(("size", "patch", "can"), [((16, 90), 8, True), ((15, 90), 8, False), ((40, 40), 24, False)])
def test_what_can_be_matched(size: tuple[int, int], patch: int, can: bool) -> None:
    assert matchable(size, patch) == can
    if can:
        match(torch.zeros(1, 3, *size), torch.ones(1, 3, *size), patch=patch)
