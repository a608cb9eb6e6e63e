"""What is installed with ``invr``, for what, and under which licence: from the metadata of each distribution.

    python docs/licences.py > docs/licences.md      the page of the site
    python docs/licences.py --sbom > sbom.json      the same as a CycloneDX bill of materials, of this environment

No network, and nothing but the standard library and packaging.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

GROUPS = {
    "run": "",
    "view": "view",
    "bench": "bench",
    "interop": "interop",
    "test": "test",
    "docs": "docs",
    "ray": "ray",
    "dev": "dev",
}
"""What asks for a distribution: running ``invr``, or one of its extras; the first that does is named."""
SAID = {
    "av": "BSD-3-Clause; its wheel carries FFmpeg with libx264 and libx265, which are GPL-2.0-or-later",
    "opencv-python-headless": "Apache-2.0; its wheel carries FFmpeg, LGPL-2.1-or-later",
}
"""What a wheel carries beside the code that its metadata speaks of."""
HEAD = """# Licences

Written by `python docs/licences.py` from the metadata of what `.ci/lock.txt` installs on Linux with Python 3.11, and of
the CPU build of torch; other platforms and Pythons bring others (the CUDA build of torch brings NVIDIA's own, which are
proprietary).

**PyAV's wheel carries FFmpeg with GPL codecs** (libx264, libx265). `invr` is Apache-2.0 and asks for PyAV as a library;
whoever hands on both *together*, in an image or an installer, hands on GPL code, and the GPL holds for that whole.
A PyAV built against an FFmpeg without them has no H.264 for `.mp4`; `.mkv`, `.gif` and PNG need none of them.

| distribution | version | licence | for |
|---|---|---|---|"""


def found(name: str) -> Distribution | None:
    """The installed distribution of a name."""
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def wanted(start: Distribution, extra: str) -> dict[str, Distribution]:
    """All that a distribution asks for, with one of its extras, and all that those ask for."""
    seen: dict[str, Distribution] = {}
    waiting = [(start, {extra})]
    looked: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        owner, extras = waiting.pop()
        for text in owner.requires or ():
            asked = Requirement(text)
            if asked.marker and not any(asked.marker.evaluate({"extra": each}) for each in extras | {""}):
                continue
            name, more = canonicalize_name(asked.name), {""} | asked.extras
            held = start if name == "invr" else found(asked.name)
            if held is None or (name, frozenset(more)) in looked:
                continue
            looked.add((name, frozenset(more)))
            waiting.append((held, more))
            if name != "invr":
                seen[name] = held
    return seen


def licence(of: Distribution) -> str:
    """As short as the metadata has it: the SPDX expression, else classifiers, else the first line of its text."""
    name = canonicalize_name(of.metadata["Name"])
    if name in SAID:
        return SAID[name]
    expression = of.metadata.get("License-Expression")
    classed = [line.rpartition(" :: ")[2] for line in of.metadata.get_all("Classifier") or [] if "License ::" in line]
    text = (of.metadata.get("License") or "").strip().splitlines()
    return expression or ", ".join(classed) or (text[0][:60] if text else "not said")


def closure() -> dict[str, tuple[Distribution, str]]:
    """Each distribution by its name, and the first group that asks for it."""
    own = distribution("invr")
    rows: dict[str, tuple[Distribution, str]] = {}
    for group, extra in GROUPS.items():
        for name, held in wanted(own, extra).items():
            rows.setdefault(name, (held, group))
    return dict(sorted(rows.items()))


def table(rows: Iterable[tuple[str, tuple[Distribution, str]]]) -> str:
    """The rows of the page."""
    return "\n".join(f"| {name} | {held.version} | {licence(held)} | {group} |" for name, (held, group) in rows)


def bill(rows: Iterable[tuple[str, tuple[Distribution, str]]]) -> str:
    """A bill of materials. Source: CycloneDX 1.6, JSON."""
    components = [
        {
            "type": "library",
            "name": name,
            "version": held.version,
            "purl": f"pkg:pypi/{name}@{held.version}",
            "licenses": [{"license": {"name": licence(held)}}],
            "properties": [{"name": "invr:for", "value": group}],
        }
        for name, (held, group) in rows
    ]
    own = {"type": "application", "name": "invr", "version": distribution("invr").version}
    whole = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "metadata": {"component": own}}
    return json.dumps({**whole, "components": components}, indent=2)


def main() -> None:
    """Print the page, or the bill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sbom", action="store_true", help="a CycloneDX bill of materials instead of the page")
    rows = closure().items()
    print(bill(rows) if parser.parse_args().sbom else f"{HEAD}\n{table(rows)}")


if __name__ == "__main__":
    main()
