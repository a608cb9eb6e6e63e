"""`--bits` of `invr fit` and `invr run`, in process; the fit is a stand-in that answers at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from invr_core.storage import load


@pytest.mark.parametrize("bits", [32, 8])
def test_fit_keeps_what_is_fitted_in_so_many_bits(invr: Any, fits: Any, clip: str, bits: int) -> None:
    code, _, _ = invr("fit", clip, "a.invr", "--bits", str(bits))
    assert code == 0
    load("a.invr").save("exact.invr")
    assert (b'\\"bits\\": 8' in Path("a.invr").read_bytes()) == (bits == 8)


def test_run_keeps_what_is_fitted_in_so_many_bits(invr: Any, fits: Any, clip: str) -> None:
    code, _, _ = invr("run", "fakeslow", clip, "a.mkv", "--save-rep", "a.invr", "--bits", "8")
    assert code == 0
    assert b'\\"bits\\": 8' in Path("a.invr").read_bytes()
    assert load("a.invr").parts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "CLIP", "a.invr", "--bits", "3"], "bits must be 32 (exact) or a whole number from 4 to 16, got 3"),
        (["fit", "CLIP", "a.invr", "--bits", "8.5"], "--bits: '8.5' is not a whole number"),
        (["run", "fakeslow", "CLIP", "a.mkv", "--bits", "8"], "--bits 8 is of the file that --save-rep names"),
        (["run", "fakeslow", "CLIP", "a.mkv", "--save-rep", "a.invr", "--bits", "20"], "from 4 to 16, got 20"),
    ],
)
def test_bits_that_cannot_be_are_refused_before_the_fit(
    invr: Any, fits: Any, clip: str, arguments: list[str], message: str
) -> None:
    assert message in invr.refuses(*(clip if each == "CLIP" else each for each in arguments))
    assert fits.calls == [] and not Path("a.invr").exists()
