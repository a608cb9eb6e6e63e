"""A small network that sharpens enlarged frames, learned for each clip from the clip itself and from drawn shapes."""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from invr_core.device import fast_bfloat16, flushed_denormals
from invr_core.stepping import Stepping
from invr_core.video import Video
from invr_super_resolution.backprojection import Resize

CHANNELS, LAYERS = 32, 3
LEAK = 0.1
"""Slope below zero. Without one, parts of a network fall silent for good: Muon's steps are long whatever the slope."""
USUAL, AROUND = 0.07, 5
"""Contrast of what a network sees, root mean square: by how much pixels differ from the mean of a square around them,
and how many pixels that is across. Most clips have 0.05 to 0.1."""
FEWEST, STEPS, PER_STEP = 50, 1200, 5000
"""Steps of learning, at least and at most, and how many pixels the answer has for each."""
PEAK, PEAK_OF_MATRICES, WARMUP = 2e-3, 0.02, 0.05
"""The largest size of a step, of Adam and of Muon, and the fraction of the steps in which it rises."""
AREA, SIDE = 9 * 32 * 32, 64
"""Places a step looks at, each of ``fold`` x ``fold`` pixels, and the most pixels along each side of its patches."""
ENDS = 0.2
"""Share of the patches that are laid at each of two opposite ends of a picture: frames end in bars and borders."""
SMALLEST = 32
"""Pixels of the shorter side of a frame shrunk once more, from which the clip itself has something to teach."""
FRAMES, WINDOW = 48, 512
"""Frames of the clip that teach, at most, and pixels along the sides of what is taken of each, where they are large."""
PICTURES, CANVAS, SHAPES, FINER = 192, 96, 400, 2
"""Drawn pictures, pixels along each side of them, shapes in each, and how much finer they are drawn than kept."""
SMALLEST_RADIUS = 4
"""Pixels. Smaller shapes teach little of long edges."""
BUNDLES, LINES, WIDTHS, LENGTHS = 0.1, (2, 8), (0.7, 4), (4, 16)
"""Share of the shapes that are bundles of lines; of each, how many, pixels across, and how many radii along."""
BARRED, WIDEST = 0.5, 4
"""Share of the pictures that may end in bars, and of their sides that do; pixels across a bar, at most."""


class Sharpener(nn.Module):
    """What an enlarged frame lacks, found where ``fold`` x ``fold`` of its pixels are one, as in the given frame.

    Args:
        fold: the whole part of the factor by which frames grow.
        middle: (1, 3, 1, 1) the mean colour of the clip.
        contrast: of the clip, as a multiple of `USUAL`, so that the network begins alike on all clips, pale or not.

    Source:
        W. Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional
        Neural Network, CVPR 2016, for working at the size of the given frame.
    """

    middle: Tensor

    def __init__(self, fold: int, middle: Tensor, contrast: float) -> None:
        super().__init__()
        self.fold, self.contrast, samples = fold, contrast, 3 * fold * fold
        self.register_buffer("middle", middle)
        self.first = nn.Conv2d(samples, CHANNELS, 3, padding=1)
        self.layers = nn.ModuleList(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1) for _ in range(LAYERS))
        self.last = nn.Conv2d(CHANNELS, samples, 3, padding=1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, frames: Tensor) -> Tensor:
        """(n, 3, H, W) enlarged frames -> the same, sharper."""
        height, width = frames.shape[2:]
        seen = (frames - self.middle) / self.contrast
        even = F.pad(seen, (0, -width % self.fold, 0, -height % self.fold), "replicate")
        state = F.leaky_relu(self.first(F.pixel_unshuffle(even, self.fold)), LEAK)
        for layer in self.layers:
            state = state + F.leaky_relu(layer(state), LEAK)
        return frames + self.contrast * F.pixel_shuffle(self.last(state), self.fold)[:, :, :height, :width]


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


@flushed_denormals()
def learned(video: Video, scale: float, enlarge: Resize, shrink: Resize) -> Sharpener:
    """A network that makes an enlarged frame more like the frame that was shrunk.

    It learns from pairs whose answer is known: the given frames, shrunk once more and enlarged again (as in Shocher et
    al., "Zero-Shot" Super-Resolution using Deep Internal Learning, CVPR 2018), and drawn shapes that hide one
    another, in the clip's colours, treated likewise (as in Achddou et al., Synthetic images as a regularity prior for
    image restoration neural networks, SSVM 2021). No picture from elsewhere is used. It learns on the CPU: its steps
    are small.

    A clip too small to teach in fewer steps than FEWEST is left as it is enlarged, and so is one of which a given pixel
    becomes larger than a patch.

    Args:
        video: the given frames.
        scale: the factor by which they are to grow.
        enlarge: frames, size -> frames of that size, as they are to be sharpened.
        shrink: frames, size -> frames of that size, as the given ones came about.
    """
    given = _taught_by(video)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Sharpener(max(int(scale), 1), given.mean((0, 2, 3), keepdim=True), _contrast(given) / USUAL)
    steps = min(STEPS, round(len(video) * video.size[0] * video.size[1] * scale**2 / PER_STEP))
    if steps >= FEWEST and network.fold <= SIDE:
        pairs = [_pair(_drawn(given, min(PICTURES, steps)), scale, enlarge, shrink)]
        if min(given.shape[2:]) / scale >= SMALLEST:
            pairs.append(_pair(given, scale, enlarge, shrink))
        _learn(network, pairs, steps)
    return network


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


