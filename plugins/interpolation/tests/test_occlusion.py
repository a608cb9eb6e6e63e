"""A thing that moves before a background: what it covers and uncovers is shown by one of two frames alone."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from invr_interpolation import Interpolate, InterpolateConfig, occlusion, pairs
from invr_interpolation.bends import bends
from invr_interpolation.consistency import consistent
from invr_interpolation.mixing import ALONE_SHARES, unlearned, voices, worth
from invr_interpolation.occlusion import alone, meeting, send
from invr_interpolation.pairs import Gap, Matches, Pair
from invr_interpolation.paths import ALONE, candidates
from torch import Tensor

from invr_core.errors import Unsupported
from invr_core.oracle import MovingDisc
from invr_core.representation import Motion
from invr_core.sampling import sample, target_grid
from invr_core.video import Video
from invr_tasks.run import run
from invr_tasks.task import Source

HEIGHT, WIDTH, SIDE, SPEED = 96, 208, 44, 16
"""Of the picture, of a square in it, and the pixels that the square moves to the right from frame to frame."""
ROWS = slice(26, 26 + SIDE)


def texture(seed: int, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """Smooth enough to be matched."""
    noise = torch.rand(1, 3, height // 9, width // 9, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(noise, size=(height, width), mode="bicubic").clamp(0, 1)[0]


def shown(time: float, pan: float = 0.0) -> Tensor:
    """The scene, (3, H, W), with time counted in frames; the background moves to the left by ``pan`` a frame."""
    wide = texture(0, width=2 * WIDTH)[None]
    places = target_grid(torch.tensor([20 + pan * time, 0.0]).view(1, 2, 1, 1).expand(1, 2, HEIGHT, WIDTH))
    picture = sample(wide, places, "bicubic")[0][0].clamp(0, 1)
    left = round(20 + SPEED * time)
    picture[:, ROWS, left : left + SIDE] = texture(1, SIDE + 1, SIDE + 1)[:, :SIDE, :SIDE]
    return picture


def scene(pan: float = 0.0, frames: int = 8) -> Video:
    return Video.of(torch.stack([shown(time, pan) for time in range(frames)]), fps=1)


class Still(MovingDisc):
    """Knows no motion, and shows grey."""

    def motion(self, t0: Tensor, t1: Tensor) -> Motion:
        raise Unsupported("this one knows no motion")


def gap(time: float = 3.5, pan: float = 0.0, frames: int = 8) -> Gap:
    return Gap(Pair.of(scene(pan, frames), int(time), int(time) + 1), time)


def strips(time: float) -> tuple[slice, slice]:
    """The columns that the square has uncovered since the frame before, and that it will cover until the next one."""
    left, before, after = (round(20 + SPEED * at) for at in (time, int(time), int(time) + 1))
    return slice(before + 2, left - 2), slice(left + SIDE + 2, after + SIDE - 2)


def test_what_is_covered_or_uncovered_is_known_to_be_in_one_frame() -> None:
    between = gap()
    path = alone(between, meeting(between, 16))
    assert path.seen is not None
    uncovered, covered = strips(3.5)
    for columns, shows in ((uncovered, 1), (covered, 0)):
        seen = path.seen[:, 0, ROWS, columns].mean((1, 2))
        assert float(seen[shows]) > 0.6 and float(seen[1 - shows]) < 0.3, (columns, seen)
        way = (path.before, path.after)[shows][0, :, ROWS, columns]
        assert float(way.norm(dim=0).median()) < 0.5  # the background stands still
    assert float(path.seen[..., 4:16, 8:-8].mean()) < 0.02  # both show the background far from the square


def test_without_a_frame_beyond_the_surroundings_tell_and_count_less() -> None:
    between = gap(0.5, frames=2)
    path = alone(between, meeting(between, 16))
    assert path.seen is not None
    for columns, shows in zip(strips(0.5), (1, 0), strict=True):
        seen = path.seen[:, 0, ROWS, columns].mean((1, 2))
        assert 0.05 < float(seen[shows]) <= 0.25, (columns, seen)


def test_both_frames_meet_at_the_instant_and_not_where_one_of_them_is_covered() -> None:
    path = meeting(gap(), 8)
    assert path.seen is not None
    square = (slice(30, 66), slice(20 + SPEED * 7 // 2 + 4, 20 + SPEED * 7 // 2 + SIDE - 4))
    for way, flow in ((path.before, -SPEED / 2), (path.after, SPEED / 2)):
        assert float((way[0, 0][square] - flow).abs().median()) < 0.2
    assert float(path.seen[0, 0][square].mean()) > 0.95 and torch.equal(path.seen[0], path.seen[1])
    uncovered, covered = strips(3.5)
    assert max(float(path.seen[0, 0, ROWS, columns].mean()) for columns in (uncovered, covered)) < 0.5


@pytest.mark.parametrize("pan", [0.0, 3.0])
def test_a_frame_between_has_no_ghost_where_the_square_covers_and_uncovers(pan: float) -> None:
    between = gap(pan=pan)
    found = candidates(between, None)
    truth, (uncovered, covered) = shown(3.5, pan), strips(3.5)

    def wrong(kinds: set[str]) -> float:
        shares = unlearned(kinds)
        said = voices(between, found, shares, torch.ones(2, 1, 1, 1))
        weights = sum(voice.weight for voice in said)
        frame = sum(voice.weight * voice.picture for voice in said) / weights.clamp(min=1e-6)
        missed = torch.where(weights > 0, frame, torch.lerp(*between.pair.frames, 0.5))[0] - truth
        return float(
            torch.cat([missed[:, ROWS, columns].flatten() for columns in (uncovered, covered)]).square().mean()
        )

    assert wrong(set(found)) < 0.35 * wrong(set(found) - {ALONE})


def test_the_clip_tells_what_it_is_worth() -> None:
    """By predicting frames whose neighbours lie twice as far apart as those of the frames to be shown."""
    still = Video.of(texture(2).expand(7, -1, -1, -1), fps=1)
    moving = worth(scene(pan=1.0), Still((HEIGHT, WIDTH)))
    assert moving[(ALONE, "bicubic")] in ALONE_SHARES[1:]
    assert (ALONE, "bicubic") not in worth(still, Still((HEIGHT, WIDTH)))
    assert sum(share for (kind, _), share in moving.items() if kind != ALONE) == pytest.approx(1)


def test_a_clip_with_a_border_that_comes_into_view_is_shown_to_the_border() -> None:
    video = scene(pan=6.0)
    task = Interpolate(InterpolateConfig(times=(3.5,)))
    frame = run(task, Source(video), rep=Still((HEIGHT, WIDTH), span=(0.0, 7.0))).video.frames()[0]
    edge = (frame - shown(3.5, 6.0))[:, :20, -5:]  # above the square
    naive = (task.naive(Source(video)).frames()[0] - shown(3.5, 6.0))[:, :20, -5:]
    assert float(edge.square().mean()) < 0.5 * float(naive.square().mean())


# ------------------------------------------------------------------------------ its parts
def test_a_motion_is_consistent_where_the_way_back_leads_back_inside() -> None:
    there = torch.zeros(1, 2, 6, 8)
    there[:, 0] = 2
    back = -there
    assert consistent(there, back)[0, 0].tolist() == [[1, 1, 1, 1, 1, 1, 0, 0]] * 6
    back[:, 0, :, 4] = 0
    assert consistent(there, back)[0, 0, 0].tolist() == [1, 1, 0, 1, 1, 1, 0, 0]
    assert float(consistent(there, back - 0.6).min()) == 0  # 0.72 square pixels; 0.5 and a hundredth of 6.3 are allowed
    assert float(consistent(there, -there + 0.6)[..., :6].min()) == 0
    assert float(consistent(there, -there + 0.5)[..., :6].min()) == 1  # 0.5, at a lesser length


def test_what_is_sent_on_is_neither_lost_nor_made() -> None:
    generator = torch.Generator().manual_seed(0)
    field, weight = torch.rand(1, 2, 9, 11, generator=generator), torch.rand(1, 1, 9, 11, generator=generator)
    flow = 2 * torch.rand(1, 2, 9, 11, generator=generator) - 1
    inner = weight.clone()
    inner[..., :2], inner[..., -2:], inner[..., :2, :], inner[..., -2:, :] = 0, 0, 0, 0
    arrived, weights = send(field, inner, flow)
    assert float(weights.sum()) == pytest.approx(float(inner.sum()), rel=1e-5)
    assert torch.allclose(arrived.sum((2, 3)), (field * inner).sum((2, 3)), rtol=1e-5)
    assert float(send(field, 0 * weight, flow)[1].abs().max()) == 0


def test_each_pixel_of_an_8k_frame_is_told_apart() -> None:
    places = torch.tensor([[8190.0, 4319.0], [8191.0, 4319.0]])
    assert occlusion._index(places, 8192).tolist() == [8192 * 4320 - 2, 8192 * 4320 - 1]


def test_motion_is_matched_once_for_neighbouring_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    video, asked, matched = scene(), list[tuple[int, ...]](), pairs._matched

    def counted(video: Video, device: torch.device | None, *which: int) -> Tensor:
        asked.append(which)
        return matched(video, device, *which)

    monkeypatch.setattr(pairs, "_matched", counted)
    motion = Matches(video)
    for first in (2, 3, 4):
        candidates(Gap(Pair(video, first, first + 1, motion), first + 0.5), None)
    assert len(asked) == len(set(asked)) == 3 * 5 * 2  # by 8, 16 and 24 pixels, in the gaps and beside them


def test_what_is_kept_goes_at_once_with_its_keeper() -> None:
    motion = Matches(scene(frames=3))
    pair = Pair(scene(frames=3), 0, 1, motion)
    kept = [weakref.ref(motion.between(0, 1, 16)), weakref.ref(bends(pair, 16))]
    gc.disable()
    try:
        del motion, pair
        assert [one() for one in kept] == [None, None]
    finally:
        gc.enable()
