"""Where a fit starts: anchors that already show the clip, motion that already moves it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from invr_core.errors import BadInput
from invr_core.fill import fill
from invr_core.matching import dense_flow, matchable
from invr_core.models.cwrnn.compensation import to_ycc
from invr_core.noise import gaussian_level
from invr_core.observation import Observation

if TYPE_CHECKING:
    from invr_core.models.cwrnn.network import CWRNNNetwork


BLUR_PER_NOISE, MOST_BLUR = 10.0, 2.0
"""Pixels of Gaussian blur per unit of noise before optical flow, and its bound."""


@torch.no_grad()
def initialise(network: CWRNNNetwork, observation: Observation, generator: torch.Generator) -> None:
    """Set every parameter of a new network from the given frames and a generator."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and bool(module.weight.any()):
            fan_in = module.weight[0].numel()
            bound = 1e-3 if module is network.compensation.leave else 1 / math.sqrt(fan_in)
            module.weight.uniform_(-bound, bound, generator=generator)
            if module.bias is not None:
                module.bias.zero_()
    for nodes in network.grid.appearance.parameters():
        nodes.uniform_(-1e-2, 1e-2, generator=generator)
    for index in range(len(network.luma)):
        instant = network.first + index * network.config.steps * network.interval
        frame = _extended(to_ycc(_nearest_frame(observation, instant)), network)
        network.luma[index] = _shrink(frame[:, :1], network.luma)[0]
        network.chroma[index] = _shrink(frame[:, 1:], network.chroma)[0]
    moving = observation if observation.moving is None else Observation(observation.moving)
    if network.config.warm_start and matchable(moving.video.size):
        _set_velocities(network, moving)


def _extended(picture: Tensor, network: CWRNNNetwork) -> Tensor:
    """A picture or a flow of the clip's frame, its last row and column repeated where the network renders further."""
    (height, width), (high, wide) = network.size, network.padded
    rows = round(picture.shape[2] * (high - height) / height)
    columns = round(picture.shape[3] * (wide - width) / width)
    return F.pad(picture, (0, columns, 0, rows), mode="replicate") if rows or columns else picture


def _shrink(picture: Tensor, like: Tensor) -> Tensor:
    """A picture at the resolution of another."""
    size = (like.shape[2], like.shape[3])
    return F.interpolate(picture, size, mode="bilinear", antialias=True, align_corners=False)


def _nearest_frame(observation: Observation, instant: float) -> Tensor:
    """The given frame nearest to an instant of which anything is trusted, its hidden pixels filled: (1, 3, H, W)."""
    video = observation.video
    for index in (video.times - instant).abs().argsort().tolist():
        trusted = _trusted(observation, index)
        if bool((trusted > 0).any()):
            return fill(video.read([index]), trusted)
    raise BadInput("no pixel of the clip is trusted; there is nothing to fit")


def _set_velocities(network: CWRNNNetwork, observation: Observation) -> None:
    """DIS flow between neighbouring given frames, as pixels of the motion scale per interval, at the grid's nodes."""
    nodes = network.grid.motion.nodes
    known, middles = _flows(observation, network)
    if not known:
        return
    places = (torch.tensor(middles, dtype=torch.float64) - network.first) / network.interval
    for node in range(len(nodes)):
        after = min(int(torch.searchsorted(places, node + 0.5)), len(known) - 1)
        before = max(after - 1, 0)
        gap = float(places[after] - places[before])
        share = min(max((node + 0.5 - float(places[before])) / gap, 0.0), 1.0) if gap > 0 else 0.0
        nodes[node] = torch.lerp(known[before], known[after], share)


def _flows(observation: Observation, network: CWRNNNetwork) -> tuple[list[Tensor], list[float]]:
    """Flow per interval, (2, h, w) each, between neighbours that show something, and the middles of those pairs."""
    nodes, times = network.grid.motion.nodes, observation.video.times.tolist()
    size = (nodes.shape[2], nodes.shape[3])
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flows, middles = [], []
    for index, ((old, before), (new, after)) in enumerate(pairwise(_readable(observation))):
        trusted = before * after
        if not bool((trusted > 0).any()):
            continue
        mean = torch.from_numpy((dense_flow(dis, old, new) - dense_flow(dis, new, old)) / 2).permute(2, 0, 1)[None]
        length = (times[index + 1] - times[index]) / network.interval
        flows.append(_shrink_flow(_extended(fill(mean, trusted), network), size)[0] / length)
        middles.append((times[index + 1] + times[index]) / 2)
    return flows, middles


def _readable(observation: Observation) -> Iterator[tuple[NDArray[np.uint8], Tensor]]:
    """Each given frame as a grey picture that optical flow can read, and where it is trusted, (1, 1, H, W).

    What is hidden is filled from around it; what is noisy is blurred, the more the noisier.
    """
    video = observation.video
    probes = range(0, len(video), max(len(video) // 4, 1))
    level = gaussian_level(torch.cat([fill(video.read([i]), _trusted(observation, i)) for i in probes]))
    blur = min(level * BLUR_PER_NOISE, MOST_BLUR)
    for index in range(len(video)):
        trusted = _trusted(observation, index)
        picture = (fill(video.read([index]), trusted)[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        yield np.asarray(cv2.GaussianBlur(grey, (0, 0), blur) if blur > 0.3 else grey, np.uint8), trusted


def _trusted(observation: Observation, index: int) -> Tensor:
    """The weight of one given frame, (1, 1, H, W)."""
    if observation.weight is None:
        return torch.ones(1, 1, *observation.video.size)
    return observation.weight.read([index])


def _shrink_flow(flow: Tensor, size: tuple[int, int]) -> Tensor:
    small = F.interpolate(flow, size, mode="bilinear", antialias=True, align_corners=False)
    return small * small.new_tensor([size[1] / flow.shape[3], size[0] / flow.shape[2]]).view(1, 2, 1, 1)
