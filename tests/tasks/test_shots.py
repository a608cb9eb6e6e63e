"""Each shot is a job of its own: nothing of one is seen while another is fitted or rendered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from standins import TASKS, Own
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.fitting import FitConfig
from invr_core.io import open_video
from invr_core.models.cwrnn import CWRNN
from invr_core.models.hnerv import HNeRV
from invr_core.observation import Observation
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.shots import find_cuts
from invr_core.video import Video
from invr_tasks import registry
from invr_tasks import run as run_module
from invr_tasks.run import run
from invr_tasks.shots import run_shots
from invr_tasks.task import Source

GREYS = [0.1, 0.5, 0.9]


def shots(*lengths: int) -> Video:
    """Shots of one grey each, 10 frames a second."""
    frames = [torch.full((length, 3, 12, 16), GREYS[i % 3]) for i, length in enumerate(lengths)]
    return Video.of(torch.cat(frames), fps=10)


class Average:
    """A representation that is the mean of what it was fitted to, everywhere and always."""

    parts = frozenset({"full"})
    device = torch.device("cpu")

    def __init__(self, observation: Observation) -> None:
        self.span, self.size = observation.clip_span, observation.clip_size
        self.mean = observation.video.frames().mean((0, 2, 3)).view(1, 3, 1, 1)
        self.info: dict[str, Any] = {}

    def __call__(self, query: Query) -> Tensor:
        assert float(query.times.min()) >= self.span[0] - 1e-9 and float(query.times.max()) <= self.span[1] + 1e-9
        return self.mean.expand(len(query.times), 3, *(query.size or self.size)).clone()

    def motion(self, t0: Tensor, t1: Tensor) -> Any:
        from invr_core.errors import Unsupported

        raise Unsupported("no motion")


class Fits:
    """Stands in for `fit`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[Observation, FitConfig]] = []
        self.stop_at = 0
        monkeypatch.setattr(run_module, "fit", self)

    def __call__(self, observation: Observation, model: Any, config: FitConfig, **rest: Any) -> Average:
        self.calls.append((observation, config))
        rep = Average(observation)
        rep.info["interrupted"] = len(self.calls) == self.stop_at
        return rep


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> Fits:
    return Fits(monkeypatch)


class Mean(Own):
    """The mean of all that is given, at its instants: it shows whatever leaks."""

    def render(self, rep: Representation, source: Source) -> Video:
        mean = source.video.frames().mean(0, keepdim=True)

        def read(indices: Sequence[int]) -> Tensor:
            return (mean + rep(Query(source.video.times[list(indices)]))) / 2

        return replace(source.video, read=read)


def greys(video: Video) -> list[float]:
    frames = video.frames()
    assert (frames - frames[:, :1, :1, :1]).abs().max() < 1e-6
    return [round(float(grey), 4) for grey in frames[:, 0, 0, 0]]


def test_nothing_leaks_across_a_cut(fits: Fits) -> None:
    clip = shots(4, 3, 2)
    joined = run_shots(Mean(), Source(clip), find_cuts(clip) or (4, 7))
    assert greys(joined.video) == [0.1] * 4 + [0.5] * 3 + [0.9] * 2
    assert torch.equal(joined.video.times, clip.times)
    assert [observation.video.times.tolist() for observation, _ in fits.calls] == [
        clip.times[:4].tolist(),
        clip.times[4:7].tolist(),
        clip.times[7:].tolist(),
    ]
    assert len(set(greys(run(Mean(), Source(clip)).video)) & set(GREYS)) == 0  # without cuts it does


def test_without_cuts_it_is_the_task_itself(fits: Fits) -> None:
    task, source = registry.get("interpolate")(), Source(shots(4))
    joined, alone = run_shots(task, source, ()), run(task, source)
    assert torch.equal(joined.video.times, alone.video.times)
    assert joined.alone is not None and len(joined.parts) == 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"factor": 4}, 29),
        ({"fps": 33.0}, 24),
        ({"times": (0.0, 0.31, 0.349, 0.351, 0.39, 0.62)}, 6),
    ],
    ids=["factor", "fps", "times"],
)
def test_between_two_shots_the_nearer_frame_is_shown_never_a_mixture(
    fits: Fits, options: dict[str, Any], expected: int
) -> None:
    task = registry.get("interpolate")
    clip = shots(4, 1, 3)
    joined = run_shots(task(task.Config(**options)), Source(clip), (4, 5))
    times = joined.video.times
    assert len(times) == expected
    assert torch.equal(times, task(task.Config(**options)).plan(Source(clip)).times)
    for grey, time in zip(greys(joined.video), times.tolist(), strict=True):
        assert grey == (0.1 if time < 0.35 else 0.5 if time < 0.45 else 0.9), time
    assert [len(observation.video) for observation, _ in fits.calls] == [4, 3]  # one frame has nothing between


