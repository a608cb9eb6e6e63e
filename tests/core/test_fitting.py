"""The training loop: its budget, its bytes, what it looks at, and how it ends when something goes wrong."""

from __future__ import annotations

import itertools
import math
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from invr_core import fitting
from invr_core.errors import BadInput, DeviceUnavailable, InvrError, NotEnoughMemory
from invr_core.fitted import Fitted
from invr_core.fitting import RECOVERIES, SNAPSHOT_EVERY, FitConfig, Progress, fit
from invr_core.models.base import Geometry, ModelConfig, Network, Recipe
from invr_core.models.cwrnn import CWRNN
from invr_core.models.hnerv import HNeRV
from invr_core.observation import Clip, Observation, charbonnier, framewise, squared
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.testing import MovingDisc
from invr_core.video import Video

MODELS: dict[str, ModelConfig] = {"cwrnn": CWRNN(params=20_000), "hnerv": HNeRV(strides=(2, 2), width=8.0, encoder=8)}


# ------------------------------------------------------- a model of three numbers, to look into the loop with
class FlatNetwork(Network):
    """One colour at all instants. ``before`` is called in each rendering."""

    before: ClassVar[Callable[[FlatNetwork], None]]

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.size = geometry.size
        self.colour = torch.nn.Parameter(torch.zeros(3))

    def start(self, observation: Observation, generator: torch.Generator) -> None:
        with torch.no_grad():
            self.colour.uniform_(0.4, 0.6, generator=generator)

    def forward(self, times: Tensor, part: str = "full") -> Tensor:
        FlatNetwork.before(self)
        return self.colour.view(1, 3, 1, 1).expand(len(times), 3, *self.size)


@dataclass(frozen=True)
class Flat(ModelConfig):
    name: ClassVar[str] = "flat"
    recipe: ClassVar[Recipe] = Recipe(learning_rate=0.05, batch=2, warmup=0.1, epochs=(3, 30))

    def solve(self, geometry: Geometry) -> Flat:
        return self

    def build(self, geometry: Geometry) -> FlatNetwork:
        return FlatNetwork(geometry)


@pytest.fixture(autouse=True)
def nothing_before() -> Iterator[None]:
    FlatNetwork.before = lambda network: None
    yield
    FlatNetwork.before = lambda network: None


@pytest.fixture
def clip() -> Video:
    times = torch.linspace(0, 1, 6, dtype=torch.float64)
    return Video.of(MovingDisc((16, 24))(Query(times)), times)


def flat(value: float = 0.5, frames: int = 6) -> Observation:
    return Observation(Video.of(torch.full((frames, 3, 4, 4), value)), distance=squared)


def colour(rep: Fitted) -> Tensor:
    assert isinstance(rep.network, FlatNetwork)
    return rep.network.colour.detach()


# ------------------------------------------------------------------------------ bytes
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_the_same_seed_gives_the_same_file_and_another_does_not(
    model: ModelConfig, clip: Video, tmp_path: Path
) -> None:
    files = {}
    for name, seed in (("one", 3), ("again", 3), ("other", 4)):
        torch.manual_seed(len(files))  # the global state is of no influence ...
        before = torch.get_rng_state()
        fit(Observation(clip), model, FitConfig(steps=3, seed=seed, device="cpu")).save(tmp_path / f"{name}.invr")
        assert torch.equal(torch.get_rng_state(), before)  # ... and none is had on it
        files[name] = (tmp_path / f"{name}.invr").read_bytes()
    assert files["one"] == files["again"]
    assert files["one"] != files["other"]


def test_the_info_tells_how_it_was_made() -> None:
    info = fit(flat(), Flat(), FitConfig(steps=4, seed=9, device="cpu")).info
    expected = {"seed": 9, "steps": 4, "parameters": 3, "interrupted": False, "device": "cpu"}
    assert {key: info[key] for key in expected} == expected
    assert info["torch"].startswith(torch.__version__.split("+")[0])


