"""The state of a running fit: what one step does, how far it is, and what it goes back to."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from invr_core.errors import BadFile, BadInput, InvrError
from invr_core.fitted import Fitted
from invr_core.models.base import Geometry, ModelConfig, Network
from invr_core.observation import Observation
from invr_core.stepping import Stepping

if TYPE_CHECKING:
    from invr_core.fitting import FitConfig

SNAPSHOT_EVERY = 25
"""Steps between the good states that a fit goes back to when its loss is no longer finite."""
RECOVERIES = 5
"""How often a fit goes back before it gives up."""
LEAST_OF_STEPS = 0.25
"""Of the minutes, left to the steps however long it takes to begin."""


class Order:
    """Which frames each step looks at: all of them once, shuffled, then again.

    Args:
        count: frames of the clip.
        batch: frames a step.
        generator: that shuffles.
    """

    def __init__(self, count: int, batch: int, generator: torch.Generator) -> None:
        self.count, self.batch, self.generator = count, batch, generator
        self.waiting: list[int] = []
        """Those of this round that are still to come."""

    def next(self) -> list[int]:
        """The frames of the next step, in order of time."""
        while len(self.waiting) < self.batch:
            self.waiting += torch.randperm(self.count, generator=self.generator).tolist()
        chosen, self.waiting = self.waiting[: self.batch], self.waiting[self.batch :]
        return sorted(chosen)


class Live(Fitted):
    """A copy of the clip of a running fit; saved, it is settled first (`Network.finish`, which may take long)."""

    _settled = False

    def settle(self) -> None:
        """Make of it what the fit would leave if it ended here; the first time only."""
        if not self._settled:
            self.network.finish()
            self._settled = True


class Loop:
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
        self.steps = config.steps
        matrix_rate = self.recipe.matrix_rate if observation.plain else None
        if matrix_rate is not None:
            matrix_rate *= self.peak / self.recipe.learning_rate
        self.stepping = Stepping(network, self.peak, matrix_rate)
        self.order = Order(len(observation.video), batch, generator)
        self.count, self.seconds, self.error, self.recoveries = 0, 0.0, math.nan, 0
        self.began = time.monotonic()
        spent = self.began - began
        whole = None if config.minutes is None else config.minutes * 60
        self.limit = None if whole is None else max(whole - spent, LEAST_OF_STEPS * whole)
        self.good = self._snapshot()

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
        """The step size, of its peak: a linear rise, then half a cosine down."""
        done, warmup = self.fraction(), self.recipe.warmup
        if done < warmup:
            return max(done / warmup, 0.05)
        return 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup))) * 0.99 + 0.01

    def _matrix_share(self) -> float:
        """The peak step size of Muon, of that of a short fit; see `invr_core.models.base.Recipe`."""
        steps = float(self.steps or 1)
        if self.limit is not None:
            steps = self.limit * self.count / max(self.seconds, 1e-9) if self.count else 1.0
        return min(self.recipe.matrix_steps / max(steps, 1.0), 1.0)

    def step(self, prior: Callable[[Tensor], Tensor | None]) -> tuple[float, str]:
        """One step of the optimizer, or a step back to the last good state: the loss, and a note or ""."""
        indices = self.order.next()
        times = self.observation.video.times[indices]
        loss, error = self._loss(indices, times)
        for term in (prior(times), self.network.auxiliary(self.observation, self.generator)):
            if term is not None:
                loss = loss + term
        self.stepping.zero_grad()
        share = self._rate() * 0.5**self.recoveries
        value, note = loss.item(), ""
        if math.isfinite(value) and self._slope(loss):
            if self.count % SNAPSHOT_EVERY == 0:
                self.good = self._snapshot()
            self.stepping.step(share, self._matrix_share())
            if math.isfinite(error):
                self.error = error if math.isnan(self.error) else 0.9 * self.error + 0.1 * error
        else:
            note = self._recover(value)
        self.count += 1
        self.seconds = time.monotonic() - self.began
        return value, note

    def remaining(self) -> float:
        """Estimated seconds to the end."""
        done = self.fraction()
        return self.seconds * (1 - done) / done if self.limit is None else max(self.limit - self.seconds, 0.0)

    def _slope(self, loss: Tensor) -> bool:
        """The gradient of a finite loss, bounded, and whether it is finite (that of a NaN may crash `grid_sample`)."""
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        return bool(torch.isfinite(norm))

    def _loss(self, indices: list[int], times: Tensor) -> tuple[Tensor, float]:
        observation = self.observation
        target = observation.video.read(indices).to(self.device)
        prediction = observation.forward(self.network, times)
        channels = prediction.shape[1] if target.shape[1] == 1 else target.shape[1]  # grey: with each
        if prediction.shape != (len(target), channels, *target.shape[2:]):
            raise BadInput(
                f"the observation's forward makes frames of shape {tuple(prediction.shape)}, and those that are given "
                f"are {tuple(target.shape)}; it has to make what was given"
            )
        distance = observation.distance(prediction, target)
        wrong = (prediction.detach().clamp(0, 1) - target).square()
        if observation.weight is None:
            return distance.mean(), float(wrong.mean())
        weight = observation.weight.read(indices).to(self.device)
        trusted = weight.sum() * wrong.shape[1]
        return (weight * distance).sum() / trusted.clamp(min=1.0), float((weight * wrong).sum() / trusted)

    def _recover(self, value: float) -> str:
        self.recoveries += 1
        if self.recoveries > RECOVERIES:
            raise InvrError(
                f"the loss ({value:g}) or its slope is not finite after {RECOVERIES} recoveries; "
                "give a smaller learning rate"
            )
        self.network.load_state_dict(self.good)
        self.stepping.forget()
        return f"the loss was not finite; went back to the last good state ({self.recoveries} of {RECOVERIES})"

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What is done within it takes no time, by the clock of the fit."""
        before = time.monotonic()
        yield
        self.began += time.monotonic() - before

    def live(self) -> Live:
        """A copy of the clip as it is now; see `Progress`. Settled only where it is saved."""
        if self.device.type == "cuda":  # what the step has left running is time of the fit, not of the look
            before = time.monotonic()
            torch.cuda.synchronize(self.device)
            self.began -= time.monotonic() - before
        network = copy.deepcopy(self.network).eval()
        return Live(network.requires_grad_(False), self.model, self.geometry, {})

    def settle(self) -> None:
        """Go back to the last good state if the last step has led to numbers that are not finite."""
        if not all(bool(torch.isfinite(value).all()) for value in self.network.state_dict().values()):
            self.network.load_state_dict(self.good)

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on, as tensors on the CPU that nobody else holds.

        It is complete for a network whose fit depends on nothing but its ``state_dict`` and the fit's generator.
        """
        limit = math.nan if self.limit is None else self.limit
        numbers = {"seconds": self.seconds, "error": self.error, "limit": limit}
        return {
            "count": torch.tensor([self.count, self.recoveries]),
            "numbers": torch.tensor(list(numbers.values()), dtype=torch.float64),
            "generator": self.generator.get_state(),
            "waiting": torch.tensor(self.order.waiting, dtype=torch.int64),
            **{f"network.{name}": _apart(value) for name, value in self.network.state_dict().items()},
            **{f"good.{name}": _apart(value) for name, value in self.good.items()},
            **{name: _apart(value) for name, value in self.stepping.state().items()},
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a `state` of the same fit.

        Raises:
            BadFile: if it is of another fit; nothing is changed then.
        """
        self._require_alike(state)
        self.count, self.recoveries = map(int, state["count"])
        self.seconds, self.error, limit = map(float, state["numbers"])
        self.limit = None if math.isnan(limit) else limit
        self.began = time.monotonic() - self.seconds
        self.generator.set_state(state["generator"])
        self.order.waiting = state["waiting"].tolist()
        self.network.load_state_dict(_within(state, "network."))
        self.good = {name: value.to(self.device) for name, value in _within(state, "good.").items()}
        self.stepping.load_state(state)

    def _require_alike(self, state: Mapping[str, Tensor]) -> None:
        """Refuse tensors whose names, types or shapes are not those of this fit."""
        steps = self.stepping.state()
        expected = {name: value for name, value in self.state().items() if name not in steps}
        expected |= self.stepping.expected(state)
        if state.keys() != expected.keys():
            raise BadFile(f"it is of another fit: {min(state.keys() ^ expected.keys())!r} is in only one of them")
        for name, value in expected.items():
            if name != "waiting" and (state[name].shape, state[name].dtype) != (value.shape, value.dtype):
                raise BadFile(f"it is of another fit: {name!r} is {tuple(state[name].shape)}, not {tuple(value.shape)}")


def _apart(value: Tensor) -> Tensor:
    return value.detach().to("cpu", copy=True).contiguous()


def _within(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
