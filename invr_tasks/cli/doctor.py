"""``invr doctor``."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from invr_tasks.cli.parse import parse


@dataclass(frozen=True)
class DoctorCommand:
    """Check the installation, the devices, and every installed task and model; exit code 1 if something is wrong."""


def doctor(arguments: list[str]) -> int:
    """Print what is there and what is wrong."""
    parse(DoctorCommand, "invr doctor", arguments)
    from invr_tasks.doctor import diagnose

    findings = diagnose()
    console = Console(highlight=False, markup=False, soft_wrap=True)
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        console.print(f"{finding.mark:5} {finding.name:{width}}  {finding.detail}")
    wrong = [finding.name for finding in findings if not finding.ok]
    console.print(f"\n{len(wrong)} wrong: {', '.join(wrong)}" if wrong else "\nall is well")
    return 1 if wrong else 0
