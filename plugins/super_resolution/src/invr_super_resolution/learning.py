"""A small network that sharpens enlarged frames, learned for each clip from the clip itself and from drawn shapes."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from invr_core.device import fast_bfloat16
from invr_core.stepping import Stepping
from invr_core.video import Video

Resize = Callable[[Tensor, tuple[int, int]], Tensor]

CHANNELS, LAYERS = 32, 3
FEWEST, STEPS, PER_STEP = 50, 600, 4000
"""Steps of learning, at least and at most, and how many pixels the answer has for each."""
PEAK, PEAK_OF_MATRICES, WARMUP = 2e-3, 0.03, 0.05
"""The largest size of a step, of Adam and of Muon, and the fraction of the steps in which it rises."""
AREA, SIDE = 9 * 32 * 32, 64
"""Places a step looks at, each of ``fold`` x ``fold`` pixels, and the most pixels along each side of its patches."""
SMALLEST = 32
"""Pixels of the shorter side of a frame shrunk once more, from which the clip itself has something to teach."""
FRAMES, WINDOW = 48, 512
"""Frames of the clip that teach, at most, and pixels along the sides of what is taken of each, where they are large."""
PICTURES, CANVAS, SHAPES, FINER = 192, 96, 400, 2
"""Drawn pictures, pixels along each side of them, shapes in each, and how much finer they are drawn than kept."""


class Sharpener(nn.Module):
    """What an enlarged frame lacks, found where ``fold`` x ``fold`` of its pixels are one, as in the given frame.

    Args:
        fold: the whole part of the factor by which frames grow.

    Source:
        W. Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional
        Neural Network, CVPR 2016, for working at the size of the given frame.
    """

    def __init__(self, fold: int) -> None:
        super().__init__()
        self.fold, samples = fold, 3 * fold * fold
        self.first = nn.Conv2d(samples, CHANNELS, 3, padding=1)
        self.layers = nn.ModuleList(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1) for _ in range(LAYERS))
        self.last = nn.Conv2d(CHANNELS, samples, 3, padding=1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, frames: Tensor) -> Tensor:
        """(n, 3, H, W) enlarged frames -> the same, sharper."""
        height, width = frames.shape[2:]
        even = F.pad(frames, (0, -width % self.fold, 0, -height % self.fold), "replicate")
        state = F.relu(self.first(F.pixel_unshuffle(even, self.fold)))
        for layer in self.layers:
            state = state + F.relu(layer(state))
        return frames + F.pixel_shuffle(self.last(state), self.fold)[:, :, :height, :width]


def sharpened(network: Sharpener, frames: Tensor) -> Tensor:
    """(n, 3, H, W) enlarged frames -> the same, sharper: the mean of what is found for all eight ways to turn them.

    Source:
        R. Timofte et al., Seven ways to improve example-based single image super resolution, CVPR 2016.
    """
    total = torch.zeros_like(frames)
    for turns in range(4):
        turned = frames.rot90(turns, (2, 3))
        total += network(turned).rot90(-turns, (2, 3))
        total += network(turned.flip(3)).flip(3).rot90(-turns, (2, 3))
    return total / 8


def learned(video: Video, scale: float, enlarge: Resize, shrink: Resize, device: torch.device) -> Sharpener:
    """A network that makes an enlarged frame more like the frame that was shrunk.

    It learns from pairs whose answer is known: the given frames, shrunk once more and enlarged again (as in Shocher et
    al., "Zero-Shot" Super-Resolution using Deep Internal Learning, CVPR 2018), and drawn shapes that hide one
    another, in the clip's colours, treated likewise (as in Achddou et al., Synthetic images as a regularity prior for
    image restoration neural networks, SSVM 2021). No picture from elsewhere is used.

    A clip too small to teach in fewer steps than FEWEST is left as it is enlarged, and so is one of which a given pixel
    becomes larger than a patch.

    Args:
        video: the given frames.
        scale: the factor by which they are to grow.
        enlarge: frames, size -> frames of that size, as they are to be sharpened.
        shrink: frames, size -> frames of that size, as the given ones came about.
        device: where to learn.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Sharpener(max(int(scale), 1))
    steps = min(STEPS, round(len(video) * video.size[0] * video.size[1] * scale**2 / PER_STEP))
    if steps >= FEWEST and network.fold <= SIDE:
        given = _taught_by(video)
        pairs = [_pair(_drawn(given, min(PICTURES, steps)), scale, enlarge, shrink)]
        if min(given.shape[2:]) / scale >= SMALLEST:
            pairs.append(_pair(given, scale, enlarge, shrink))
        _learn(network.to(device), pairs, steps, device)
    return network.to(device)


