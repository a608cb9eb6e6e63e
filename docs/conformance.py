"""Write the page ``conformance.md``: what each check of the conformance kits does, and the mistakes that it catches.

``python docs/conformance.py``, from anywhere; the tables are those of the tests in ``tests/laws``.
"""

from __future__ import annotations

import inspect
import runpy
import sys
from collections.abc import Iterable
from pathlib import Path

from invr_core.testing import CHECKS
from invr_tasks.testing import TASK_CHECKS

HERE = Path(__file__).resolve().parent
LAWS = HERE.parent / "tests" / "laws"

INTRODUCTION = """# What the conformance kits catch

Two kits come with `invr`. `invr_tasks.testing.check_task` judges a task in seconds, on clips that are formulas,
without training; `invr_core.testing.check_representation` judges a model that was fitted for a few steps. Both are made
of named checks, and both are tested themselves: with things that are wrong on purpose, each of which must fail the one
check that is there for it and pass all others. This page is made from those tests by `docs/conformance.py`.
"""


def page() -> str:
    """The whole page."""
    sys.path.append(str(LAWS))  # where the tests of the kits keep their tasks
    tasks = runpy.run_path(str(LAWS / "wrong_tasks.py"))
    models = runpy.run_path(str(LAWS / "test_laws.py"))
    wrong_tasks = [(wrong, check) for wrong, check in tasks["WRONG"]]
    wrong_models = [(type(wrong), check) for wrong, check in models["BROKEN"]]
    wrong_models += [(wrong, "saving_is_exact") for wrong, _ in models["STORED"]]
    return "\n".join(
        [
            INTRODUCTION,
            *_section("Tasks", "task", wrong_tasks, TASK_CHECKS),
            *_section("Models", "model", wrong_models, CHECKS),
        ]
    )


def _section(title: str, what: str, wrong: Iterable[tuple[type, str]], checks: Iterable[object]) -> list[str]:
    caught = [f"| `{kind.__name__}` | {_first_line(kind) or SILENT} | `{check}` |" for kind, check in wrong]
    meant = [f"| `{check.__name__}` | {_first_line(check)} |" for check in checks]
    return [
        f"## {title}\n",
        f"| wrong {what} | its mistake | the check that catches it |\n|---|---|---|",
        *caught,
        f"\nWhat each check makes sure of:\n\n| check of a {what} | what holds |\n|---|---|",
        *meant,
        "",
    ]


SILENT = "Says nothing of what it is for."
"""The mistake of the one that has no docstring."""


def _first_line(thing: object) -> str:
    return inspect.cleandoc(thing.__doc__ or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")


if __name__ == "__main__":
    (HERE / "conformance.md").write_text(page(), encoding="utf-8")
