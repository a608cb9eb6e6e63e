"""The errors a caller can meet: one root, one class per thing that can be done about it.

Every message says what was given, what is allowed, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InvrError(Exception):
    """Root of all errors that `invr` raises on purpose; its text is meant for the user."""


class BadInput(InvrError):
    """An input (a file, a mask, an option) is not what the call can work with."""


class BadFile(BadInput):
    """A file is missing, damaged, of a newer format, or not what its name says."""


class BadOutput(InvrError):
    """The output cannot be written where it was asked for; nothing was overwritten."""


class OutOfSpan(BadInput):
    """An instant was asked for that lies outside the fitted span."""


class Unsupported(InvrError):
    """This model or task does not offer what was asked (for example `motion`)."""


class NotEnoughMemory(InvrError):
    """The work would not fit in memory; the message says what would."""


class DeviceUnavailable(InvrError):
    """The device asked for is not on this machine."""


def did_you_mean(given: str, known: Iterable[str], most: int = 1) -> str:
    """A hint for the message about a name that is not known, with a space behind it; "" where none is like it.

    Args:
        given: the unknown name.
        known: those there are.
        most: how many to offer.

    Example:
        >>> did_you_mean("interpolat", ["denoise", "interpolate"])
        "Did you mean 'interpolate'? "
        >>> did_you_mean("denois", ["denoiser", "denoise"]), did_you_mean("denois", ["denoiser", "denoise"], most=2)
        ("Did you mean 'denoise'? ", "Did you mean 'denoise' or 'denoiser'? ")
    """
    close = dict.fromkeys(difflib.get_close_matches(given.lower(), known, n=most, cutoff=0.5))
    return f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
