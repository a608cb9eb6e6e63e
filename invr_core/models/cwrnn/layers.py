"""The layers that the parts of the model are made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Pointwise(nn.Conv2d):
    """A 1x1 layer, as the product of matrices that it is: on a CPU two to ten times as fast as by a convolution.

    Args:
        inputs, outputs: channels.
        bias: whether a constant is added.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, h, w)."""
        return mixed(x, self.weight.flatten(1), self.bias)


class Cell(nn.Module):
    """A 3x3 layer, added to what came in. On a CPU it is faster than a depthwise and two pointwise ones."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h, w) -> the same shape."""
        return x + F.gelu(self.mix(x))


def mixed(x: Tensor, matrix: Tensor, bias: Tensor | None = None) -> Tensor:
    """The channels of a picture mixed: (B, C, h, w) by a matrix of (D, C) and a bias of (D,) -> (B, D, h, w)."""
    batch, flat = matrix.expand(len(x), *matrix.shape), x.flatten(2)
    product = torch.bmm(batch, flat) if bias is None else torch.baddbmm(bias[:, None], batch, flat)
    return product.view(len(x), len(matrix), *x.shape[2:])


def silence(layer: nn.Conv2d) -> None:
    """Let a layer say nothing at first."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
