"""The one training loop: a budget, a schedule, recovery, and a clean stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import version

import torch
from torch import Tensor

from invr_core.checkpoint import Checkpoints
from invr_core.device import flushed_denormals, keep_freed_memory, resolve
from invr_core.errors import BadInput, Unsupported
from invr_core.fitted import Fitted
from invr_core.interrupt import interruptible
from invr_core.loop import Loop
from invr_core.memory import frames_a_step, require_memory, within_memory
from invr_core.models.base import Geometry, ModelConfig
from invr_core.observation import Observation
from invr_core.representation import Representation

MOST_PIXELS = (500_000_000, 50_000_000_000)
"""Pixels that a fit of no given length goes through at the most, on a CPU (some ten minutes of two cores) and a GPU."""
LEAST_STEPS = 60
"""Steps, each of as many frames as the model likes, of the shortest fit of no given length."""
_MOST_SEED = 1 << 63
_TOO_LARGE = "a step of this fit does not fit in memory; fit fewer frames a step (batch), a smaller clip or elsewhere"


@dataclass(frozen=True)
class FitConfig:
    """How long, where and with which seed to fit. Give ``steps`` or ``minutes``, or neither.

    Args:
        steps: how many steps, at least 1.
        minutes: wall-clock bound; the schedule adapts to it. What is done before the first step counts, but a quarter
            is left to the steps.
        seed: of everything random.
        device: "auto", "cpu", "cuda" or "cuda:N".
        learning_rate: peak step size; None for the model's own.
        batch: frames a step; None for the model's own, or fewer of large frames (`invr_core.memory.frames_a_step`).

    Raises:
        BadInput: if steps and minutes are both given, one is not positive and finite, or the seed is out of range.
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
        if not -_MOST_SEED <= self.seed < _MOST_SEED:
            raise BadInput(f"seed must be a whole number of 64 bits, got {self.seed}")


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
    keep: Checkpoints | None = None,
) -> Fitted:
    """Fit a clip to what was observed of it.

    Ctrl-C ends the fit after the step it is in; what is fitted so far is returned, and ``info["interrupted"]`` is True.

    With ``keep``, the same fit that was killed goes on from the state it kept, and ends with the same numbers as if it
    had not been, where its length is in steps. Where it is in minutes, those that were left are fitted.

    Args:
        observation: what was given, and how it came from the clip.
        model: the architecture; solved here if it is not yet.
        config: length, device and seed.
        prior: a further loss, from the clip as it is and the instants of a step.
        on_step: called after each step; the time that it takes counts neither as minutes nor as seconds.
        keep: where the state is kept now and then, and when Ctrl-C ends the fit; None to keep none.

    Raises:
        BadInput: if the observation cannot be fitted (nothing trusted, a size the model cannot meet).
        BadOutput: if the state cannot be kept.
        DeviceUnavailable: if the device is not there.
        NotEnoughMemory: if the fit would not fit in memory; raised before it begins.
        InvrError: if the loss does not stay finite in spite of several recoveries.
    """
    config = config or FitConfig()
    began = time.monotonic()
    keep_freed_memory()
    device, geometry, solved, batch = _terms(observation, model, config)
    if config.minutes is None and config.steps is None:
        config = replace(config, steps=default_steps(solved, geometry, batch, device))
    generator = torch.Generator().manual_seed(config.seed)
    with torch.random.fork_rng(devices=[]):
        network = solved.build(geometry)
    live = Fitted(network, solved, geometry, {}) if prior else None
    with interruptible() as interrupted:
        with within_memory(_TOO_LARGE):
            network.start(observation.beginning, generator)
            network.to(device).train()
        loop = Loop(network, observation, solved, geometry, config, batch, device, generator, began)
        if keep is not None:
            keep.restore(loop)
        while not loop.done() and not interrupted.is_set():
            with within_memory(_TOO_LARGE):
                loss, note = loop.step(lambda times: prior(live, times) if prior and live else None)
            if keep is not None and keep.due():
                with loop.paused():
                    keep.save(loop)
            if on_step is not None:
                with loop.paused():
                    on_step(_progress(loop, loss, note))
    if keep is not None and interrupted.is_set():
        keep.save(loop)
    loop.settle()
    network.finish()
    network.zero_grad()  # gradients are as large as the parameters
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
    least = math.ceil(LEAST_STEPS * min(model.recipe.batch, len(geometry.times)) / batch)
    return max(min(passes, affordable), least)


def solved_for(observation: Observation, model: ModelConfig, config: FitConfig) -> ModelConfig:
    """The architecture with the size that `fit` gives it.

    Args:
        observation: what is fitted.
        model: as it is asked for.
        config: of the fit.

    Raises:
        BadInput: if it cannot be of the size that is asked for.
        DeviceUnavailable: if the device is not there.
    """
    suited = model.suited(observation, config.minutes, resolve(config.device).type == "cuda")
    return suited.solve(Geometry.of(observation))


def check_fit(observation: Observation, model: ModelConfig, config: FitConfig | None = None) -> None:
    """Refuse what `fit` would refuse before it begins, and do nothing else.

    Args:
        observation: as in `fit`.
        model: as in `fit`.
        config: as in `fit`.

    Raises:
        InvrError: as `fit`.
    """
    _terms(observation, model, config or FitConfig())


def _terms(
    observation: Observation, model: ModelConfig, config: FitConfig
) -> tuple[torch.device, Geometry, ModelConfig, int]:
    """Where, on what geometry, with which solved model and how many frames a step a fit runs, once all is checked."""
    if not isinstance(observation, Observation):
        kind = type(observation).__name__
        raise BadInput(f"fit takes an Observation, got a {kind}; of a video give Observation(video)")
    device = resolve(config.device)
    _require_trust(observation)
    geometry = Geometry.of(observation)
    solved = solved_for(observation, model, config)
    batch = frames_a_step(solved, geometry.size, len(observation.video), config.batch)
    require_memory(solved, geometry, batch, device)
    return device, geometry, solved, batch


def _require_trust(observation: Observation) -> None:
    weight = observation.weight
    if weight is not None and not any(bool((weight.read([i]) > 0).any()) for i in range(len(weight))):
        raise BadInput("the weight is 0 everywhere, so there is nothing to fit; leave some pixels trusted")


def _progress(loop: Loop, loss: float, note: str) -> Progress:
    return Progress(loop.count, loop.steps, loop.seconds, loop.remaining(), loop.psnr, loss, note, loop.live)
