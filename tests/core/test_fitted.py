"""A fitted network answers as it is asked, whatever the network: instants, parts, sizes, regions, motion, refusals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from invr_core.errors import BadInput, NotEnoughMemory, OutOfSpan, Unsupported
from invr_core.fitted import Fitted
from invr_core.models.base import Geometry, Network
from invr_core.query import Query, Region
from invr_core.representation import Motion

SIZE = (6, 8)


class Drawn(Network):
    """A picture of noise from below black to beyond white, brighter with time; what it does otherwise may be set."""

    parts: ClassVar[frozenset[str]] = frozenset({"full", "structured", "residual"})

    def __init__(self) -> None:
        super().__init__()
        noise = 2 * torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(0)) - 0.5
        self.noise = torch.nn.Parameter(noise, requires_grad=False)
        self.asked: list[int] = []
        self.spoil: Callable[[Tensor], Tensor] = lambda picture: picture
        self.ways: dict[tuple[float, float], tuple[float, float]] = {}

    def forward(self, times: Tensor, part: str = "full") -> Tensor:
        self.asked.append(len(times))
        picture = self.noise + times.float().view(-1, 1, 1, 1)
        return self.spoil(picture if part == "full" else 0.7 - 0.5 * picture)

    def flow(self, t0: Tensor, t1: Tensor) -> Tensor:
        ways = torch.tensor([self.ways[way] for way in zip(t0.tolist(), t1.tolist(), strict=True)])
        return self.spoil(ways.view(-1, 2, 1, 1).expand(-1, 2, *SIZE))


@pytest.fixture
def network() -> Drawn:
    return Drawn().eval()


@pytest.fixture
def rep(network: Drawn, toy: Any) -> Fitted:
    return Fitted(network, toy.model, Geometry((0.25, 0.75), (0.25, 0.75), SIZE), {})


def seconds(*times: float) -> Tensor:
    return torch.tensor(times, dtype=torch.float64)


def test_instants_a_rounding_outside_are_taken_as_the_end(rep: Fitted) -> None:
    ends = rep(Query(seconds(0.25, 0.75)))
    assert torch.equal(rep(Query(seconds(0.25 - 0.9e-6, 0.75 + 0.9e-6))), ends)
    for outside in (0.25 - 2e-6, 0.75 + 2e-6):
        with pytest.raises(OutOfSpan, match=r"^0\.\d+ s lies outside the fitted span; ask for 0.25 to 0.75 s$"):
            rep(Query(seconds(0.5, outside)))
        with pytest.raises(OutOfSpan):
            rep.motion(seconds(0.5), seconds(outside))
    with pytest.raises(OutOfSpan, match=r"^0.8 s lies"):
        rep(Query(seconds(0.5, 0.8, 0.9)))


@pytest.mark.parametrize("start", [0.0, 100.0, 5000.0, 1.7e9])
def test_the_end_of_a_clip_can_be_asked_for_as_it_is_written(network: Drawn, toy: Any, start: float) -> None:
    span = (start, start + 19 / 24)
    rep = Fitted(network, toy.model, Geometry(span, span, SIZE), {})
    end = rep(Query(seconds(span[1])))
    with pytest.raises(OutOfSpan, match=r"ask for [\d.]+ to [\d.]+ s$") as caught:
        rep(Query(seconds(span[1] + 1e-3)))
    refused, _, rest = str(caught.value).partition(" s lies")
    advised = rest.removesuffix(" s").split(" to ")[-1]
    assert refused != advised
    assert torch.equal(rep(Query(seconds(float(advised)))), end)
    if start < 1e9:  # where float32 can tell the instants of a clip apart
        assert torch.equal(rep(Query(torch.tensor([span[1]], dtype=torch.float32))), end)
        assert torch.equal(rep(Query(torch.linspace(*span, 5)))[-1:], end)


def test_motion_at_no_instant_is_refused(rep: Fitted) -> None:
    for pair in ((seconds(0.5), seconds(math.nan)), (seconds(math.nan), seconds(0.5))):
        with pytest.raises(OutOfSpan, match="nan s lies outside"):
            rep.motion(*pair)


def test_what_cannot_be_asked_for_is_refused(rep: Fitted) -> None:
    with pytest.raises(Unsupported, match=r"no part 'sound'; it has full, residual, structured$"):
        rep(Query(seconds(0.5), part="sound"))
    with pytest.raises(BadInput, match="names no instant"):
        rep(Query(seconds()))


def test_the_residual_is_what_the_structured_part_leaves_and_not_cut_off(rep: Fitted) -> None:
    full, structured, residual = (rep(Query(seconds(0.25), part=part)) for part in ("full", "structured", "residual"))
    assert torch.equal(residual, full - structured) and float(residual.min()) < -0.5
    assert (float(full.min()), float(full.max())) == (0, 1) and float(structured.max()) < 1


def test_instants_are_rendered_one_by_one(rep: Fitted, network: Drawn) -> None:
    assert rep(Query(seconds(0.5, 0.25, 0.5))).shape == (3, 3, *SIZE)
    assert network.asked == [1, 1, 1]


@pytest.mark.parametrize(
    ("size", "smoothed"), [((12, 16), False), ((3, 4), True), ((3, 16), True), ((12, 4), True), ((6, 16), False)]
)
def test_another_size_is_bicubic_and_smoothed_where_it_is_smaller(
    rep: Fitted, network: Drawn, size: tuple[int, int], smoothed: bool
) -> None:
    native = network(seconds(0.5))
    expected = F.interpolate(native, size, mode="bicubic", align_corners=False, antialias=smoothed)
    assert torch.equal(rep(Query(seconds(0.5), size)), expected.clamp(0, 1))
    other = F.interpolate(native, size, mode="bicubic", align_corners=False, antialias=not smoothed)
    assert not torch.allclose(other, expected, atol=1e-3) or not smoothed
    assert torch.equal(rep(Query(seconds(0.5), SIZE)), native.clamp(0, 1))


def test_a_region_is_cut_out_of_the_whole_picture(rep: Fitted) -> None:
    region = Region(1 / 3, 0.25, 0.5, 0.5)
    for size in (None, (12, 16)):
        whole = rep(Query(seconds(0.5), size))
        height, width = whole.shape[2:]
        rows, columns = slice(height // 3, height // 3 + height // 2), slice(width // 4, width // 4 + width // 2)
        assert torch.equal(rep(Query(seconds(0.5), size, region)), whole[:, :, rows, columns])


def test_motion_is_trusted_as_far_as_it_comes_back(rep: Fitted, network: Drawn) -> None:
    network.ways = {
        (0.25, 0.5): (2.0, -1.0),
        (0.5, 0.25): (-2.0, 1.0),
        (0.5, 0.75): (3.0, 0.0),
        (0.75, 0.5): (-2.0, 0.5),
    }
    motion = rep.motion(seconds(0.25, 0.5), seconds(0.5, 0.75))
    assert motion.flow[:, :, 0, 0].tolist() == [[2, -1], [3, 0]]
    allowed = 0.01 * (9 + 4 + 0.25) + 0.5
    exact, amiss = motion.confidence[:, 0]
    assert torch.allclose(exact[1:, :6], torch.tensor(1.0)) and not exact[0].any() and not exact[:, 6:].any()
    assert torch.allclose(amiss[:, :5], torch.tensor(math.exp(-1.25 / allowed))) and not amiss[:, 5:].any()


def test_a_motion_is_what_it_is(rep: Fitted, network: Drawn) -> None:
    network.ways = {(0.5, 0.5): (0.0, 0.0)}
    motion = rep.motion(seconds(0.5), seconds(0.5))
    assert motion != Motion(motion.flow.clone(), motion.confidence.clone())  # fields of numbers have no one answer
    with pytest.raises(FrozenInstanceError):
        motion.flow = motion.flow  # type: ignore[misc]


def test_numbers_that_overflow_are_refused_unless_a_fit_may_still_mend_them(rep: Fitted, network: Drawn) -> None:
    network.spoil = lambda picture: picture * math.nan
    network.ways = {(0.5, 0.5): (0.0, 0.0)}
    for ask in (lambda: rep(Query(seconds(0.5))), lambda: rep.motion(seconds(0.5), seconds(0.5))):
        with pytest.raises(BadInput, match=r"no picture at 0.5 s, only numbers that overflow; fit it again"):
            ask()
        network.train()
        ask()
        network.eval()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), NotEnoughMemory),
        (torch.OutOfMemoryError("none left"), NotEnoughMemory),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), NotEnoughMemory),
        (RuntimeError("shapes do not match"), RuntimeError),
        (NotImplementedError("no such operator on this device"), NotImplementedError),
    ],
    ids=repr,
)
def test_what_an_allocator_says_is_told_in_our_words(
    rep: Fitted, network: Drawn, error: Exception, told: type[Exception]
) -> None:
    def spoil(picture: Tensor) -> Tensor:
        raise error

    network.spoil = spoil
    network.ways = {(0.5, 0.5): (0.0, 0.0)}
    for ask in (lambda: rep(Query(seconds(0.5))), lambda: rep.motion(seconds(0.5), seconds(0.5))):
        with pytest.raises(told) as caught:
            ask()
        assert type(caught.value) is told


def test_it_keeps_its_own_account_of_how_it_was_made(network: Drawn, toy: Any) -> None:
    info = {"seed": 1}
    rep = Fitted(network, toy.model, Geometry((0.0,), (0.0, 1.0), SIZE), info)
    info["seed"] = 2
    assert rep.info == {"seed": 1} and rep.to("cpu") is rep and rep.device == torch.device("cpu")


def test_it_is_saved_exactly_unless_bits_are_named(rep: Fitted, tmp_path: Path) -> None:
    for name, bits in (("plain", {}), ("exact", {"bits": 32}), ("small", {"bits": 8})):
        rep.save(tmp_path / f"{name}.invr", **bits)
    plain, exact, small = ((tmp_path / f"{name}.invr").read_bytes() for name in ("plain", "exact", "small"))
    assert plain == exact != small
