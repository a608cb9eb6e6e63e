"""Given frames brought along a known motion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from invr_core.errors import OutOfSpan, Unsupported
from invr_core.query import Query
from invr_core.representation import Motion
from invr_core.testing import MovingDisc
from invr_core.transport import mean, neighbours, patched, transport, twice_as_fine
from invr_core.video import Video

TIMES = torch.linspace(0, 1, 9, dtype=torch.float64)


class Still(MovingDisc):
    """The same clip by a model that knows no motion."""

    def motion(self, t0: Tensor, t1: Tensor) -> Motion:
        raise Unsupported("no motion")


class Sliding(MovingDisc):
    """Everything moves by so many pixels a second, for certain; ``asked`` are the pairs of instants."""

    def __init__(self, size: tuple[int, int], velocity: tuple[float, float]) -> None:
        super().__init__(size)
        self.velocity = velocity
        self.asked: list[tuple[list[float], list[float]]] = []

    def motion(self, t0: Tensor, t1: Tensor) -> Motion:
        self.asked.append((t0.tolist(), t1.tolist()))
        seconds = (t1 - t0).float().view(-1, 1, 1, 1)
        flow = seconds * torch.tensor(self.velocity).view(1, 2, 1, 1)
        return Motion(flow.expand(-1, 2, *self.size), torch.ones(len(t0), 1, *self.size))


def shown(disc: MovingDisc, size: tuple[int, int] | None = None) -> Video:
    return Video.of(disc(Query(TIMES, size)), TIMES)


# ------------------------------------------------------------------------- neighbours
@pytest.mark.parametrize(
    ("time", "each_side", "itself", "expected"),
    [
        (0.5, 1, True, [3, 4, 5]),
        (0.5, 1, False, [3, 5]),
        (0.5, 0, True, [4]),
        (0.5, 0, False, []),
        (0.51, 0, True, []),
        (0.51, 2, True, [3, 4, 5, 6]),
        (0.0, 2, True, [0, 1, 2]),
        (1.0, 2, False, [6, 7]),
        (0.51, 99, True, list(range(9))),
        (-5.0, 2, True, [0, 1]),
    ],
)
def test_the_frames_around_an_instant(time: float, each_side: int, itself: bool, expected: list[int]) -> None:
    video = Video.of(torch.zeros(9, 3, 2, 2), TIMES)
    assert neighbours(video, time, each_side, itself=itself) == expected


# -------------------------------------------------------------------------- transport
@pytest.mark.parametrize("time", [0.4375, 0.5, 0.55])
def test_neighbours_that_are_brought_show_the_instant_itself(time: float) -> None:
    disc = MovingDisc((96, 128))
    video = shown(disc)
    brought = transport(video, disc, time, neighbours(video, time, 2))
    truth = disc(Query(torch.tensor([time], dtype=torch.float64)))
    assert brought.seconds.tolist() == [float(t) - time for t in TIMES[neighbours(video, time, 2)]]
    assert bool(((brought.validity >= 0) & (brought.validity <= 1)).all())
    trusted = (brought.validity > 0.98).expand(-1, 3, -1, -1)
    assert float(trusted.float().mean()) > 0.6
    assert float((brought.pictures - truth).abs()[trusted].max()) < 0.02
    unmoved = video.read(neighbours(video, time, 2)[:1])
    assert float((unmoved - truth).abs().mean()) > 5 * float((brought.pictures[:1] - truth).abs()[trusted[:1]].mean())


def test_the_frame_at_the_instant_comes_as_it_is() -> None:
    disc = MovingDisc((24, 32))
    video = shown(disc)
    brought = transport(video, disc, 0.5, [3, 4, 5])
    assert bool((brought.validity[1] == 1).all()) and bool((brought.validity[0] < 1).any())
    assert torch.allclose(brought.pictures[1], video.read([4])[0], atol=1e-5)


def test_the_motion_is_asked_from_the_instant_to_each_frame() -> None:
    rep = Sliding((8, 10), (0.0, 0.0))
    transport(shown(rep), rep, 0.3, [1, 5])
    assert rep.asked == [([0.3, 0.3], [0.125, 0.625])]


@pytest.mark.parametrize("seconds", [0.125, -0.25])
def test_validity_ends_where_the_way_leaves_the_frame(seconds: float) -> None:
    rep = Sliding((8, 12), (16.0, 8.0))
    video = shown(rep)
    frame = 4 + round(seconds * 8)
    brought = transport(video, rep, 0.5, [frame])
    x, y = round(16 * seconds), round(8 * seconds)
    moved = torch.roll(video.read([frame]), (-y, -x), (2, 3))
    rows = slice(0, 8 - y) if y > 0 else slice(-y, 8)
    columns = slice(0, 12 - x) if x > 0 else slice(-x, 12)
    inside = torch.zeros(8, 12)
    inside[rows, columns] = 1
    assert torch.equal(brought.validity[0, 0], inside)
    assert torch.allclose(brought.pictures[0, :, rows, columns], moved[0, :, rows, columns], atol=1e-5)


def test_pixels_of_no_weight_are_neither_valid_nor_seen_once_patched() -> None:
    rep = Sliding((16, 20), (8.0, 0.0))  # one pixel to the right in each interval
    video = shown(rep)
    weight = torch.ones(9, 1, 16, 20)
    weight[5, 0, 4:8, 6:12] = 0
    results = []
    for garbage in (0.0, 1.0):
        given = Video.of(torch.where(weight > 0, video.frames(), garbage), TIMES)
        trust = Video.of(weight, TIMES)
        results.append(transport(patched(given, trust), rep, 0.5, [5], weight=trust))
    expected = torch.ones(16, 20)
    expected[4:8, 5:11] = 0
    expected[:, 19] = 0
    assert torch.equal(results[0].validity[0, 0], expected)
    assert torch.equal(results[0].pictures, results[1].pictures)


def test_a_hidden_pixel_is_not_valid_even_at_its_own_instant() -> None:
    disc = MovingDisc((16, 20))
    weight = torch.ones(9, 1, 16, 20)
    weight[:, :, 2:5, 3:9] = 0
    weight[:, :, 10, :] = 0.75
    brought = transport(shown(disc), disc, 0.5, [4], weight=Video.of(weight, TIMES))
    assert bool((brought.validity[0, 0, 2:5, 3:9] == 0).all())
    assert brought.validity[0, 0, 10].unique().tolist() == pytest.approx([0.5])
    assert bool((brought.validity[0, 0, 12:] == 1).all())


@pytest.mark.parametrize("weighted", [False, True])
def test_without_motion_only_the_frame_itself_is_valid(weighted: bool) -> None:
    rep = Still((16, 20))
    video = shown(rep)
    weight = Video.of(torch.ones(9, 1, 16, 20), TIMES) if weighted else None
    brought = transport(video, rep, 0.5, [3, 4, 5], weight=weight)
    assert tuple(brought.validity.shape) == (3, 1, 16, 20)
    assert brought.validity.amax((1, 2, 3)).tolist() == [0, 1, 0] == brought.validity.amin((1, 2, 3)).tolist()
    assert torch.allclose(brought.pictures[1], video.read([4])[0], atol=1e-5)
    assert bool((transport(video, rep, 0.51, [3, 4, 5], weight=weight).validity == 0).all())


@pytest.mark.parametrize("scale", [0.5, 2])
def test_a_source_of_another_size_comes_at_the_size_of_the_representation(scale: float) -> None:
    disc = MovingDisc((96, 128))
    video = shown(disc, (round(96 * scale), round(128 * scale)))
    brought = transport(video, disc, 0.5, [3, 5])
    assert tuple(brought.pictures.shape) == (2, 3, 96, 128)
    trusted = (brought.validity > 0.98).expand(-1, 3, -1, -1)
    wrong = (brought.pictures - disc(Query(torch.tensor([0.5])))).abs()[trusted]
    assert float(trusted.float().mean()) > 0.5
    assert float(wrong.max()) < (0.02 if scale > 1 else 0.1) and float(wrong.mean()) < 0.01


@pytest.mark.parametrize("size", [(24, 32), (48, 64)])
def test_frames_twice_as_fine_come_to_the_same_place_and_are_made_once(size: tuple[int, int]) -> None:
    """Up to what the two kernels differ by; pictures a quarter of a pixel apart would differ by 0.019."""
    disc, reads = Sliding((24, 32), (4.0, -2.5)), list[int]()
    given = shown(disc, size)

    def read(indices: Sequence[int]) -> Tensor:
        reads.extend(indices)
        return given.read(indices)

    twice = twice_as_fine(replace(given, read=read), 9)
    for time in (0.3, 0.5):
        bicubic = transport(given, disc, time, range(9))
        sinc = transport(given, disc, time, range(9), twice=twice)
        assert torch.equal(sinc.validity, bicubic.validity) and torch.equal(sinc.seconds, bicubic.seconds)
        assert float((sinc.pictures - bicubic.pictures).abs().mean()) < 0.004
    assert reads == list(range(9))
    if size == disc.size:
        assert torch.allclose(transport(given, disc, 0.5, [4], twice=twice).pictures, given.read([4]), atol=1e-5)


def test_an_instant_outside_the_span_is_refused() -> None:
    disc = MovingDisc((8, 10))
    with pytest.raises(OutOfSpan):
        transport(shown(disc), disc, 1.5, [0])


# ----------------------------------------------------------------------------- fusing
def constant(*values: float) -> Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 3, 2, 2)


def test_the_mean_is_weighted_and_filled_by_the_own_picture() -> None:
    pictures, own = constant(0.2, 0.6), constant(1.0)
    weights = torch.zeros(2, 1, 2, 2)
    weights[:, :, 0, 0] = torch.tensor([[1.0], [3.0]])
    picture, share = mean(pictures, weights, own, 1.0)
    assert tuple(picture.shape) == (1, 3, 2, 2) and tuple(share.shape) == (1, 1, 2, 2)
    assert picture[0, :, 0, 0].tolist() == pytest.approx([(0.2 + 3 * 0.6 + 1.0) / 5] * 3)
    assert float(share[0, 0, 0, 0]) == pytest.approx(0.8)
    assert torch.equal(picture[0, :, 1], own[0, :, 1]) and bool((share[0, 0, 1] == 0).all())
