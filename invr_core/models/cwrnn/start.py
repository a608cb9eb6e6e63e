"""Where a fit starts: anchors that already show the clip, motion that already moves it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from invr_core.fill import fill
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
    network.anchors.uniform_(-1e-2, 1e-2, generator=generator)
    video = observation.video
    for index in range(len(network.anchors)):
        instant = network.first + index * network.config.steps * network.interval
        nearest = int((video.times - instant).abs().argmin())
        frame = fill(video.read([nearest]), _trusted(observation, nearest))
        small = F.interpolate(frame, network.anchors.shape[-2:], mode="bilinear", antialias=True, align_corners=False)
        network.anchors[index, :3] = small[0]
    if network.config.warm_start and len(video) > 1:
        network.grid.motion.nodes.copy_(_velocities(network, observation))


def _velocities(network: CWRNNNetwork, observation: Observation) -> Tensor:
    """DIS flow between neighbouring given frames, as pixels of the motion scale per interval, at the grid's nodes."""
    video = observation.video
    nodes = network.grid.motion.nodes
    size = (nodes.shape[2], nodes.shape[3])
    spread = torch.zeros(nodes.shape)
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    middles = ((video.times[1:] + video.times[:-1]) / 2 - network.first) / network.interval
    lengths = (video.times[1:] - video.times[:-1]) / network.interval
    frames = _readable(observation)
    pairs: list[Tensor] = []
    last, trusted = next(frames)
    for index, (new, newly) in enumerate(frames):
        there, back = (flow.calc(*pair, np.zeros((*new.shape, 2), np.float32)) for pair in ((last, new), (new, last)))
        mean = torch.from_numpy((np.asarray(there) - np.asarray(back)) / 2).permute(2, 0, 1)[None] / float(
            lengths[index]
        )
        pairs.append(_shrink_flow(fill(mean, trusted * newly), size))
        last, trusted = new, newly
    known = torch.cat(pairs)
    for node in range(len(nodes)):
        place = float(torch.searchsorted(middles, torch.tensor([node + 0.5], dtype=torch.float64)))
        after = min(int(place), len(known) - 1)
        before = max(after - 1, 0)
        gap = float(middles[after] - middles[before])
        share = min(max((node + 0.5 - float(middles[before])) / gap, 0.0), 1.0) if gap > 0 else 0.0
        spread[node] = torch.lerp(known[before], known[after], share)
    return spread


def _readable(observation: Observation) -> Iterator[tuple[NDArray[np.uint8], Tensor]]:
    """Each given frame as a grey picture that optical flow can read, and where it is trusted, (1, 1, H, W).

    What is hidden is filled from around it; what is noisy is blurred, the more the noisier.
    """
    video = observation.video
    probe = video.read(range(0, len(video), max(len(video) // 4, 1)))
    blur = min(gaussian_level(probe) * BLUR_PER_NOISE, MOST_BLUR)
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
