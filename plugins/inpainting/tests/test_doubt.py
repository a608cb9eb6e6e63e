"""How sure what lies in a hole is: with a clip whose motion is known exactly."""

from __future__ import annotations

import torch
from invr_inpainting import Inpaint
from torch import Tensor

from invr_core.query import Query
from invr_core.testing import MovingDisc
from invr_core.video import Video
from invr_tasks.confidence import expected_error
from invr_tasks.task import Source

SIZE = (32, 48)
DISC = MovingDisc(SIZE)
TIMES = torch.linspace(0, 1, 7, dtype=torch.float64)
ONCE, ALWAYS = (slice(20, 28), slice(4, 12)), (slice(4, 16), slice(30, 42))
"""Of two boxes: one hides its place in the middle frame alone, one in all."""


def source() -> tuple[Source, Tensor]:
    """The clip behind both boxes, and what it is without."""
    truth = (DISC(Query(TIMES)) * 255).round() / 255
    mask = torch.zeros(7, 1, *SIZE)
    mask[:, :, *ALWAYS] = 1
    mask[3, :, *ONCE] = 1
    return Source(Video.of(truth * (1 - mask), TIMES), {"mask": Video.of(mask, TIMES)}), truth


def test_outside_the_hole_it_is_sure_and_within_it_is_not() -> None:
    given, _ = source()
    sure, hole = Inpaint().confidence(DISC, given).frames(), given["mask"].frames() > 0
    assert bool((sure[~hole] == 1).all()) and float(sure[hole].max()) < 1


def test_what_was_seen_in_the_next_frame_is_surer_than_what_was_never_seen() -> None:
    given, truth = source()
    both = Inpaint().with_confidence(DISC, given).read([3])
    expected = expected_error(both[:, 3:]).square()[0, 0]
    wrong = (both[:, :3] - truth[3:4]).square().mean(1)[0]
    assert float(expected[ONCE].mean()) < 0.25 * float(expected[ALWAYS].mean())
    assert float(wrong[ONCE].mean()) < 0.25 * float(wrong[ALWAYS].mean())


def test_the_middle_of_a_guess_is_less_sure_than_its_rim() -> None:
    sure = Inpaint().confidence(DISC, source()[0]).read([0])[0, 0][ALWAYS]
    assert float(sure[4:8, 4:8].mean()) < float(torch.cat([sure[0], sure[-1]]).mean())


def test_a_clip_of_which_nothing_is_known_is_not_sure() -> None:
    hidden = Source(Video.of(torch.zeros(2, 3, *SIZE)), {"mask": Video.of(torch.ones(2, 1, *SIZE))})
    assert float(Inpaint().confidence(MovingDisc(SIZE), hidden).frames().max()) < 0.5
