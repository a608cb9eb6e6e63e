"""Where a page may be written to."""

from __future__ import annotations

from pathlib import Path

from invr_core.errors import BadOutput


def check_page(path: Path) -> None:
    """Refuse a page whose name does not end in ``.html``.

    Raises:
        BadOutput: naming it.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise BadOutput(f"{path}: a report is written to a name that ends in .html, such as {path.stem}.html")
