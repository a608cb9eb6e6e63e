"""The shipped clip is the one that its README describes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from invr_core.errors import BadFile
from invr_tasks import demo_clip


def test_the_clip_has_the_stated_hash_and_attribution() -> None:
    path = demo_clip.demo_clip_path()
    readme = path.with_name("README.md").read_text()
    assert hashlib.sha256(path.read_bytes()).hexdigest() in readme
    assert "Big Buck Bunny, (c) 2008 Blender Foundation" in readme
    assert "CC BY 3.0" in readme
    assert path.stat().st_size < 900_000


def test_an_installed_copy_goes_first_and_a_missing_one_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_clip, "__file__", str(tmp_path / "invr_tasks" / "demo_clip.py"))
    with pytest.raises(BadFile, match="install invr again"):
        demo_clip.demo_clip_path()
    for folder in (tmp_path / "examples" / "data", tmp_path / "invr_tasks" / "demo_data"):
        folder.mkdir(parents=True)
        (folder / "bunny.mp4").write_bytes(b"")
        assert demo_clip.demo_clip_path() == folder / "bunny.mp4"
