"""The contract between an architecture and everything else: a config that is solved, built, fitted and asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from invr_core.errors import Unsupported
from invr_core.observation import Observation


@dataclass(frozen=True)
class Geometry:
    """What an architecture needs to know of a clip before it is built.

    Args:
        times: instants of the given frames, in seconds.
        span: first and last instant that can be asked for, in seconds.
        size: (H, W) of the fitted clip, in pixels.
    """

    times: tuple[float, ...]
    span: tuple[float, float]
    size: tuple[int, int]

    @classmethod
    def of(cls, observation: Observation) -> Geometry:
        """The geometry of the clip that an observation describes."""
        return cls(tuple(observation.video.times.tolist()), observation.clip_span, observation.clip_size)


@dataclass(frozen=True)
class Recipe:
    """How an architecture likes to be fitted, where the caller does not say.

    Args:
        learning_rate: peak step size of Adam.
        batch: frames a step.
        warmup: fraction of the fit in which the step size rises.
        epochs: passes over the clip of a fit without a given length, on a CPU and on a GPU.
        matrix_rate: peak step size of Muon, by which the weights that mix channels are fitted where the given frames
            are the clip as it is (`Observation.plain`); None for Adam alone. A caller's own step size changes both.
        matrix_steps: how long a fit may be for that to be its peak. In a longer one it is so much less that all of its
            steps together, each as long as any other, go no further.
    """

    learning_rate: float
    batch: int
    warmup: float
    epochs: tuple[float, float]
    matrix_rate: float | None = None
    matrix_steps: int = 500


@dataclass(frozen=True)
class ModelConfig(ABC):
    """The options of one architecture; a frozen dataclass of numbers and strings (it is stored as JSON)."""

    name: ClassVar[str]
    recipe: ClassVar[Recipe]

    def suited(self, observation: Observation, minutes: float | None, accelerated: bool) -> Self:
        """The config for a fit, where it leaves its size open; as it is, unless a model knows better.

        Args:
            observation: what it is fitted to.
            minutes: how long the fit may take; None where its length is in steps.
            accelerated: whether it runs on a GPU.
        """
        return self

    @abstractmethod
    def solve(self, geometry: Geometry) -> Self:
        """The same config with every size decided, so that the parameter count asked for is met within 2 %.

        Raises:
            BadInput: if the count cannot be met for this clip; the message says which can.
        """

    @abstractmethod
    def build(self, geometry: Geometry) -> Network:
        """An unfitted network of the sizes in this (solved) config."""


class Network(nn.Module, ABC):
    """A clip as a function of time, with parameters to fit.

    A network handles any frame size itself (it pads inside and crops back), and knows no task. Between two steps of its
    fit it can be copied (`copy.deepcopy`; what a step leaves behind in it carries no gradient), and the copy, in
    evaluation mode, shows the clip as it is by then, though not yet settled by `finish`.
    """

    parts: ClassVar[frozenset[str]] = frozenset({"full"})
    """What can be shown. One that has "structured" names "residual" too: `Fitted` takes that as the difference."""

    @abstractmethod
    def forward(self, times: Tensor, part: str = "full") -> Tensor:
        """Render at ``times``, (M,) float64 seconds on the CPU -> (M, 3, H, W), not clamped.

        ``part`` is "full" or another of ``parts``, but never "residual".
        """

    def flow(self, t0: Tensor, t1: Tensor) -> Tensor:
        """Where the pixels of ``t0`` are at ``t1``: (M, 2, H, W) pixels, x then y.

        Raises:
            Unsupported: unless the architecture models motion.
        """
        raise Unsupported(f"{type(self).__name__} models no motion")

    def start(self, observation: Observation, generator: torch.Generator) -> None:
        """Initialise from the given frames (or the guess, see `Observation.beginning`), before the first step.

        Args:
            observation: pictures to begin with; its ``moving``, if there is one, tells motion better than they do.
            generator: of all that is drawn.
        """

    def auxiliary(self, observation: Observation, generator: torch.Generator) -> Tensor | None:
        """A further loss term of this architecture for one step, or None."""
        return None

    def finish(self) -> None:
        """Settle what depends on the given frames (cached embeddings, for example) after the last step."""

    def counted(self) -> int:
        """How many parameters the fitted representation has to store."""
        return sum(p.numel() for p in self.parameters())
