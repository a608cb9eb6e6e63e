"""The laws of a representation: kept by the oracle and by every model, and each broken one is noticed by its check."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from invr_core.errors import InvrError, OutOfSpan, Unsupported
from invr_core.fitted import Fitted
from invr_core.fitting import FitConfig, fit
from invr_core.models import registry
from invr_core.observation import Observation
from invr_core.query import Query, Region
from invr_core.representation import Motion, Representation
from invr_core.testing import (
    CHECKS,
    Check,
    MovingDisc,
    check_representation,
    saving_is_exact,
)
from invr_core.video import Video

SIZE = (24, 32)


# ----------------------------------------------------------------------- the models
@pytest.fixture(scope="module", params=["cwrnn", "hnerv"])
def fitted(request: pytest.FixtureRequest) -> Fitted:
    """A model by its own door, fitted for a few steps to a clip of irregular times."""
    times = torch.tensor([0.5, 0.6, 0.75, 0.8, 1.0, 1.1], dtype=torch.float64)
    video = Video.of(MovingDisc(SIZE, (0.5, 1.1))(Query(times)), times)
    model = registry.get(request.param)()
    return fit(Observation(video), model, FitConfig(steps=10, device="cpu"))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_model_keeps_every_law(fitted: Fitted, check: Check) -> None:
    check(fitted)


def test_the_models_that_are_installed_are_those_tested() -> None:
    assert {"cwrnn", "hnerv"} <= set(registry.names())


# ---------------------------------------------------------- each law, broken by itself
class Overexposed(MovingDisc):
    """Shines beyond white; its parts still add up."""

    def __call__(self, query: Query) -> Tensor:
        return super().__call__(query) * 1.5


class Blinking(MovingDisc):
    """Shows something else each time it is asked the same."""

    def __init__(self, size: tuple[int, int] = SIZE) -> None:
        super().__init__(size)
        self.asked = 0

    def __call__(self, query: Query) -> Tensor:
        picture = super().__call__(query)
        if len(query.times) < 5 or not bool((query.times.diff() > 0).all()):
            return picture
        self.asked += 1
        return picture * (1 - 1e-7 * (self.asked % 7))


class Averaging(MovingDisc):
    """Looks at the other instants of a batch."""

    def __call__(self, query: Query) -> Tensor:
        shown = len(query.times) > 1 and query.part != "structured"
        return super().__call__(query) + (1e-3 if shown else 0)


class Shifted(MovingDisc):
    """Rounds a region one column too far."""

    def __call__(self, query: Query) -> Tensor:
        picture = super().__call__(query)
        return picture.roll(1, -1) if query.region not in (None, Region(0, 0, 1, 1)) else picture


class Upended(MovingDisc):
    """Is upside down at other sizes."""

    def __call__(self, query: Query) -> Tensor:
        picture = super().__call__(replace(query, region=None))
        height, width = picture.shape[2:]
        picture = picture if (height, width) == self.size else picture.flip(2)
        rows, columns = (query.region or Region(0, 0, 1, 1)).slices((height, width))
        return picture[:, :, rows, columns]


class Leaking(MovingDisc):
    """Keeps some of its detail to itself."""

    def __call__(self, query: Query) -> Tensor:
        return super().__call__(query) * (0.9 if query.part == "residual" else 1.0)


class Obliging(MovingDisc):
    """Answers for any part."""

    def __call__(self, query: Query) -> Tensor:
        return super().__call__(query if query.part in self.parts else replace(query, part="full"))


class Clamping(MovingDisc):
    """Takes any instant outside the span as its end."""

    def __call__(self, query: Query) -> Tensor:
        return super().__call__(replace(query, times=query.times.clamp(*self.span)))


class Stopping(MovingDisc):
    """Moves from frame to frame, and not between."""

    def __call__(self, query: Query) -> Tensor:
        super().__call__(query)  # refuses what lies outside
        return super().__call__(replace(query, times=(query.times * 25).round() / 25))


class Restless(MovingDisc):
    """Moves in no time."""

    def motion(self, t0: Tensor, t1: Tensor) -> Motion:
        motion = super().motion(t0, t1)
        return replace(motion, flow=motion.flow + 0.01)


class Boundless(MovingDisc):
    """Knows motion outside the span."""

    def motion(self, t0: Tensor, t1: Tensor) -> Motion:
        return super().motion(t0.clamp(*self.span), t1.clamp(*self.span))


class Overconfident(MovingDisc):
    """Trusts itself beyond certainty."""

    def motion(self, t0: Tensor, t1: Tensor) -> Motion:
        motion = super().motion(t0, t1)
        return replace(motion, confidence=motion.confidence * 2)


class Backward(MovingDisc):
    """Says that everything moves the other way."""

    def motion(self, t0: Tensor, t1: Tensor) -> Motion:
        motion = super().motion(t0, t1)
        return replace(motion, flow=-motion.flow)


class Exchanged(MovingDisc):
    """Says how far things move down where it should say to the right, and the other way round."""

    def motion(self, t0: Tensor, t1: Tensor) -> Motion:
        motion = super().motion(t0, t1)
        return replace(motion, flow=motion.flow.flip(1))


class Crowded(MovingDisc):
    """Moves otherwise where it is asked for several instants at once."""

    def motion(self, t0: Tensor, t1: Tensor) -> Motion:
        motion = super().motion(t0, t1)
        return replace(motion, flow=motion.flow * (1 + 1e-3 * (len(t0) > 1)))


class Finicky(MovingDisc):
    """Gives twice the digits."""

    def __call__(self, query: Query) -> Tensor:
        return super().__call__(query).double()


class Blotted(MovingDisc):
    """Is not a number, at one instant, in one corner."""

    def __call__(self, query: Query) -> Tensor:
        picture = super().__call__(query)
        blot = (query.times == 0.8391).view(-1, 1, 1, 1) & (torch.arange(picture.shape[3]) == 0)
        return picture.masked_fill(blot, torch.nan)


class Counting(Fitted):
    """Writes into the file how often it was saved."""

    def save(self, path: str | Path, bits: int = 32) -> None:
        self.info["saved"] = self.info.get("saved", 0) + 1
        super().save(path, bits)


class Forgetful(Fitted):
    """Saves other numbers than it shows."""

    def save(self, path: str | Path) -> None:
        network = self.config.build(self.geometry)
        network.load_state_dict({name: value * 0.999 for name, value in self.network.state_dict().items()})
        Fitted(network, self.config, self.geometry, self.info).save(path)


BROKEN: tuple[tuple[Representation, str], ...] = (
    (Overexposed(SIZE), "shapes_and_ranges"),
    (Finicky(SIZE), "shapes_and_ranges"),
    (Blotted(SIZE), "shapes_and_ranges"),
    (Blinking(SIZE), "asking_again_gives_the_same"),
    (Averaging(SIZE), "a_batch_equals_its_singles"),
    (Shifted(SIZE), "a_region_equals_the_crop"),
    (Upended(SIZE), "another_size_shows_the_same"),
    (Leaking(SIZE), "parts_add_up"),
    (Obliging(SIZE), "an_unknown_part_is_refused"),
    (Clamping(SIZE), "outside_the_span_is_refused"),
    (Boundless(SIZE), "outside_the_span_is_refused"),
    (Stopping(SIZE), "time_is_continuous"),
    (Restless(SIZE), "motion_is_sound"),
    (Overconfident(SIZE), "motion_is_sound"),
    (Crowded(SIZE), "motion_is_sound"),
    (Backward(SIZE), "motion_carries_the_picture"),
    (Exchanged(SIZE), "motion_carries_the_picture"),
)


def failing(rep: Representation, exempt: tuple[str, ...] = ()) -> set[str]:
    found = set()
    for check in CHECKS:
        try:
            check(rep)
        except (AssertionError, Unsupported):
            found.add(check.__name__)
    return found - set(exempt)


@pytest.mark.parametrize(("mutant", "check"), BROKEN, ids=lambda value: type(value).__name__)
def test_each_broken_law_is_noticed_by_its_own_check_alone(mutant: Representation, check: str) -> None:
    assert failing(mutant, tuple(MovingDisc.exempt)) == {check}
    with pytest.raises(AssertionError, match=f"fails 1 check.*\n{check}: "):
        check_representation(mutant, MovingDisc.exempt)


STORED: tuple[tuple[type[Fitted], str], ...] = (
    (Forgetful, "full, loaded and saved: not the same"),
    (Counting, "saved twice, the files differ"),
)


@pytest.mark.parametrize(("kind", "said"), STORED, ids=lambda value: getattr(value, "__name__", ""))
def test_a_clip_that_is_not_saved_as_it_is_is_noticed_by_its_own_check_alone(
    fitted: Fitted, kind: type[Fitted], said: str
) -> None:
    mutant = kind(fitted.network, fitted.config, fitted.geometry, fitted.info)
    assert failing(mutant) == {"saving_is_exact"}
    with pytest.raises(AssertionError, match=said):
        saving_is_exact(mutant)


# ------------------------------------------------- what the guide says usually breaks a law
def changed(fitted: Fitted, forward: Callable[[nn.Module, Tensor], Tensor]) -> Fitted:
    """The same clip by a network that does something more to its pictures."""
    network = copy.deepcopy(fitted.network)
    drawn = network.forward
    network.forward = lambda times, part="full": forward(network, drawn(times, part))
    return Fitted(network, fitted.config, fitted.geometry, fitted.info)


def test_dropout_that_is_left_on_is_noticed(fitted: Fitted) -> None:
    dropping = changed(fitted, lambda network, picture: nn.functional.dropout(picture, 0.01))
    assert "asking_again_gives_the_same" in failing(dropping)


def test_a_buffer_that_is_not_registered_is_noticed_when_it_is_not_stored(fitted: Fitted) -> None:
    dimmed = changed(fitted, lambda network, picture: picture * network.gain)
    dimmed.network.gain = torch.tensor(0.9)
    assert failing(dimmed) == {"saving_is_exact"}
    dimmed.network.register_buffer("gain", dimmed.network.__dict__.pop("gain"))
    with pytest.raises(InvrError):  # and one that is registered, but not by what the config builds, does not come back
        saving_is_exact(dimmed)


def test_every_check_has_a_mutant() -> None:
    assert {check for _, check in BROKEN} | {"saving_is_exact"} == {check.__name__ for check in CHECKS}


# ----------------------------------------------------------------------- exemptions
def test_an_exemption_must_be_needed_named_and_reasoned() -> None:
    disc = MovingDisc(SIZE)
    with pytest.raises(AssertionError, match=r"parts_add_up: exempt .*it passes"):
        check_representation(disc, {**MovingDisc.exempt, "parts_add_up": "a whim"})
    with pytest.raises(AssertionError, match="no_such_law: there is no such check"):
        check_representation(disc, {**MovingDisc.exempt, "no_such_law": "a whim"})
    with pytest.raises(AssertionError, match="needs a reason"):
        check_representation(disc, {"saving_is_exact": " "})
    with pytest.raises(AssertionError, match="saving_is_exact: Unsupported"):
        check_representation(disc)


def test_an_instant_outside_is_refused_even_by_its_own_error() -> None:
    class Wrong(MovingDisc):
        def __call__(self, query: Query) -> Tensor:
            try:
                return super().__call__(query)
            except OutOfSpan as cause:
                raise ValueError("outside") from cause

    with pytest.raises(AssertionError, match=r"ValueError.*expected OutOfSpan"):
        check_representation(Wrong(SIZE), MovingDisc.exempt)
