"""The decoder: a pointwise layer, stages of convolution and pixel shuffle, and a head.

Source: HNeRV paper §3.2, with kernels 1, 3, 5, 5, … and GELU.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Decoder(nn.Module):
    """(B, embedding, h, w) -> (B, 3, h * prod(strides), w * prod(strides)), in (0, 1).

    Args:
        embedding: channels of an embedding.
        channels: before the first stage and after each one; one more than ``strides``.
        strides: by how much each stage enlarges.
    """

    def __init__(self, embedding: int, channels: tuple[int, ...], strides: tuple[int, ...]) -> None:
        layers: list[nn.Module] = [nn.Conv2d(embedding, channels[0], 1), nn.GELU()]
        for index, stride in enumerate(strides):
            kernel = min(1 + 2 * index, 5)
            wide = nn.Conv2d(channels[index], channels[index + 1] * stride**2, kernel, padding=kernel // 2)
            layers += [wide, nn.PixelShuffle(stride), nn.GELU()]
        super().__init__()
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels[-1], 3, 3, padding=1))

    def forward(self, embeddings: Tensor) -> Tensor:
        """Render."""
        return torch.tanh(self.layers(embeddings)) * 0.5 + 0.5


@torch.no_grad()
def initialise(decoder: Decoder, generator: torch.Generator) -> None:
    """Weights and biases uniform within one over the square root of the fan-in (as `torch.nn.Conv2d` does)."""
    for module in decoder.modules():
        if isinstance(module, nn.Conv2d):
            bound = module.weight[0].numel() ** -0.5
            for parameter in module.parameters():
                parameter.copy_(torch.empty(parameter.shape).uniform_(-bound, bound, generator=generator))
