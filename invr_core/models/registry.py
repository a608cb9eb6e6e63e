"""Find architectures by the entry-point group ``invr.models``."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from invr_core.discovery import Offer, discover, named
from invr_core.errors import BadInput, InvrError, did_you_mean

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
    """The config class of one architecture; only this one is imported.

    Args:
        name: ``cwrnn`` (the name of an entry point), or ``distribution/cwrnn`` (the same, of one distribution).

    Raises:
        BadInput: if no installed distribution offers it, or several do.
        InvrError: if it cannot be imported, or is no usable architecture.
    """
    offers = installed()
    found = named(name, offers)
    if not found:
        known = sorted({offer.name for offer in offers})
        raise BadInput(
            f"there is no model {name!r}. {did_you_mean(name, known)}Installed models: {', '.join(known) or 'none'}"
        )
    if len(found) > 1:
        ways = " or ".join(repr(offer.qualified) for offer in found)
        raise BadInput(
            f"the model {name!r} is offered by {len(found)} distributions; say which: {ways}; "
            "to read a stored file of it, uninstall all but one"
        )
    return load(found[0])


def load(offer: Offer) -> type[ModelConfig]:
    """Import one offer, and check that it is an architecture.

    Raises:
        InvrError: if it cannot be imported, or is no usable architecture; the message names the distribution.
    """
    from invr_core.models.base import ModelConfig

    whose = f"the model {offer.name!r} of {offer.distribution} {offer.version} ({offer.value})"
    try:
        config = offer.load()
    except (Exception, SystemExit) as cause:
        raise InvrError(f"{whose} cannot be imported: {type(cause).__name__}: {cause}") from cause
    if not (isinstance(config, type) and issubclass(config, ModelConfig) and config is not ModelConfig):
        raise InvrError(f"{whose} is not a ModelConfig but {config!r}")
    if inspect.isabstract(config):
        missing = ", ".join(sorted(config.__abstractmethods__))
        raise InvrError(f"{whose} does not define {missing}")
    stated = getattr(config, "name", None)
    if stated != offer.name:
        raise InvrError(
            f"{whose} says that its name is {stated!r}, by which a stored file would not find it; "
            f"write `name = {offer.name!r}` in the class {config.__name__}"
        )
    if not hasattr(config, "recipe"):
        raise InvrError(f"{whose} does not state its recipe")
    return config
