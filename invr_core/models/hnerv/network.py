"""The whole model: encoder and given frames while fitting, their cached embeddings afterwards, one decoder."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from invr_core.errors import Unsupported
from invr_core.models.base import Geometry, Network
from invr_core.models.hnerv import decoder as decoding
from invr_core.models.hnerv import encoder as encoding
from invr_core.models.hnerv.config import HNeRV
from invr_core.observation import Observation

KEPT = 1 << 28
"""Bytes of given frames, at most, that are kept for the encoder: a guess may take long to make."""


class HNeRVNetwork(Network):
    """A clip as embeddings at its given instants, linear in time between them, and a decoder.

    While it is fitted, an embedding is what the encoder makes of a given frame; only given frames can be reached.
    `finish` caches the embeddings and drops encoder and frames.

    Args:
        config: solved.
        geometry: of the clip.
    """

    embeddings: Tensor

    def __init__(self, config: HNeRV, geometry: Geometry) -> None:
        super().__init__()
        self.config = config
        self.size = geometry.size
        grid = config.grid(geometry)
        factor = math.prod(config.strides)
        self.padding = (0, grid[1] * factor - geometry.size[1], 0, grid[0] * factor - geometry.size[0])
        self.times = torch.tensor(geometry.times, dtype=torch.float64, device="cpu")
        self.decoder = decoding.Decoder(config.embedding, config.channels(), config.strides)
        self.register_buffer("embeddings", torch.zeros(len(geometry.times), config.embedding, *grid))
        self.encoder: encoding.Encoder | None = None
        self.observation: Observation | None = None

    def forward(self, times: Tensor, part: str = "full") -> Tensor:
        """Render; see `invr_core.models.base.Network`."""
        if part not in self.parts:
            raise Unsupported(f"hnerv has no part {part!r}; it has full")
        left, right, share = self._neighbours(times)
        needed, order = torch.unique(torch.cat([left, right]), return_inverse=True)
        before, after = self._embed(needed)[order.to(self.embeddings.device)].chunk(2)
        picture: Tensor = self.decoder(torch.lerp(before, after, share.to(before).view(-1, 1, 1, 1)))
        return picture[:, :, : self.size[0], : self.size[1]]

    def _neighbours(self, times: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Given frames before and after, and how far an instant is from the first to the second, in [0, 1].

        At a given frame both are that frame; before the first and after the last, that one.
        """
        right = torch.searchsorted(self.times, times).clamp(max=len(self.times) - 1)
        left = (right - 1).clamp(min=0)
        gap = self.times[right] - self.times[left]
        share = torch.where(gap > 0, (times - self.times[left]) / gap, 0.0).clamp(0, 1)
        return torch.where(share == 1, right, left), right, share

    def _embed(self, indices: Tensor) -> Tensor:
        """The embeddings of some given frames, (n, embedding, h, w)."""
        if self.encoder is None or self.observation is None:
            return self.embeddings[indices.to(self.embeddings.device)]
        given = self.observation
        frames = given.video.read(indices.tolist())
        if given.weight is not None:
            frames = frames * given.weight.read(indices.tolist())
        if given.video.size != self.size:
            frames = F.interpolate(frames, self.size, mode="bicubic", align_corners=False, antialias=True).clamp(0, 1)
        found: Tensor = self.encoder(F.pad(frames.to(self.embeddings.device), self.padding, mode="replicate"))
        return found

    def start(self, observation: Observation, generator: torch.Generator) -> None:
        """Make the encoder, keep the given frames for it (hidden pixels black), draw all weights from the generator."""
        config = self.config
        with torch.random.fork_rng(devices=[]):
            encoder = encoding.Encoder(observation.video.channels, config.encoder, config.embedding, config.strides)
        encoding.initialise(encoder, generator)
        decoding.initialise(self.decoder, generator)
        self.encoder = encoder.to(self.embeddings.device)
        video = observation.video
        count = max(KEPT // (4 * video.channels * math.prod(video.size)), 1)
        self.observation = replace(observation, video=video.remembered(count))

    @torch.no_grad()
    def finish(self) -> None:
        """Cache the embeddings of all given frames; drop the encoder and the frames."""
        for index in range(len(self.times)):
            self.embeddings[index] = self._embed(torch.tensor([index]))[0]
        self.encoder = self.observation = None

    def counted(self) -> int:
        """Parameters of the decoder, and the embeddings; not the encoder."""
        return sum(p.numel() for p in self.decoder.parameters()) + self.embeddings.numel()
