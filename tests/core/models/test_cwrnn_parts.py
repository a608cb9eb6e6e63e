"""The parts of the Coupled WarpRNN by themselves, held against numbers that can be worked out by hand."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from invr_core.models.cwrnn.compensation import RGB, Anchor, Compensation, Refinement, shared, to_ycc
from invr_core.models.cwrnn.grid import ResidualGrid, TemporalGrid
from invr_core.models.cwrnn.layers import Pointwise
from invr_core.models.cwrnn.recurrence import State, WarpRNN, compose, rescale_flow, resize, step_flow

CHANNELS, DETAIL = 3, 2
Module = TypeVar("Module", bound=nn.Module)


def column(*values: float) -> Tensor:
    """(B, 1, 1, 1)."""
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1, 1)


def across(size: tuple[int, int]) -> Tensor:
    """(1, 1, H, W): the x of each pixel."""
    return torch.arange(size[1], dtype=torch.float32).expand(1, 1, *size)


def drawn(module: Module) -> Module:
    """A module none of whose parameters is what it starts from."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return module.requires_grad_(False)


def state(seed: int = 0, size: tuple[int, int] = (4, 6), paths: int = 1, fine: tuple[int, int] = (8, 12)) -> State:
    generator = torch.Generator().manual_seed(seed)
    appearance, motion = torch.randn(2, paths, CHANNELS, *size, generator=generator)
    return State(appearance, motion, torch.randn(paths, 2, *fine, generator=generator))


# -------------------------------------------------------------------------------- grid
@pytest.mark.parametrize(
    ("nodes", "at"),
    [
        ((1, 2, 4, 8), {0: 1, 1 / 8: 1, 1 / 4: 1.5, 3 / 8: 2, 1 / 2: 3, 5 / 8: 4, 3 / 4: 6, 7 / 8: 8, 1: 8}),
        ((1, 3), {0: 1, 1 / 4: 1, 1 / 2: 2, 3 / 4: 3, 1: 3}),
        ((5,), {0: 5, 0.3: 5, 1: 5}),
    ],
)
def test_a_grid_is_linear_between_its_nodes_and_holds_at_its_ends(
    nodes: tuple[float, ...], at: dict[float, float]
) -> None:
    grid = TemporalGrid(len(nodes), 2, 1, 3)
    assert not grid.nodes.any()
    grid.nodes.data += column(*nodes)
    found = grid(torch.tensor(list(at), dtype=torch.float64))
    assert torch.allclose(found, column(*at.values()).expand(-1, 2, 1, 3))


def test_the_levels_of_appearance_are_stacked_at_the_size_that_is_asked_for() -> None:
    grid = ResidualGrid((6, 4, 5), ((4, 1, 1, 2), (2, 3, 2, 4)))
    assert tuple(grid.motion.nodes.shape) == (6, 2, 4, 5)
    coarse, fine = (level.nodes.data for level in grid.appearance)
    coarse += torch.tensor([0.0, 1.0])
    fine += torch.tensor([5.0, 6.0, 7.0]).view(3, 1, 1)
    found = grid.detail(torch.tensor([0.1, 0.9]), (2, 4))
    assert tuple(found.shape) == (2, 4, 2, 4)
    assert found[0, 0, 0].tolist() == [0, 0.25, 0.75, 1]
    assert found[1, 1:, 1, 1].tolist() == [5, 6, 7]


# -------------------------------------------------------------------------- recurrence
def test_fields_and_flows_change_their_size() -> None:
    field = torch.tensor([0.0, 1.0]).expand(1, 2, 3, 2)
    assert resize(field, (3, 2)) is field
    assert resize(field, (3, 4))[0, 0, 0].tolist() == [0, 0.25, 0.75, 1]
    flow = torch.tensor([1.0, 2.0]).view(1, 2, 1, 1).expand(1, 2, 4, 6)
    larger = rescale_flow(flow, (20, 12))
    assert tuple(larger.shape) == (1, 2, 20, 12)
    assert larger[0, :, 0, 0].tolist() == [2, 10]


