"""A command line read into a dataclass by tyro, with every mistake as one line.

Also: how values of our own are written (``3M``, ``640x360``, comma lists).
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import typing
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation, Overflow
from typing import Annotated, Any, TypeVar

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from invr_core.errors import BadInput

T = TypeVar("T")
MOST = 10**15
"""From which on a count is a slip."""


class UsageError(BadInput):
    """The command line cannot be read."""


class _Unread(UsageError):
    """One word of it cannot be read.

    Args:
        word: as it was typed.
        why: it cannot be read.
    """

    def __init__(self, word: str, why: str) -> None:
        super().__init__(why)
        self.word = word


def parse(command: type[T], prog: str, arguments: Sequence[str]) -> T:
    """Read a command line into a dataclass; ``--help`` prints the help and raises SystemExit(0).

    Args:
        command: a dataclass with a docstring under every field; nested dataclasses become groups of options.
        prog: what the user typed so far.
        arguments: what follows it.

    Raises:
        UsageError: saying what cannot be read, and where the help is.
    """
    options: dict[str, Any] = {
        "prog": prog,
        "args": list(arguments),
        "registry": _REGISTRY,
        "config": (tyro.conf.OmitArgPrefixes, tyro.conf.DisallowNone),
    }
    if {"-h", "--help"} & set(arguments):
        return _read(command, options)
    said, unused = io.StringIO(), io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    try:  # tyro draws by the encoding of stdout, whose place is taken so that it always draws the same
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(unused), _wide_terminal():
            return _read(command, options)
    except _Unread as unread:
        option = next((f"{name}: " for name, value in _given(arguments) if value == unread.word), "")
        raise UsageError(f"{option}{unread} (see `{prog} --help`)") from None
    except SystemExit as end:
        if not end.code:
            raise
        gist = _in_one_line(said.getvalue()).replace(f"Missing from {prog}:", "missing:")
        raise UsageError(f"{gist} (see `{prog} --help`)") from None


def _given(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each option of a command line, and the word after it or after its =."""
    for option, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if option.startswith("--"):
            name, equals, value = option.partition("=")
            yield name, value if equals else following


def _read(command: type[T], options: dict[str, Any]) -> T:
    parsed: T = tyro.cli(command, **options)
    return parsed


def count(text: str) -> int:
    """A positive whole number, with ``k`` or ``M`` for thousands and millions.

    Raises:
        UsageError: if the text is something else.

    Example:
        >>> count("3M"), count("350k"), count("0.35M"), count("3000000")
        (3000000, 350000, 350000, 3000000)
    """
    factor = {"k": 1000, "M": 1_000_000}.get(text[-1:].replace("K", "k").replace("m", "M"), 1)
    try:
        value = Decimal(text if factor == 1 else text[:-1]) * factor
    except (InvalidOperation, Overflow):
        value = Decimal("nan")
    if not (value.is_finite() and 0 < value < MOST and value == int(value)):
        raise UsageError(f"{text!r} is not a positive count such as 3M, 350k or 3000000")
    return int(value)


def size(text: str) -> tuple[int, int]:
    """``WIDTHxHEIGHT`` -> (H, W), both positive.

    Raises:
        UsageError: if the text is something else.

    Example:
        >>> size("640x360")
        (360, 640)
    """
    found = re.fullmatch(r"(\d{1,9})[xX×](\d{1,9})", text)
    if not found or not (int(found[1]) and int(found[2])):
        raise UsageError(f"{text!r} is not a width and height such as 640x360")
    return int(found[2]), int(found[1])


def rectangle(text: str) -> tuple[float, float, float, float]:
    """Top, left, height and width in fractions of the frame, with commas between them.

    Raises:
        UsageError: if the text is not four numbers.

    Example:
        >>> rectangle("0.25,0.5,0.5,0.5")
        (0.25, 0.5, 0.5, 0.5)
    """
    try:
        top, left, height, width = (float(number) for number in text.split(","))
    except ValueError:
        raise UsageError(f"{text!r} is not a rectangle: give its top,left,height,width in fractions") from None
    return top, left, height, width


def written(metavar: str, read: Callable[[str], Any]) -> PrimitiveConstructorSpec[Any]:
    """How tyro reads a value that is written as one word.

    Args:
        metavar: stands for the value in the help.
        read: the word -> the value; raises UsageError.
    """

    def named(words: list[str]) -> Any:
        try:
            return read(words[0])
        except UsageError as cause:
            raise _Unread(words[0], str(cause)) from cause

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=named,
        is_instance=lambda value: not isinstance(value, str),
        str_from_instance=lambda value: [",".join(map(str, value)) if isinstance(value, tuple) else str(value)],
    )


Count = Annotated[int, written("COUNT", count)]
Size = Annotated[tuple[int, int], written("WIDTHxHEIGHT", size)]
Rectangle = Annotated[tuple[float, float, float, float], written("TOP,LEFT,HEIGHT,WIDTH", rectangle)]

_REGISTRY = ConstructorRegistry()


@_REGISTRY.primitive_rule
def _comma_list(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """``tuple[float, ...]`` and its like are one word, ``0.1,0.25``: a list of words would swallow INPUT."""
    kinds = typing.get_args(info.type)
    if typing.get_origin(info.type) is not tuple or len(kinds) != 2 or kinds[1] is not Ellipsis:
        return None
    kind = kinds[0]
    if kind not in (int, float, str):
        return None

    def read(text: str) -> tuple[Any, ...]:
        try:
            return tuple(kind(item.strip()) for item in text.split(","))
        except ValueError:
            raise UsageError(f"{text!r} is not a list of numbers such as 1,2 without spaces between") from None

    return written("A,B,…", read)


@contextlib.contextmanager
def _wide_terminal() -> Iterator[None]:
    """Messages are not to be wrapped: they are put on one line anyway."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "10000"
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def _in_one_line(box: str) -> str:
    """The gist of the box that tyro draws around a message: without its frame and the help texts of options."""
    rows = [row.strip("│ ") for row in box.splitlines() if not re.match(r"[╭╰]|│ {9,}[^ │]", row)]
    blocks = [block.split("\n") for block in re.split(r"\n*─{3,}\n*|\n{2,}", "\n".join(rows).strip())]
    gist = [" ".join(block) for block in blocks if not block[0].startswith(_ASIDE)]
    text = "; ".join(gist) or "the options cannot be read"
    for pattern, plain in _PLAIN:
        text = re.sub(pattern, plain, text)
    return text


_ASIDE = ("Got errors", "Argument helptext", "For full helptext")
_PLAIN = (
    (r"^Error parsing (\S+):", r"\1:"),
    (r"no type matching (.+) could be instantiated from \[(.*)\]\.?", r"\2 is not \1"),
    (r"invalid literal for int\(\) with base 10: (.*)|(.*) is not INT$", r"\1\2 is not a whole number"),
    (r"could not convert string to float: (.*)|(.*) is not FLOAT$", r"\1\2 is not a number"),
    (r"; Perhaps you meant: ", "; perhaps you meant "),
)
