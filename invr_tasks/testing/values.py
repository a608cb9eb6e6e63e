"""Values to try the options of a task with, by the types of their fields."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal

_PLAUSIBLE: dict[Any, tuple[Any, ...]] = {int: (1, 3), float: (0.5, 2.0), bool: (False, True)}
_HOSTILE: dict[Any, tuple[Any, ...]] = {
    int: (0, -1, -(10**6)),
    float: (0.0, -1.0, math.nan, math.inf, -math.inf),
    str: ("no such thing",),
}


def plausible(config: Any) -> Iterator[tuple[str, Any]]:
    """Names of options and values that they may well take; every choice of a `Literal`."""
    for name, kind in _kinds(config):
        origin, inner = typing.get_origin(kind), typing.get_args(kind)
        if origin is Literal:
            yield from ((name, choice) for choice in inner)
        elif origin is tuple and inner[1:] == (Ellipsis,):
            yield from ((name, tuple(_PLAUSIBLE[each])) for each in inner[:1] if each in (int, float))
        else:
            yield from ((name, value) for value in _PLAUSIBLE.get(kind, ()))


def choices(config: Any) -> Iterator[tuple[str, Any]]:
    """Names of options and values that they must take: each choice of a `Literal`, on and off."""
    for name, kind in _kinds(config):
        if typing.get_origin(kind) is Literal:
            yield from ((name, choice) for choice in typing.get_args(kind))
        elif kind is bool:
            yield from ((name, value) for value in (False, True))


def hostile(config: Any) -> Iterator[tuple[str, Any]]:
    """Names of options and values that make no sense, or hardly any."""
    for name, kind in _kinds(config):
        origin, inner = typing.get_origin(kind), typing.get_args(kind)
        if origin is Literal:
            yield from ((name, value) for value in _HOSTILE.get(type(inner[0]), ()))
        elif origin is tuple and inner[1:] == (Ellipsis,):
            yield name, ()
            yield from ((name, (value,)) for value in _HOSTILE.get(inner[0], ()))
        else:
            yield from ((name, value) for value in _HOSTILE.get(kind, ()))


def is_list(config: Any, name: str) -> bool:
    """Whether an option is a tuple of any length."""
    return any(typing.get_args(kind)[1:] == (Ellipsis,) for field, kind in _kinds(config) if field == name)


def _kinds(config: Any) -> Iterator[tuple[str, Any]]:
    """The options by name, with each type that they may have; None apart."""
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        kind = hints[field.name]
        union = typing.get_origin(kind) in (typing.Union, types.UnionType)
        yield from (
            (field.name, each) for each in (typing.get_args(kind) if union else (kind,)) if each is not type(None)
        )
