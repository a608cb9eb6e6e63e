from __future__ import annotations

import json
import platform
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from invr_tasks.provenance import commit, provenance


def test_is_json_and_says_what_is_needed_to_repeat_the_work() -> None:
    said = json.loads(json.dumps(provenance(seed=7, device="cpu")))
    assert said["seed"] == 7
    assert said["device"].startswith("cpu (")
    assert said["python"] == platform.python_version()
    assert said["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert said["threads"] == torch.get_num_threads()


def test_is_the_same_each_time() -> None:
    assert provenance(seed=1) == provenance(seed=1)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    file = tmp_path / "repo" / "code.py"
    file.parent.mkdir()
    file.write_text("1\n")
    git = ["git", "-C", str(file.parent), "-c", "user.name=n", "-c", "user.email=e@e"]
    for arguments in (["init", "-q"], ["add", "code.py"], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *arguments], check=True)
    return file


def test_the_commit_is_that_of_the_checkout_and_says_if_it_was_changed(checkout: Path) -> None:
    clean = commit(checkout)
    assert clean is not None and len(clean) == 40
    checkout.write_text("2\n")
    assert commit(checkout) == f"{clean}+"


def test_the_commit_of_a_stranger_that_lies_around_it_is_not_ours(checkout: Path) -> None:
    installed = checkout.parent / "venv" / "code.py"
    installed.parent.mkdir()
    installed.write_text("1\n")
    assert commit(installed) is None


def test_there_may_be_no_git(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert commit(checkout) is None