# ----------------------------------------------------------------------------- budget
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 3, "minutes": 1.0}, "steps or minutes, not both"),
        ({"steps": 0}, "steps must be a positive number, got 0"),
        ({"steps": -1}, "steps must be a positive number, got -1"),
        ({"minutes": 0.0}, "minutes must be a positive number, got 0"),
        ({"minutes": math.inf}, "minutes must be a positive number, got inf"),
        ({"minutes": math.nan}, "minutes must be a positive number, got nan"),
        ({"learning_rate": -1.0}, "learning_rate must be a positive number"),
        ({"batch": 0}, "batch must be a positive number"),
    ],
)
def test_a_budget_that_cannot_be_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        FitConfig(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_steps_are_counted(steps: int) -> None:
    seen: list[Progress] = []
    fit(flat(), Flat(), FitConfig(steps=steps, device="cpu"), on_step=seen.append)
    assert [p.step for p in seen] == list(range(1, steps + 1))
    assert {p.steps for p in seen} == {steps}


def test_without_a_budget_the_clip_and_the_recipe_decide() -> None:
    assert fit(flat(frames=6), Flat(), FitConfig(device="cpu")).info["steps"] == 60
    assert fit(flat(frames=100), Flat(), FitConfig(device="cpu")).info["steps"] == 150  # 3 epochs in batches of 2


class Clock:
    """Stands in for the clock of the fit; it stands still unless it is told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(fitting.time, "monotonic", lambda: self.now)

    def each_step_takes(self, *seconds: float) -> None:
        durations = itertools.cycle(seconds)

        def before(network: FlatNetwork) -> None:
            self.now += next(durations)

        FlatNetwork.before = before


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.mark.parametrize(
    ("durations", "least"), [((1.0,), 59), ((7.0,), 8), ((0.5, 1.5), 58), ((25.0,), 2), ((61.0,), 1), ((500.0,), 1)]
)
def test_minutes_are_a_bound_that_is_used_well(clock: Clock, durations: tuple[float, ...], least: int) -> None:
    clock.each_step_takes(*durations)
    seen: list[Progress] = []
    rep = fit(flat(), Flat(), FitConfig(minutes=1.0, device="cpu"), on_step=seen.append)
    assert rep.info["steps"] >= least
    if least > 1:
        assert clock.now - 1000 <= 60 + max(durations) - min(durations)
    else:
        assert rep.info["steps"] == 1
    assert all(p.steps is None for p in seen)


def test_a_long_start_counts_against_the_minutes(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(network: FlatNetwork, observation: Observation, generator: torch.Generator) -> None:
        clock.now += 30

    monkeypatch.setattr(FlatNetwork, "start", start)
    clock.each_step_takes(1.0)
    fit(flat(), Flat(), FitConfig(minutes=1.0, device="cpu"))
    assert 55 <= clock.now - 1000 <= 60


def test_the_step_size_rises_and_falls_to_nothing_within_the_minutes(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.each_step_takes(1.0)
    rates: list[float] = []
    adam_step = torch.optim.Adam.step

    def step(self: torch.optim.Adam, closure: None = None) -> object:
        rates.append(self.param_groups[0]["lr"])
        return adam_step(self, closure)

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    fit(flat(), Flat(), FitConfig(minutes=1.0, learning_rate=0.1, device="cpu"))
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(0.1, rel=0.01) and 3 <= top <= 9
    assert rates[:top] == sorted(rates[:top]) and rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[0] < 0.02 and rates[-1] < 0.003


# --------------------------------------------------------------------------- progress
def test_progress_is_told_after_each_step(clock: Clock) -> None:
    clock.each_step_takes(2.0)
    seen: list[Progress] = []
    rep = fit(flat(), Flat(), FitConfig(steps=40, device="cpu"), on_step=seen.append)
    assert [p.seconds for p in seen] == pytest.approx([2.0 * n for n in range(1, 41)])
    assert [p.remaining for p in seen] == pytest.approx([80 - 2.0 * n for n in range(1, 41)])
    assert all(p.note == "" and math.isfinite(p.loss) for p in seen)
    assert seen[-1].psnr > seen[0].psnr + 5 and seen[-1].loss < seen[0].loss
    assert rep.info["psnr"] == pytest.approx(seen[-1].psnr, abs=1e-3)


def test_the_psnr_is_that_of_the_given_frames(clock: Clock) -> None:
    seen: list[Progress] = []
    FlatNetwork.before = lambda network: network.colour.data.fill_(0.6)
    fit(flat(0.5), Flat(), FitConfig(steps=3, learning_rate=1e-9, device="cpu"), on_step=seen.append)
    assert [p.psnr for p in seen] == pytest.approx([20.0] * 3, abs=0.01)


def test_time_left_counts_down_to_the_bound(clock: Clock) -> None:
    clock.each_step_takes(2.0)
    seen: list[Progress] = []
    fit(flat(), Flat(), FitConfig(minutes=1.0, device="cpu"), on_step=seen.append)
    assert all(p.seconds + p.remaining == pytest.approx(60) for p in seen)


# --------------------------------------------------------------------------- recovery
def wrong_at(*calls: int) -> Callable[[FlatNetwork], None]:
    """The network is spoilt when it is rendered for the n-th time."""
    counter = itertools.count(1)

    def before(network: FlatNetwork) -> None:
        if next(counter) in calls:
            network.colour.data.fill_(math.nan)

    return before


def test_a_loss_that_is_not_finite_goes_back_to_the_last_good_state_and_says_so() -> None:
    FlatNetwork.before = wrong_at(SNAPSHOT_EVERY + 10, SNAPSHOT_EVERY + 20)
    seen: list[Progress] = []
    rep = fit(flat(0.3), Flat(), FitConfig(steps=80, device="cpu"), on_step=seen.append)
    notes = {p.step: p.note for p in seen if p.note}
    assert list(notes) == [SNAPSHOT_EVERY + 10, SNAPSHOT_EVERY + 20]
    assert "1 of 5" in notes[SNAPSHOT_EVERY + 10] and "2 of 5" in notes[SNAPSHOT_EVERY + 20]
    assert [math.isfinite(p.loss) for p in seen].count(False) == 2
    assert len(seen) == 80 and all(math.isfinite(p.psnr) for p in seen)
    assert colour(rep).tolist() == pytest.approx([0.3] * 3, abs=0.02)


def test_it_goes_back_and_not_to_the_beginning() -> None:
    FlatNetwork.before = wrong_at(2 * SNAPSHOT_EVERY + 5)
    seen: list[Progress] = []
    fit(flat(0.1), Flat(), FitConfig(steps=3 * SNAPSHOT_EVERY, device="cpu"), on_step=seen.append)
    after = seen[2 * SNAPSHOT_EVERY + 5].loss
    assert after == pytest.approx(seen[2 * SNAPSHOT_EVERY].loss, rel=0.5)
    assert after < 0.1 * seen[0].loss


def test_a_state_counts_as_good_only_once_it_has_rendered_something_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step that spoils the parameters falls on one at which a state is kept."""
    adam_step, counter = torch.optim.Adam.step, itertools.count()

    def step(self: torch.optim.Adam, closure: None = None) -> object:
        result = adam_step(self, closure)
        if next(counter) == SNAPSHOT_EVERY:
            self.param_groups[0]["params"][0].data.fill_(math.inf)
        return result

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    seen: list[Progress] = []
    rep = fit(flat(0.3), Flat(), FitConfig(steps=60, device="cpu"), on_step=seen.append)
    assert [p.step for p in seen if p.note] == [SNAPSHOT_EVERY + 2]
    assert colour(rep).tolist() == pytest.approx([0.3] * 3, abs=0.02)


def test_what_is_returned_is_finite_even_if_the_last_step_was_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    adam_step, counter = torch.optim.Adam.step, itertools.count(1)

    def step(self: torch.optim.Adam, closure: None = None) -> object:
        result = adam_step(self, closure)
        if next(counter) == 10:
            self.param_groups[0]["params"][0].data.fill_(math.nan)
        return result

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    assert bool(torch.isfinite(colour(fit(flat(), Flat(), FitConfig(steps=10, device="cpu")))).all())


def test_it_gives_up_after_several_recoveries() -> None:
    FlatNetwork.before = wrong_at(*range(5, 100))
    seen: list[Progress] = []
    with pytest.raises(InvrError, match=f"not finite after {RECOVERIES} recoveries; give a smaller"):
        fit(flat(), Flat(), FitConfig(steps=80, device="cpu"), on_step=seen.append)
    assert len([p for p in seen if p.note]) == RECOVERIES


def test_a_gradient_that_is_not_finite_is_recovered_from_too() -> None:
    def distance(prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - prediction.detach()).sqrt() + 0.1  # finite, with an infinite slope

    seen: list[Progress] = []
    observation = Observation(flat().video, distance=distance)
    with pytest.raises(InvrError, match="slope is not finite"):
        fit(observation, Flat(), FitConfig(steps=9, device="cpu"), on_step=seen.append)
    assert all(math.isfinite(p.loss) for p in seen) and seen[0].note


# ----------------------------------------------------------------------------- Ctrl-C
def test_ctrl_c_ends_the_fit_after_its_step_with_what_there_is(clip: Video, tmp_path: Path) -> None:
    def on_step(progress: Progress) -> None:
        if progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    rep = fit(Observation(clip), MODELS["cwrnn"], FitConfig(steps=500, device="cpu"), on_step=on_step)
    assert signal.getsignal(signal.SIGINT) is before
    assert rep.info["interrupted"] is True and rep.info["steps"] == 2
    assert not rep.network.training and not any(p.requires_grad for p in rep.network.parameters())
    assert bool(torch.isfinite(rep(Query(clip.times))).all())
    rep.save(tmp_path / "stopped.invr")


def test_a_second_ctrl_c_interrupts_as_ever() -> None:
    def on_step(progress: Progress) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(flat(), Flat(), FitConfig(steps=500, device="cpu"), on_step=on_step)
    assert signal.getsignal(signal.SIGINT) is before


def test_the_handler_is_put_back_after_an_error() -> None:
    def on_step(progress: Progress) -> None:
        raise RuntimeError("no more")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError, match="no more"):
        fit(flat(), Flat(), FitConfig(steps=5, device="cpu"), on_step=on_step)
    assert signal.getsignal(signal.SIGINT) is before