def test_frames_at_a_cut_are_given_ones_to_the_bit(fits: Fits, make_video: Callable[..., Video]) -> None:
    clip = make_video(frames=8, times=[k / 10 for k in range(8)])
    task = registry.get("interpolate")
    video = run_shots(task(task.Config(times=(0.3, 0.34, 0.36, 0.4))), Source(clip), (4,)).video
    assert torch.equal(video.frames(), clip.read([3, 3, 4, 4]))
    assert torch.equal(video.read([3, 0, 1]), clip.read([4, 3, 3]))


@pytest.mark.parametrize("name", TASKS)
def test_every_task_takes_shots_of_any_length_even_of_one_frame(name: str) -> None:
    task = registry.get(name)()
    clip = Video.of(torch.cat([torch.rand(n, 3, 1, 1).expand(-1, -1, 16, 24).clone() for n in (3, 1, 2)]), fps=10)
    mask = torch.zeros(6, 1, 16, 24)
    mask[..., 4:8, 4:8] = 1
    extras = {"mask": Video.of(mask, clip.times)} if "mask" in task.inputs else {}
    model, config = HNeRV(strides=(2, 2), width=6.5, lower_width=4, embedding=4), FitConfig(steps=6, device="cpu")
    joined = run_shots(task, Source(clip, extras), (3, 4), model=model, fit_config=config)
    assert torch.isfinite(joined.video.frames()).all()
    asked = task.plan(Source(clip, extras))
    assert torch.equal(joined.video.times, asked.times) and joined.video.size == (asked.size or clip.size)