def test_a_step_goes_against_the_velocity_by_the_rule_of_the_midpoint() -> None:
    """In a field that grows by 0.1 a pixel: half a step back of it is 5 % less."""
    x = across((5, 30))
    velocity = torch.cat([0.1 * x, torch.full_like(x, 2.0)], 1)
    flow = step_flow(velocity, column(1.0))[0, :, 2, 5:20]
    assert torch.allclose(flow[0], -0.1 * 0.95 * x[0, 0, 0, 5:20], atol=1e-5)
    assert torch.allclose(flow[1], torch.tensor(-2.0))
    back = step_flow(velocity, column(-0.5))[0, :, 2, 5:20]
    assert torch.allclose(back[0], 0.05 * 1.025 * x[0, 0, 0, 5:20], atol=1e-5)


def test_ways_are_put_together_from_where_the_first_lands() -> None:
    x = across((5, 30))
    first, onward = torch.cat([0 * x + 2, 0 * x + 1], 1), torch.cat([0.5 * x, 0 * x - 3], 1)
    whole = compose(first, onward)[0, :, 2, 5:20]
    assert torch.allclose(whole[0], 2 + 0.5 * (x[0, 0, 0, 5:20] + 2), atol=1e-5)
    assert torch.allclose(whole[1], torch.tensor(-2.0), atol=1e-6)


def test_states_are_gathered_by_step_and_path() -> None:
    states = [state(seed, paths=6) for seed in range(3)]
    chosen = State.gather(states, torch.tensor([2, 0]), torch.tensor([1, 3]))
    for name in ("appearance", "motion", "origin"):
        picked, expected = getattr(chosen, name), [getattr(states[2], name)[1], getattr(states[0], name)[3]]
        assert torch.equal(picked, torch.stack(expected))


def carried(without: str, amount: float, flow: Tensor, **changes: Tensor) -> tuple[State, State]:
    """A state, and the same after a step."""
    cell, begin = drawn(WarpRNN(CHANNELS, DETAIL, without)), state()
    begin = begin._replace(**{name: getattr(begin, name) + change for name, change in changes.items()})
    detail = torch.full((1, DETAIL, 4, 6), 0.5)
    return begin, cell(begin, flow, detail, column(amount))


def test_a_step_of_no_length_changes_nothing() -> None:
    before, after = carried("", 0.0, torch.zeros(1, 2, 8, 12))
    for name in ("appearance", "motion", "origin"):
        assert torch.allclose(getattr(before, name), getattr(after, name), atol=1e-6)


def test_a_step_carries_both_states_along_the_flow_and_adds_its_own_part() -> None:
    two = torch.zeros(1, 2, 8, 12)
    two[:, 0] = 2.0  # a pixel of the coarse scale
    before, after = carried("", 0.0, two)
    for name in ("appearance", "motion"):
        assert torch.allclose(getattr(after, name)[..., :-1], getattr(before, name)[..., 1:], atol=1e-6)
    assert torch.allclose(after.origin[:, 0, :, :-2], 2 + before.origin[:, 0, :, 2:], atol=1e-6)
    none, half, whole = (carried("", amount, two)[1] for amount in (0.0, 0.5, 1.0))
    assert torch.allclose(half.motion - none.motion, (whole.motion - none.motion) / 2, atol=1e-6)
    assert 0.05 < float((whole.motion - none.motion).abs().max()) <= 1
    assert 0.05 < float((whole.appearance - none.appearance).abs().max()) <= 1


def test_what_is_left_out_of_a_step() -> None:
    still, moved = torch.zeros(1, 2, 8, 12), torch.zeros(1, 2, 8, 12) + 1
    before, after = carried("recurrence", 1.0, moved)
    assert torch.equal(after.motion, before.motion) and torch.equal(after.appearance, before.appearance)
    assert not torch.equal(after.origin, before.origin)
    more = torch.full((1, CHANNELS, 4, 6), 0.5)
    for without, reaches in (("", True), ("coupling", False)):
        plain, other = carried(without, 1.0, still)[1], carried(without, 1.0, still, appearance=more)[1]
        assert torch.equal(plain.motion, other.motion) is not reaches


