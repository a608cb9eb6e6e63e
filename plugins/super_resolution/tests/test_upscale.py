"""More pixels: with a clip that is known at every size, and with models that were hardly fitted."""

from __future__ import annotations

import gc
from collections.abc import Sequence

import invr_super_resolution
import pytest
import torch
from invr_super_resolution import Upscale, UpscaleConfig, learning
from invr_super_resolution.backprojection import bicubic
from invr_super_resolution.larger import MISSED, Larger
from invr_super_resolution.learning import learned
from invr_super_resolution.neighbourhood import Neighbourhood
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.fitting import FitConfig, fit
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.testing import MovingDisc
from invr_core.video import Video
from invr_tasks.operators import shrink
from invr_tasks.run import accept, default_model, prepare, run, score
from invr_tasks.task import Source
from invr_tasks.testing import TASK_CHECKS, TaskCheck

SIZE = (32, 48)
TIMES = torch.linspace(0, 1, 7, dtype=torch.float64)
KERNELS = ("area", "bicubic", "gaussian")


def clip(size: tuple[int, int] = SIZE) -> Video:
    """The oracle's frames, as bytes."""
    return Video.of((MovingDisc(size)(Query(TIMES)) * 255).round().to(torch.uint8), TIMES)


def upscale(**options: object) -> Upscale:
    return Upscale(UpscaleConfig(**options))


