"""Known vulnerabilities of what runs with ``invr``, asked of a public service by pip-audit; for CI, and by hand.

    python docs/audit.py

It says how many distributions were looked up, and which could not be: one that nobody knows is not one without faults.
Without a network it says that nothing was audited. It exits with 0 whatever it finds: faults become known on any day,
and what CI says of the code should not change with the day. Read the line.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from licences import closure

RUNNING = ("run", "view")
"""What is asked about: what is there when clips of strangers are opened, and not the tools of this repository."""
SECONDS = 12
"""How long the service may take, all in all."""


def answer(requirements: Path) -> list[dict[str, Any]]:
    """What pip-audit says of pinned requirements, one entry each.

    Raises:
        RuntimeError: with the reason, if there is no answer.
    """
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--no-deps", "--disable-pip"]
    try:
        options = ["--format", "json", "--progress-spinner", "off", "--timeout", "5"]
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=SECONDS)
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired as cause:
        raise RuntimeError(f"no answer in {SECONDS} s") from cause
    except (ValueError, KeyError, TypeError) as cause:
        raise RuntimeError((done.stderr.strip().splitlines() or ["pip-audit says nothing"])[-1][:200]) from cause
    return found


def told(entries: list[dict[str, Any]]) -> str:
    """What was found, in lines."""
    faulty = [entry for entry in entries if entry.get("vulns")]
    known = sum("vulns" in entry for entry in entries)
    unknown = [str(entry.get("name")) for entry in entries if "vulns" not in entry]
    lines = [f"{known} of {len(entries)} distributions looked up, {len(faulty)} with known vulnerabilities"]
    if not known:
        lines = ["NOT AUDITED: the service knows none of them; it cannot be reached from here"]
    elif unknown:
        lines.append(f"NOT AUDITED: {', '.join(unknown)}")
    for entry in faulty:
        names = ", ".join(str(each.get("id")) for each in entry["vulns"])
        lines.append(f"KNOWN VULNERABILITY: {entry['name']} {entry.get('version', '')}: {names}")
    return "\n".join(lines)


def main() -> None:
    """Ask, and print what was said."""
    pinned = [
        f"{name}=={held.version.partition('+')[0]}" for name, (held, group) in closure().items() if group in RUNNING
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requirements.txt"
        path.write_text("\n".join(pinned) + "\n")
        try:
            print(told(answer(path)))
        except RuntimeError as cause:
            print(f"NOT AUDITED: {cause}")


if __name__ == "__main__":
    main()
