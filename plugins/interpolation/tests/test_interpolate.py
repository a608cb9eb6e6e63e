"""Frames between frames: with a clip whose motion is known exactly, and with models that were hardly fitted."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from invr_interpolation import Interpolate, InterpolateConfig, pairs
from invr_interpolation.mixing import _least, worth
from invr_interpolation.pairs import Gap, Pair, Path
from invr_interpolation.paths import candidates
from torch import Tensor

from invr_core.errors import BadInput, OutOfSpan, Unsupported
from invr_core.fitting import FitConfig
from invr_core.matching import match
from invr_core.query import Query
from invr_core.representation import Motion
from invr_core.sampling import pixel_grid, sample
from invr_core.testing import MovingDisc
from invr_core.video import Video
from invr_tasks.run import default_model, prepare, run, score
from invr_tasks.task import Source
from invr_tasks.testing import TASK_CHECKS, TaskCheck

SIZE = (32, 48)
DISC = MovingDisc(SIZE)


def clip(times: list[float] | None = None) -> Video:
    """The oracle's frames, as bytes."""
    instants = torch.linspace(0, 1, 7, dtype=torch.float64) if times is None else torch.tensor(times).double()
    return Video.of((DISC(Query(instants)) * 255).round().to(torch.uint8), instants)


def noise(frames: int = 4, depth: int = 8) -> Video:
    """Frames that nothing but themselves can give, at odd instants."""
    generator = torch.Generator().manual_seed(0)
    times = torch.tensor([0.0, 0.1, 0.37, 1.0][:frames], dtype=torch.float64)
    return Video.of(torch.rand(frames, 3, *SIZE, generator=generator), times, depth=depth)


def interpolate(**options: object) -> Interpolate:
    return Interpolate(InterpolateConfig(**options))


