"""The tags of a stream: under which it is written, and what of them a picture without tags loses."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from invr_core.io.colours import FULL, LIMITED, MATRICES, RGB, UNTAGGED, Colours

ICTCP = 14
"""A matrix that is not computed here."""


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (Colours(), Colours(1, 1, 1, LIMITED)),
        (Colours(range=FULL), Colours(1, 1, 1, FULL)),
        (Colours(9, 16, 9, FULL), Colours(9, 16, 9, FULL)),
        (Colours(9, 16, 9), Colours(9, 16, 9, LIMITED)),
        (Colours(matrix=6), Colours(2, 2, 6, LIMITED)),
        (Colours(primaries=9), Colours(9, 2, 1, LIMITED)),
        (Colours(transfer=16, range=FULL), Colours(2, 16, 1, FULL)),
        (Colours(9, 16, ICTCP), Colours(9, 16, 1, LIMITED)),
        (Colours(9, 16, ICTCP, FULL), Colours(9, 16, 1, FULL)),
        (Colours(9, 16, RGB, FULL), Colours(9, 16, 1, LIMITED)),
    ],
)
def test_yuv_keeps_the_tags_that_can_be_had(given: Colours, written: Colours) -> None:
    assert given.as_yuv() == written
    assert given.as_rgb() == Colours(given.primaries, given.transfer, RGB, FULL)


def test_what_looks_otherwise_without_its_tags_is_named() -> None:
    lost = {(9, 1): ["BT.2020"], (1, 16): ["PQ"], (12, 18): ["Display P3", "HLG"], (1, 13): [], (2, 2): []}
    assert {tags: Colours(*tags).beyond_srgb() for tags in lost} == lost


def test_tags_and_weights_cannot_be_changed() -> None:
    for each, name in ((Colours(), "range"), (UNTAGGED, "red"), (MATRICES[1], "name")):
        with pytest.raises(FrozenInstanceError):
            setattr(each, name, 0)
