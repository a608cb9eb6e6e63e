"""What the conformance kits are made of: a fault is told, all of them at once, and no excuse outlives its reason."""

from __future__ import annotations

import math

import pytest
import torch

from invr_core.checking import ROUNDING, check_all, excused, expect, expect_close, expect_equal, expect_refused


def is_even(number: int) -> None:
    expect(number % 2 == 0, f"{number} is odd")


def is_small(number: int) -> None:
    expect(number < 10, f"{number} is large")


def crashes(number: int) -> None:
    raise ZeroDivisionError("by nothing")


# ------------------------------------------------------------------------------ many checks
def test_all_that_fail_are_told_at_once() -> None:
    check_all(4, [is_even, is_small])
    with pytest.raises(AssertionError) as caught:
        check_all(11, [is_even, crashes, is_small])
    assert str(caught.value).splitlines() == [
        "int fails 3 check(s):",
        "is_even: 11 is odd",
        "crashes: ZeroDivisionError('by nothing')",
        "is_small: 11 is large",
    ]


def test_an_exemption_excuses_its_own_check_alone() -> None:
    check_all(3, [is_even, is_small], {"is_even": "three is given"})
    with pytest.raises(AssertionError, match=r"fails 1 check\(s\):\nis_small: 11 is large"):
        check_all(11, [is_even, is_small], {"is_even": "eleven is given"})
    with pytest.raises(AssertionError, match=r"exempt \(it was odd\), but it passes; drop the exemption"):
        check_all(4, [is_even, is_small], {"is_even": "it was odd"})


def test_an_exemption_needs_a_check_and_a_reason() -> None:
    with pytest.raises(AssertionError, match="is_evn, is_smal: there is no such check"):
        excused([is_even, is_small], {"is_smal": "why not", "is_evn": "why not", "is_even": "why not"})
    for reason in ("", "  "):
        with pytest.raises(AssertionError, match="is_even: an exemption needs a reason"):
            excused([is_even, is_small], {"is_even": reason, "is_small": "eleven is given"})


def test_a_check_that_is_excused_keeps_its_name() -> None:
    checks = excused([is_even, is_small], {"is_small": "eleven is given"})
    assert [check.__name__ for check in checks] == ["is_even", "is_small"]
    assert checks[0] is is_even


# ------------------------------------------------------------------------------ expectations
def test_the_same_to_the_bit_is_the_same_and_the_next_number_is_not() -> None:
    one = torch.tensor([0.5, math.nan, math.inf])
    expect_equal(one, one.clone(), "it")
    with pytest.raises(AssertionError, match=r"it: not the same to the bit \(up to 5.96e-08 apart\)"):
        expect_equal(torch.tensor([0.5, 1.0]), torch.tensor([0.5 + 2**-24, 1.0]), "it")
    with pytest.raises(AssertionError, match=r"it: not the same to the bit \(shapes \(2,\) and \(1, 2\)\)"):
        expect_equal(torch.zeros(2), torch.zeros(1, 2), "it")


def test_close_is_within_rounding_whatever_the_size() -> None:
    expect_close(torch.tensor([0.0, math.nan]), torch.tensor([0.9 * ROUNDING, math.nan]), "it")
    with pytest.raises(AssertionError, match=r"it: not the same \(up to 1.1e-05 apart\)"):
        expect_close(torch.tensor(0.0), torch.tensor(1.1 * ROUNDING), "it")
    with pytest.raises(AssertionError, match=r"up to 1 apart"):
        expect_close(torch.tensor([1e6]), torch.tensor([1e6 + 1]), "it")
    with pytest.raises(AssertionError, match=r"shapes \(1,\) and \(2,\)"):
        expect_close(torch.zeros(1), torch.zeros(2), "it")


def test_a_refusal_is_of_the_kind_that_is_expected() -> None:
    expect_refused(lambda: [].pop(), LookupError, "popping")
    with pytest.raises(AssertionError, match=r"popping raises IndexError\(.*\), expected KeyError"):
        expect_refused(lambda: [].pop(), KeyError, "popping")
    with pytest.raises(AssertionError, match="popping is answered, expected IndexError"):
        expect_refused(lambda: [1].pop(), IndexError, "popping")