def test_whoever_ignores_ctrl_c_goes_on_doing_so() -> None:
    """As a job does that a shell has put into the background."""

    def on_step(progress: Progress) -> None:
        if progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        info = fit(flat(), Flat(), FitConfig(steps=5, device="cpu"), on_step=on_step).info
    finally:
        signal.signal(signal.SIGINT, before)
    assert info["steps"] == 5 and info["interrupted"] is False


def test_a_fit_in_another_thread_leaves_signals_alone() -> None:
    reps: list[Fitted] = []
    thread = threading.Thread(target=lambda: reps.append(fit(flat(), Flat(), FitConfig(steps=3, device="cpu"))))
    thread.start()
    thread.join()
    assert reps[0].info["steps"] == 3 and reps[0].info["interrupted"] is False


# ------------------------------------------------------------------- what is looked at
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
@pytest.mark.parametrize("garbage", ["noise", "flat"])
def test_pixels_of_no_weight_do_not_reach_the_fit(
    model: ModelConfig, garbage: str, clip: Video, tmp_path: Path
) -> None:
    """Whatever lies under the mask, the fitted bytes are the same."""
    hidden = torch.zeros(6, 1, 16, 24)
    hidden[:, :, 3:11, 4:18] = 1
    hidden[2] = 1
    files = []
    for seed in range(2):
        other = torch.rand(6, 3, 16, 24, generator=torch.Generator().manual_seed(seed))
        frames = torch.where(
            hidden > 0, other if garbage == "noise" else torch.full_like(other, seed / 2), clip.frames()
        )
        observation = Observation(Video.of(frames, clip.times), weight=Video.of(1 - hidden, clip.times))
        fit(observation, model, FitConfig(steps=3, device="cpu")).save(tmp_path / f"{seed}.invr")
        files.append((tmp_path / f"{seed}.invr").read_bytes())
    assert files[0] == files[1]


