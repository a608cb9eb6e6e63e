"""Which tasks the viewer offers for what it was opened on: each with a short form of its own options."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from itertools import pairwise
from typing import Any, Literal

import torch

from invr_core.discovery import Offer
from invr_core.errors import BadInput
from invr_core.representation import Representation
from invr_core.video import Video
from invr_tasks import registry
from invr_tasks.cli.masks import is_mask, mask_options
from invr_tasks.run import accept, prepare
from invr_tasks.task import Source, Task

LONGEST = 200
"""Letters of one answer in a form."""
_WHERE = "x,y,width,height in pixels from the upper left corner; with first and last second behind it where it is short"


@dataclass(frozen=True)
class Field:
    """One line of a form.

    Args:
        name: of the option, with underscores.
        kind: "flag", "choice" or "text".
        default: what stands in it at first; "true" or "" for a flag.
        about: what it is for.
        choices: of a "choice".
        required: whether it must be filled in.
    """

    name: str
    kind: Literal["flag", "choice", "text"]
    default: str
    about: str
    choices: tuple[str, ...] = ()
    required: bool = False

    def word(self, given: str) -> str | None:
        """The option as one word of a command line, so that no answer can be read as another option; None if unchanged.

        Raises:
            BadInput: if it cannot be meant.
        """
        flag = self.name.replace("_", "-")
        if len(given) > LONGEST or not given.isprintable():
            raise BadInput(f"--{flag} takes at most {LONGEST} plain letters")
        if self.required and not given.strip():
            raise BadInput(f"--{flag} must be filled in: {self.about}")
        if given.strip() in ("", self.default) and self.kind != "flag":
            return None
        if self.kind == "flag":
            changed = bool(given) != bool(self.default)
            return (f"--{flag}" if given else f"--no-{flag}") if changed else None
        return f"--{flag}={given.strip()}"


@dataclass(frozen=True)
class Form:
    """A task that can be run.

    Args:
        name: by which it is asked for.
        about: what it does, in a line.
        fields: of its form.
        doubt: why it is refused with the form as it stands at first; "" if it is not.
    """

    name: str
    about: str
    fields: tuple[Field, ...]
    doubt: str

    def words(self, given: Mapping[str, str]) -> list[str]:
        """The options of a command line, of a filled form.

        Raises:
            BadInput: if something in it is not of the form, or cannot be meant.
        """
        unknown = sorted(given.keys() - {field.name for field in self.fields})
        if unknown:
            raise BadInput(f"the task {self.name} has no option {unknown[0][:40]!r} here")
        words = [field.word(given.get(field.name, field.default)) for field in self.fields]
        return [word for word in words if word is not None]


def offered(rep: Representation, source: Video) -> tuple[list[Form], dict[str, str]]:
    """The installed tasks that can be asked of a fitted clip, those that can as they stand first; why others cannot.

    Args:
        rep: the fitted clip.
        source: the clip that it was fitted to.
    """
    forms, others = [], {}
    offers = registry.installed()
    for offer in offers:
        name = offer.name if sum(other.name == offer.name for other in offers) == 1 else offer.qualified
        try:
            forms.append(_form(name, offer, rep, source))
        except Exception as cause:  # a plugin may raise anything, and the others are still of use
            others[name] = " ".join(str(cause).split())
    return sorted(forms, key=lambda form: bool(form.doubt)), others


def _form(name: str, offer: Offer, rep: Representation, source: Video) -> Form:
    task = registry.load(offer)
    missing = sorted(task.needs - rep.parts)
    if missing:
        raise BadInput(f"it needs the part {', '.join(missing)}, which this model lacks")
    if len(source) < task.minimum_frames:
        raise BadInput(f"it needs a clip of at least {task.minimum_frames} frames")
    further = [given for given in task.inputs if given != "video" and not is_mask(given)]
    if further:
        raise BadInput(f"it needs a further clip, {', '.join(further)}; `invr run {name}` takes it")
    masks = [given for given in task.inputs if is_mask(given)]
    own = [_field(task, field) for field in dataclasses.fields(task.Config) if field.init]
    boxes = [field for mask in masks for field in _of_mask(mask)]
    return Form(name, offer.summary or _first_line(task), (*boxes, *own), _doubt(task, rep, source, masks))


def _doubt(task: type[Task[Any]], rep: Representation, source: Video, masks: list[str]) -> str:
    """Why the task is refused with its default options; an empty mask stands in for what the user will give."""
    empty = source.map(lambda frames: torch.zeros_like(frames[:, :1])) if masks else source
    try:
        accept(made := task(), prepare(made, Source(source, dict.fromkeys(masks, empty))), rep)
    except Exception as cause:
        return " ".join(str(cause).split())
    return ""


def _of_mask(name: str) -> tuple[Field, Field]:
    """A rectangle, and how it grows. No file: a page names none."""
    _, _, box, grow = (option for option, _, _ in mask_options(name))
    return (
        Field(box, "text", "", f"The {name.replace('_', ' ')}: {_WHERE}.", required=True),
        Field(grow, "text", "0", "Grow that by so many pixels."),
    )


def _field(task: type[Task[Any]], field: dataclasses.Field[Any]) -> Field:
    hint = typing.get_type_hints(task.Config).get(field.name, str)
    default = field.default_factory() if field.default_factory is not MISSING else field.default
    about = _told(task.Config).get(field.name, "")
    if hint is bool:
        return Field(field.name, "flag", "true" if default is True else "", about)
    required = default is MISSING
    text = "" if default is None or required else _as_typed(default)
    if typing.get_origin(hint) is Literal and not required:
        return Field(field.name, "choice", text, about, tuple(map(str, typing.get_args(hint))))
    return Field(field.name, "text", text, about, required=required)


def _as_typed(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _told(config: type[Any]) -> dict[str, str]:
    """The docstring under each field of a dataclass, and of those that it inherits from."""
    told: dict[str, str] = {}
    for base in reversed(config.__mro__[:-1]):
        try:
            (body,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        except (OSError, TypeError, SyntaxError, ValueError):  # no source is at hand
            continue
        for one, following in pairwise(getattr(body, "body", [])):
            if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
                match following:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        told[one.target.id] = " ".join(text.split())
    return told


def _first_line(task: type[Task[Any]]) -> str:
    return inspect.cleandoc(vars(task).get("__doc__") or "").split("\n\n")[0]