# -------------------------------------------------------------------------- conformance
@pytest.mark.parametrize("check", TASK_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("options", [{}, {"scale": 3, "kernel": "bicubic"}], ids=str)
def test_it_is_a_good_task(options: dict[str, object], check: TaskCheck) -> None:
    check(upscale(**options))


# ------------------------------------------------------------------------------- detail
@pytest.mark.parametrize("kernel", ["area", "bicubic"])
def test_detail_of_neighbouring_frames_is_added(kernel: str) -> None:
    found = score(upscale(kernel=kernel), clip(), rep=MovingDisc(SIZE))
    assert found.scores.psnr > found.naive.psnr + 2
    assert found.scores.ssim > found.naive.ssim


def test_four_times_as_large() -> None:
    size = (64, 96)
    found = score(upscale(scale=4), clip(size), rep=MovingDisc(size))
    assert found.scores.psnr > found.naive.psnr + 2


@pytest.mark.parametrize("model", ["cwrnn", "hnerv"])
def test_with_a_model_fitted_for_moments_it_is_no_worse_than_bicubic(model: str) -> None:
    """A model without motion has nothing to carry: what is left is the enlargement that agrees with the input."""
    found = score(upscale(), clip(), model=default_model(model), fit_config=FitConfig(steps=2, device="cpu"))
    assert found.scores.psnr > found.naive.psnr + (1 if model == "cwrnn" else 0)


# ------------------------------------------------------------------------------ learning
def by_area(frames: Tensor, size: tuple[int, int]) -> Tensor:
    return shrink(size=size, kernel="area")(frames)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer places a step, and more steps than for so small a clip."""
    monkeypatch.setattr(learning, "AREA", 4 * 32 * 32)
    monkeypatch.setattr(learning, "PER_STEP", 1000)


def squares(contrast: float = 1.0) -> Tensor:
    """Hard edges, (6, 3, 192, 288)."""
    colours = torch.rand(6, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    shown = (0.5 + contrast * (colours - 0.5)).repeat_interleave(12, 2).repeat_interleave(12, 3)
    return shown.roll((5, 5), (2, 3))


def sharpened_and_not(truth: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Square errors of frames that were shrunk and enlarged, then sharpened, and of the same left so; as the truth."""
    height, width = truth.shape[2:]
    small = by_area(truth, (round(height / scale), round(width / scale)))
    sharpener, large = learned(Video.of(small), scale, bicubic, by_area), bicubic(small, (height, width))
    return (sharpener(large).detach() - truth).square(), (large - truth).square()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("scale", [2, 1.5])
@pytest.mark.parametrize("contrast", [1.0, 0.1])
def test_what_is_learned_sharpens(scale: float, contrast: float) -> None:
    """Pale pictures as well: their network must not fall silent."""
    after, before = sharpened_and_not(squares(contrast), scale)
    assert float(after.mean()) < 0.9 * float(before.mean())


def test_some_of_what_is_drawn_ends_in_bars_as_dark_as_the_clip() -> None:
    colours = torch.tensor([0.2, 0.4, 0.6, 0.8]).view(1, 1, 2, 2).expand(1, 3, 2, 2)
    drawn = learning._drawn(colours, 40)
    assert drawn.shape == (40, 3, learning.CANVAS, learning.CANVAS)
    assert float(drawn.min()) > 0.2 - 1e-6 and float(drawn.max()) < 0.8 + 1e-6
    for end in (drawn[:, :, 0], drawn[:, :, -1], drawn[..., 0], drawn[..., -1]):
        barred = int((end - 0.2).abs().amax((1, 2)).lt(1e-6).sum())
        assert 3 <= barred <= 20, "a quarter is expected"


@pytest.mark.parametrize("shade", [0.0, 0.5])
def test_a_clip_of_one_shade_stays_so(shade: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "PER_STEP", 2000)
    large = torch.full((6, 3, 128, 192), shade)
    sharpener = learned(Video.of(large[..., ::2, ::2]), 2, bicubic, by_area)
    with torch.no_grad():
        assert float((sharpener(large) - shade).abs().max()) < 1 / 255


def test_a_pale_clip_is_sharpened_as_one_of_more_contrast() -> None:
    """The networks begin with the same weights; what they see is the same, and so is what they add, but for scale."""
    pale, other = (
        learning.Sharpener(2, torch.full((1, 3, 1, 1), 0.3), 0.1),
        learning.Sharpener(2, torch.zeros(1, 3, 1, 1), 1),
    )
    torch.nn.init.normal_(other.last.weight, std=0.1)
    pale.load_state_dict({**other.state_dict(), "middle": pale.middle})
    detail = torch.rand(1, 3, 12, 18)
    with torch.no_grad():
        torch.testing.assert_close(pale(0.3 + 0.1 * detail), 0.3 + 0.1 * other(detail))
        assert not torch.allclose(other(detail), detail, atol=0.01)


def test_ends_of_pictures_are_learned_from_often() -> None:
    rows = torch.arange(96.0).view(1, 1, 96, 1).expand(1, 6, 96, 96)
    places = [learning._patches(rows, 10, 32, 2, torch.Generator().manual_seed(seed)) for seed in range(100)]
    tops = torch.cat(places).flatten(1).amin(1)
    assert set(tops.tolist()) <= set(range(0, 65, 2))
    for end in (0, 64):
        assert 0.15 < float((tops == end).float().mean()) < 0.3


@pytest.mark.parametrize("fold", [1, 2])
def test_a_turned_frame_is_sharpened_as_the_frame_is(fold: int) -> None:
    network = learning.Sharpener(fold, torch.full((1, 3, 1, 1), 0.4), 0.9)
    torch.nn.init.normal_(network.last.weight, std=0.1)
    frames = torch.rand(2, 3, 12, 18)
    with torch.no_grad():
        shown = learning.sharpened(network, frames)
        assert (shown - frames).abs().max() > 0.01
        for turned in (
            lambda f: f.flip(2),
            lambda f: f.flip(3),
            lambda f: f.transpose(2, 3),
            lambda f: f.rot90(1, (2, 3)),
        ):
            torch.testing.assert_close(learning.sharpened(network, turned(frames)), turned(shown))
        assert not torch.allclose(network(frames.flip(3)), network(frames).flip(3))


def test_a_clip_too_small_to_learn_from_is_left_as_it_is() -> None:
    small = clip().frames()
    large = bicubic(small, (64, 96))
    assert torch.equal(learned(Video.of(small), 2, bicubic, by_area)(large), large)


def test_of_large_frames_windows_teach_and_of_small_ones_all() -> None:
    seen: list[int] = []

    def read(indices: Sequence[int]) -> Tensor:
        seen.append(len(indices))
        return torch.arange(1200.0).expand(len(indices), 3, 400, 1200)

    large = learning._taught_by(Video(torch.arange(60.0), (400, 1200), read))
    assert large.shape == (learning.FRAMES, 3, 400, learning.WINDOW) and set(seen) == {1}
    assert len({float(frame[0, 0, 0]) for frame in large}) > learning.FRAMES / 2
    assert torch.equal(learning._taught_by(clip()), clip().frames())


# ------------------------------------------------------------------------- what is believed
def larger(video: Video, rep: Representation) -> Larger:
    return Larger(video, Video.of(bicubic(video.frames(), rep.size), video.times), rep, 4, by_area)


def test_alone_the_fitted_picture_counts_half_at_most_and_the_less_the_worse_it_explains_the_input() -> None:
    known, given = larger(clip(), MovingDisc((64, 96))), clip().read([3])
    same = given.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert float((known._share(same, same, given, None) - 0.5).abs().max()) < 1e-6
    worse = [float(known._share(same + off, same, given, None).mean()) for off in (0.02, MISSED, 0.2)]
    assert worse == sorted(worse, reverse=True)
    assert worse[1] == pytest.approx(0.25, rel=1e-3) and worse[2] < 0.02


def test_without_motion_or_reach_there_is_no_neighbourhood() -> None:
    given = Video.of(by_area(clip().frames(), (16, 24)), TIMES)
    still = fit(upscale().observe(Source(given)), default_model("hnerv"), FitConfig(steps=1, device="cpu"))
    assert Neighbourhood.of(given, still, 3, 4, by_area) is None
    assert Neighbourhood.of(given, MovingDisc(SIZE), 3, 0, by_area) is None


# --------------------------------------------------------------------- where the fit starts
@pytest.mark.usefixtures("quick")
def test_the_fit_starts_from_what_is_sharpened_and_learned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lessons: list[Video] = []
    learn = learning.learned
    monkeypatch.setattr(
        invr_super_resolution, "learned", lambda video, *rest: (lessons.append(video), learn(video, *rest))[1]
    )
    given = Video.of(by_area(squares(), (96, 144)))
    task, source = upscale(), Source(given)
    seen = task.observe(source)
    assert not lessons, "to observe is to say what is to be done, and does nothing yet"
    assert seen.guess is not None and seen.guess.size == (192, 288) and seen.moving is given
    blurred = bicubic(given.read([1]), (192, 288))
    nearer, before = ((shown - squares()[1:2]).square().mean() for shown in (seen.guess.read([1]), blurred))
    assert float(nearer) < 0.9 * float(before)
    task.render(MovingDisc((192, 288)), source).read([0])
    assert lessons == [given]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("model", ["cwrnn", "hnerv"])
def test_a_fit_of_what_is_learned_ends_with_the_same_bytes(model: str) -> None:
    given = Source(Video.of(by_area(squares(), (96, 144))))
    once, again = (
        run(upscale(), given, model=default_model(model), fit_config=FitConfig(steps=2, device="cpu")).video.read([2])
        for _ in "ab"
    )
    assert torch.equal(once, again)
    assert float((once - squares()[2:3]).square().mean()) < float(
        (bicubic(given.video.read([2]), (192, 288)) - squares()[2:3]).square().mean()
    )


def test_what_is_learned_goes_with_its_clip() -> None:
    task, video = upscale(), clip()
    task.render(MovingDisc((64, 96)), Source(video)).read([0])
    assert len(task._networks) == 1
    gc.disable()
    try:
        del video
        assert len(task._networks) == 0
    finally:
        gc.enable()


# -------------------------------------------------------------------- shrunk, the input
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("scale", [1, 1.5, 2, 3, 4])
def test_shrunk_again_it_is_the_input(kernel: str, scale: float) -> None:
    size = (round(SIZE[0] * scale), round(SIZE[1] * scale))
    video = clip()
    shown = run(upscale(scale=scale, kernel=kernel), Source(video), rep=MovingDisc(size)).video
    back = shrink(size=SIZE, kernel=kernel)(shown.read([0, 3]))
    assert float((back - video.read([0, 3])).abs().max()) < 0.5 / 255
    assert float((back - video.read([0, 3])).square().mean()) < (0.1 / 255) ** 2


@pytest.mark.parametrize("kernel", KERNELS)
def test_whatever_the_model_shows_the_input_is_kept(kernel: str) -> None:
    """Noise in, and a representation of something else."""
    video = Video.of(0.2 + 0.6 * torch.rand(3, 3, 16, 24, generator=torch.Generator().manual_seed(0)), TIMES[:3])
    shown = run(upscale(kernel=kernel), Source(video), rep=MovingDisc((32, 48))).video
    back = shrink(size=(16, 24), kernel=kernel)(shown.frames())
    assert float((back - video.frames()).abs().mean()) < 1 / 255


def test_with_a_scale_of_one_the_clip_is_kept() -> None:
    video = clip()
    shown = run(upscale(scale=1), Source(video), rep=MovingDisc(SIZE)).video.read([2])
    assert torch.allclose(shown, video.read([2]), atol=0.5 / 255)


# --------------------------------------------------------------------------------- plan
@pytest.mark.parametrize("size", [(16, 24), (17, 23), (3, 5), (1, 1)])
@pytest.mark.parametrize("scale", [1.5, 2, 3])
def test_sizes_times_and_depth(size: tuple[int, int], scale: float) -> None:
    times = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)
    video = Video.of(torch.rand(3, 3, *size), times, depth=16)
    task, large = upscale(scale=scale), (round(size[0] * scale), round(size[1] * scale))
    job = prepare(task, Source(video))
    assert job.observation.clip_size == job.query.size == large
    shown = run(task, Source(video), rep=MovingDisc(large)).video
    assert torch.equal(shown.times, times) and (shown.size, shown.depth, shown.channels) == (large, 16, 3)
    assert tuple(shown.frames().shape) == (3, 3, *large)
    assert float(shown.frames().min()) >= 0 and float(shown.frames().max()) <= 1
    naive = task.naive(Source(video))
    assert naive.size == large and tuple(naive.frames().shape) == (3, 3, *large)


