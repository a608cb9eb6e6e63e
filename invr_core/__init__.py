"""Fit a video once into a continuous-time neural representation, then ask it for anything."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from invr_core.errors import InvrError
    from invr_core.fitting import FitConfig, fit
    from invr_core.observation import Observation
    from invr_core.query import Query, Region
    from invr_core.representation import Motion, Representation
    from invr_core.storage import load
    from invr_core.video import Video

_HOME = {
    "FitConfig": "fitting",
    "InvrError": "errors",
    "Motion": "representation",
    "Observation": "observation",
    "Query": "query",
    "Region": "query",
    "Representation": "representation",
    "Video": "video",
    "fit": "fitting",
    "load": "storage",
}

__all__ = [
    "FitConfig",
    "InvrError",
    "Motion",
    "Observation",
    "Query",
    "Region",
    "Representation",
    "Video",
    "fit",
    "load",
]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use, so that `import invr_core` does not import torch."""
    if name not in _HOME:
        raise AttributeError(f"module 'invr_core' has no attribute {name!r}")
    return getattr(import_module(f"invr_core.{_HOME[name]}"), name)
