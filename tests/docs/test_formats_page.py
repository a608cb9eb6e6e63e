"""The page of formats is what its records give, and has a row for each kind of clip and output."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "benchmarks"


def test_the_page_of_formats_is_made_of_its_records() -> None:
    command = [sys.executable, str(FOLDER / "formats.py"), "--table"]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert (FOLDER / "formats.md").read_text() == made
    records = [json.loads(line) for line in (FOLDER / "formats.jsonl").read_text().splitlines()]
    kinds = {(record["container"], record["codec"], record["pixels"]) for record in records}
    assert sum(line.startswith("| `.") for line in made.splitlines()) == 2 * len(kinds)