@pytest.mark.parametrize("reach", [0, 50])
def test_any_reach_will_do(reach: int) -> None:
    shown = run(upscale(reach=reach), Source(clip()), rep=MovingDisc((64, 96))).video.read([3])
    assert float((shown - MovingDisc((64, 96))(Query(TIMES[3:4]))).square().mean()) < 1e-3


def test_a_single_frame_is_enlarged_too() -> None:
    result = run(upscale(), Source(clip()[:1]), fit_config=FitConfig(steps=2, device="cpu"))
    assert tuple(result.video.frames().shape) == (1, 3, 64, 96)


def test_the_same_seed_gives_the_same_bytes() -> None:
    shown = [run(upscale(), Source(clip()), fit_config=FitConfig(steps=2, device="cpu")).video.frames() for _ in "ab"]
    assert torch.equal(*shown)


def test_a_representation_of_the_small_clip_is_refused() -> None:
    with pytest.raises(BadInput, match="is of 48x32, the task Upscale needs 96x64 here"):
        accept(upscale(), prepare(upscale(), Source(clip())), MovingDisc(SIZE))


@pytest.mark.parametrize(
    ("options", "name"),
    [({"scale": 0}, "scale"), ({"scale": -2}, "scale"), ({"scale": float("nan")}, "scale"), ({"reach": -1}, "reach")],
    ids=["0", "-2", "1.5", "reach"],
)
def test_options_that_cannot_be_are_refused_by_name(options: dict[str, object], name: str) -> None:
    with pytest.raises(BadInput, match=name):
        upscale(**options)


# ---------------------------------------------------------------------------- benchmark
@pytest.mark.parametrize("kernel", ["area", "bicubic"])
def test_what_is_given_is_the_truth_shrunk(kernel: str) -> None:
    truth, task = clip(), upscale(kernel=kernel)
    given = task.simulate(truth, torch.Generator())
    assert given.video.size == (16, 24) and torch.equal(given.video.times, truth.times)
    small = shrink(size=(16, 24), kernel=kernel)(truth.frames())
    assert float((given.video.frames() - small).abs().max()) < 1.1 / 255
    assert task.judged(given, truth) is None
    assert task.plan(given).size == truth.size


def test_a_truth_that_is_no_multiple_of_the_scale_says_so() -> None:
    with pytest.raises(BadInput, match="no multiple of the scale 3"):
        upscale(scale=3).simulate(clip(), torch.Generator())
