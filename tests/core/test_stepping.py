"""The optimizers of a fit: which parameter is stepped by which, and that a state goes on as if nothing had been."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from invr_core.fitting import FitConfig, fit
from invr_core.models.base import Geometry
from invr_core.models.cwrnn import CWRNN
from invr_core.models.hnerv import HNeRV
from invr_core.observation import Observation
from invr_core.stepping import LEAST, Stepping, matrices
from invr_core.video import Video

RATES = (1e-2, 0.05)


class Mixed(nn.Module):
    """A grid, and layers that mix many channels, few, and none."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.grid = nn.Parameter(torch.rand(1, 8, 6, 6))
        self.wide = nn.Conv2d(8, 12, 3, padding=1)
        self.each = nn.Conv2d(12, 12, 3, padding=1, groups=12)
        self.fixed = nn.Conv2d(12, 12, 1)
        self.fixed.weight.requires_grad_(False)
        self.few = nn.Conv2d(12, LEAST - 1, 1)
        self.deep = nn.Linear(LEAST - 1, LEAST)
        self.flat = nn.Linear(LEAST, LEAST)

    def forward(self) -> Tensor:
        x = self.few(self.fixed(torch.tanh(self.each(self.wide(self.grid)))))
        return self.flat(self.deep(x.movedim(1, 3)))


def slope(network: Mixed) -> None:
    network().sub(1).square().mean().backward()


def test_matrices_are_the_weights_that_mix_channels() -> None:
    network = Mixed()
    assert [id(weight) for weight in matrices(network)] == [id(network.wide.weight), id(network.flat.weight)]


