"""What lies under a mask: with a clip whose motion is known exactly, and with models that were hardly fitted."""

from __future__ import annotations

import math

import pytest
import torch
from invr_inpainting import Inpaint, InpaintConfig
from invr_inpainting.carrying import _sharp
from torch import Tensor

from invr_core.errors import BadInput, Unsupported
from invr_core.fitting import FitConfig
from invr_core.query import Query
from invr_core.representation import Motion
from invr_core.sampling import doubled, sample_doubled
from invr_core.testing import MovingDisc
from invr_core.video import Video
from invr_tasks.run import default_model, run, score
from invr_tasks.task import Source
from invr_tasks.testing import TASK_CHECKS, TaskCheck

SIZE = (32, 48)
DISC = MovingDisc(SIZE)
TIMES = torch.linspace(0, 1, 7, dtype=torch.float64)


def clip() -> Video:
    """The oracle's frames, as bytes."""
    return Video.of((DISC(Query(TIMES)) * 255).round().to(torch.uint8), TIMES)


def logo(value: float = 1.0) -> Tensor:
    """(7, 1, H, W): 1 where a box stands still."""
    mask = torch.zeros(7, 1, *SIZE)
    mask[:, :, 8:18, 20:32] = value
    return mask


def source(mask: Tensor, hidden: float | Tensor = 0.0, video: Video | None = None) -> Source:
    """The clip, with something else where the mask is white."""
    video = video or clip()
    frames = torch.where(mask > 0.5, torch.as_tensor(hidden), video.frames())
    return Source(Video.of(frames, video.times), {"mask": Video.of(mask, video.times)})


