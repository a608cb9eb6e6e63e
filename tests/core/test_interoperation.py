"""Operators of other libraries as observation models: torch and kornia, and deepinv (extra `interop`, which CI has)."""

from __future__ import annotations

from collections.abc import Callable

import kornia
import pytest
import torch
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.fitting import FitConfig, fit
from invr_core.models import registry
from invr_core.observation import Forward, Observation, framewise
from invr_core.oracle import MovingDisc
from invr_core.query import Query
from invr_core.video import Video
from invr_tasks.perceptual import allow_torchvision

SIZE = (24, 32)
TIMES = torch.arange(4, dtype=torch.float64) / 4
DISC = MovingDisc(SIZE)
STEPS = FitConfig(steps=3, device="cpu")


def clip(times: Tensor) -> Tensor:
    return DISC(Query(times))


def observed(forward: Forward) -> Video:
    return Video.of(forward(clip, TIMES), TIMES)


def misfit(forward: Forward, steps: int) -> float:
    """How far what is seen of the fitted clip is from what was seen."""
    given = observed(forward)
    observation = Observation(given, forward=forward, size=SIZE)
    rep = fit(observation, registry.get("cwrnn")(), FitConfig(steps=steps, device="cpu", learning_rate=3e-3))
    with torch.no_grad():
        return float((forward(lambda times: rep(Query(times)), TIMES) - given.frames()).square().mean())


OPERATORS: dict[str, Callable[[Tensor], Tensor]] = {
    "a kornia module": kornia.filters.GaussianBlur2d((5, 5), (1.0, 1.0)),
    "a kornia module that shrinks": kornia.geometry.transform.PyrDown(),
    "a kornia function": kornia.color.rgb_to_grayscale,
    "a kornia mosaic": kornia.color.RgbToRaw(kornia.color.CFA.BG),
    "a torch module": torch.nn.AvgPool2d(2),
    "a torch module with parameters": torch.nn.Conv2d(3, 3, 3, padding=1, bias=False),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_of_torch_or_kornia_is_an_observation_model_in_one_line(name: str) -> None:
    torch.manual_seed(0)
    forward = framewise(OPERATORS[name])
    assert misfit(forward, 30) < 0.8 * misfit(forward, 1)


def test_the_parameters_of_a_module_are_left_as_they_are() -> None:
    module = torch.nn.Conv2d(3, 3, 1)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    forward = framewise(module)
    given = Video.of(forward(clip, TIMES).detach().clamp(0, 1), TIMES)
    fit(Observation(given, forward=forward), registry.get("cwrnn")(), STEPS)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


class Noisy(torch.nn.Module):
    """As a physics of deepinv: called, it adds noise; ``A`` does not."""

    def A(self, x: Tensor) -> Tensor:
        return x / 2

    def forward(self, x: Tensor) -> Tensor:
        return self.A(x) + 0.1 * torch.randn_like(x)


def test_of_a_physics_the_noise_is_left_out() -> None:
    seen = [framewise(Noisy())(clip, TIMES) for _ in range(2)]
    assert torch.equal(seen[0], clip(TIMES) / 2) and torch.equal(*seen)


def test_a_module_that_has_something_else_by_the_name_of_a_is_called() -> None:
    module = torch.nn.Identity()
    module.A = torch.nn.Parameter(torch.zeros(1))
    assert torch.equal(framewise(module)(clip, TIMES), clip(TIMES))


def test_a_module_comes_to_where_the_frames_are() -> None:
    module = torch.nn.Conv2d(3, 1, 1)
    seen = framewise(module)(lambda times: torch.zeros(1, 3, 4, 4, device="meta"), TIMES[:1])
    assert seen.device.type == "meta" and module.weight.device.type == "meta"


@pytest.mark.parametrize("blurs", [True, False], ids=["blur", "mask"])
def test_a_physics_of_deepinv_is_an_observation_model_in_one_line(blurs: bool) -> None:
    loud = "DEEPINV IS NOT TESTED: it is not installed here (pip install -c constraints.txt -e '.[interop]')"
    allow_torchvision()
    physics = pytest.importorskip("deepinv.physics", reason=loud)
    noise = physics.GaussianNoise(0.1)
    made = (
        physics.Blur(torch.ones(1, 1, 3, 3) / 9, padding="reflect", noise_model=noise)
        if blurs
        else physics.Inpainting((3, *SIZE), mask=0.5, noise_model=noise)
    )
    forward = framewise(made)
    assert torch.equal(forward(clip, TIMES), made.A(clip(TIMES)))
    assert not torch.equal(made(clip(TIMES)), made.A(clip(TIMES)))
    assert misfit(forward, 30) < 0.8 * misfit(forward, 1)


# ------------------------------------------------------------- what is given is no picture
def test_what_has_neither_one_channel_nor_three_needs_a_guess() -> None:
    def two(frames: Tensor) -> Tensor:
        return frames[:, :2]

    given = Video.of(clip(TIMES)[:, :2], TIMES)
    with pytest.raises(BadInput, match=r"has 2 channels.*give the observation a guess"):
        fit(Observation(given, forward=framewise(two)), registry.get("cwrnn")(), STEPS)
    guess = given.map(lambda frames: torch.cat([frames, frames[:, :1]], 1))
    rep = fit(Observation(given, forward=framewise(two), guess=guess), registry.get("cwrnn")(), STEPS)
    assert rep(Query(TIMES[:1])).shape == (1, 3, *SIZE)
