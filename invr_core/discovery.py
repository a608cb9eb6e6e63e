"""List what is installed under an entry-point group, from metadata alone: nothing is imported, nothing can break it."""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from pathlib import Path
from typing import Any


class DiscoveryWarning(UserWarning):
    """An installed distribution has metadata that cannot be read; the others still work."""


@dataclass(frozen=True)
class Offer:
    """One entry point: a name that an installed distribution offers, and the object behind it.

    Args:
        name: what the user types.
        value: ``package.module:Object``.
        distribution: who offers it.
        version: of the distribution.
        summary: one line of the distribution's metadata; may be empty.
    """

    name: str
    value: str
    distribution: str
    version: str
    summary: str
    _entry: EntryPoint = field(repr=False, compare=False)

    @property
    def qualified(self) -> str:
        """``distribution/name``: the name that no other distribution can claim."""
        return f"{self.distribution}/{self.name}"

    def first_line(self) -> str:
        """The first line of its module's docstring, read from the source, which is not run; "" where there is none."""
        spec, places, path = None, None, ""
        try:
            for part in self.value.partition(":")[0].strip().split("."):
                path = f"{path}.{part}".lstrip(".")
                found = (finder.find_spec(path, places) for finder in sys.meta_path)
                spec = next(each for each in found if each is not None)
                places = spec.submodule_search_locations
            tree = ast.parse(Path((spec and spec.origin) or "").read_text(encoding="utf-8"))
        except Exception:  # no such module, no source, or none that can be read: whatever a stranger's finder raises
            return ""
        return (ast.get_docstring(tree) or "").partition("\n")[0]

    def load(self) -> Any:
        """Import the object; whatever its module raises comes through."""
        return self._entry.load()


def normalized(distribution: str) -> str:
    """A distribution's name in the form in which two of them are compared.

    Example:
        >>> normalized("Invr_Deblur")
        'invr-deblur'
    """
    return re.sub(r"[-_.]+", "-", distribution).lower()


def named(name: str, offers: Iterable[Offer]) -> list[Offer]:
    """The offers that a name may mean: all of that name or, of ``distribution/name``, those of one distribution."""
    owner, _, short = name.rpartition("/")
    return [o for o in offers if o.name == short and (not owner or normalized(o.distribution) == normalized(owner))]


def discover(group: str) -> list[Offer]:
    """What the installed distributions offer under an entry-point group, sorted by name, then by distribution.

    One malformed ``entry_points.txt`` of any installed distribution makes the standard library's
    `entry_points` raise; then each distribution is read by itself, and the culprit is named in a `DiscoveryWarning`.

    Example:
        >>> discover("no.such.group")
        []
    """
    try:
        found: Iterable[EntryPoint] = list(entry_points(group=group))
    except Exception:  # whatever a stranger's malformed metadata raises
        found = list(_one_by_one(group))
    return sorted((_offer(entry) for entry in found), key=lambda offer: (offer.name, offer.distribution))


def _one_by_one(group: str) -> Iterator[EntryPoint]:
    seen: set[str] = set()
    for distribution in distributions():
        name, _, _ = _described(distribution)
        if normalized(name) in seen:
            continue
        seen.add(normalized(name))
        try:
            offered = [entry for entry in distribution.entry_points if entry.group == group]
        except Exception as cause:
            warnings.warn(
                f"the entry points of the installed distribution {name!r} cannot be read and are left out "
                f"({type(cause).__name__}: {cause}); reinstall or remove it",
                DiscoveryWarning,
                stacklevel=3,
            )
            continue
        yield from offered


def _offer(entry: EntryPoint) -> Offer:
    return Offer(entry.name, entry.value, *_described(entry.dist), entry)


def _described(distribution: Distribution | None) -> tuple[str, str, str]:
    """Name, version and summary; "" for what is not stated."""
    if distribution is None:
        return "", "", ""
    try:
        stated = distribution.metadata  # parsed anew at each access
        name, version, summary = (str(stated[key]) if key in stated else "" for key in ("Name", "Version", "Summary"))
    except Exception:  # an unreadable METADATA file must not hide the entry point
        return "", "", ""
    return name, version, summary