# -------------------------------------------------------------------------- conformance
@pytest.mark.parametrize("check", TASK_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("options", [{}, {"factor": 3}], ids=str)
def test_it_is_a_good_task(options: dict[str, object], check: TaskCheck) -> None:
    check(interpolate(**options))


# ------------------------------------------------------------------------ given frames
@pytest.mark.parametrize(
    "options", [{"factor": 1}, {"factor": 2}, {"factor": 3}, {"times": (0.0, 0.05, 0.1, 0.37, 0.9, 1.0)}, {"fps": 100}]
)
def test_given_frames_pass_through_to_the_bit(options: dict[str, object]) -> None:
    video = noise()
    shown = run(interpolate(**options), Source(video), rep=DISC).video
    found = 0
    for index, time in enumerate(video.times.tolist()):
        places = torch.nonzero((shown.times - time).abs() < 1e-9).flatten().tolist()
        for place in places:
            assert torch.equal(shown.read([place])[0], video.read([index])[0])
            found += 1
    assert found == 4


def test_a_factor_of_one_is_the_clip_itself() -> None:
    video = noise()
    shown = run(interpolate(factor=1), Source(video), rep=DISC).video
    assert torch.equal(shown.frames(), video.frames()) and torch.equal(shown.times, video.times)


# -------------------------------------------------------------------- the frames between
@pytest.mark.parametrize("factor", [2, 3])
def test_between_frames_it_is_far_closer_to_the_truth_than_a_blend(factor: int) -> None:
    found = score(interpolate(factor=factor), clip(), rep=DISC)
    assert found.scores.psnr > 36
    assert found.scores.psnr > found.naive.psnr + 10
    assert found.scores.ssim > found.naive.ssim


def test_instants_at_no_even_fraction_are_met_too() -> None:
    times = [0.03, 0.21, 0.5, 0.77]
    shown = run(interpolate(times=tuple(times)), Source(clip()), rep=DISC).video
    truth = clip(times).frames()
    assert float((shown.frames() - truth).square().mean()) < 10 ** (-36 / 10)


class Blind(MovingDisc):
    """Trusts no motion in the left half of the frame."""

    def motion(self, t0: Tensor, t1: Tensor) -> Motion:
        motion = super().motion(t0, t1)
        seen = torch.arange(self.size[1]) >= self.size[1] // 2
        return Motion(motion.flow, motion.confidence * seen)


def test_what_neither_neighbour_shows_comes_from_the_representation() -> None:
    """The given frames are black: where they are not valid, the oracle's own picture shows through."""
    video = Video.of(torch.zeros(2, 3, *SIZE), torch.tensor([0.4, 0.6], dtype=torch.float64))
    shown = run(interpolate(times=(0.5,)), Source(video), rep=Blind(SIZE)).video.frames()
    own = DISC(Query(torch.tensor([0.5], dtype=torch.float64)))
    assert torch.allclose(shown[..., :24], own[..., :24], atol=1e-5)
    assert float(shown[..., 24:].mean()) < 0.05


# ------------------------------------------------------------------------------- models
@pytest.mark.parametrize("times", [None, [0.0, 0.1, 0.3, 0.35, 0.6, 1.0]], ids=["regular", "irregular"])
def test_with_the_default_model_fitted_for_moments_it_beats_the_blend(times: list[float] | None) -> None:
    source, steps = Source(clip(times)), FitConfig(steps=2, device="cpu")
    task = interpolate(factor=2)
    shown = [run(task, source, fit_config=steps).video.frames() for _ in range(2)]
    assert torch.equal(*shown)
    truth = DISC(Query(task.plan(source).times))[1::2]
    ours, naive = ((v[1::2] - truth).square().mean() for v in (shown[0], task.naive(source).frames()))
    assert float(ours) < 0.9 * float(naive)


def test_with_a_model_without_motion_frames_are_carried_by_matching_alone() -> None:
    video, steps = clip(), FitConfig(steps=2, device="cpu")
    found = score(interpolate(), video, model=default_model("hnerv"), fit_config=steps)
    assert found.scores.psnr > found.naive.psnr + 1
    shown = found.result.video.frames()
    assert torch.equal(shown[::2], found.source.video.frames())


# ---------------------------------------------------------------------------- the paths
def moving(shift: float, seed: int = 0) -> Gap:
    """A texture that moves to the right by so many pixels; the instant lies half-way."""
    texture = torch.rand(1, 3, 16, 40, generator=torch.Generator().manual_seed(seed))
    texture = torch.nn.functional.interpolate(texture, size=(64, 160), mode="bicubic").clamp(0, 1)
    grid = pixel_grid(64, 96)
    ends = [sample(texture, grid + torch.tensor([32 - x, 0.0]).view(1, 2, 1, 1))[0] for x in (0.0, shift)]
    return Gap(Pair.of(Video.of(torch.cat(ends), fps=1), 0, 1), 0.5)


def test_all_kinds_of_paths_find_a_motion_that_is_the_same_everywhere() -> None:
    gap = moving(3.0)
    own = Path(torch.zeros(1, 2, 64, 96), torch.zeros(1, 2, 64, 96))
    found = candidates(gap, own)
    assert set(found) == {"fitted", "refined", "fine", "coarse16", "coarse24", "alone"}
    for name in set(found) - {"fitted", "alone"}:
        inner = found[name].after[..., 16:-16, 16:-16]
        assert float((inner[:, 0] - 1.5).abs().mean()) < 0.1, name
        assert float(inner[:, 1].abs().mean()) < 0.1, name


def test_two_frames_are_matched_once_for_all_instants_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    matched = list[int]()

    def counted(old: Tensor, new: Tensor, *, patch: int) -> Tensor:
        matched.append(patch)
        return match(old, new, patch=patch)

    monkeypatch.setattr(pairs, "match", counted)
    pair = moving(3.0).pair
    for share in (0.25, 0.5, 0.75):
        ways = candidates(Gap(pair, share), None, ("fine", "coarse16"))
        assert float((ways["coarse16"].after[:, 0, 16:-16, 16:-16] - 3 * (1 - share)).abs().mean()) < 0.1
    assert sorted(matched) == [8, 8, 16, 16]


def test_a_frame_too_small_to_be_matched_has_only_the_fitted_path() -> None:
    tiny = Gap(Pair.of(Video.of(torch.zeros(2, 3, 8, 8), fps=1), 0, 1), 0.5)
    own = Path(torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 8, 8))
    assert set(candidates(tiny, own)) == {"fitted"} and candidates(tiny, None) == {}