# ------------------------------------------------------------------------ compensation
def anchors() -> tuple[Anchor, Anchor]:
    """Greys of one level each, the one after brighter and redder; chroma at half the size."""
    flat = [(0.2, (0.0, 0.0)), (0.6, (-0.1, 0.2))]
    before, after = (
        Anchor(torch.full((1, 1, 8, 12), luma), torch.tensor(chroma).view(1, 2, 1, 1).expand(1, 2, 4, 6))
        for luma, chroma in flat
    )
    return before, after


def rendered(network: Compensation, reach: float, before: Anchor, after: Anchor, **options: Any) -> Tensor:
    ahead, behind = options.get("ahead", state(1)), options.get("behind", state(2))
    anchors, states = (map(torch.cat, zip(*pair, strict=True)) for pair in ((before, after), (ahead, behind)))
    detail = torch.full((1, DETAIL, 4, 6), 0.5)
    picture: Tensor = network(Anchor(*anchors), State(*states), detail, column(reach), (8, 12))
    return picture


def silent(without: str = "") -> Compensation:
    """One whose network says nothing: what is shown are the anchors."""
    network = drawn(Compensation(CHANNELS, DETAIL, 4, 1, without))
    for layer in (network.leave, network.refine.leave):
        layer.weight.zero_()
        assert layer.bias is not None
        layer.bias.zero_()
    return network


@pytest.mark.parametrize("reach", [0.0, 0.25, 0.5, 1.0])
def test_between_anchors_either_counts_by_its_nearness(reach: float) -> None:
    picture = rendered(silent(), reach, *anchors())
    luma, blue, red = 0.2 + 0.4 * reach, -0.1 * reach, 0.2 * reach
    expected = [luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue]
    assert torch.allclose(picture, torch.tensor(expected).view(1, 3, 1, 1), atol=1e-5)
    assert torch.allclose(to_ycc(picture)[0, :, 3, 3], torch.tensor([luma, blue, red]), atol=1e-5)
    assert torch.allclose(to_ycc(picture.new_tensor(RGB).T[:, :, None, None])[..., 0, 0], torch.eye(3), atol=1e-5)


