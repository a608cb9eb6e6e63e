"""Find architectures by the entry-point group ``invr.models``."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from invr_core.discovery import Offer, discover
from invr_core.errors import BadInput, InvrError

if TYPE_CHECKING:
    from invr_core.models.base import ModelConfig

GROUP = "invr.models"


def installed() -> list[Offer]:
    """All installed architectures, from metadata; none is imported, nor torch."""
    return discover(GROUP)


def names() -> list[str]:
    """The names of all installed architectures; none is imported."""
    return sorted({offer.name for offer in installed()})


def get(name: str) -> type[ModelConfig]:
    """The config class of one architecture, by name.

    Raises:
        BadInput: if no installed distribution offers it, or several do.
        InvrError: if it cannot be imported.
    """
    offers = installed()
    found = [offer for offer in offers if offer.name == name]
    if not found:
        known = sorted({offer.name for offer in offers})
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        raise BadInput(f"there is no model {name!r}. {hint}Installed models: {', '.join(known) or 'none'}")
    if len(found) > 1:
        owners = ", ".join(offer.distribution for offer in found)
        raise BadInput(f"the model name {name!r} is claimed by several distributions ({owners}); uninstall all but one")
    return load(found[0])


def load(offer: Offer) -> type[ModelConfig]:
    """Import one offer, and check that it is an architecture.

    Raises:
        InvrError: if it cannot be imported, or is something else; the message names the distribution.
    """
    from invr_core.models.base import ModelConfig

    whose = f"the model {offer.name!r} of {offer.distribution} {offer.version} ({offer.value})"
    try:
        config = offer.load()
    except (Exception, SystemExit) as cause:
        raise InvrError(f"{whose} cannot be imported: {type(cause).__name__}: {cause}") from cause
    if not (isinstance(config, type) and issubclass(config, ModelConfig)):
        raise InvrError(f"{whose} is not a ModelConfig")
    return config