def test_weight_is_how_much_a_pixel_counts() -> None:
    frames = torch.zeros(4, 3, 4, 4)
    frames[..., :2] = 1
    weight = torch.full((4, 1, 4, 4), 0.25)
    weight[..., :2] = 0.75
    observation = Observation(Video.of(frames), weight=Video.of(weight), distance=squared)
    rep = fit(observation, Flat(), FitConfig(steps=150, device="cpu"))
    assert colour(rep).tolist() == pytest.approx([0.75] * 3, abs=0.01)


def test_the_distance_of_the_observation_is_the_one_that_is_fitted() -> None:
    frames = torch.zeros(4, 3, 4, 4)
    frames[..., 0] = 1  # a quarter of the pixels
    video = Video.of(frames)
    mean = fit(Observation(video, distance=squared), Flat(), FitConfig(steps=150, device="cpu"))
    robust = fit(Observation(video, distance=charbonnier), Flat(), FitConfig(steps=150, device="cpu"))
    assert colour(mean).tolist() == pytest.approx([0.25] * 3, abs=0.01)
    assert colour(robust).tolist() == pytest.approx([0.0] * 3, abs=0.02)


def test_every_frame_is_looked_at_once_an_epoch() -> None:
    asked: list[float] = []

    def forward(x: Clip, times: Tensor) -> Tensor:
        asked.extend(times.tolist())
        return x(times)

    video = Video.of(torch.rand(6, 3, 4, 4))
    fit(Observation(video, forward=forward), Flat(), FitConfig(steps=6, device="cpu"))
    assert sorted(asked[:6]) == sorted(asked[6:]) == video.times.tolist()
    assert asked[:6] != asked[6:]