def test_an_anchor_is_fetched_along_the_flow_to_it() -> None:
    before, after = anchors()
    textured = Anchor(torch.rand(1, 1, 8, 12, generator=torch.Generator().manual_seed(0)), before.chroma)
    ahead = state(1)._replace(origin=torch.tensor([2.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 8, 12))
    shown = to_ycc(rendered(silent(), 0.0, textured, after, ahead=ahead))[:, :1]
    assert torch.allclose(shown[..., 2:8], textured.luma[..., 4:10], atol=1e-5)


def changed(anchor: Anchor) -> Anchor:
    return Anchor(anchor.luma * 0.5, anchor.chroma + 0.1)


def test_at_an_anchor_the_other_is_of_no_influence_and_between_them_both_are() -> None:
    network, (before, after) = drawn(Compensation(CHANNELS, DETAIL, 4, 1)), anchors()
    for reach, one, other in ((0.0, False, True), (0.4, True, True), (1.0, True, False)):
        plain = rendered(network, reach, before, after)
        late, early = rendered(network, reach, before, changed(after)), rendered(network, reach, changed(before), after)
        assert (not torch.equal(plain, late)) is one and (not torch.equal(plain, early)) is other
        moved = rendered(network, reach, before, after, behind=state(3))
        assert (not torch.allclose(plain, moved, atol=1e-6)) is one


def test_the_gate_is_exact_at_the_anchors_and_has_a_slope_there() -> None:
    logit = torch.tensor([-3.0, 0.0, 1.5, 90.0]).view(1, 1, 1, 4).expand(4, 1, 1, 4)
    reach = column(0.0, 0.25, 0.9, 1.0).requires_grad_()
    gate = shared(logit, reach)
    assert torch.equal(gate[1:3], torch.sigmoid(logit + torch.logit(reach))[1:3])
    assert not gate[0].any() and bool((gate[3] == 1).all())
    for column_, (at_first, at_last) in enumerate(((math.exp(-3), math.exp(3)), (1.0, 1.0))):
        (slope,) = torch.autograd.grad(gate[..., column_].sum(), reach, retain_graph=True)
        assert slope.flatten()[[0, 3]].tolist() == pytest.approx([at_first, at_last], rel=1e-5)
    (slope,) = torch.autograd.grad(gate.sum(), reach)
    assert bool(torch.isfinite(slope).all())


def test_how_the_anchors_disagree_is_seen_the_more_the_farther_from_both() -> None:
    """Beyond what the anchors themselves are: the network hears of nothing else here."""
    network, (before, after) = silent(), anchors()
    network.enter.weight[:, :6] = 0  # luma and chroma themselves
    drawn(network.leave)
    effects = {}
    for reach in (0.0, 0.5, 1.0):
        apart, alike = rendered(network, reach, before, after), rendered(network, reach, before, before)
        between = rendered(silent(), reach, before, after) - rendered(silent(), reach, before, before)
        effects[reach] = float((apart - alike - between).abs().max())
    assert max(effects[0.0], effects[1.0]) < 1e-5 and effects[0.5] > 1e-3


@pytest.mark.parametrize("without", ["", "backward", "refinement", "warp"])
def test_what_is_left_out_of_the_compensation(without: str) -> None:
    network, (before, after) = drawn(Compensation(CHANNELS, DETAIL, 4, 1, without)), anchors()
    plain = rendered(network, 0.4, before, after)
    refined = drawn(Compensation(CHANNELS, DETAIL, 4, 1, without))
    for parameter in refined.refine.parameters():
        parameter += 0.3
    assert torch.equal(rendered(refined, 0.4, before, after), plain) is (without != "")
    assert torch.equal(rendered(network, 0.4, before, changed(after)), plain) is (without == "backward")


def test_the_correction_of_a_flow_is_none_at_its_own_anchor() -> None:
    refine, states, size = drawn(Refinement(CHANNELS)), state(1, paths=2), (4, 6)
    luma = torch.cat([anchor.luma for anchor in anchors()])
    bare = rescale_flow(states.origin, size)
    found = {reach: refine(luma, states, column(reach), size) for reach in (0.0, 0.5, 1.0)}
    assert torch.equal(found[0.0][0][0], bare[0]) and torch.equal(found[1.0][0][1], bare[1])
    for side, whole in ((0, 1.0), (1, 0.0)):
        correction, half = (found[reach][0][side] - bare[side] for reach in (whole, 0.5))
        assert float(correction.abs().max()) > 0.05 and torch.allclose(half, correction / 2, atol=1e-6)
    assert tuple(found[0.5][1].shape) == (1, 1, 4, 6)
    assert not Refinement(CHANNELS).leave.weight.any()


def test_what_the_refinement_says_is_added_to_the_flows() -> None:
    refine, states = drawn(Refinement(CHANNELS)), state(1, paths=2)
    refine.leave.weight.zero_()
    refine.leave.bias = nn.Parameter(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]), requires_grad=False)
    luma = torch.cat([anchor.luma for anchor in anchors()])
    flows, logit = refine(luma, states, column(0.25), (8, 12))
    assert torch.allclose(flows[0] - states.origin[0], torch.tensor([0.25, 0.5]).view(2, 1, 1), atol=1e-6)
    assert torch.allclose(flows[1] - states.origin[1], torch.tensor([2.25, 3.0]).view(2, 1, 1), atol=1e-6)
    assert torch.equal(logit, torch.full((1, 1, 8, 12), 5.0))


def test_a_layer_over_pixels_is_what_a_convolution_of_one_pixel_is() -> None:
    layer, bare = drawn(Pointwise(3, 5)), drawn(Pointwise(3, 5, bias=False))
    picture = torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(1))
    for given in (picture, picture.contiguous(memory_format=torch.channels_last)):
        for each in (layer, bare):
            assert torch.allclose(each(given), F.conv2d(given, each.weight, each.bias), atol=1e-5)
