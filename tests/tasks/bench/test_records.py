"""Records in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from invr_core.errors import BadFile, BadOutput
from invr_tasks.bench.records import append, check_writable, latest, read


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "records.jsonl"
    check_writable(path)
    records = [{"kind": "model", "psnr": 31.5, "name": "é"}, {"kind": "memory", "curve": [{"step": 1}]}]
    for record in records:
        append(path, record)
    assert read(path) == records
    assert len(path.read_text().splitlines()) == 2


def test_numbers_that_json_has_not_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        append(tmp_path / "r.jsonl", {"kind": "model", "psnr": float("nan")})
    assert not (tmp_path / "r.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "line 2: not JSON"), ("[1]", "line 2: not a record"), ('{"psnr": 3}', "line 2: not a record")],
)
def test_a_line_that_is_no_record_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(f'{{"kind": "model"}}\n{text}\n')
    with pytest.raises(BadFile, match=message):
        read(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="cannot be read as records"):
        read(tmp_path / "none.jsonl")


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(BadOutput, match="not a file"):
        check_writable(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(BadOutput, match="cannot make the folder"):
        check_writable(tmp_path / "file" / "r.jsonl")


def test_the_latest_of_each_kind_stays() -> None:
    records = [{"a": 1, "b": {"x": 1}, "n": 1}, {"a": 1, "b": {"x": 2}, "n": 2}, {"a": 1, "b": {"x": 1}, "n": 3}]
    assert [record["n"] for record in latest(records, ["a", "b"])] == [3, 2]
