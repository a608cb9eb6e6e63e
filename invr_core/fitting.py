"""The one training loop: a budget, a schedule, recovery, and a clean stop."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version

import torch
from torch import Tensor

from invr_core.device import flushed_denormals, keep_freed_memory, resolve
from invr_core.errors import BadInput, InvrError, Unsupported
from invr_core.fitted import Fitted
from invr_core.interrupt import interruptible
from invr_core.memory import require_memory
from invr_core.models.base import Geometry, ModelConfig, Network
from invr_core.observation import Observation
from invr_core.representation import Representation

SNAPSHOT_EVERY = 25
"""Steps between the good states that a fit goes back to when its loss is no longer finite."""
MOST_PIXELS = (500_000_000, 50_000_000_000)
"""Pixels that a fit of no given length goes through at the most, on a CPU (some ten minutes of two cores) and a GPU."""
LEAST_STEPS = 60
"""Steps of the shortest fit of no given length."""
RECOVERIES = 5
"""How often a fit goes back before it gives up."""


@dataclass(frozen=True)
class FitConfig:
    """How long, where and with which seed to fit. Give ``steps`` or ``minutes``, or neither.

    Args:
        steps: how many steps, at least 1.
        minutes: wall-clock bound; the schedule adapts to it.
        seed: of everything random.
        device: "auto", "cpu", "cuda" or "cuda:N".
        learning_rate: peak step size; None for the model's own.
        batch: frames a step; None for the model's own.

    Raises:
        BadInput: if steps and minutes are both given, or one is not positive and finite.
    """

    steps: int | None = None
    minutes: float | None = None
    seed: int = 0
    device: str = "auto"
    learning_rate: float | None = None
    batch: int | None = None

    def __post_init__(self) -> None:
        if self.steps is not None and self.minutes is not None:
            raise BadInput("give steps or minutes, not both")
        for name in ("steps", "minutes", "learning_rate", "batch"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise BadInput(f"{name} must be a positive number, got {value}")


def _no_fit() -> Fitted:
    raise Unsupported("this progress comes from no running fit, so there is no clip to look at")


@dataclass(frozen=True)
class Progress:
    """Where a fit is.

    Args:
        step: steps done.
        steps: steps in all; None where the clock decides.
        seconds: since the first step began.
        remaining: estimated seconds to the end.
        psnr: in dB, of recent batches against what was given, where it is trusted.
        loss: of this step.
        note: something a user should know, or "".
        live: called within ``on_step``, gives the clip as it is now. It is a copy: the fit goes on as if nobody
            had looked.
    """

    step: int
    steps: int | None
    seconds: float
    remaining: float
    psnr: float
    loss: float
    note: str = ""
    live: Callable[[], Fitted] = field(default=_no_fit, repr=False, compare=False)


Prior = Callable[[Representation, Tensor], Tensor]


@flushed_denormals()
def fit(
    observation: Observation,
    model: ModelConfig,
    config: FitConfig | None = None,
    *,
    prior: Prior | None = None,
    on_step: Callable[[Progress], None] | None = None,
) -> Fitted:
    """Fit a clip to what was observed of it.

    Ctrl-C ends the fit after the step it is in; what is fitted so far is returned, and ``info["interrupted"]`` is True.

    Args:
        observation: what was given, and how it came from the clip.
        model: the architecture; solved here if it is not yet.
        config: length, device and seed.
        prior: a further loss, from the clip as it is and the instants of a step.
        on_step: called after each step; the time that it takes counts neither as minutes nor as seconds.

    Raises:
        BadInput: if the observation cannot be fitted (nothing trusted, a size the model cannot meet).
        DeviceUnavailable: if the device is not there.
        NotEnoughMemory: if the fit would not fit in memory; raised before it begins.
        InvrError: if the loss does not stay finite in spite of several recoveries.
    """
    config = config or FitConfig()
    began = time.monotonic()
    device = resolve(config.device)
    keep_freed_memory()
    _require_trust(observation)
    geometry = Geometry.of(observation)
    if config.minutes is not None:
        model = model.suited(geometry, config.minutes, device.type == "cuda")
    solved = model.solve(geometry)
    batch = min(config.batch or solved.recipe.batch, len(observation.video))
    require_memory(solved, geometry, batch, device)
    generator = torch.Generator().manual_seed(config.seed)
    with torch.random.fork_rng(devices=[]):
        network = solved.build(geometry)
    network.start(observation.beginning, generator)
    network.to(device).train()
    loop = _Loop(network, observation, solved, geometry, config, batch, device, generator, began)
    live = Fitted(network, solved, geometry, {}) if prior else None
    with interruptible() as interrupted:
        while not loop.done() and not interrupted.is_set():
            progress = loop.step(lambda times: prior(live, times) if prior and live else None)
            if on_step is not None:
                with loop.paused():
                    on_step(progress)
    loop.settle()
    network.finish()
    network.eval().requires_grad_(False)
    info = {
        "seed": config.seed,
        "steps": loop.count,
        "psnr": round(loop.psnr, 4) if math.isfinite(loop.psnr) else None,
        "parameters": network.counted(),
        "interrupted": interrupted.is_set(),
        "device": str(device),
        "torch": version("torch"),
    }
    return Fitted(network, solved, geometry, info)


def default_steps(model: ModelConfig, geometry: Geometry, batch: int, device: torch.device) -> int:
    """How many steps a fit of no given length has: the model's own number of passes over the clip, within bounds.

    Args:
        model: the architecture.
        geometry: of the clip.
        batch: frames a step.
        device: that it is fitted on.
    """
    accelerated = device.type == "cuda"
    passes = math.ceil(model.recipe.epochs[accelerated] * len(geometry.times) / batch)
    affordable = MOST_PIXELS[accelerated] // (batch * math.prod(geometry.size))
    return max(min(passes, affordable), LEAST_STEPS)


def _require_trust(observation: Observation) -> None:
    weight = observation.weight
    if weight is not None and not any(bool((weight.read([i]) > 0).any()) for i in range(len(weight))):
        raise BadInput("the weight is 0 everywhere, so there is nothing to fit; leave some pixels trusted")


class _Loop:
    """The state of one fit; ``began`` is the second, by the monotonic clock, from which its minutes count."""

    def __init__(
        self,
        network: Network,
        observation: Observation,
        model: ModelConfig,
        geometry: Geometry,
        config: FitConfig,
        batch: int,
        device: torch.device,
        generator: torch.Generator,
        began: float,
    ) -> None:
        self.network, self.observation, self.device, self.generator = network, observation, device, generator
        self.model, self.geometry, self.recipe, self.batch = model, geometry, model.recipe, batch
        self.peak = config.learning_rate or self.recipe.learning_rate
        self.steps = (
            None if config.minutes is not None else config.steps or default_steps(model, geometry, batch, device)
        )
        self.optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=self.peak)
        self.order = self._shuffled()
        self.count, self.seconds, self.error, self.recoveries = 0, 0.0, math.nan, 0
        self.began = time.monotonic()
        spent = self.began - began
        self.limit = None if config.minutes is None else max(config.minutes * 60 - spent, 1e-3)
        self.good = self._snapshot()

    def _shuffled(self) -> Iterator[list[int]]:
        count = len(self.observation.video)
        waiting: list[int] = []
        while True:
            while len(waiting) < self.batch:
                waiting += torch.randperm(count, generator=self.generator).tolist()
            yield sorted(waiting[: self.batch])
            waiting = waiting[self.batch :]

    def _snapshot(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.network.state_dict().items()}

    def fraction(self) -> float:
        """How much of the fit is done, in [0, 1]."""
        if self.limit is not None:
            mean = self.seconds / max(self.count, 1)
            return min((self.seconds + mean) / self.limit, 1.0)
        return min(self.count / max(self.steps or 1, 1), 1.0)

    def done(self) -> bool:
        """Whether the budget is spent (at least one step is always done)."""
        return self.count > 0 and self.fraction() >= 1

    @property
    def psnr(self) -> float:
        """Of recent batches, in dB."""
        return -10 * math.log10(max(self.error, 1e-10)) if math.isfinite(self.error) else math.nan

    def _rate(self) -> float:
        """The step size: a linear rise, then half a cosine down."""
        done, warmup = self.fraction(), self.recipe.warmup
        if done < warmup:
            return self.peak * max(done / warmup, 0.05)
        return self.peak * 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup))) * 0.99 + self.peak * 0.01

    def step(self, prior: Callable[[Tensor], Tensor | None]) -> Progress:
        """One step of the optimizer, or a step back to the last good state."""
        indices = next(self.order)
        times = self.observation.video.times[indices]
        loss, error = self._loss(indices, times)
        for term in (prior(times), self.network.auxiliary(self.observation, self.generator)):
            if term is not None:
                loss = loss + term
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate() * 0.5**self.recoveries
        self.optimizer.zero_grad(set_to_none=False)
        value, note = loss.item(), ""
        if math.isfinite(value) and self._slope(loss):
            if self.count % SNAPSHOT_EVERY == 0:
                self.good = self._snapshot()
            self.optimizer.step()
            if math.isfinite(error):
                self.error = error if math.isnan(self.error) else 0.9 * self.error + 0.1 * error
        else:
            note = self._recover(value)
        self.count += 1
        self.seconds = time.monotonic() - self.began
        done = self.fraction()
        remaining = self.seconds * (1 - done) / done if self.limit is None else max(self.limit - self.seconds, 0.0)
        return Progress(self.count, self.steps, self.seconds, remaining, self.psnr, value, note, self.live)

    def _slope(self, loss: Tensor) -> bool:
        """The gradient of a finite loss, bounded, and whether it is finite (that of a NaN may crash `grid_sample`)."""
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        return bool(torch.isfinite(norm))

    def _loss(self, indices: list[int], times: Tensor) -> tuple[Tensor, float]:
        observation = self.observation
        target = observation.video.read(indices).to(self.device)
        prediction = observation.forward(self.network, times)
        distance = observation.distance(prediction, target)
        wrong = (prediction.detach().clamp(0, 1) - target).square()
        if observation.weight is None:
            return distance.mean(), float(wrong.mean())
        weight = observation.weight.read(indices).to(self.device)
        trusted = weight.sum() * target.shape[1]
        return (weight * distance).sum() / trusted.clamp(min=1.0), float((weight * wrong).sum() / trusted)

    def _recover(self, value: float) -> str:
        self.recoveries += 1
        if self.recoveries > RECOVERIES:
            raise InvrError(
                f"the loss ({value:g}) or its slope is not finite after {RECOVERIES} recoveries; "
                "give a smaller learning rate"
            )
        self.network.load_state_dict(self.good)
        self.optimizer.state.clear()
        return f"the loss was not finite; went back to the last good state ({self.recoveries} of {RECOVERIES})"

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What is done within it takes no time, by the clock of the fit."""
        before = time.monotonic()
        yield
        self.began += time.monotonic() - before

    def live(self) -> Fitted:
        """A copy of the clip as it is now; see `Progress`. Not settled by `Network.finish`, which may take long."""
        if self.device.type == "cuda":  # what the step has left running is time of the fit, not of the look
            before = time.monotonic()
            torch.cuda.synchronize(self.device)
            self.began -= time.monotonic() - before
        network = copy.deepcopy(self.network).eval()
        return Fitted(network.requires_grad_(False), self.model, self.geometry, {})

    def settle(self) -> None:
        """Go back to the last good state if the last step has led to numbers that are not finite."""
        if not all(bool(torch.isfinite(value).all()) for value in self.network.state_dict().values()):
            self.network.load_state_dict(self.good)
