"""The oracles: they keep every law, move as they say, and each shows what it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from invr_core.errors import BadInput, OutOfSpan, Unsupported
from invr_core.oracle import ORACLES, Cut, MovingDisc, Occlusion, Oracle, PanningTexture
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.sampling import sample, target_grid
from invr_core.testing import check_representation


@pytest.mark.parametrize("kind", ORACLES)
@pytest.mark.parametrize(
    ("size", "span"), [((24, 32), (0.0, 1.0)), ((17, 9), (-3.0, 40.0)), ((36, 48), (-0.5, 1.0))], ids=str
)
def test_every_oracle_keeps_every_law(kind: type[Oracle], size: tuple[int, int], span: tuple[float, float]) -> None:
    oracle = kind(size, span)
    assert isinstance(oracle, Representation)
    check_representation(oracle, kind.exempt)


def test_an_oracle_may_be_one_pixel() -> None:
    check_representation(MovingDisc((1, 1)), MovingDisc.exempt)


@pytest.mark.parametrize("kind", ORACLES)
def test_an_oracle_is_the_same_picture_at_every_size(kind: type[Oracle]) -> None:
    times = torch.tensor([0.0, 0.3, 0.9])
    oracle = kind((32, 48))
    large, native = oracle(Query(times, (96, 144))), oracle(Query(times))
    assert torch.allclose(large[:, :, 1::3, 1::3], native, atol=1e-6)


@pytest.mark.parametrize("kind", ORACLES)
def test_an_oracle_moves_as_it_says(kind: type[Oracle]) -> None:
    oracle = kind((96, 128))
    t0, t1 = torch.tensor([0.2, 0.4, 0.9]), torch.tensor([0.3, 0.2, 0.6])
    motion = oracle.motion(t0, t1)
    moved, _ = sample(oracle(Query(t1)), target_grid(motion.flow), "bicubic")
    trusted = (motion.confidence > 0.98).expand(-1, 3, -1, -1)
    wrong, still = (moved - oracle(Query(t0))).abs(), (oracle(Query(t1)) - oracle(Query(t0))).abs()
    assert float(trusted.float().mean()) > 0.5
    assert float(wrong[trusted].max()) < 0.02
    assert float(still[trusted].max()) > 0.3


@pytest.mark.parametrize("kind", ORACLES)
def test_the_motion_of_an_oracle_is_as_exact_as_its_pictures(kind: type[Oracle]) -> None:
    for end in (0.3, 0.9):
        flow, confidence = kind((24, 32)).movement(0.2, end)
        assert (flow.dtype, tuple(flow.shape)) == (torch.float64, (2, 24, 32))
        assert (confidence.dtype, tuple(confidence.shape)) == (torch.float64, (1, 24, 32))
    flow = PanningTexture((24, 32)).movement(0.2, 0.3)[0]
    assert float((flow[0] - 24 * -2 * 0.1).abs().max()) < 1e-12


def test_each_oracle_shows_what_it_is_there_for() -> None:
    """How much of the frame is seen again, or moves, tells them apart."""
    start, middle, end = (torch.tensor([t]) for t in (0.05, 0.5, 0.95))
    pan, door, cut = (kind((48, 64)) for kind in (PanningTexture, Occlusion, Cut))
    assert float(pan.motion(start, end).confidence.max()) == 0  # all of it has left the frame
    assert float(pan.motion(start, torch.tensor([0.1])).flow[:, 0].max()) < -4  # and every pixel moves
    hidden = door.motion(start, middle).confidence[..., 36:56] < 0.1
    back = door.motion(start, end).confidence[..., 36:56] > 0.9
    assert bool(hidden.all()) and float(back.float().mean()) > 0.8
    before, after = torch.tensor([0.4999999]), torch.tensor([0.5000001])
    assert float(cut.motion(before, after).confidence.max()) == 0
    assert float((cut(Query(before)) - cut(Query(after))).abs().max()) > 0.3


@pytest.mark.parametrize("kind", ORACLES)
def test_the_residual_is_the_fine_texture_and_the_structured_part_the_rest(kind: type[Oracle]) -> None:
    oracle, times = kind((32, 48)), torch.linspace(0, 1, 9)
    structured, residual = (oracle(Query(times, part=part)) for part in ("structured", "residual"))
    assert 0.15 <= float(structured.min()) < 0.3 and 0.7 < float(structured.max()) <= 0.85
    assert 0.1 < float(residual.max()) <= 0.12 and -0.12 <= float(residual.min()) < -0.1


def test_the_disc_stays_within_the_frame() -> None:
    disc = MovingDisc((40, 40))
    places = [disc.front(step / 20) for step in range(21)]
    assert all(0.22 < place < 0.78 for way in places for place in way)


def test_the_oracle_covers_and_uncovers() -> None:
    """What the disc hides at the other instant is not to be trusted."""
    disc, t0, t1 = MovingDisc((48, 64)), torch.tensor([0.0]), torch.tensor([1.0])
    on_disc = (disc.motion(t1, t0).flow[:, :1] < -20).float()
    well_inside = -torch.nn.functional.max_pool2d(-on_disc, 9, 1, 4) > 0
    assert float(well_inside.float().mean()) > 0.02
    assert float(disc.motion(t0, t1).confidence[well_inside].max()) == 0


def test_an_oracle_ends_where_it_says() -> None:
    disc = MovingDisc((8, 8), (0.0, 19 / 24))
    end = disc(Query(torch.tensor([19 / 24], dtype=torch.float64)))
    for time in (torch.tensor([19 / 24]), torch.tensor([0.791667], dtype=torch.float64)):
        assert torch.equal(disc(Query(time)), end)
    with pytest.raises(OutOfSpan, match=r"^0.791669 s lies outside the span; .* from 0 to 0.791667 s$"):
        disc(Query(torch.tensor([19 / 24 + 2e-6], dtype=torch.float64)))


def test_the_oracle_refuses_what_it_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        MovingDisc((0, 4))
    with pytest.raises(BadInput):
        MovingDisc(span=(1.0, 1.0))
    with pytest.raises(Unsupported):
        MovingDisc().save(tmp_path / "disc.invr")
