from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from invr_core import discovery
from invr_core.discovery import DiscoveryWarning
from invr_core.errors import BadInput, InvrError
from invr_core.models import registry as models
from invr_tasks import registry
from invr_tasks.registry import AmbiguousTask, BrokenTask, IncompatibleTask, UnknownTask
from invr_tasks.task import Task

Install = Callable[..., Path]


def test_lists_name_distribution_version_and_summary_without_importing(tasks: Path) -> None:
    found = {offer.name: offer for offer in registry.installed()}
    offer = found["fakeslow"]
    assert (offer.distribution, offer.version, offer.summary) == ("fake-tasks", "1.0", "Tasks [for] tests")
    assert offer.qualified == "fake-tasks/fakeslow"
    assert "fake_tasks" not in sys.modules


def test_the_first_line_of_a_module_is_read_and_nothing_of_it_is_run(install: Install) -> None:
    code = {
        "fake_told": '"""What it is.\n\nAnd more."""\nraise RuntimeError',
        "fake_silent": "raise RuntimeError",
        "fake_wrong": "no code (",
    }
    places = {
        "told": "fake_told:Thing",
        "silent": "fake_silent:Thing",
        "wrong": "fake_wrong:Thing",
        "gone": "fake.gone:X",
    }
    install("fake-lines", places, code, group="fake.group")
    found = {offer.name: offer.first_line() for offer in discovery.discover("fake.group")}
    assert found == {"told": "What it is.", "silent": "", "wrong": "", "gone": ""}
    assert not set(code) & set(sys.modules)


def test_gets_the_class_of_the_one_that_is_asked_for(tasks: Path, install: Install) -> None:
    install("fake-other", {"fakeother": "fake_other_tasks:Other"}, {"fake_other_tasks": "raise RuntimeError"})
    task = registry.get("fakeslow")
    assert issubclass(task, Task)
    assert task.__name__ == "Slow"
    assert "fake_other_tasks" not in sys.modules


@pytest.mark.parametrize("name", ["fake-tasks/fakeslow", "Fake_Tasks/fakeslow", "fake_tasks:Slow"])
def test_gets_a_task_by_its_longer_names(tasks: Path, name: str) -> None:
    assert registry.get(name).__name__ == "Slow"


def test_gets_a_task_from_a_file(tasks: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text((tasks / "fake_tasks.py").read_text())
    monkeypatch.chdir(tmp_path)
    assert registry.get("./mine.py:Slow").__name__ == "Slow"
    assert registry.get(f"{tmp_path}/mine.py:Fill").inputs == ("video", "mask")


def test_gets_a_module_of_the_current_folder(tasks: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "mine_here.py").write_text((tasks / "fake_tasks.py").read_text())
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert registry.get("mine_here:Slow").__name__ == "Slow"
    del sys.modules["mine_here"]


def test_an_unknown_name_suggests_close_ones_and_lists_what_there_is(tasks: Path) -> None:
    with pytest.raises(UnknownTask, match=r"no task 'fakeslw'. Did you mean 'fakeslow'.*Installed tasks: .*fakefill"):
        registry.get("fakeslw")


def test_an_unknown_distribution_is_not_ignored(tasks: Path) -> None:
    with pytest.raises(UnknownTask, match="'fake-tasks/fakeslow'"):
        registry.get("fake-taks/fakeslow")


def test_says_how_to_install_ours_where_nothing_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "discover", lambda group: [])
    with pytest.raises(UnknownTask, match=r"pip install .*plugins"):
        registry.get("interpolate")


def test_one_distribution_may_not_claim_a_name_twice(install: Install) -> None:
    install("twice", "[invr.tasks]\nfaketwice = one:A\nfaketwice = two:B\n")
    with pytest.raises(AmbiguousTask, match=r"twice offers the task 'faketwice' 2 times"):
        registry.get("twice/faketwice")


def test_an_entry_that_is_no_reference_is_a_broken_task(install: Install) -> None:
    install("bad-dist", {"fakebroken": "not a reference"}, version="3.1")
    with pytest.raises(BrokenTask, match=r"'fakebroken' of bad-dist 3.1 \(not a reference\) cannot be imported"):
        registry.get("fakebroken")


def test_the_api_is_not_inherited_from_the_base_class(
    tasks: Path, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Task, "api", 1, raising=False)
    code = "from fake_tasks import *\nclass New(Task):\n    Config = NoOptions\n"
    install("new-dist", {"fakenew": "new_tasks:New"}, {"new_tasks": code})
    with pytest.raises(IncompatibleTask, match="does not state its api"):
        registry.get("fakenew")


