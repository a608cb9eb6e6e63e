"""Named checks of one thing, run together, with exemptions: what the conformance kits are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import TypeVar

import torch
from torch import Tensor

S = TypeVar("S")

ROUNDING = 1e-5
"""By how much two ways to compute the same picture may differ."""


def check_all(subject: S, checks: Sequence[Callable[[S], None]], exempt: Mapping[str, str] | None = None) -> None:
    """Run every check on a subject, and tell of all that fail at once.

    Args:
        subject: what is checked.
        checks: each raises AssertionError if the subject does not pass.
        exempt: the names of checks that it cannot pass, each with a reason. One that it passes nevertheless is an
            error, so that no exemption outlives its reason.

    Raises:
        AssertionError: if a check fails; the message names all that do.

    Example:
        >>> def is_even(number):
        ...     expect(number % 2 == 0, f"{number} is odd")
        >>> check_all(3, [is_even], {"is_even": "three is given"})
        >>> check_all(3, [is_even])
        Traceback (most recent call last):
        AssertionError: int fails 1 check(s):
        is_even: 3 is odd
    """
    faults = []
    for check in excused(checks, exempt or {}):
        try:
            check(subject)
        except Exception as cause:
            faults.append(f"{check.__name__}: {cause if isinstance(cause, AssertionError) else repr(cause)}")
    expect(not faults, "\n".join([f"{type(subject).__name__} fails {len(faults)} check(s):", *faults]))


def excused(checks: Sequence[Callable[[S], None]], exempt: Mapping[str, str]) -> tuple[Callable[[S], None], ...]:
    """The same checks, of which some are expected to fail: for ``pytest.mark.parametrize``.

    Args:
        checks: each raises AssertionError if the subject does not pass.
        exempt: the names of checks that it cannot pass, each with a reason. One that it passes nevertheless raises,
            so that no exemption outlives its reason.

    Raises:
        AssertionError: if no check has one of these names, or a reason is missing.

    Example:
        >>> def is_even(number):
        ...     expect(number % 2 == 0, f"{number} is odd")
        >>> (check,) = excused([is_even], {"is_even": "three is given"})
        >>> check(3)
        >>> check(4)
        Traceback (most recent call last):
        AssertionError: exempt (three is given), but it passes; drop the exemption
    """
    unknown = sorted(exempt.keys() - {check.__name__ for check in checks})
    expect(not unknown, f"{', '.join(unknown)}: there is no such check to be exempt from")
    without = sorted(name for name, reason in exempt.items() if not reason.strip())
    expect(not without, f"{', '.join(without)}: an exemption needs a reason")
    return tuple(_failing(each, exempt[each.__name__]) if each.__name__ in exempt else each for each in checks)


def _failing(check: Callable[[S], None], reason: str) -> Callable[[S], None]:
    @wraps(check)
    def fails(subject: S) -> None:
        try:
            check(subject)
        except Exception:  # in whatever way: what is exempt may not even get as far as what is checked
            return
        raise AssertionError(f"exempt ({reason}), but it passes; drop the exemption")

    return fails


def expect(condition: bool, message: str) -> None:
    """As ``assert``, which an optimising Python leaves out."""
    if not condition:
        raise AssertionError(message)


def expect_equal(found: Tensor, expected: Tensor, what: str) -> None:
    """The same shape, and the same values to the bit; what is not a number is the same as itself."""
    same = found.shape == expected.shape and torch.allclose(found, expected, rtol=0, atol=0, equal_nan=True)
    expect(same, f"{what}: not the same to the bit ({_gap(found, expected)})")


def expect_close(found: Tensor, expected: Tensor, what: str) -> None:
    """The same shape, and values no further apart than `ROUNDING`."""
    close = found.shape == expected.shape and torch.allclose(found, expected, rtol=0, atol=ROUNDING, equal_nan=True)
    expect(close, f"{what}: not the same ({_gap(found, expected)})")


def expect_refused(ask: Callable[[], object], error: type[Exception], what: str) -> None:
    """The call raises this error, and no other."""
    try:
        ask()
    except error:
        return
    except Exception as cause:
        raise AssertionError(f"{what} raises {cause!r}, expected {error.__name__}") from cause
    raise AssertionError(f"{what} is answered, expected {error.__name__}")


def _gap(found: Tensor, expected: Tensor) -> str:
    if found.shape != expected.shape:
        return f"shapes {tuple(found.shape)} and {tuple(expected.shape)}"
    return f"up to {float((found - expected).detach().abs().max()):.3g} apart"
