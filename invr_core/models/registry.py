"""Find architectures by the entry-point group ``invr.models``."""

from __future__ import annotations

import difflib
from importlib.metadata import entry_points

from invr_core.errors import BadInput, InvrError
from invr_core.models.base import ModelConfig

GROUP = "invr.models"


def names() -> list[str]:
    """The names of all installed architectures; none is imported."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def get(name: str) -> type[ModelConfig]:
    """The config class of one architecture, by name.

    Raises:
        BadInput: if no installed distribution offers it, or several do.
        InvrError: if it cannot be imported.
    """
    found = list(entry_points(group=GROUP, name=name))
    if not found:
        close = difflib.get_close_matches(name, names(), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise BadInput(f"no model is called {name!r}{hint} Installed: {', '.join(names()) or 'none'}")
    if len(found) > 1:
        owners = ", ".join(sorted(entry.dist.name if entry.dist else "?" for entry in found))
        raise BadInput(f"the model name {name!r} is claimed by several distributions ({owners}); uninstall all but one")
    try:
        config = found[0].load()
    except Exception as cause:
        owner = found[0].dist.name if found[0].dist else "?"
        raise InvrError(f"the model {name!r} of {owner} ({found[0].value}) cannot be imported: {cause}") from cause
    if not (isinstance(config, type) and issubclass(config, ModelConfig)):
        raise InvrError(f"the model {name!r} ({found[0].value}) is not a ModelConfig")
    return config