class Wrong(MovingDisc):
    """Knows a motion that is not there."""

    def motion(self, t0: Tensor, t1: Tensor) -> Motion:
        motion = super().motion(t0, t1)
        return Motion(motion.flow + 40 * (t1 - t0).view(-1, 1, 1, 1).float(), motion.confidence)


def test_a_wrong_motion_is_found_to_be_worth_little() -> None:
    size, instants = (64, 96), torch.linspace(0, 1, 9, dtype=torch.float64)
    video = Video.of(MovingDisc(size)(Query(instants)), instants)
    right, wrong = worth(video, MovingDisc(size)), worth(video, Wrong(size))
    assert sum(right.values()) == pytest.approx(1) and min(right.values()) >= 0
    shares = [sum(share for (kind, _), share in found.items() if kind == "fitted") for found in (wrong, right)]
    assert shares[0] < 0.05 < shares[1]


def test_a_fine_texture_is_looked_up_by_the_kernel_that_keeps_it() -> None:
    """Two pixels to a wave, nearly: half a pixel on, bicubic loses a third of its contrast."""

    def shown(time: float) -> Tensor:
        x = torch.arange(96).expand(3, 64, 96) - 4 * time
        return 0.5 + 0.4 * torch.sin(2 * torch.pi * 0.4 * x) * torch.cos(2 * torch.pi * x / 40)

    times = torch.linspace(0, 1, 9, dtype=torch.float64)

    class Sliding(MovingDisc):
        """Knows how it slides: four pixels to the right in all."""

        def motion(self, t0: Tensor, t1: Tensor) -> Motion:
            motion = super().motion(t0, t1)
            flow = torch.zeros_like(motion.flow)
            flow[:, 0] = (4 * (t1 - t0)).view(-1, 1, 1)
            return Motion(flow, torch.ones_like(motion.confidence))

    fine = Video.of(torch.stack([shown(float(time)) for time in times]), times, depth=16)
    found = worth(fine, Sliding((64, 96)))
    assert sum(share for (_, kernel), share in found.items() if kernel == "sinc") > 0.9


def test_without_any_path_the_representation_is_shown() -> None:
    class Motionless(MovingDisc):
        """Knows no motion, in a frame too small to be matched."""

        def motion(self, t0: Tensor, t1: Tensor) -> Motion:
            raise Unsupported("this one knows no motion")

    times = torch.linspace(0, 1, 4, dtype=torch.float64)
    rep = Motionless((8, 8))
    video = Video.of((rep(Query(times)) * 255).round().to(torch.uint8), times)
    assert worth(video, rep) == {}
    middle = torch.tensor([0.5], dtype=torch.float64)
    shown = run(interpolate(times=(0.5,)), Source(video), rep=rep).video.frames()
    assert float((shown - rep(Query(middle))).abs().max()) < 1 / 255


def test_pictures_that_are_all_alike_can_be_weighed() -> None:
    shares = _least(np.ones((4, 4)) - 1e-7 * np.eye(4))
    assert sum(shares) == pytest.approx(1) and min(shares) >= 0
    assert _least(np.zeros((4, 4))) == [0.25] * 4  # nothing but black was ever shown


def test_only_what_is_wanted_is_looked_for() -> None:
    gap = moving(3.0)
    assert set(candidates(gap, None, {"coarse16", "fitted"})) == {"coarse16"}