def test_inputs_as_long_as_the_clip_are_cut_like_it(fits: Fits, tasks: Path) -> None:
    clip = shots(4, 3)
    mask = Video.of(torch.arange(7).view(7, 1, 1, 1).expand(7, 1, 12, 16) / 10)
    run_shots(registry.get("fakefill")(), Source(clip, {"mask": mask}), (4,)).video.frames()
    weights = [observation.weight for observation, _ in fits.calls]
    seen = [[round(1 - float(w), 3) for w in weight.frames()[:, 0, 0, 0]] for weight in weights if weight]
    assert seen == [[0.0, 0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]


def hidden(clip: Video, *frames: int) -> Source:
    """The clip with so many frames lost: black, and masked altogether."""
    mask = torch.zeros(len(clip), 1, *clip.size)
    mask[list(frames)] = 1
    return Source(Video.of(clip.frames() * (1 - mask), clip.times), {"mask": Video.of(mask, clip.times)})


@pytest.mark.parametrize(
    ("lengths", "lost", "cuts", "parts"),
    [
        ((16,), range(6, 11), (6, 11), [(0, 16)]),
        ((11, 5), range(6, 11), (6, 11), [(0, 11), (11, 16)]),
        ((16,), range(5), (5,), [(0, 16)]),
        ((16,), range(11, 16), (11,), [(0, 16)]),
        ((8, 8), range(4, 6), (4, 8), [(0, 4), (4, 8), (8, 16)]),
    ],
    ids=["lost within a shot", "lost before a cut", "lost at first", "lost at last", "lost in part"],
)
def test_a_shot_that_is_hidden_belongs_to_those_beside_it(
    fits: Fits, lengths: tuple[int, ...], lost: range, cuts: tuple[int, ...], parts: list[tuple[int, int]]
) -> None:
    joined = run_shots(registry.get("inpaint")(), hidden(shots(*lengths), *lost), cuts)
    assert [(part.begin, part.end) for part in joined.parts] == parts
    assert torch.isfinite(joined.video.frames()).all()


def test_a_piece_that_is_hidden_is_refused_by_its_name(fits: Fits) -> None:
    with pytest.raises(BadInput, match="piece 3/5: the weight is 0 everywhere"):
        run_shots(registry.get("inpaint")(), hidden(shots(40), *range(8, 30)), piece=12)


def test_steps_and_minutes_are_shared_by_frames(fits: Fits) -> None:
    clip = shots(10, 1, 5, 4)
    run_shots(Mean(), Source(clip), (10, 11, 16), fit_config=FitConfig(steps=100, seed=7)).video.frames()
    assert [config.steps for _, config in fits.calls] == [50, 5, 25, 20]
    assert {config.seed for _, config in fits.calls} == {7}
    fits.calls.clear()
    run_shots(Mean(), Source(clip), (10, 11, 16), fit_config=FitConfig(steps=1)).video.frames()
    assert all((config.steps or 0) >= 1 for _, config in fits.calls)
    fits.calls.clear()
    task, model = registry.get("interpolate")(), HNeRV(strides=(2, 2))
    run_shots(task, Source(clip), (10, 11, 16), model=model, fit_config=FitConfig(minutes=19)).video.frames()
    assert [config.minutes for _, config in fits.calls] == pytest.approx([10, 5, 4])  # none for what is not fitted


def test_shots_of_which_nothing_is_asked_are_not_fitted(fits: Fits) -> None:
    task = registry.get("interpolate")
    joined = run_shots(task(task.Config(times=(0.45, 0.5))), Source(shots(4, 4, 4)), (4, 8))
    assert greys(joined.video) == [0.5, 0.5]
    assert len(fits.calls) == 1


def test_a_stop_leaves_the_shots_that_follow_to_the_trivial_answer(fits: Fits) -> None:
    fits.stop_at = 2
    begun: list[str] = []
    told: list[str] = []
    joined = run_shots(
        Mean(), Source(shots(4, 3, 2)), (4, 7), on_part=lambda part: begun.append(part.title), tell=told.append
    )
    assert greys(joined.video) == [0.1] * 4 + [0.5] * 3 + [0.9] * 2
    assert begun == ["shot 1/3", "shot 2/3"]
    assert told == [
        "stopped; going on with what is fitted so far; not fitted any more, and shown by the trivial answer: shot 3/3"
    ]


def test_what_cannot_be_is_refused_before_the_first_fit(fits: Fits, tasks: Path) -> None:
    with pytest.raises(BadInput, match="needs the input 'mask'"):
        run_shots(registry.get("fakefill")(), Source(shots(4, 3)), (4,))
    with pytest.raises(BadInput, match="at least 2 frames"):
        run_shots(registry.get("interpolate")(), Source(shots(1)), ())
    with pytest.raises(BadInput, match="too few for this clip"):
        run_shots(Mean(), Source(shots(2, 40)), (2,), model=CWRNN(params=10_000))
    assert fits.calls == []


# ------------------------------------------------------------------- the command line
@pytest.fixture
def cut_clip(invr: Any) -> str:
    shots(6, 5, 4).save("cut.mkv")
    return "cut.mkv"


class StandIn(Fits):
    """Also says how far it is."""

    def __call__(self, observation: Observation, model: Any, config: FitConfig, **rest: Any) -> Average:
        from invr_core.fitting import Progress

        rest["on_step"](Progress(1, 1, 2.0, 0.0, 31.5, 0.1))
        return super().__call__(observation, model, config, **rest)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    return StandIn(monkeypatch)


def test_the_command_splits_and_says_where(invr: Any, stand_in: StandIn, cut_clip: str) -> None:
    code, _, err = invr("run", "interpolate", cut_clip, "out.mkv", "--steps", "30")
    assert code == 0
    assert "invr: cut.mkv has 3 shots, with cuts at 0.6,1.1 s; each is fitted by itself" in err
    assert "fitting shot 1/3" in err and "fitting shot 3/3" in err
    assert [config.steps for _, config in stand_in.calls] == [12, 10, 8]
    assert set(greys(open_video("out.mkv"))) == {round(round(g * 255) / 255, 4) for g in GREYS}


def test_cuts_can_be_given_or_left_alone(invr: Any, stand_in: StandIn, cut_clip: str) -> None:
    assert invr("run", "denoise", cut_clip, "out.mkv", "--no-shots", "--quiet") == (0, "", "")
    assert len(stand_in.calls) == 1
    assert "cuts at 0.3,0.6,1.2 s" in invr("run", "denoise", cut_clip, "out.mkv", "--cuts", "0.3,0.6,1.2")[2]
    assert [len(observation.video) for observation, _ in stand_in.calls[1:]] == [3, 3, 6, 3]


def test_frames_that_are_lost_and_masked_are_no_shot(invr: Any, stand_in: StandIn, cut_clip: str) -> None:
    clip = hidden(shots(16), *range(6, 11))
    assert find_cuts(clip.video) == (6, 11)
    clip.video.save("lost.mkv")
    clip["mask"].map(lambda mask: mask.expand(-1, 3, -1, -1)).save("mask.mkv")
    code, _, err = invr("run", "inpaint", "lost.mkv", "out.mkv", "--mask", "mask.mkv")
    assert code == 0, err
    assert "shots" not in err and [len(observation.video) for observation, _ in stand_in.calls] == [16]


def test_a_shot_that_is_too_short_is_told(invr: Any, stand_in: StandIn, cut_clip: str) -> None:
    _, _, err = invr("run", "interpolate", cut_clip, "out.mkv", "--cuts", "0.5,0.6")
    assert "too short for this task, and shown by the trivial answer: shot 2/3" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cuts", "0.6", "--no-shots"], "give --cuts or --no-shots, not both"),
        (["--cuts", "9"], "a cut at 9 s is not between the clip's frames"),
        (["--cuts", "0.6,0.3"], "cuts must increase"),
        (["--cuts", "x"], "--cuts: 'x' is not a list of numbers"),
        (["--rep", "a.invr", "--cuts", "0.6"], "--rep leaves out the fit, so --cuts would have no effect"),
    ],
)
def test_cuts_that_cannot_be(invr: Any, stand_in: StandIn, cut_clip: str, options: list[str], message: str) -> None:
    assert message in invr.refuses("run", "denoise", cut_clip, "out.mkv", *options)
    assert stand_in.calls == [] and not Path("out.mkv").exists()