def _taught_by(video: Video) -> Tensor:
    """Frames spread over a clip; of large ones a window each, now here, now there, so that memory is bounded."""
    indices = [int(index) for index in np.unique(np.linspace(0, len(video) - 1, FRAMES).round())]
    if video.size[0] * video.size[1] <= WINDOW**2:
        return video.read(indices)
    height, width = (min(side, WINDOW) for side in video.size)
    generator = torch.Generator().manual_seed(0)
    tops, lefts = (
        torch.randint(side - kept + 1, (len(indices),), generator=generator).tolist()
        for side, kept in zip(video.size, (height, width), strict=True)
    )
    return torch.cat(
        [
            video.read([index])[..., top : top + height, left : left + width].clone()
            for index, top, left in zip(indices, tops, lefts, strict=True)
        ]
    )


def _pair(wanted: Tensor, scale: float, enlarge: Resize, shrink: Resize) -> Tensor:
    """(n, 6, H, W): pictures shrunk, rounded and enlarged again, and as they were."""
    height, width = wanted.shape[2:]
    small = shrink(wanted, (round(height / scale), round(width / scale)))
    return torch.cat([enlarge((small.clamp(0, 1) * 255).round() / 255, (height, width)), wanted], 1)


@torch.enable_grad()
def _learn(network: Sharpener, pairs: list[Tensor], steps: int, device: torch.device) -> None:
    generator = torch.Generator().manual_seed(0)
    stepping = Stepping(network, PEAK, PEAK_OF_MATRICES)
    side = min(SIDE, *(length for pair in pairs for length in pair.shape[2:])) // network.fold * network.fold
    count = max(AREA * network.fold**2 // side**2 // len(pairs), 1)
    for step in range(steps):
        batch = torch.cat([_patches(pair, count, side, network.fold, generator) for pair in pairs]).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=fast_bfloat16(device)):
            missed = network(batch[:, :3]).float() - batch[:, 3:]
        stepping.zero_grad()
        missed.square().mean().backward()
        done = (step + 1) / steps
        stepping.step(min(done / WARMUP, 0.5 + 0.5 * math.cos(math.pi * done)))


def _patches(pair: Tensor, count: int, side: int, fold: int, generator: torch.Generator) -> Tensor:
    """Patches of a pair at random places, all turned and mirrored alike, (count, 6, side, side)."""

    def draw(end: int, count: int) -> list[int]:
        return torch.randint(end, (count,), generator=generator).tolist()

    tops, lefts = ([fold * step for step in draw((length - side) // fold + 1, count)] for length in pair.shape[2:])
    places = zip(draw(len(pair), count), tops, lefts, strict=True)
    patches = torch.stack([pair[index, :, top : top + side, left : left + side] for index, top, left in places])
    turned, *mirrored = draw(2, 3)
    patches = patches.flip([axis for axis, chosen in zip((2, 3), mirrored, strict=True) if chosen])
    return (patches.transpose(2, 3) if turned else patches).contiguous()


def _drawn(given: Tensor, count: int) -> Tensor:
    """Shapes that hide one another, in colours of the given frames, (count, 3, CANVAS, CANVAS)."""
    random, colours = np.random.default_rng(0), given.permute(0, 2, 3, 1).reshape(-1, 3).numpy()
    return torch.stack([_picture(colours, random) for _ in range(count)])


def _picture(colours: NDArray[np.float32], random: np.random.Generator) -> Tensor:
    """Ellipses, rectangles and triangles, wide or thin; their radii fall as in dead leaves, by the power -3."""
    extent = CANVAS * FINER
    canvas = np.empty((extent, extent, 3), np.float32)
    canvas[:] = random.choice(colours)
    least, most = 1.5 * FINER, float(extent)
    radii = (least**-2 + random.random(SHAPES) * (most**-2 - least**-2)) ** -0.5
    for radius in radii:
        colour, kind = random.choice(colours), random.integers(3)
        middle, angle, narrow = random.uniform(0, extent, 2), random.uniform(0, 180), random.uniform(0.05, 1)
        box = (middle.tolist(), (2 * radius, 2 * radius * narrow), angle)
        if kind == 0:
            cv2.ellipse(canvas, box, colour.tolist(), cv2.FILLED)
        else:
            cv2.fillPoly(canvas, [cv2.boxPoints(box)[: 2 + kind].astype(np.int32)], colour.tolist())
    return torch.from_numpy(cv2.resize(canvas, (CANVAS, CANVAS), interpolation=cv2.INTER_AREA)).permute(2, 0, 1)
