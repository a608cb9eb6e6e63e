"""How reading and writing tell the caller what they did about something odd."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Note: TypeAlias = Callable[[str], None]
"""Takes one line of plain text, meant for the user."""


def silent(line: str) -> None:
    """Take a note and leave it at that."""