def test_nothing_trusted_is_refused() -> None:
    video = Video.of(torch.rand(3, 3, 4, 4))
    observation = Observation(video, weight=Video.of(torch.zeros(3, 1, 4, 4)))
    with pytest.raises(BadInput, match="weight"):
        fit(observation, Flat(), FitConfig(steps=2, device="cpu"))


def test_a_frame_of_which_nothing_is_trusted_does_not_flatter_the_psnr() -> None:
    weight = torch.ones(4, 1, 4, 4)
    weight[1:] = 0
    FlatNetwork.before = lambda network: network.colour.data.fill_(0.6)
    observation = Observation(Video.of(torch.full((4, 3, 4, 4), 0.5)), weight=Video.of(weight))
    rep = fit(observation, Flat(), FitConfig(steps=20, batch=1, learning_rate=1e-9, device="cpu"))
    assert rep.info["psnr"] == pytest.approx(20.0, abs=0.01)


# ------------------------------------------------------------------------ the operator
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_a_larger_clip_is_fitted_to_what_it_shrinks_to(model: ModelConfig, clip: Video) -> None:
    shrink = framewise(lambda frames: torch.nn.functional.avg_pool2d(frames, 2))
    rep = fit(Observation(clip, forward=shrink, size=(32, 48)), model, FitConfig(steps=2, device="cpu"))
    assert rep.size == (32, 48)
    assert tuple(rep(Query(clip.times[:1])).shape) == (1, 3, 32, 48)


def test_a_forward_operator_is_seen_through() -> None:
    """What is observed is half as bright as the clip, averaged over its neighbourhood in time."""

    def forward(x: Clip, times: Tensor) -> Tensor:
        return 0.5 * (x(times - 0.01) + x(times + 0.01)) / 2

    video = Video.of(torch.full((4, 3, 4, 4), 0.2), torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64))
    observation = Observation(video, forward=forward, distance=squared, span=(0.0, 0.5))
    rep = fit(observation, Flat(), FitConfig(steps=150, device="cpu"))
    assert colour(rep).tolist() == pytest.approx([0.4] * 3, abs=0.01)
    assert rep.span == (0.0, 0.5)


# --------------------------------------------------------------------------- the prior
def test_a_prior_sees_the_clip_as_it_is_and_pulls_on_it() -> None:
    seen: list[tuple[float, Tensor]] = []

    def prior(rep: Representation, times: Tensor) -> Tensor:
        picture = rep(Query(times))
        assert picture.requires_grad
        seen.append((float(picture.detach().mean()), times))
        return 3 * (picture[:, 0] - 0.9).square().mean()

    rep = fit(flat(0.1), Flat(), FitConfig(steps=200, device="cpu"), prior=prior)
    red, green, blue = colour(rep).tolist()
    assert (green, blue) == pytest.approx((0.1, 0.1), abs=0.01)
    assert red == pytest.approx((0.1 / 3 + 3 * 0.9) / (1 / 3 + 3), abs=0.02)
    assert len(seen) == 200 and all(len(times) == 2 for _, times in seen)
    assert abs(seen[0][0] - seen[-1][0]) > 0.05


def test_a_prior_may_ask_a_real_model_for_motion_and_parts(clip: Video, tmp_path: Path) -> None:
    def prior(rep: Representation, times: Tensor) -> Tensor:
        flow = rep.motion(times[:-1], times[1:]).flow
        return 0.1 * flow.square().mean() + 0.1 * rep(Query(times, part="residual")).abs().mean()

    model, config = MODELS["cwrnn"], FitConfig(steps=3, device="cpu")
    fit(Observation(clip), model, config, prior=prior).save(tmp_path / "with.invr")
    fit(Observation(clip), model, config).save(tmp_path / "without.invr")
    assert (tmp_path / "with.invr").read_bytes() != (tmp_path / "without.invr").read_bytes()


# ---------------------------------------------------------------------------- refusals
def test_memory_and_device_are_checked_before_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(network: FlatNetwork, observation: Observation, generator: torch.Generator) -> None:
        raise AssertionError("the fit has begun")

    monkeypatch.setattr(FlatNetwork, "start", start)
    monkeypatch.setattr("invr_core.memory.available", lambda device: 100)
    with pytest.raises(NotEnoughMemory):
        fit(flat(), Flat(), FitConfig(steps=1, device="cpu"))
    with pytest.raises(DeviceUnavailable):
        fit(flat(), Flat(), FitConfig(steps=1, device="tpu"))
