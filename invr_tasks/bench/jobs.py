"""One fit of a benchmark, as data: it travels to a process of its own as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from invr_core.errors import BadInput
from invr_core.fitting import FitConfig
from invr_core.models.base import ModelConfig
from invr_core.observation import Distance, charbonnier, squared
from invr_tasks.run import default_model

LOSSES: dict[str, Distance] = {"charbonnier": charbonnier, "squared": squared}
"""What may be minimised, by name."""
UNITS = ("seconds", "epochs", "steps")
"""How the length of a fit is given."""
FIT_FIELDS: dict[str, type] = {"learning_rate": float, "batch": int, "loss": str}
"""What a variant may change beside the fields of its model."""


@dataclass(frozen=True)
class Budget:
    """How long each fit is: the same wall-clock seconds, passes over its frames, or steps, for every model.

    Args:
        unit: one of `UNITS`.
        amount: positive; whole for steps.

    Raises:
        BadInput: if the amount is not positive and finite.
    """

    unit: str
    amount: float

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise BadInput(f"a fit is not counted in {self.unit!r}; choose one of {', '.join(UNITS)}")
        whole = self.unit != "steps" or self.amount % 1 == 0
        if not (math.isfinite(self.amount) and self.amount > 0 and whole):
            kind = "whole number" if self.unit == "steps" else "number"
            raise BadInput(f"--{self.unit} must be a positive {kind}, got {self.amount:g}")

    def steps(self, frames: int, batch: int) -> int | None:
        """How many steps that is; None where the clock decides.

        Example:
            >>> Budget("epochs", 3).steps(frames=10, batch=4)
            8
        """
        if self.unit == "seconds":
            return None
        passes = self.amount if self.unit == "steps" else self.amount * frames / min(batch, frames)
        return max(math.ceil(passes - 1e-9), 1)


@dataclass(frozen=True)
class Job:
    """One fit.

    Args:
        clip: path of the prepared clip.
        model: a name of the registry.
        params: how many parameters; None for the model's own choice.
        budget: how long.
        variant: a name for these options; "" for the model as it is.
        options: fields of the model's config, or of `FIT_FIELDS`, with their values.
        seed: of everything random.
        device: where.
        given: "all" frames, or the "even" ones, with the odd ones to be scored as unseen.
        looks: at how many moments, evenly spaced by their logarithm, the PSNR is taken during the fit.
        watched: frames on which it is taken then; at the end it is taken on all.
        rep: where what was fitted is kept, for the decoding; None for nowhere.
        quiet: tell nothing on stderr.
    """

    clip: str
    model: str
    params: int | None
    budget: Budget
    variant: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    device: str = "auto"
    given: Literal["all", "even"] = "all"
    looks: int = 24
    watched: int = 8
    rep: str | None = None
    quiet: bool = False

    def title(self) -> str:
        """In a few words."""
        name = f"{self.model} ({self.variant})" if self.variant else self.model
        size = f", {self.params:,} parameters" if self.params else ""
        return f"{name}{size}, seed {self.seed}{', even frames' if self.given == 'even' else ''}"

    def config(self) -> ModelConfig:
        """The model's config, not solved yet."""
        own = {name: _as_tuple(value) for name, value in self.options.items() if name not in FIT_FIELDS}
        return replace(default_model(self.model, self.params), **own)

    def batch(self, frames: int) -> int:
        """Frames a step."""
        return min(int(self.options.get("batch", self.config().recipe.batch)), frames)

    def fit_config(self, frames: int) -> FitConfig:
        """Length, device and seed."""
        minutes = self.budget.amount / 60 if self.budget.unit == "seconds" else None
        steps = self.budget.steps(frames, self.batch(frames))
        rate, batch = self.options.get("learning_rate"), self.batch(frames)
        return FitConfig(steps, minutes, self.seed, self.device, rate, batch)

    def loss(self) -> str:
        """The name of the distance that is minimised."""
        return str(self.options.get("loss", "squared"))

    def as_dict(self) -> dict[str, Any]:
        """JSON values, for `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Job:
        """What `as_dict` gave, perhaps by way of JSON."""
        return cls(**{**values, "budget": Budget(**values["budget"])})


def _as_tuple(value: Any) -> Any:
    """Lists, which is what JSON makes of them, as tuples."""
    return tuple(map(_as_tuple, value)) if isinstance(value, list | tuple) else value