# -------------------------------------------------------------------------- conformance
@pytest.mark.parametrize("check", TASK_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("options", [{}, {"holes": "moving"}], ids=str)
def test_it_is_a_good_task(options: dict[str, object], check: TaskCheck) -> None:
    check(Inpaint(InpaintConfig(**options)))


# -------------------------------------------------------------------------- known pixels
@pytest.mark.parametrize("model", ["cwrnn", "hnerv"])
def test_known_pixels_pass_through_to_the_bit_and_the_hole_does_not(model: str) -> None:
    frames = torch.rand(7, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    given, hole = source(logo(), 0.0, Video.of(frames, TIMES)), logo().expand(-1, 3, -1, -1) > 0
    result = run(Inpaint(), given, model=default_model(model), fit_config=FitConfig(steps=1, device="cpu"))
    shown = result.video.frames()
    assert torch.equal(shown[~hole], frames[~hole])
    assert float(shown[hole].mean()) > 0.2
    assert float(shown.min()) >= 0 and float(shown.max()) <= 1


@pytest.mark.parametrize("model", ["cwrnn", "hnerv"])
def test_what_lies_under_the_mask_is_of_no_influence(model: str) -> None:
    """To the bit, through the fit and the rendering."""
    mask = logo()
    mask[3] = 1
    shown = []
    for seed in range(2):
        garbage = torch.rand(7, 3, *SIZE, generator=torch.Generator().manual_seed(seed))
        given = source(mask, garbage)
        result = run(Inpaint(), given, model=default_model(model), fit_config=FitConfig(steps=2, device="cpu"))
        shown.append(result.video.frames())
    assert torch.equal(*shown)


def test_a_black_mask_gives_back_the_clip() -> None:
    video = clip()
    result = run(Inpaint(), source(torch.zeros(7, 1, *SIZE)), fit_config=FitConfig(steps=1, device="cpu"))
    assert torch.equal(result.video.frames(), video.frames())
    assert torch.equal(result.video.times, video.times)


# ------------------------------------------------------------------------------ the hole
@pytest.mark.parametrize(("holes", "gain"), [("static", 8), ("boxes", 8), ("moving", 8)])
def test_what_was_visible_before_or_after_is_brought_in(holes: str, gain: float) -> None:
    found = score(Inpaint(InpaintConfig(holes=holes)), clip(), rep=DISC)
    assert found.scores.psnr > 34
    assert found.scores.psnr > found.naive.psnr + gain


def test_a_frame_that_is_hidden_altogether_is_made_of_its_neighbours() -> None:
    mask = torch.zeros(7, 1, *SIZE)
    mask[3] = 1
    shown = run(Inpaint(), source(mask), rep=DISC).video.read([3])
    truth = clip().read([3])
    assert float((shown - truth).square().mean()) < 10 ** (-30 / 10)


class Still(MovingDisc):
    """A clip in which nothing moves, by a model that shows grey."""

    def __call__(self, query: Query) -> Tensor:
        return torch.full((len(query.times), 3, *self.size), 0.5)

    def motion(self, t0: Tensor, t1: Tensor) -> Motion:
        return Motion(torch.zeros(len(t0), 2, *self.size), torch.ones(len(t0), 1, *self.size))


class Motionless(Still):
    """The same, by a model that knows no motion."""

    def motion(self, t0: Tensor, t1: Tensor) -> Motion:
        raise Unsupported("no motion")


def test_the_nearest_frame_that_shows_a_pixel_counts_most() -> None:
    """The brightness rises with each frame; a hole in frame 3 takes after 2 and 4, and one in 2 to 4 after 1 and 5."""
    video = Video.of((torch.arange(7) / 10).view(7, 1, 1, 1).expand(7, 3, *SIZE), TIMES)
    mask = torch.zeros(7, 1, *SIZE)
    mask[3, :, 4:8, 4:8] = 1
    mask[2:5, :, 20:24, 20:24] = 1
    shown = run(Inpaint(), source(mask, 1.0, video), rep=Still(SIZE)).video.frames()
    assert shown[3, :, 5, 5].tolist() == pytest.approx([0.3] * 3, abs=0.02)
    share = 3**-1.5  # of what comes over three frames, beside what comes over one
    assert shown[2, :, 21, 21].tolist() == pytest.approx([(0.1 + 0.5 * share) / (1 + share)] * 3, abs=0.02)


@pytest.mark.parametrize(("model", "hidden"), [(Still, range(2, 5)), (Motionless, range(3, 4))])
def test_a_frame_of_which_nothing_is_known_shows_what_the_model_does(model: type[Still], hidden: range) -> None:
    """All of it is hidden, and nothing comes from so far, or without motion."""
    video = Video.of(torch.full((7, 3, *SIZE), 0.8), TIMES)
    mask = torch.zeros(7, 1, *SIZE)
    mask[hidden] = 1
    shown = run(Inpaint(InpaintConfig(reach=1)), source(mask, 0.0, video), rep=model(SIZE)).video.frames()
    assert torch.allclose(shown[3], torch.tensor(0.5), atol=1e-3)
    assert torch.equal(shown[:2], video.frames()[:2])


def test_what_is_never_visible_is_guessed_from_around_it_whatever_the_model_shows() -> None:
    """A model without motion shows grey; the clip is brighter all around, and so is the hole then."""
    video = Video.of(torch.full((7, 3, *SIZE), 0.8), TIMES)
    shown = run(Inpaint(), source(logo(), 0.0, video), rep=Motionless(SIZE)).video.frames()
    assert torch.allclose(shown, torch.tensor(0.8), atol=1e-3)


def test_a_hole_that_is_never_uncovered_continues_the_pattern_around_it() -> None:
    """Stripes that stand still: a smooth fill knows nothing of them."""
    stripes = (0.5 + 0.4 * torch.sin(torch.arange(96) * 2 * torch.pi / 12)).expand(2, 3, 64, 96)
    mask = torch.zeros(2, 1, 64, 96)
    mask[:, :, 26:38, 40:52] = 1
    shown = run(Inpaint(), source(mask, 0.0, Video.of(stripes, fps=5)), rep=Motionless((64, 96))).video.frames()
    hole = mask.expand_as(stripes) > 0
    assert float((shown - stripes)[hole].square().mean()) < 0.1 * float(stripes[hole].var())


def test_a_frame_large_enough_is_filled_along_what_is_matched() -> None:
    """A texture moves behind a logo by four pixels a frame; the model says that nothing moves."""
    rough = torch.rand(1, 3, 20, 40, generator=torch.Generator().manual_seed(3))
    wide = torch.nn.functional.interpolate(rough, size=(80, 160), mode="bicubic").clamp(0, 1)
    video = Video.of(torch.cat([wide[..., 4 * i : 4 * i + 120] for i in range(8)]), fps=10)
    mask = torch.zeros(8, 1, 80, 120)
    mask[:, :, 30:44, 50:60] = 1
    shown = run(Inpaint(), source(mask, 0.0, video), rep=Still((80, 120))).video.frames()
    hole = mask.expand(-1, 3, -1, -1) > 0
    assert float((shown - video.frames())[hole].square().mean()) < 10 ** (-28 / 10)


def waves(step: tuple[float, float], count: int = 14) -> Video:
    """Forty fine waves that move by so many pixels a frame, to the left and up; exact wherever they are."""
    generator = torch.Generator().manual_seed(3)
    ways = (2 * torch.rand(40, 2, generator=generator) - 1) / (2.6 + 6 * torch.rand(40, 1, generator=generator))
    start = torch.rand(40, 3, 1, 1, generator=generator)
    y, x = torch.meshgrid(torch.arange(80.0), torch.arange(120.0), indexing="ij")

    def frame(index: int) -> Tensor:
        across, down = ways[..., None, None].unbind(1)
        turns = across * (x + step[0] * index) + down * (y + step[1] * index)
        return (2 * torch.pi * (turns[:, None] + start)).sin().mean(0)

    frames = torch.stack([frame(index) for index in range(count)])
    grey = (0.5 + 0.15 * frames / frames.std()).clamp(0, 1)
    return Video.of((255 * grey).round().to(torch.uint8), fps=count)


def hole_psnr(video: Video, mask: Tensor, rep: Still) -> float:
    shown, hole = run(Inpaint(), source(mask, 0.0, video), rep=rep).video.frames(), mask.expand(-1, 3, -1, -1) > 0
    return -10 * math.log10(float((shown - video.frames())[hole].square().mean()))


def test_a_fine_texture_that_is_handed_on_over_many_frames_is_not_blurred() -> None:
    """By half a pixel at a time: by bicubic look-ups alone it would be 33 dB."""
    mask = torch.zeros(14, 1, 80, 120)
    mask[2:-2, :, 30:50, 50:70] = 1
    assert hole_psnr(waves((1.5, 0.5)), mask, Still((80, 120))) > 42


@pytest.mark.parametrize("ends", [(0.0, 7.0), (30.2, 41.7), (-20.0, -13.0), (70.0, 200.0)], ids=str)
def test_a_look_up_by_a_sinc_needs_only_what_is_around_it(ends: tuple[float, float]) -> None:
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 3, 48, 80, generator=generator)
    places = ends[0] + (ends[1] - ends[0]) * torch.rand(1, 2, 1, 50, generator=generator)
    whole, _ = sample_doubled(doubled(picture), places)
    assert torch.allclose(_sharp(picture, places), whole, atol=1e-5)


class Misleading(Still):
    """A model that shows another texture in each frame."""

    def __call__(self, query: Query) -> Tensor:
        rough = torch.rand(len(query.times), 3, 20, 30, generator=torch.Generator().manual_seed(5))
        return torch.nn.functional.interpolate(rough, size=self.size, mode="bicubic").clamp(0, 1)


def test_a_large_hole_that_moves_is_filled_whatever_the_model_shows_in_it() -> None:
    """Matching is misled by it at first, around the hole as well: after two rounds it would be 36 dB."""
    mask = torch.zeros(14, 1, 80, 120)
    for index in range(14):
        mask[index, :, 20:60, 10 + 5 * index : 45 + 5 * index] = 1
    assert hole_psnr(waves((3.5, 1.5)), mask, Misleading((80, 120))) > 41


def test_a_single_frame_is_filled_too() -> None:
    given = source(logo())
    first = Source(given.video[:1], {"mask": given["mask"][:1]})
    result = run(Inpaint(), first, fit_config=FitConfig(steps=2, device="cpu"))
    hole = logo()[:1].expand(-1, 3, -1, -1) > 0
    assert torch.equal(result.video.frames()[~hole], first.video.frames()[~hole])
    assert float(result.video.frames()[hole].mean()) > 0.1


@pytest.mark.parametrize("reach", [0, 1, 50])
def test_any_reach_will_do(reach: int) -> None:
    shown = run(Inpaint(InpaintConfig(reach=reach)), source(logo()), rep=DISC).video.frames()
    assert float((shown - clip().frames()).square().mean()) < 1e-3


# -------------------------------------------------------------------------------- plan
def test_the_answer_has_the_clock_size_and_depth_of_the_clip() -> None:
    times = torch.tensor([0.0, 0.1, 0.15, 0.4, 0.5, 0.9, 1.0], dtype=torch.float64)
    video = Video.of(torch.rand(7, 3, *SIZE), times, depth=16)
    shown = run(Inpaint(), Source(video, {"mask": Video.of(logo(), times)}), rep=DISC).video
    assert torch.equal(shown.times, times)
    assert (shown.size, shown.depth, shown.channels, len(shown)) == (SIZE, 16, 3, 7)


@pytest.mark.parametrize(
    ("options", "name"), [({"reach": -1}, "reach"), ({"holes": "round"}, "holes")], ids=["reach", "holes"]
)
def test_options_that_cannot_be_are_refused_by_name(options: dict[str, object], name: str) -> None:
    with pytest.raises(BadInput, match=name):
        Inpaint(InpaintConfig(**options)).simulate(clip(), torch.Generator())


# ---------------------------------------------------------------------------- benchmark
@pytest.mark.parametrize("holes", ["static", "boxes", "moving"])
def test_what_is_given_lacks_what_is_judged(holes: str) -> None:
    truth, task = clip(), Inpaint(InpaintConfig(holes=holes))
    given = task.simulate(truth, torch.Generator())
    judged = task.judged(given, truth)
    assert judged is not None and torch.equal(judged.frames(), given["mask"].frames())
    hole = judged.frames().expand(-1, 3, -1, -1) > 0
    assert 0 < float(hole.float().mean()) < 0.5
    assert bool((given.video.frames()[hole] == 0).all())
    assert torch.equal(given.video.frames()[~hole], truth.frames()[~hole])
    naive = task.naive(given)
    assert torch.equal(naive.frames()[~hole], truth.frames()[~hole]) and float(naive.frames()[hole].mean()) > 0.2
