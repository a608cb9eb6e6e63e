"""How OpenMP's threads wait for each other; set before torch is imported."""

from __future__ import annotations

from collections.abc import MutableMapping

SPINS = "10000"
"""Turns, of a few nanoseconds each, that a thread waits awake before it sleeps."""


def wait_briefly(environment: MutableMapping[str, str]) -> None:
    """Let threads wait awake between the layers of a small network, and sleep if there is nothing to do for longer.

    Sleeping at once doubles the seconds of a step, because waking takes as long as a layer; waiting awake for long, as
    GNU's OpenMP does by itself, takes the processor from others on a busy machine. What the user has set is kept.

    Args:
        environment: variables, such as `os.environ` of a process that has not imported torch yet.

    Example:
        >>> chosen = {}
        >>> wait_briefly(chosen)
        >>> chosen
        {'GOMP_SPINCOUNT': '10000'}
    """
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault("GOMP_SPINCOUNT", SPINS)
