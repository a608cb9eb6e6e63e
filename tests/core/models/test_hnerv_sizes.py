"""HNeRV: strides from the size of a frame, widths from a count of parameters."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from invr_core.errors import BadInput
from invr_core.models.base import Geometry
from invr_core.models.hnerv import HNeRV
from invr_core.models.hnerv.config import choose_strides


def clip(size: tuple[int, int], frames: int = 16) -> Geometry:
    times = tuple(i / 25 for i in range(frames))
    return Geometry(times, (times[0], times[-1]), size)


@pytest.mark.parametrize(
    ("size", "strides", "grid"),
    [
        ((640, 1280), (5, 4, 4, 2, 2), (2, 4)),
        ((960, 1920), (5, 4, 4, 3, 2), (2, 4)),
        ((160, 320), (5, 4, 2, 2), (2, 4)),
        ((144, 176), (4, 3, 2, 2), (3, 4)),
        ((1, 1), (2,), (1, 1)),
    ],
)
def test_strides_follow_the_frame(size: tuple[int, int], strides: tuple[int, ...], grid: tuple[int, int]) -> None:
    assert choose_strides(size) == strides
    assert HNeRV(strides=strides).grid(clip(size)) == grid


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 4400), width=st.integers(1, 8000))
def test_any_frame_size_has_a_small_embedding_and_little_padding(height: int, width: int) -> None:
    config = HNeRV(strides=choose_strides((height, width)))
    cells = config.grid(clip((height, width)))
    assert min(cells) <= 3
    if min(height, width) >= 100:
        factor = torch.tensor(config.strides).prod().item()
        assert cells[0] * cells[1] * factor**2 <= 1.35 * height * width


@pytest.mark.parametrize("params", [125_000, 350_000, 750_000, 3_000_000])
@pytest.mark.parametrize("size", [(640, 1280), (160, 320), (161, 319)])
def test_the_parameter_count_is_met(size: tuple[int, int], params: int) -> None:
    geometry = clip(size)
    network = HNeRV(params=params).solve(geometry).build(geometry)
    decoder = sum(value.numel() for name, value in network.state_dict().items() if name.startswith("decoder"))
    embeddings = network.state_dict()["embeddings"].numel()
    assert network.counted() == decoder + embeddings
    assert abs(network.counted() - params) <= 0.02 * params


def test_the_published_shape_is_built() -> None:
    geometry = clip((640, 1280), frames=2)
    network = HNeRV(params=1_500_000).solve(geometry).build(geometry)
    convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    assert [module.kernel_size[0] for module in convolutions] == [1, 1, 3, 5, 5, 5, 3]
    widths = [module.in_channels for module in convolutions]
    assert widths[0] == 16 and all(abs(a / b - 1.2) < 0.03 for a, b in pairwise(widths[1:]))
    assert network.state_dict()["embeddings"].shape == (2, 16, 2, 4)


def test_no_stage_falls_below_the_lower_width() -> None:
    assert HNeRV(strides=(5, 4, 4, 2, 2), width=20.0).channels() == (20, 17, 14, 12, 12, 12)


def test_a_count_that_cannot_be_met_says_which_can() -> None:
    geometry = clip((160, 320), frames=100)
    with pytest.raises(BadInput, match=r"20,000 .* nearest .* ([\d,]+)") as caught:
        HNeRV(params=20_000).solve(geometry)
    possible = int(str(caught.value).split("have: ")[1].split(" ")[0].replace(",", ""))
    assert HNeRV(params=possible).solve(geometry).build(geometry).counted() == possible


def test_the_default_count_always_solves() -> None:
    for size, frames in (((160, 320), 2), ((160, 320), 64), ((8, 8), 500), ((3, 5), 1)):
        geometry = clip(size, frames)
        solved = HNeRV().solve(geometry)
        assert abs(solved.build(geometry).counted() - solved.params) <= 0.02 * solved.params
        assert solved.solve(geometry) == solved


@pytest.mark.parametrize(("frames", "params"), [(640, 491_520), (10, 40_000)])
def test_the_default_count_is_a_twentieth_of_the_samples_and_no_less_than_a_few(frames: int, params: int) -> None:
    assert HNeRV().solve(clip((64, 80), frames)).params == pytest.approx(params, rel=0.02)


@pytest.mark.parametrize(
    "wrong",
    [
        {"strides": ()},
        {"strides": (2,) * 9},
        {"strides": (0, 2)},
        {"width": 0.0},
        {"embedding": -1},
        {"reduction": 0.0},
    ],
)
def test_sizes_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="out of range"):
        replace(HNeRV(strides=(2, 2), width=8.0), **wrong).build(clip((8, 8)))  # type: ignore[arg-type]


def test_the_largest_sizes_are_built() -> None:
    config = HNeRV(strides=(1,) * 7 + (16,), width=8.0, lower_width=1)
    assert config.build(clip((16, 16))).counted() > 0
