"""Pictures looked up at real-valued positions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from invr_core.sampling import doubled, pixel_grid, sample, sample_doubled, target_grid, warp

MODES = ("bilinear", "bicubic", "sinc")


def looked_up(picture: Tensor, positions: Tensor, mode: str) -> tuple[Tensor, Tensor]:
    return sample_doubled(doubled(picture), positions) if mode == "sinc" else sample(picture, positions, mode)


def test_positions_are_x_then_y_from_the_centre_of_the_first_pixel() -> None:
    grid = pixel_grid(2, 3)
    assert grid.dtype == torch.float32 and tuple(grid.shape) == (1, 2, 2, 3)
    assert grid[0, 0].tolist() == [[0, 1, 2], [0, 1, 2]]
    assert grid[0, 1].tolist() == [[0, 0, 0], [1, 1, 1]]


def test_a_flow_leads_from_each_pixel_to_where_it_lands() -> None:
    flow = torch.zeros(2, 2, 3, 4)
    flow[1, 0], flow[1, 1] = 1.5, -2.0
    there = target_grid(flow)
    assert torch.equal(there[0], pixel_grid(3, 4)[0])
    assert there[1, :, 2, 3].tolist() == [4.5, 0.0]


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40))
def test_at_the_pixels_themselves_it_is_the_picture(mode: str, height: int, width: int) -> None:
    picture = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(height * 41 + width))
    values, inside = looked_up(picture, pixel_grid(height, width).expand(2, -1, -1, -1), mode)
    assert torch.allclose(values, picture, atol=2e-5)
    assert bool((inside == 1).all()) and tuple(inside.shape) == (2, 1, height, width)


@pytest.mark.parametrize("mode", MODES)
def test_a_whole_shift_moves_the_picture(mode: str) -> None:
    picture = torch.rand(1, 3, 9, 13)
    flow = torch.zeros(1, 2, 9, 13)
    flow[:, 0], flow[:, 1] = 3.0, -2.0
    values, inside = looked_up(picture, target_grid(flow), mode)
    assert torch.allclose(values[:, :, 2:, :-3], picture[:, :, :-2, 3:], atol=1e-5)
    assert torch.equal(inside[0, 0] > 0, torch.nn.functional.pad(torch.ones(7, 10), (0, 3, 2, 0)) > 0)


@pytest.mark.parametrize("mode", MODES)
def test_a_ramp_is_read_between_its_pixels(mode: str) -> None:
    x, y = pixel_grid(12, 16)[0]
    picture = (0.03 * x - 0.02 * y)[None, None]
    positions = torch.tensor([[5.25, 7.9, 2.5], [4.5, 6.1, 9.0]]).view(1, 2, 1, 3)
    values, _ = looked_up(picture, positions, mode)
    tolerance = 1e-5 if mode == "bilinear" else 2e-3  # torch's bicubic kernel bends a ramp a little
    assert values.flatten().tolist() == pytest.approx([0.03 * 5.25 - 0.02 * 4.5, 0.115, -0.105], abs=tolerance)


def test_a_fine_texture_keeps_its_contrast_best_by_sinc() -> None:
    """A wave of two and a half pixels, a third of a pixel further: what each mode misses of it."""
    x, _ = pixel_grid(9, 60)[0]
    phase = 2 * torch.pi * 0.4
    missed = {}
    for mode in MODES:
        flow = torch.zeros(1, 2, 9, 60)
        flow[:, 0] = 1 / 3
        values, _ = looked_up(torch.sin(phase * x)[None, None], target_grid(flow), mode)
        missed[mode] = float((values[0, 0] - torch.sin(phase * (x + 1 / 3)))[:, 10:-10].abs().mean())
    assert missed["sinc"] < 0.03 < missed["bicubic"] / 3 < missed["bilinear"] / 3


def test_outside_the_border_is_repeated_and_said() -> None:
    picture = torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 1, 3)
    x = torch.tensor([-9.0, -0.51, -0.49, 2.49, 2.51, 9.0])
    positions = torch.stack([x, torch.zeros(6)]).view(1, 2, 1, 6)
    values, inside = sample(picture, positions)
    assert values.flatten().tolist() == pytest.approx([1, 1, 1, 3, 3, 3])
    assert inside.flatten().tolist() == [0, 0, 1, 1, 0, 0]
    _, inside = sample(picture, torch.tensor([[1.0, 1.0, 1.0], [-0.51, 0.49, 0.51]]).view(1, 2, 1, 3))
    assert inside.flatten().tolist() == [0, 1, 0]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(9, 13), (13, 9), (1, 7)])
def test_warping_is_sampling_where_the_flow_lands(size: tuple[int, int], mode: str) -> None:
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(2, 3, *size, generator=generator)
    flow = 3 * torch.randn(2, 2, *size, generator=generator)
    assert torch.allclose(warp(picture, flow, mode), sample(picture, target_grid(flow), mode)[0], atol=1e-5)


def test_a_flow_is_in_pixels_of_its_own_grid_whatever_the_resolution_of_the_picture() -> None:
    x, y = pixel_grid(8, 12)[0]
    flow = torch.zeros(1, 2, 8, 12)
    flow[:, 0], flow[:, 1] = 1.5, -2.0
    wide = torch.linspace(-0.375, 11.375, 48)[None, None, None].expand(1, 1, 32, 48)  # four pixels for each of the flow
    tall = torch.linspace(-0.375, 7.375, 32)[None, None, :, None].expand(1, 1, 32, 48)
    found = warp(torch.cat([wide, tall], 1), flow)
    assert torch.allclose(found[0, 0, :, :10], (x + 1.5)[:, :10], atol=1e-5)
    assert torch.allclose(found[0, 1, 2:], (y - 2.0)[2:], atol=1e-5)


def test_pictures_and_positions_have_gradients() -> None:
    picture = torch.rand(1, 1, 4, 4, requires_grad=True)
    positions = (torch.rand(1, 2, 3, 3) + 1).requires_grad_()
    sample(picture, positions)[0].sum().backward()
    assert picture.grad is not None and float(picture.grad.sum()) == pytest.approx(9, abs=1e-4)
    assert positions.grad is not None and bool((positions.grad != 0).any())
