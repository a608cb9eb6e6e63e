"""What is printed: one line, in which a name cannot do anything to a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text, with characters that would not be seen (control sequences, line ends) written out.

    Example:
        >>> printable("a name with \\x1b[2J and \\n in it")
        'a name with \\\\x1b[2J and \\\\n in it'
    """
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
