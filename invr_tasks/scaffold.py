"""Write a new plugin from a template: a distribution that works as it stands, for its author to change.

A template is a real distribution with placeholders for names (``newtask``, ``NewTask``), so that lint and types
are checked in it as in the rest of `invr`.
"""

from __future__ import annotations

import ast
import builtins
import importlib.util
import keyword
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal

from invr_core.atomic import atomic_folder
from invr_core.discovery import Offer
from invr_core.errors import BadInput, BadOutput
from invr_core.models import registry as models
from invr_tasks import registry as tasks

Kind = Literal["task", "model"]

TEMPLATES = Path(__file__).parent / "templates"
LONGEST = 40
"""Letters that a name may have."""


@dataclass(frozen=True)
class Names:
    """What a plugin is called, in all its forms.

    Args:
        name: what users type, for example ``slow_motion``.
        package: ``invr_slow_motion``.
        distribution: ``invr-slow-motion``; its folder, too.
        title: the class, ``SlowMotion``.

    Example:
        >>> Names.of("slow_motion")
        Names(name='slow_motion', package='invr_slow_motion', distribution='invr-slow-motion', title='SlowMotion')
    """

    name: str
    package: str
    distribution: str
    title: str

    @classmethod
    def of(cls, name: str) -> Names:
        """All forms of one name.

        Raises:
            BadInput: if it is not a Python name in lower case.
        """
        _require_name(name)
        words = name.split("_")
        return cls(name, f"invr_{name}", f"invr-{'-'.join(words)}", "".join(word.capitalize() for word in words))


def new_plugin(kind: Kind, name: str, folder: Path = Path()) -> Path:
    """Write a new task or model as a distribution of its own, whole or not at all.

    Args:
        kind: of the plugin.
        name: what users will type.
        folder: where to write it; made where it is missing.

    Returns:
        The folder of the distribution, ``folder/invr-NAME``.

    Raises:
        BadInput: if the name is no Python name in lower case, or something installed has it.
        BadOutput: if the folder of the distribution exists, or cannot be written.
    """
    names = Names.of(name)
    _require_free(kind, names)
    target = folder / names.distribution
    if target.exists() or target.is_symlink():
        raise BadOutput(f"{target} exists; nothing was written. Choose another name, or another place (--dir)")
    try:
        with atomic_folder(target) as private:
            _fill(TEMPLATES / kind, private, _placeholders(kind, names))
    except OSError as error:
        raise BadOutput(f"{target} cannot be written: {error.strerror or error}; choose another place") from error
    return target


def _placeholders(kind: Kind, names: Names) -> dict[str, str]:
    """Of a template -> what stands in their place; the longer ones first."""
    return {
        f"invr-new{kind}": names.distribution,
        f"invr_new{kind}": names.package,
        f"New{kind.capitalize()}": names.title,
        f"new{kind}": names.name,
    }


def _fill(template: Path, folder: Path, placeholders: dict[str, str]) -> None:
    pattern = re.compile("|".join(map(re.escape, placeholders)))

    def named(text: str) -> str:
        return pattern.sub(lambda found: placeholders[found[0]], text)

    for source in sorted(template.rglob("*")):
        place = source.relative_to(template)
        if source.is_file() and not any(part.startswith((".", "__pycache__")) for part in place.parts):
            target = folder / named(place.as_posix())
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(named(source.read_text(encoding="utf-8")), encoding="utf-8")


def _require_name(name: str) -> None:
    fits = re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) and not keyword.iskeyword(name) and len(name) <= LONGEST
    if fits:
        return
    near = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_0123456789")[:LONGEST]
    hint = f", such as {near!r}" if near and near != name and not keyword.iskeyword(near) else ""
    raise BadInput(
        f"{name!r} cannot be the name of a plugin: give a Python name of lower-case letters, digits and single "
        f"underscores, of at most {LONGEST} characters, that is no word of the language{hint}"
    )


def _require_free(kind: Kind, names: Names) -> None:
    registry: list[Offer] = tasks.installed() if kind == "task" else models.installed()
    owners = [offer.distribution for offer in registry if offer.name == names.name]
    if owners:
        raise BadInput(
            f"the {kind} {names.name!r} is installed already, from {' and '.join(owners)}; choose another name"
        )
    if _is_installed(names):
        raise BadInput(f"{names.distribution} (package {names.package}) is installed already; choose another name")
    if hasattr(builtins, names.title) or names.title in _imported(TEMPLATES / kind / "src"):
        raise BadInput(
            f"the class of {names.name!r} would be {names.title}, which is something else already; "
            f"choose another name, such as '{names.name}_{kind}'"
        )


def _is_installed(names: Names) -> bool:
    if importlib.util.find_spec(names.package) is not None:
        return True
    try:
        distribution(names.distribution)
    except PackageNotFoundError:
        return False
    return True


def _imported(sources: Path) -> set[str]:
    """The names that a template takes from elsewhere."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in sources.rglob("*.py")]
    imports = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {alias.asname or alias.name for node in imports for alias in node.names}
