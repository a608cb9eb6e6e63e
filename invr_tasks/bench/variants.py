"""Named changes to a model: the ablations that come with `invr`, and those of the command line."""

from __future__ import annotations

import ast
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from invr_core.errors import BadInput
from invr_core.models import registry
from invr_core.models.base import ModelConfig
from invr_tasks.bench.jobs import FIT_FIELDS, LOSSES

ABLATIONS: dict[str, dict[str, dict[str, Any]]] = {
    "cwrnn": {
        "no warp": {"without": "warp"},
        "uncoupled": {"without": "coupling"},
        "no grid": {"without": "grid"},
        "single scale": {"without": "refinement"},
        "no recurrence": {"without": "recurrence"},
        "forward only": {"without": "backward"},
        "cold start": {"warm_start": False},
    },
}
"""Model -> name of the variant -> the options that make it."""


@dataclass(frozen=True)
class Variant:
    """A model under a name.

    Args:
        model: a name of the registry.
        name: "" for the model as it is.
        options: fields of its config, or of `FIT_FIELDS`, and their values.
    """

    model: str
    name: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def ablations(model: str, names: Sequence[str]) -> list[Variant]:
    """Named ablations of a model; "all" is all there are.

    Raises:
        BadInput: if one is unknown.
    """
    known = ABLATIONS.get(model, {})
    wanted = [one for name in names for one in (known if name == "all" else [name])]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        offered = ", ".join(known) or "none"
        raise BadInput(
            f"{model} has no ablation {unknown[0]!r}; there are: {offered}. Others: --variant NAME:field=value"
        )
    return [Variant(model, name, known[name]) for name in dict.fromkeys(wanted)]


def read_variant(text: str, model: str) -> Variant:
    """A variant as it is written on the command line, ``NAME:field=value,field=value``.

    Args:
        text: values as in Python; a bare word is a text.
        model: whose fields they are.

    Raises:
        BadInput: if it is written otherwise, or the model has no such field, or not of that kind.

    Example:
        >>> read_variant("small:channels=8,warm_start=False,anchor_size=(4, 8)", "cwrnn").options
        {'channels': 8, 'warm_start': False, 'anchor_size': (4, 8)}
    """
    name, colon, rest = text.partition(":")
    pairs = [part.partition("=") for part in re.split(r",(?=\s*\w+\s*=)", rest)]
    if not (name.strip() and colon and all(key.strip() and sign for key, sign, _ in pairs)):
        raise BadInput(f"{text!r} is not a variant; write NAME:field=value,field=value (--variant)")
    options = {key.strip(): _value(value.strip()) for key, _, value in pairs}
    check_options(registry.get(model), options)
    return Variant(model, name.strip(), options)


def check_options(config: type[ModelConfig], options: Mapping[str, Any]) -> None:
    """Refuse options that a model does not have, or whose values are of another kind.

    Raises:
        BadInput: naming the option, and those there are.
    """
    hints = typing.get_type_hints(config)
    kinds = {one.name: hints[one.name] for one in fields(config)} | FIT_FIELDS
    for key, value in options.items():
        if key not in kinds:
            raise BadInput(f"{config.name} has no option {key!r}; it has {', '.join(kinds)}")
        if not _is_a(value, kinds[key]):
            raise BadInput(f"{config.name}: {key} is a {_called(kinds[key])}, got {value!r}")
    loss = options.get("loss")
    if loss is not None and loss not in LOSSES:
        raise BadInput(f"there is no loss {loss!r}; choose one of {', '.join(LOSSES)}")


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _is_a(value: Any, kind: Any) -> bool:
    origin = typing.get_origin(kind) or kind
    if origin is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if origin in (int, bool, str, tuple):
        return type(value) is origin
    return True  # what a model of a stranger makes of it is its own affair


def _called(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind)) if typing.get_origin(kind) is None else str(kind)
