from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from standins import TASKS
from torch import Tensor

from invr_core.errors import BadInput, OutOfSpan, Unsupported
from invr_core.fitting import FitConfig
from invr_core.models.base import ModelConfig
from invr_core.observation import Observation
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.testing import MovingDisc
from invr_core.video import Video
from invr_tasks import registry
from invr_tasks import run as run_module
from invr_tasks.run import default_model, prepare, run, score, within
from invr_tasks.task import Source, Task, as_video


class Fits:
    """Stands in for `fit`: notes what it is given, and answers with the oracle."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[dict[str, Any]] = []
        monkeypatch.setattr(run_module, "fit", self)

    def __call__(
        self, observation: Observation, model: ModelConfig, config: FitConfig, *, prior: Any = None, **rest: Any
    ) -> MovingDisc:
        self.calls.append({"observation": observation, "model": model, "config": config, "prior": prior})
        return MovingDisc(observation.clip_size, observation.clip_span)


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> Fits:
    return Fits(monkeypatch)


@pytest.fixture
def truth() -> Video:
    disc = MovingDisc((16, 24), (0.0, 1.0))
    return as_video(disc, Query(torch.linspace(0, 1, 9, dtype=torch.float64)))


@dataclass(frozen=True)
class Times:
    """Options."""

    times: tuple[float, ...] = (0.0, 0.5)
    """Instants."""


class Show(Task[Times]):
    """Show the clip at some instants."""

    api = 1
    Config = Times
    minimum_frames = 2

    def observe(self, source: Source) -> Observation:
        return Observation(source.video)

    def plan(self, source: Source) -> Query:
        return Query(torch.tensor(self.config.times, dtype=torch.float64))

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        self.drawn = float(torch.rand((), generator=generator))
        return Source(truth[::2])


def test_fits_what_the_task_observes_and_renders_what_it_plans(fits: Fits, truth: Video) -> None:
    result = run(Show(), Source(truth))
    assert fits.calls[0]["observation"].video is truth
    assert result.video.times.tolist() == [0.0, 0.5]
    assert torch.equal(result.video.frames(), result.representation(Query(result.video.times)).clamp(0, 1))
    assert result.seconds > 0
    assert not result.interrupted


def test_the_fit_is_the_one_that_is_asked_for(fits: Fits, truth: Video) -> None:
    model, config = default_model(params=12345), FitConfig(steps=7, seed=3)
    run(Show(), Source(truth), model=model, fit_config=config)
    assert fits.calls[0]["model"] is model
    assert fits.calls[0]["config"] is config


def test_the_prior_is_passed_on_only_where_the_task_has_one(fits: Fits, truth: Video) -> None:
    class Smooth(Show):
        def prior(self, rep: Representation, times: Tensor) -> Tensor:
            return torch.ones(())

    run(Show(), Source(truth))
    run(Smooth(), Source(truth))
    assert fits.calls[0]["prior"] is None
    assert float(fits.calls[1]["prior"](None, None)) == 1


def test_a_given_representation_leaves_out_the_fit(fits: Fits, truth: Video) -> None:
    disc = MovingDisc((16, 24), (0.0, 1.0))
    result = run(Show(), Source(truth), rep=disc)
    assert fits.calls == []
    assert result.representation is disc
    assert result.seconds == 0


@pytest.mark.parametrize(
    ("rep", "error", "message"),
    [
        (MovingDisc((24, 16), (0.0, 1.0)), BadInput, "is of 16x24, the task Show needs 24x16 here"),
        (MovingDisc((16, 24), (0.0, 0.75)), OutOfSpan, "1 s lies outside the representation, which spans 0 to 0.75 s"),
    ],
)
def test_a_representation_of_something_else_is_refused(
    fits: Fits, truth: Video, rep: MovingDisc, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(Show(), Source(truth), rep=rep)


def test_the_end_of_a_clip_may_be_named_as_it_is_written() -> None:
    span = (0.0, 19 / 24)
    for end in (0.791667, float(torch.tensor(19 / 24))):
        within(torch.tensor([end], dtype=torch.float64), span, "the clip")
    with pytest.raises(OutOfSpan, match=r"^0.791669 s lies outside the clip, which spans 0 to 0.791667 s$"):
        within(torch.tensor([0.791669], dtype=torch.float64), span, "the clip")


@pytest.mark.parametrize(
    ("times", "error", "message"),
    [
        ((0.0, 1.5), OutOfSpan, "1.5 s lies outside the clip, which spans 0 to 1 s"),
        ((0.5, 0.25), BadInput, "strictly increase"),
        ((0.5, 0.5), BadInput, "strictly increase"),
        ((), BadInput, "no instant at all"),
    ],
)
def test_instants_are_checked_before_the_fit(
    fits: Fits, truth: Video, times: tuple[float, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(Show(Times(times)), Source(truth))
    assert fits.calls == []


def test_too_short_a_clip_is_refused_before_the_fit(fits: Fits, truth: Video) -> None:
    with pytest.raises(BadInput, match="at least 2 frames, this one has 1"):
        run(Show(), Source(truth[:1]))
    assert fits.calls == []


@pytest.mark.parametrize("name", TASKS)
def test_a_grey_clip_is_refused_before_the_fit(fits: Fits, truth: Video, name: str) -> None:
    grey = truth.map(lambda frames: frames[:, :1])
    with pytest.raises(BadInput, match="needs a clip of 3 channels, this one has 1; for a grey one: "):
        run(registry.get(name)(), Source(grey, {"mask": grey}))
    assert fits.calls == []


def test_a_grey_clip_can_be_made_one_of_three_channels_or_a_task_takes_any(truth: Video) -> None:
    class Grey(Show):
        channels = None

    grey = truth.map(lambda frames: frames[:, :1])
    assert prepare(Grey(), Source(grey)).observation.video.channels == 1
    assert prepare(Show(), Source(grey.map(lambda frames: frames.expand(-1, 3, -1, -1))))


def test_a_missing_input_is_refused_before_the_fit(fits: Fits, truth: Video, tasks: Path) -> None:
    with pytest.raises(BadInput, match="the task Fill needs the input 'mask'"):
        run(registry.get("fakefill")(), Source(truth))
    assert fits.calls == []


def test_a_missing_part_is_refused_before_the_fit(fits: Fits, truth: Video, tasks: Path) -> None:
    fine = registry.get("fakefine")()
    with pytest.raises(Unsupported, match=r"the task Fine needs the part fine; this model has .*full"):
        run(fine, Source(truth))
    with pytest.raises(Unsupported, match="the part fine"):
        run(fine, Source(truth), rep=MovingDisc((16, 24), (0.0, 1.0)))
    assert fits.calls == []


def test_score_compares_with_the_truth_and_with_the_naive_answer(fits: Fits, truth: Video) -> None:
    task = Show(Times(tuple(truth.times.tolist())))
    scored = score(task, truth)
    assert fits.calls[0]["observation"].video.times.tolist() == truth.times[::2].tolist()
    assert scored.scores.psnr == 100  # the oracle is exact
    assert 10 < scored.naive.psnr < 99


def test_score_is_judged_where_the_task_says(fits: Fits, truth: Video) -> None:
    class Judged(Show):
        def judged(self, source: Source, truth: Video) -> Video:
            return truth[1::2].map(lambda frames: torch.ones_like(frames[:, :1]))

    scored = score(Judged(Times(tuple(truth.times.tolist()))), truth)
    assert [frame.time for frame in scored.scores.frames] == truth.times[1::2].tolist()


def test_the_seed_of_the_score_is_that_of_the_simulation(fits: Fits, truth: Video) -> None:
    drawn = []
    for seed in (1, 1, 2):
        task = Show(Times(tuple(truth.times.tolist())))
        score(task, truth, seed=seed)
        drawn.append(task.drawn)
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_default_model_takes_a_parameter_count() -> None:
    assert default_model(params=350_000).params == 350_000  # type: ignore[attr-defined]
    with pytest.raises(BadInput, match="no model 'cwrn'"):
        default_model("cwrn")


def test_a_model_without_a_parameter_count_refuses_one(install: Callable[..., Path]) -> None:
    code = (
        "from dataclasses import dataclass\nfrom invr_core.models.base import ModelConfig, Recipe\n"
        "@dataclass(frozen=True)\nclass Fixed(ModelConfig):\n    name = 'fakefixed'\n"
        "    recipe = Recipe(1e-2, 2, 0.0, (1, 1))\n"
        "    def solve(self, geometry): return self\n    def build(self, geometry): raise NotImplementedError\n"
    )
    install("fixed-dist", {"fakefixed": "fixed_model:Fixed"}, {"fixed_model": code}, group="invr.models")
    assert type(default_model("fakefixed")).__name__ == "Fixed"
    with pytest.raises(BadInput, match="'fakefixed' has no parameter count"):
        default_model("fakefixed", params=1000)