def test_every_parameter_is_stepped_by_its_own_optimizer_at_its_own_rate() -> None:
    network, like = Mixed(), Mixed()
    stepping = Stepping(network, *RATES)
    muon, adam = matrices(like), [p for p in like.parameters() if p.requires_grad]
    adam = [p for p in adam if all(p is not weight for weight in muon)]
    flat = [nn.Parameter(weight.detach().flatten(1).clone()) for weight in muon]
    optimizers = [
        torch.optim.Adam(adam, lr=0.5 * RATES[0]),
        torch.optim.Muon(flat, lr=0.5 * RATES[1], weight_decay=0),
    ]
    for _ in range(3):
        stepping.zero_grad()
        slope(network)
        stepping.step(0.5)
        like.zero_grad()
        slope(like)
        for matrix, weight in zip(flat, muon, strict=True):
            assert weight.grad is not None
            matrix.grad = weight.grad.flatten(1)
        for optimizer in optimizers:
            optimizer.step()
        with torch.no_grad():
            for matrix, weight in zip(flat, muon, strict=True):
                weight.copy_(matrix.view_as(weight))
    begun = Mixed()
    for (name, ours), theirs, first in zip(
        network.named_parameters(), like.parameters(), begun.parameters(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, msg=name)
        assert torch.equal(ours, first) == (name == "fixed.weight"), name


def test_a_matrix_is_stepped_alike_in_all_its_directions() -> None:
    layer = nn.Linear(16, 16)
    before = layer.weight.detach().clone()
    layer.weight.grad = torch.linalg.qr(torch.randn(16, 16)).Q @ torch.linspace(1, 10, 16).diag()
    Stepping(layer, *RATES).step(1.0)
    sizes = torch.linalg.svdvals(layer.weight.detach() - before)
    assert 0.5 * RATES[1] < float(sizes.min()) <= float(sizes.max()) < 1.5 * RATES[1]


@pytest.mark.parametrize("matrix_rate", [None, RATES[1]])
@pytest.mark.parametrize("done", [0, 2])
def test_a_state_goes_on_as_if_nothing_had_been(matrix_rate: float | None, done: int) -> None:
    network = Mixed()
    stepping = Stepping(network, RATES[0], matrix_rate)

    def go(network: Mixed, stepping: Stepping, steps: int) -> None:
        for _ in range(steps):
            stepping.zero_grad()
            slope(network)
            stepping.step(1.0)

    go(network, stepping, done)
    state = {name: value.clone() for name, value in stepping.state().items()}
    assert state.keys() == stepping.expected(state).keys()
    kinds = {name.split(".")[0] for name in state}
    assert kinds == (set() if not done else {"adam"} if matrix_rate is None else {"adam", "muon"})
    again = Mixed()
    again.load_state_dict(network.state_dict())
    later = Stepping(again, RATES[0], matrix_rate)
    later.load_state(state)
    go(network, stepping, 2)
    go(again, later, 2)
    for ours, theirs in zip(again.parameters(), network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_what_is_forgotten_is_begun_anew() -> None:
    network = Mixed()
    stepping = Stepping(network, *RATES)
    slope(network)
    stepping.step(1.0)
    assert stepping.state()
    stepping.forget()
    assert not stepping.state()


def test_weights_that_lie_otherwise_in_memory_are_stepped_as_well() -> None:
    plain, other = Mixed(), Mixed()
    other.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # as torch documents it
    for network in (plain, other):
        stepping = Stepping(network, *RATES)
        slope(network)
        stepping.step(1.0)
    torch.testing.assert_close(other.wide.weight, plain.wide.weight)


@pytest.mark.parametrize("rate", [None, 0.02])
def test_matrices_are_stepped_apart_only_where_the_given_frames_are_the_clip(
    disc_clip: Video, monkeypatch: pytest.MonkeyPatch, rate: float | None
) -> None:
    rates: list[tuple[float, float | None]] = []

    class Noted(Stepping):
        def __init__(self, network: nn.Module, rate: float, matrix_rate: float | None) -> None:
            rates.append((rate, matrix_rate))
            super().__init__(network, rate, matrix_rate)

    monkeypatch.setattr("invr_core.loop.Stepping", Noted)
    plain = Observation(disc_clip)
    hidden = Observation(disc_clip, weight=Video.of(torch.ones(len(disc_clip), 1, *disc_clip.size), disc_clip.times))
    for observation in (plain, hidden, replace(plain, noisy=True)):
        fit(observation, CWRNN(params=24_000), FitConfig(steps=1, learning_rate=rate, device="cpu"))
    own = CWRNN.recipe
    assert own.matrix_rate is not None
    share = (rate or own.learning_rate) / own.learning_rate
    assert [adam for adam, _ in rates] == [own.learning_rate * share] * 3
    assert [muon for _, muon in rates] == [pytest.approx(own.matrix_rate * share), None, None]


@pytest.mark.parametrize(
    ("length", "shares"),
    [
        (FitConfig(steps=2, device="cpu"), [1.0] * 2),
        (FitConfig(steps=4, device="cpu"), [0.5] * 4),
        (FitConfig(minutes=8 / 60, device="cpu"), [1.0, *[0.25] * 6]),
    ],
    ids=["short", "long", "by the clock"],
)
def test_the_longer_a_fit_the_shorter_the_steps_of_matrices(
    disc_clip: Video, monkeypatch: pytest.MonkeyPatch, length: FitConfig, shares: list[float]
) -> None:
    found: list[float] = []

    class Noted(Stepping):
        def step(self, share: float, matrix_share: float = 1.0) -> None:
            found.append(matrix_share)
            monkeypatch.setattr("invr_core.loop.time.monotonic", lambda: float(len(found)))
            super().step(share, matrix_share)

    monkeypatch.setattr("invr_core.loop.Stepping", Noted)
    monkeypatch.setattr("invr_core.loop.time.monotonic", lambda: 0.0)
    monkeypatch.setattr(CWRNN, "recipe", replace(CWRNN.recipe, matrix_steps=2))
    fit(Observation(disc_clip), CWRNN(params=24_000), length)
    assert found == pytest.approx(shares, abs=0.02)


def test_the_share_of_matrices_is_theirs_alone() -> None:
    torch.manual_seed(0)
    moved = []
    for share in (1.0, 0.25):
        network = nn.Linear(16, 16, bias=True, device="cpu")
        nn.init.ones_(network.weight)
        nn.init.ones_(network.bias)
        stepping = Stepping(network, *RATES)
        stepping.zero_grad()
        network(torch.arange(16.0)[None] / 16).square().sum().backward()
        stepping.step(1.0, share)
        moved.append([float((parameter.detach() - 1).norm()) for parameter in (network.weight, network.bias)])
    assert moved[1] == pytest.approx([0.25 * moved[0][0], moved[0][1]], rel=1e-3)


def test_models_say_by_their_recipe_whether_matrices_are_stepped_apart() -> None:
    geometry = Geometry(tuple(k / 25 for k in range(8)), (0.0, 7 / 25), (32, 48))
    cwrnn = CWRNN().solve(geometry).build(geometry)
    mixing = [name for name, p in cwrnn.named_parameters() if any(p is weight for weight in matrices(cwrnn))]
    assert any(name.startswith("compensation.cells") for name in mixing) and not any("grid" in name for name in mixing)
    assert CWRNN.recipe.matrix_rate is not None and HNeRV.recipe.matrix_rate is None  # the latter's paper has Adam


@pytest.mark.parametrize("matrix_rate", [None, RATES[1]])
def test_what_never_had_a_slope_is_not_missed_in_a_state(matrix_rate: float | None) -> None:
    """A part of a network that a fit does not use."""
    network = Mixed()
    network.idle = nn.Conv2d(LEAST, LEAST, 1)
    stepping = Stepping(network, RATES[0], matrix_rate)
    slope(network)
    stepping.step(1.0)
    state = stepping.state()
    assert state.keys() == stepping.expected(state).keys()
    partial = {name: value for name, value in state.items() if not name.endswith("0.exp_avg")}
    assert partial.keys() != stepping.expected(partial).keys()
    stranger = {**state, "adam.99.exp_avg": torch.zeros(1)}
    assert stranger.keys() != stepping.expected(stranger).keys()