# --------------------------------------------------------------------------------- plan
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0, 0.05, 0.1, 0.235, 0.37, 0.685, 1]),
        ({"factor": 1}, [0, 0.1, 0.37, 1]),
        ({"fps": 4.0}, [0, 0.25, 0.5, 0.75, 1]),
        ({"fps": 0.6}, [0]),
        ({"times": (0.2, 0.9), "factor": 5}, [0.2, 0.9]),
    ],
)
def test_the_instants_asked_for_are_shown(options: dict[str, object], expected: list[float]) -> None:
    video = noise(depth=16)
    task = interpolate(**options)
    shown = run(task, Source(video), rep=DISC).video
    assert task.plan(Source(video)).times.tolist() == shown.times.tolist() == pytest.approx(expected)
    assert (shown.size, shown.depth, shown.channels) == (SIZE, 16, 3)
    assert tuple(shown.frames().shape) == (len(expected), 3, *SIZE)
    assert float(shown.frames().min()) >= 0 and float(shown.frames().max()) <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factor": 0}, "factor must be a whole number of at least 1, got 0"),
        ({"factor": -3}, "factor must be"),
        ({"fps": 0.0}, "fps must be a positive number, got 0"),
        ({"fps": math.nan}, "fps must be"),
        ({"fps": math.inf}, "fps must be"),
        ({"fps": 25.0, "times": (0.1,)}, "fps or times, not both"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        interpolate(**options)


@pytest.mark.parametrize(
    ("times", "error"),
    [((), BadInput), ((0.5, 0.2), BadInput), ((0.2, 0.2), BadInput), ((math.nan,), BadInput), ((0.5, 1.1), OutOfSpan)],
)
def test_instants_that_cannot_be_are_refused_before_the_fit(times: tuple[float, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        prepare(interpolate(times=times), Source(noise()))


# ---------------------------------------------------------------------------- benchmark
@pytest.mark.parametrize("factor", [2, 3])
def test_what_is_given_and_what_is_judged_are_apart(factor: int) -> None:
    truth, task = clip(), interpolate(factor=factor)
    source = task.simulate(truth, torch.Generator())
    judged = task.judged(source, truth)
    assert judged is not None and bool((judged.frames() == 1).all())
    given, asked = source.video.times.tolist(), judged.times.tolist()
    assert given == truth.times.tolist()[::factor]
    assert sorted(given + asked) == pytest.approx(truth.times.tolist())


@pytest.mark.parametrize("options", [{"fps": 75.0}, {"times": (0.05, 0.1, 0.5)}, {"factor": 3}])
def test_whatever_is_shown_between_two_given_frames_is_judged(options: dict[str, object]) -> None:
    task, source = interpolate(**options), Source(noise())
    shown, given = task.plan(source).times.tolist(), source.video.times.tolist()
    truth = Video.of(torch.zeros(len(shown), 3, 4, 4), task.plan(source).times)
    judged = task.judged(source, truth)
    assert judged is not None and judged.times.tolist() == [t for t in shown if min(abs(t - g) for g in given) > 1e-6]
    assert judged.frames().shape[1:] == (1, 4, 4) and 0 < len(judged) < len(shown)


def test_where_nothing_lies_between_there_is_nothing_to_judge() -> None:
    with pytest.raises(BadInput, match="no frame of the truth is at an instant that is shown between two given"):
        interpolate(factor=1).judged(Source(noise()), noise())


def test_the_naive_answer_blends_the_neighbours() -> None:
    video, task = noise(), interpolate()
    naive: Tensor = task.naive(Source(video)).frames()
    frames = video.frames()
    assert torch.equal(naive[::2], frames)
    assert torch.allclose(naive[1::2], (frames[1:] + frames[:-1]) / 2, atol=1e-6)
    assert torch.equal(task.naive(Source(video)).times, task.plan(Source(video)).times)
