"""The JSON header of an ``.invr`` file: written from a representation, read from a stranger."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from invr_core.errors import BadFile, BadInput
from invr_core.models import registry
from invr_core.models.base import Geometry, ModelConfig
from invr_core.quantise import FULL_BITS, LEAST_BITS, MOST_BITS

EXACT_FORMAT, PACKED_FORMAT = 1, 2
"""The versions of the format: of files of 32 bits a parameter, and of those that say their bits."""
FORMAT = PACKED_FORMAT
"""The newest that this code reads."""
LONGEST_SIDE, MOST_PIXELS = 1 << 16, 1 << 28
"""Of a frame, in pixels: no clip that anyone fits is larger."""
FURTHEST = 1e12
"""Seconds from 0 that an instant may lie, either way: no clock of a clip is further off, and sums are still numbers."""


@dataclass(frozen=True)
class Header:
    """What an ``.invr`` file says of itself.

    Args:
        model: name of the architecture.
        config: its solved options, as JSON values.
        geometry: of the clip.
        info: how it was made, as JSON values.
        content: all of this as JSON in a fixed order, for a checksum.
        bits: of each parameter; 32 in format 1, fewer in format 2.
        checksum: over `content` and the tensors; "" before it is known.
    """

    model: str
    config: Mapping[str, Any]
    geometry: Geometry
    info: Mapping[str, Any]
    content: str
    bits: int = FULL_BITS
    checksum: str = ""

    @classmethod
    def of(
        cls,
        model: str,
        config: Mapping[str, Any],
        geometry: Geometry,
        info: Mapping[str, Any],
        versions: Mapping[str, str],
        bits: int = FULL_BITS,
    ) -> Header:
        """The header of a new file; ``versions`` are those of the libraries that write it."""
        content: dict[str, Any] = {
            "format": EXACT_FORMAT,
            "model": model,
            "config": config,
            "geometry": {"times": geometry.times, "span": geometry.span, "size": geometry.size},
            "info": info,
            "versions": versions,
        }
        if bits != FULL_BITS:
            content.update(format=PACKED_FORMAT, bits=bits)
        return cls(model, config, geometry, info, json.dumps(content, sort_keys=True), bits)

    def sealed(self, checksum: str) -> str:
        """The text that a file carries: the content, and the checksum over it and the tensors."""
        return json.dumps({**json.loads(self.content), "checksum": checksum}, sort_keys=True)

    @classmethod
    def parse(cls, text: str | None) -> Header:
        """Read and check a header.

        Raises:
            BadFile: with what is wrong, for any text that is not `sealed`.
            RecursionError: if it is nested too deeply for Python.
        """
        if text is None:
            raise BadFile("it holds tensors, but no header of ours: not an .invr file")
        try:
            found = json.loads(text, object_pairs_hook=_once)
        except ValueError as cause:
            raise BadFile("its header is not JSON") from cause
        if not isinstance(found, dict):
            raise BadFile("its header is not a JSON object")
        form = _read(found.get("format"), int, "format")
        if form > FORMAT:
            raise BadFile(f"made by a newer invr (format {_short(form)}; this one reads up to {FORMAT}): upgrade invr")
        if form < 1:
            raise BadFile(f"format {_short(form)} does not exist")
        bits = {"bits"} if form == PACKED_FORMAT else set()
        _same_keys(found, {"format", "model", "config", "geometry", "info", "versions", "checksum"} | bits, "header")
        return cls(
            model=_read(found["model"], str, "model"),
            config=_object(found["config"], "config"),
            geometry=_geometry(_object(found["geometry"], "geometry")),
            info=_object(found["info"], "info"),
            bits=_bits(found["bits"]) if bits else FULL_BITS,
            checksum=_read(found.pop("checksum"), str, "checksum"),
            content=json.dumps(found, sort_keys=True),
        )

    def solved_config(self) -> ModelConfig:
        """The config object, by the name of an installed model.

        Raises:
            BadFile: if there is no such model here, or its options are not these.
        """
        if len(self.model) > 100:
            raise BadFile("its model has a name of more than 100 characters")
        try:
            model = registry.get(self.model)
        except BadInput as cause:
            raise BadFile(f"its model is not to be had here: {cause}") from cause
        hints = get_type_hints(model)
        names = {field.name for field in fields(model)}
        _same_keys(self.config, names, f"config of {self.model}")
        options = {name: _read(self.config[name], hints[name], f"{self.model} {name}") for name in names}
        try:
            return model(**options)
        except BadInput as cause:
            raise BadFile(f"its config is not one of {self.model} ({cause})") from cause


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object that says everything once: of two values, two readers may each believe another one."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise BadFile(f"its header says {name[:80]!r} twice")
        found[name] = value
    return found


def _short(number: int) -> str:
    """A number that may have thousands of digits, for a message."""
    return str(number) if abs(number) < 10**20 else "of more than 20 digits"


def _bits(value: Any) -> int:
    bits: int = _read(value, int, "bits")
    if not LEAST_BITS <= bits <= MOST_BITS:
        raise BadFile(f"its bits are out of range: {_short(bits)}, not {LEAST_BITS} to {MOST_BITS}")
    return bits


def _geometry(found: Mapping[str, Any]) -> Geometry:
    _same_keys(found, {"times", "span", "size"}, "geometry")
    times = _read(found["times"], tuple[float, ...], "times")
    span = _read(found["span"], tuple[float, float], "span")
    size = _read(found["size"], tuple[int, int], "size")
    if not times or any(b <= a for a, b in pairwise(times)):
        raise BadFile("its times do not increase")
    if max(map(abs, (*span, times[0], times[-1]))) > FURTHEST:
        raise BadFile(f"its instants are out of range: {FURTHEST:g} s from 0 at the most, either way")
    if span[1] < span[0]:
        raise BadFile(f"its span ends, at {span[1]:g} s, before it begins, at {span[0]:g} s")
    if not (min(size) > 0 and max(size) <= LONGEST_SIDE and size[0] * size[1] <= MOST_PIXELS):
        raise BadFile(f"its frame size is out of range: {str(size)[:60]}")
    return Geometry(times, span, size)


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadFile(f"its {name} is not a JSON object")
    return value


def _same_keys(found: Mapping[str, Any], expected: set[str], name: str) -> None:
    missing, strange = expected - found.keys(), found.keys() - expected
    if missing or strange:
        fault = f"lacks {min(missing)!r}" if missing else f"has the unknown entry {min(strange)[:80]!r}"
        raise BadFile(f"its {name} {fault}")


def _read(value: Any, hint: Any, name: str) -> Any:
    """A JSON value as the type that a field is declared with."""
    try:
        return _as(value, hint)
    except (TypeError, OverflowError) as cause:
        wanted = hint.__name__ if isinstance(hint, type) else str(hint)
        raise BadFile(f"its {name} should be {wanted}, not {json.dumps(value)[:60]}") from cause


def _as(value: Any, hint: Any) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _as_any(value, inner)
    if origin is Literal and any(value == item and type(value) is type(item) for item in inner):
        return value
    if origin is tuple and isinstance(value, list):
        hints = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        if len(hints) == len(value):
            return tuple(_as(item, kind) for item, kind in zip(value, hints, strict=True))
    if hint is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if hint in (int, str, bool, NoneType) and type(value) is hint:
        return value
    raise TypeError


def _as_any(value: Any, hints: tuple[Any, ...]) -> Any:
    for hint in hints:
        try:
            return _as(value, hint)
        except TypeError:
            continue
    raise TypeError