def _contrast(frames: Tensor) -> float:
    """By how much pixels differ from those around them, root mean square; half a level of 255 at least."""
    around = F.avg_pool2d(frames, AROUND, 1, AROUND // 2, count_include_pad=False)
    return max(float((frames - around).square().mean().sqrt()), 0.5 / 255)


def _pair(wanted: Tensor, scale: float, enlarge: Resize, shrink: Resize) -> Tensor:
    """(n, 6, H, W): pictures shrunk, rounded and enlarged again, and as they were."""
    height, width = wanted.shape[2:]
    small = shrink(wanted, (round(height / scale), round(width / scale)))
    return torch.cat([enlarge((small.clamp(0, 1) * 255).round() / 255, (height, width)), wanted], 1)


@torch.enable_grad()
def _learn(network: Sharpener, pairs: list[Tensor], steps: int) -> None:
    generator = torch.Generator().manual_seed(0)
    stepping, fast = Stepping(network, PEAK, PEAK_OF_MATRICES), fast_bfloat16(torch.device("cpu"))
    side = min(SIDE, *(length for pair in pairs for length in pair.shape[2:])) // network.fold * network.fold
    count = max(AREA * network.fold**2 // side**2 // len(pairs), 1)
    for step in range(steps):
        batch = torch.cat([_patches(pair, count, side, network.fold, generator) for pair in pairs])
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            missed = (network(batch[:, :3]).float() - batch[:, 3:]) / network.contrast
        stepping.zero_grad()
        missed.square().mean().backward()
        done = (step + 1) / steps
        stepping.step(min(done / WARMUP, 0.5 + 0.5 * math.cos(math.pi * done)))


def _patches(pair: Tensor, count: int, side: int, fold: int, generator: torch.Generator) -> Tensor:
    """Patches of a pair at random places, or its ends, all turned and mirrored alike, (count, 6, side, side)."""

    def draw(end: int, count: int) -> Tensor:
        return torch.randint(end, (count,), generator=generator)

    def starts(length: int) -> list[int]:
        last, where = (length - side) // fold, torch.rand(count, generator=generator)
        steps = torch.where(where < 2 * ENDS, last * (where < ENDS), draw(last + 1, count))
        return (fold * steps).tolist()

    tops, lefts = map(starts, pair.shape[2:])
    places = zip(draw(len(pair), count).tolist(), tops, lefts, strict=True)
    patches = torch.stack([pair[index, :, top : top + side, left : left + side] for index, top, left in places])
    turned, *mirrored = draw(2, 3).tolist()
    patches = patches.flip([axis for axis, chosen in zip((2, 3), mirrored, strict=True) if chosen])
    return (patches.transpose(2, 3) if turned else patches).contiguous()


def _drawn(given: Tensor, count: int) -> Tensor:
    """Shapes that hide one another, in colours of the given frames, (count, 3, CANVAS, CANVAS)."""
    random, colours = np.random.default_rng(0), given.permute(0, 2, 3, 1).reshape(-1, 3).numpy()
    darkest = colours.min(0)
    return torch.stack([_picture(colours, darkest, random) for _ in range(count)])


def _picture(colours: NDArray[np.float32], darkest: NDArray[np.float32], random: np.random.Generator) -> Tensor:
    """Shapes and bundles of lines, their radii falling as in dead leaves, by the power -3, and bars at the ends."""
    extent = CANVAS * FINER
    canvas = np.empty((extent, extent, 3), np.float32)
    canvas[:] = random.choice(colours)
    least, most = SMALLEST_RADIUS * FINER, float(extent)
    radii = (least**-2 + random.random(SHAPES) * (most**-2 - least**-2)) ** -0.5
    for radius in radii.tolist():
        (_bundle if random.random() < BUNDLES else _shape)(canvas, radius, colours, random)
    if random.random() < BARRED:
        _bars(canvas, darkest, random)
    return torch.from_numpy(cv2.resize(canvas, (CANVAS, CANVAS), interpolation=cv2.INTER_AREA)).permute(2, 0, 1)


def _shape(
    canvas: NDArray[np.float32], radius: float, colours: NDArray[np.float32], random: np.random.Generator
) -> None:
    """An ellipse, a rectangle or a triangle, wide or thin, anywhere."""
    colour, kind = random.choice(colours).tolist(), random.integers(3)
    middle, angle, narrow = random.uniform(0, len(canvas), 2), random.uniform(0, 180), random.uniform(0.05, 1)
    box = (middle.tolist(), (2 * radius, 2 * radius * narrow), angle)
    if kind == 0:
        cv2.ellipse(canvas, box, colour, cv2.FILLED)
    else:
        cv2.fillPoly(canvas, [cv2.boxPoints(box)[: 2 + kind].astype(np.int32)], colour)


def _bundle(
    canvas: NDArray[np.float32], radius: float, colours: NDArray[np.float32], random: np.random.Generator
) -> None:
    """Lines side by side, as of a window's frame or a blind: what is learned of one edge is not true between two."""
    middle, angle = random.uniform(0, len(canvas), 2), random.uniform(0, 180)
    across = np.array([-np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))])
    length = radius * random.uniform(*LENGTHS)
    for _ in range(random.integers(*LINES, endpoint=True)):
        width = FINER * random.uniform(*WIDTHS)
        corners = cv2.boxPoints(((middle + across * width / 2).tolist(), (length, width), angle))
        cv2.fillPoly(canvas, [(corners * 16).round().astype(np.int32)], random.choice(colours).tolist(), shift=4)
        middle = middle + across * width


def _bars(canvas: NDArray[np.float32], darkest: NDArray[np.float32], random: np.random.Generator) -> None:
    """Bars at some of the four ends, each channel as dark as anywhere in the clip: as frames have that were scaled."""
    for end in (canvas, canvas[::-1], canvas.transpose(1, 0, 2), canvas.transpose(1, 0, 2)[::-1]):
        if random.random() < BARRED:
            end[: random.integers(1, WIDEST * FINER, endpoint=True)] = darkest
