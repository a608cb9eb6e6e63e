"""A texture that moves evenly, and networks of the Coupled WarpRNN that start from it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from invr_core.models.base import Geometry
from invr_core.models.cwrnn import CWRNN
from invr_core.models.cwrnn.network import CWRNNNetwork
from invr_core.observation import Observation
from invr_core.video import Video

SIZE = (48, 64)
VELOCITY = (1.5, -0.75)
"""Pixels a second, x then y."""
REGULAR = [float(i) for i in range(9)]
IRREGULAR = [0.0, 1.0, 2.5, 3.0, 4.5, 5.0, 7.0, 8.0]
LONG = [float(i) for i in range(17)]
LONG_CONFIG = CWRNN(params=28_000)
"""One segment of several steps of the recurrence."""


def picture(time: float, size: tuple[int, int], velocity: tuple[float, float]) -> Tensor:
    """A texture at an instant of its way: (3, H, W)."""
    y, x = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    x, y = x - velocity[0] * time, y - velocity[1] * time
    waves = [
        0.12 * torch.sin(0.31 * x + 0.17 * y + phase)
        + 0.12 * torch.sin(0.12 * x - 0.41 * y + 2 * phase)
        + 0.1 * torch.sin(0.53 * x + 0.29 * y - phase) * torch.sin(0.23 * y - 0.09 * x)
        for phase in range(3)
    ]
    return 0.5 + torch.stack(waves)


def translating(
    times: Sequence[float] = REGULAR, size: tuple[int, int] = SIZE, velocity: tuple[float, float] = VELOCITY
) -> Video:
    frames = torch.stack([picture(t, size, velocity) for t in times])
    return Video.of(frames, torch.tensor(times, dtype=torch.float64))


def whole(times: Sequence[float], size: tuple[int, int] = SIZE) -> Geometry:
    return Geometry(tuple(times), (times[0], times[-1]), size)


def started(video: Video, config: CWRNN | None = None, seed: int = 0) -> CWRNNNetwork:
    """A network before the first step, as it answers."""
    observation = Observation(video)
    geometry = Geometry.of(observation)
    network = (config or CWRNN(params=60_000)).solve(geometry).build(geometry)
    assert isinstance(network, CWRNNNetwork)
    network.start(observation, torch.Generator().manual_seed(seed))
    return network.eval().requires_grad_(False)


def seconds(*times: float) -> Tensor:
    return torch.tensor(times, dtype=torch.float64)


def spoilt(network: CWRNNNetwork, seed: int = 5) -> CWRNNNetwork:
    """Every weight away from where it starts, so that each is of influence."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name not in ("luma", "chroma"):
                value += 0.05 * torch.randn(value.shape, generator=generator)
    return network
