"""What the fuzzing of all kinds of files shares: how many cases the tests take, and how bytes are damaged."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st


def some(count: int) -> settings:
    """So many cases, the same ones every time."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def damage(draw: st.DrawFn, content: bytearray, head: int, how: Sequence[str]) -> None:
    """Change bytes, one to four times; most of them near the beginning.

    Args:
        draw: of the strategy.
        content: changed in place.
        head: bytes of the beginning.
        how: of "flip", "number", "cut", "put in", "take out" and "move"; one that stands twice is twice as likely.
    """
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(min(head, len(content)) - 1, 0)) | st.integers(0, max(len(content) - 1, 0)))
        match draw(st.sampled_from(how)):
            case "flip" if content:
                content[place] ^= draw(st.integers(1, 255))
            case "number":
                content[place : place + 4] = draw(
                    st.sampled_from([bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0\1\0\0"])
                )
            case "cut":
                del content[place:]
            case "put in":
                content[place:place] = draw(st.binary(max_size=20))
            case "take out":
                del content[place : place + draw(st.integers(1, 60))]
            case "move":
                piece = content[place : place + 24]
                other = draw(st.integers(0, len(content)))
                content[other : other + len(piece)] = piece
