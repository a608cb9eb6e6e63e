"""The mixed residual grid: what is irregular, appearance and motion together, on learnable grids in space and time.

From the paper's abstract: one grid holds the irregular appearance *and* the irregular motion, and is read by the same
network as the structured part. Ours: the levels (coarse in space with many instants, fine in space with few), linear
interpolation in time, and a motion level that is a velocity field as it stands.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TemporalGrid(nn.Module):
    """Feature maps at evenly spaced instants, read at any instant by linear interpolation.

    The nodes lie at the middles of ``instants`` equal intervals of [0, 1]; before the first and after the last, the
    end node holds.

    Args:
        instants: number of nodes in time.
        channels, height, width: shape of each node.
    """

    def __init__(self, instants: int, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.nodes = nn.Parameter(torch.zeros(instants, channels, height, width))

    def forward(self, position: Tensor) -> Tensor:
        """The grid at ``position``, (M,) in [0, 1] -> (M, channels, height, width)."""
        place = (position * len(self.nodes) - 0.5).clamp(0, len(self.nodes) - 1)
        before = place.floor().long().clamp(max=max(len(self.nodes) - 2, 0))
        after = (before + 1).clamp(max=len(self.nodes) - 1)
        share = (place - before).to(self.nodes.dtype).view(-1, 1, 1, 1)
        return torch.lerp(self.nodes[before], self.nodes[after], share)


class ResidualGrid(nn.Module):
    """The levels of the mixed residual grid.

    Args:
        motion: (instants, height, width) of the velocity field, two channels in pixels of that level per interval.
        appearance: (instants, channels, height, width) of each appearance level, coarse in space first.
    """

    def __init__(self, motion: tuple[int, int, int], appearance: tuple[tuple[int, int, int, int], ...]) -> None:
        super().__init__()
        self.motion = TemporalGrid(motion[0], 2, motion[1], motion[2])
        self.appearance = nn.ModuleList(TemporalGrid(*level) for level in appearance)

    def detail(self, position: Tensor, size: tuple[int, int]) -> Tensor:
        """All appearance levels at ``position``, resized to ``size`` and stacked: (M, sum of channels, *size).

        Args:
            position: (M,) in [0, 1].
            size: (height, width) of the result.
        """
        levels = [
            F.interpolate(level(position), size, mode="bilinear", align_corners=False) for level in self.appearance
        ]
        return torch.cat(levels, 1)