def test_a_task_may_inherit_its_api_from_another_task(tasks: Path, install: Install) -> None:
    install(
        "new-dist", {"fakenew": "new_tasks:New"}, {"new_tasks": "from fake_tasks import *\nclass New(Slow): pass\n"}
    )
    assert registry.get("fakenew").__name__ == "New"


def test_walking_by_hand_finds_the_same(tasks: Path) -> None:
    assert {(e.name, e.value) for e in discovery._one_by_one("invr.tasks")} == {
        (offer.name, offer.value) for offer in registry.installed()
    }


def test_a_distribution_that_is_on_the_path_twice_counts_once(
    tasks: Path, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    for file in (tasks / "fake_tasks-1.0.dist-info").iterdir():
        target = copy / "Fake.Tasks-0.9.dist-info" / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.read_text().replace("Name: fake-tasks", "Name: Fake.Tasks"))
    monkeypatch.setattr(sys, "path", [*sys.path, str(copy)])
    assert [offer.distribution for offer in registry.installed() if offer.name == "fakeslow"] == ["fake-tasks"]
    install("stranger", "[invr.tasks]\nfoo\n")
    with pytest.warns(DiscoveryWarning):
        assert [offer.distribution for offer in registry.installed() if offer.name == "fakeslow"] == ["fake-tasks"]


def test_unreadable_metadata_hides_no_entry_point(tasks: Path) -> None:
    (tasks / "fake_tasks-1.0.dist-info" / "METADATA").unlink()
    assert "fakeslow" in [offer.name for offer in registry.installed()]


def test_models_are_found_by_the_same_door(install: Install) -> None:
    install("model-dist", {"fakemodel": "model_code:thing"}, {"model_code": "thing = 3"}, group="invr.models")
    assert "fakemodel" in models.names()
    assert "model_code" not in sys.modules
    with pytest.raises(InvrError, match=r"'fakemodel' of model-dist 1.0 \(model_code:thing\) is not a ModelConfig"):
        models.get("fakemodel")
    with pytest.raises(BadInput, match="Did you mean 'fakemodel'"):
        models.get("fakemodle")


def test_a_model_is_the_class_that_its_one_distribution_offers(install: Install) -> None:
    assert models.get("cwrnn").name == models.get("invr/cwrnn").name == "cwrnn"
    twins = "from invr_core.models.cwrnn import CWRNN\nclass Twin(CWRNN): name = 'faketwin'"
    places = {"fakebase": "model_base:ModelConfig", "fakesum": "model_base:sum"}
    for name in ("a", "b"):
        install(f"model-{name}", {"faketwin": f"model_{name}:Twin"}, {f"model_{name}": twins}, group="invr.models")
    code = {"model_base": "from invr_core.models.base import ModelConfig\ndef sum(): ..."}
    install("model-base", places, code, group="invr.models")
    assert models.get("model-a/faketwin").__module__ == "model_a"
    assert models.get("model-b/faketwin").__module__ == "model_b"
    with pytest.raises(BadInput, match=r"offered by 2 distributions; say which: 'model-a/faketwin' or 'model-b/fa"):
        models.get("faketwin")
    for name in places:
        with pytest.raises(InvrError, match=r"of model-base 1.0 \(model_base:\w+\) is not a ModelConfig but <"):
            models.get(name)


def test_a_model_that_leaves_while_it_is_imported_is_named(install: Install) -> None:
    code = {"model_exits": "raise SystemExit('no')"}
    install("model-exits", {"fakeexit": "model_exits:X"}, code, group="invr.models")
    with pytest.raises(InvrError, match=r"'fakeexit' of model-exits 1.0 .* cannot be imported: SystemExit: no"):
        models.get("fakeexit")


def test_hundreds_of_distributions_are_listed_in_order_without_importing_anything(
    tasks: Path, install: Install
) -> None:
    """A time says nothing on a busy machine; that nothing heavy is imported says that it cannot be slow."""
    for index in reversed(range(300)):
        install(f"many-{index:03}", {f"many{index:03}": "nowhere:Nothing"})
    code = (
        "import sys\n"
        "from invr_tasks.cli import main\n"
        "for command in ('models', '--help', 'run --help', 'new-task --help', '--version', 'tasks'):\n"
        "    assert main(command.split()) == 0, command\n"
        "heavy = {'torch', 'numpy', 'av', 'kornia', 'skimage', 'fake_tasks'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    environment = {"PYTHONPATH": f"{tasks}:{Path(__file__).resolve().parents[2]}"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    listed = done.stdout.rpartition("summary")[2].splitlines()
    names = [line.split()[0] for line in listed if line.startswith("many")]
    assert names == [f"many{index:03}" for index in range(300)]
    assert any(line.startswith("fakeslow ") and line.rstrip().endswith("Tasks [for] tests") for line in listed)
