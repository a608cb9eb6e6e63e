"""A fitted network as a `Representation`: query checks, sizes, regions, motion with confidence, save."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from invr_core.device import flushed_denormals
from invr_core.errors import BadInput, OutOfSpan, Unsupported
from invr_core.memory import require_picture, within_memory
from invr_core.models.base import Geometry, ModelConfig, Network
from invr_core.query import Query
from invr_core.representation import Motion
from invr_core.sampling import sample, target_grid
from invr_core.span import outside, written

_TOO_LARGE = "a picture of this fit does not fit in memory; ask for fewer pixels"


class Fitted:
    """A fitted network, to be asked; made by `invr_core.fitting.fit` and `invr_core.storage.load`.

    Args:
        network: fitted, in evaluation mode.
        config: the solved config that built it.
        geometry: of the clip it was fitted to.
        info: how it was made (seed, steps, seconds, versions): JSON values only.
    """

    def __init__(self, network: Network, config: ModelConfig, geometry: Geometry, info: Mapping[str, Any]) -> None:
        self.network = network
        self.config = config
        self.geometry = geometry
        self.info = dict(info)
        self.span = geometry.span
        self.size = geometry.size
        self.parts = network.parts

    @property
    def device(self) -> torch.device:
        """Where the answer is computed."""
        return next(self.network.parameters()).device

    def _instants(self, times: Tensor) -> Tensor:
        times = torch.as_tensor(times, dtype=torch.float64, device="cpu")
        first, last = self.span
        beyond = outside(times, self.span)
        if len(beyond):
            raise OutOfSpan(
                f"{written(beyond[0])} s lies outside the fitted span; ask for {written(first)} to {written(last)} s"
            )
        return times.clamp(first, last)

    @flushed_denormals()
    def __call__(self, query: Query) -> Tensor:
        """Render a query; see `invr_core.representation.Representation`. One instant at a time, so that a batch
        equals its singles to the bit.

        Raises:
            BadInput: if what was fitted makes no finite numbers.
            NotEnoughMemory: if a picture of this size does not fit.
        """
        if query.part not in self.parts:
            raise Unsupported(f"this model has no part {query.part!r}; it has {', '.join(sorted(self.parts))}")
        times = self._instants(query.times)
        if len(times) == 0:
            raise BadInput("the query names no instant; give at least one")
        require_picture(self.size, query.size or self.size, self.device)
        with within_memory(_TOO_LARGE):
            return torch.cat([self._checked(times[i : i + 1], query) for i in range(len(times))])

    def _checked(self, time: Tensor, query: Query) -> Tensor:
        picture = self._render(time, query)
        self._require_numbers(picture, time)
        return picture

    def _require_numbers(self, found: Tensor, time: Tensor) -> None:
        """Finite parameters may still overflow on their way; while a fit goes on, that is for it to mend."""
        if not self.network.training and bool(found.sum().isnan()):
            raise BadInput(
                f"what was fitted has no picture at {float(time[0]):g} s, only numbers that overflow; fit it again"
            )

    def _render(self, time: Tensor, query: Query) -> Tensor:
        if query.part == "residual":
            full, structured = (self._render(time, replace(query, part=part)) for part in ("full", "structured"))
            return full - structured
        picture: Tensor = self.network(time, query.part)
        if query.size is not None and query.size != self.size:
            smaller = query.size[0] < self.size[0] or query.size[1] < self.size[1]
            picture = F.interpolate(picture, query.size, mode="bicubic", align_corners=False, antialias=smaller)
        if query.region is not None:
            rows, columns = query.region.slices((picture.shape[2], picture.shape[3]))
            picture = picture[:, :, rows, columns]
        return picture.clamp(0, 1)

    @flushed_denormals()
    def motion(self, t0: Tensor, t1: Tensor) -> Motion:
        """Where the pixels of ``t0`` are at ``t1``, and how far it is to be trusted.

        Confidence is that of the round trip: the flow there and the flow back, met at the landing point, should
        cancel; their sum is held against a pixel, more where the motion is large (Sundaram, Brox & Keutzer, ECCV 2010).
        """
        t0, t1 = self._instants(t0), self._instants(t1)
        require_picture(self.size, self.size, self.device)
        with within_memory(_TOO_LARGE):
            return self._motion(t0, t1)

    def _motion(self, t0: Tensor, t1: Tensor) -> Motion:
        there, back = self.network.flow(t0, t1), self.network.flow(t1, t0)
        returned, inside = sample(back, target_grid(there))
        gap = (there + returned).square().sum(1, keepdim=True)
        allowed = 0.01 * (there.square().sum(1, keepdim=True) + returned.square().sum(1, keepdim=True)) + 0.5
        confidence = torch.exp(-gap / allowed) * inside
        self._require_numbers(confidence, t0)
        return Motion(there, confidence)

    def to(self, device: torch.device | str) -> Self:
        """The same representation on another device."""
        self.network.to(device)
        return self

    def settle(self) -> None:
        """Do what is left to be done before this can be kept: nothing, unless it is a look at a running fit."""

    def save(self, path: str | Path, bits: int = 32) -> None:
        """Write one ``.invr`` file, atomically; see `invr_core.storage.save`.

        Args:
            path: ends in ``.invr``.
            bits: of each parameter: 32, which is exact, or 4 to 16. 8 is about a fifth of the size; of a fit of 35 dB
                it lost 0.03 dB of PSNR.
        """
        from invr_core.storage import save

        save(self, Path(path), bits)
