"""The encoder: ConvNeXt stages that shrink a frame to its embedding; used while fitting only.

Source: HNeRV paper §3.1; blocks from Z. Liu et al., "A ConvNet for the 2020s", CVPR 2022, §2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) -> the same shape."""
        normed: Tensor = super().forward(x.permute(0, 2, 3, 1))
        return normed.permute(0, 3, 1, 2)


class Block(nn.Module):
    """Depthwise 7x7, normalisation, two pointwise layers, scaled (by 1e-6 at first) and added to what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = ChannelNorm(channels)
        self.widen = nn.Conv2d(channels, 4 * channels, 1)
        self.narrow = nn.Conv2d(4 * channels, channels, 1)
        self.scale = nn.Parameter(torch.full((channels, 1, 1), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) -> the same shape."""
        change: Tensor = self.scale * self.narrow(F.gelu(self.widen(self.norm(self.spread(x)))))
        return x + change


class Encoder(nn.Sequential):
    """(B, channels, H, W) -> (B, embedding, H / prod(strides), W / prod(strides)); sizes are multiples.

    Args:
        channels: of a frame.
        width: channels of all stages but the last.
        embedding: channels of the last.
        strides: by how much each stage shrinks.
    """

    def __init__(self, channels: int, width: int, embedding: int, strides: tuple[int, ...]) -> None:
        stages: list[nn.Module] = []
        last = len(strides) - 1
        before = channels
        for index, stride in enumerate(strides):
            after = embedding if index == last else width
            shrink = nn.Conv2d(before, after, stride, stride)
            stages += [shrink, ChannelNorm(after)] if index == 0 else [ChannelNorm(before), shrink]
            stages.append(Block(after))
            before = after
        super().__init__(*stages)


@torch.no_grad()
def initialise(encoder: Encoder, generator: torch.Generator) -> None:
    """Weights from a truncated normal distribution of deviation 0.02, no biases (as ConvNeXt)."""
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.trunc_normal_(module.weight, std=0.02, generator=generator)
            nn.init.zeros_(module.bias)
