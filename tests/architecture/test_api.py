"""The public names of `invr_core`: none goes, and none comes, unannounced."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import invr_core

PUBLIC = [
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


def test_the_public_names() -> None:
    """Change this list with the changelog."""
    assert sorted(invr_core.__all__) == PUBLIC


@pytest.mark.parametrize("order", ["first", "second", "after the module"])
def test_each_public_name_is_the_thing_and_not_a_module_of_its_name(order: str) -> None:
    before = {"first": "", "second": "from invr_core import *", "after the module": "import invr_core.fitting"}[order]
    code = (
        f"{before}\n"
        "import invr_core, types\n"
        "wrong = [n for n in invr_core.__all__ if isinstance(getattr(invr_core, n), types.ModuleType)]\n"
        "assert not wrong, wrong\n"
    )
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = invr_core.nothing
