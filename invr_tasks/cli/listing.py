"""``invr tasks`` and ``invr models``: what is installed, from metadata; nothing of it is imported.

A distribution's summary says what its task is for. One that offers several models says nothing of each: of a model the
first line of its module is shown.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from rich.console import Console
from rich.table import Table
from rich.text import Text

from invr_core.discovery import Offer
from invr_core.models import registry as model_registry
from invr_tasks import registry as task_registry
from invr_tasks.cli.parse import parse


@dataclass(frozen=True)
class TasksCommand:
    """List the installed tasks; `invr run NAME --help` shows the options of one."""


@dataclass(frozen=True)
class ModelsCommand:
    """List the installed models; `invr run TASK … --model NAME` and `invr fit … --model NAME` choose one."""


def tasks(arguments: list[str]) -> int:
    """Print the installed tasks."""
    parse(TasksCommand, "invr tasks", arguments)
    offers = task_registry.installed()
    if not offers:
        print(task_registry.describe_installed(offers))
        return 0
    _print(offers)
    return 0


def models(arguments: list[str]) -> int:
    """Print the installed models."""
    parse(ModelsCommand, "invr models", arguments)
    offers = model_registry.installed()
    _print([replace(offer, summary=offer.first_line() or offer.summary) for offer in offers])
    return 0


def _print(offers: list[Offer]) -> None:
    claims = Counter(offer.name for offer in offers)
    table = Table("name", "distribution", "version", "summary", box=None, pad_edge=False, header_style="bold")
    for offer in offers:
        name = offer.name if claims[offer.name] == 1 else offer.qualified
        table.add_row(*(Text(cell) for cell in (name, offer.distribution, offer.version, offer.summary)))
    console = Console()
    if not console.is_terminal:  # a pipe has no width to keep to
        console.width = 1000
    console.print(table)
