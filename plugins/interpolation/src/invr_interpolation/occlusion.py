"""Pixels sent on from two given frames to an instant between them: those that meet, and those that only one shows.

What is about to be covered is found in one of the two frames alone, and so is what comes into view, at the border as
well. Along a path made of both frames' motion it is mixed with what covers it: a ghost. Here each pixel is sent on from
the frame that shows it, and one that is not found in the other frame goes on as it came from the frame before.
"""

from __future__ import annotations

import torch
from torch import Tensor

from invr_core.fill import fill
from invr_core.sampling import target_grid
from invr_interpolation.bends import bends
from invr_interpolation.consistency import consistent
from invr_interpolation.pairs import Gap, Pair, Path

PATCH = 16
"""Pixels across the patches of the motion that tells what only one frame shows."""
ENOUGH = 0.25
"""Of a pixel that must arrive for something to be there."""
GUESSED = 0.2
"""What a pixel counts whose motion is only that of its surroundings, beside one that is known to move on."""


def meeting(gap: Gap, patch: int) -> Path:
    """The paths of what both frames show: sent from both, as far as the two find each other; bent, where that is known.

    Args:
        gap: the two frames and the instant.
        patch: pixels across the patches that are matched.

    Returns:
        ``seen`` is 1 where something arrives, else 0.
    """
    share, (ahead, back) = gap.share, gap.pair.matched(patch)
    bend = bends(gap.pair, patch)
    off, off_back = ((share**2 - share) / 2 * change for change in (bend.before, bend.after))
    one = send(torch.cat([ahead, off], 1), consistent(ahead, back), share * ahead + off)
    other = send(torch.cat([-back, off_back], 1), consistent(back, ahead), (1 - share) * back + off_back)
    fields, weight = (a + b for a, b in zip(one, other, strict=True))
    motion, off = (fields / weight.clamp(min=1e-6)).chunk(2, 1)
    seen = (weight > ENOUGH).to(motion).expand(2, -1, -1, -1)
    return Path(-share * motion - off, (1 - share) * motion - off, seen)


def alone(gap: Gap, met: Path) -> Path:
    """The paths of what only one frame shows, where nothing arrives that both do.

    Args:
        gap: the two frames and the instant.
        met: what both show, by patches of `PATCH` pixels.

    Returns:
        ``seen`` says how well each of the two is known to be there.
    """
    share, pair = gap.share, gap.pair
    assert met.seen is not None
    camera = bends(pair, PATCH).camera
    off = (share**2 - share) / 2 * camera
    ahead, back = pair.matched(PATCH)
    ways, seen = [], []
    for there, here, beyond, part in (
        (ahead, back, pair.earlier, share),
        (back, ahead, pair.later, 1 - share),
    ):
        onward, weight = _onward(there, here, pair, beyond, camera)
        motion, arrived = send(onward, weight, part * onward + off)
        ways.append(-part * motion / arrived.clamp(min=1e-6) - off)
        seen.append(arrived.clamp(max=1))
    return Path(ways[0], ways[1], torch.cat(seen) * (1 - met.seen))


def _onward(there: Tensor, here: Tensor, pair: Pair, beyond: Pair | None, camera: Tensor) -> tuple[Tensor, Tensor]:
    """Where the pixels of a frame go that the other frame of a pair does not show, and how well that is known.

    As they came from the frame beyond, if that shows them, and as the camera changes; else with what is around them.

    Args:
        there: (1, 2, H, W) from the frame to the other.
        here: the way back.
        pair: of the two.
        beyond: the pair on the other side of the frame.
        camera: (1, 2, 1, 1) the change of its motion over the gap.

    Returns:
        (1, 2, H, W) pixels over the whole gap, and (1, 1, H, W) in [0, 1], 0 for what both show.
    """
    met = consistent(there, here)
    onward, known = fill(there, met), torch.zeros_like(met)
    if beyond is not None:
        ahead, back = beyond.matched(PATCH)
        came, way_back = (back, ahead) if beyond.after == pair.before else (ahead, back)
        known = (1 - met) * consistent(came, way_back)
        longer = pair.seconds / beyond.seconds
        onward = torch.where(known > 0, (1 + longer) / 2 * camera - longer * came, onward)
    return onward, known + GUESSED * (1 - met) * (1 - known)


def send(field: Tensor, weight: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """What arrives of a field whose pixels are sent on, each spread over the four pixels around its place.

    Args:
        field: (1, C, H, W).
        weight: (1, 1, H, W) of its pixels.
        flow: (1, 2, H, W) pixels, by which each is sent on.

    Returns:
        the sum of what arrives, weighed, (1, C, H, W); and of the weights, (1, 1, H, W).

    Source:
        S. Niklaus and F. Liu, Softmax Splatting for Video Frame Interpolation, CVPR 2020, equation 8.

    Example:
        >>> field, ones = torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 1, 3), torch.ones(1, 1, 1, 3)
        >>> flow = torch.tensor([1.5, 0.0, 9.0]).view(1, 1, 1, 3) * torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
        >>> [arrived.flatten().tolist() for arrived in send(field, ones, flow)]
        [[0.0, 2.5, 0.5], [0.0, 1.5, 0.5]]
    """
    height, width = flow.shape[2:]
    chosen = weight.flatten() > 0
    carried = torch.cat([field * weight, weight], 1).flatten(2)[0].T[chosen]
    places = target_grid(flow).flatten(2)[0].T[chosen]
    low, arrived = places.floor(), carried.new_zeros(height * width, carried.shape[1])
    for offset in ((0, 0), (0, 1), (1, 0), (1, 1)):
        corner = low + low.new_tensor(offset)
        share = (1 - (places - corner).abs()).prod(1)
        inside = (corner >= 0).all(1) & (corner[:, 0] < width) & (corner[:, 1] < height)
        arrived.index_add_(0, _index(corner[inside], width), (carried * share[:, None])[inside])
    sums = arrived.T.unflatten(1, (height, width))[None]
    return sums[:, :-1], sums[:, -1:]


def _index(places: Tensor, width: int) -> Tensor:
    """Of whole places, (n, 2), which pixel of a picture, counted row by row; floats count only up to 2^24."""
    columns, rows = places.long().unbind(1)
    return rows * width + columns
