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


def test_never_picks_between_two_distributions(tasks: Path, install: Install) -> None:
    install("a-rival", {"fakeslow": "rival_tasks:Slow"}, {"rival_tasks": (tasks / "fake_tasks.py").read_text()})
    with pytest.raises(AmbiguousTask, match=r"'a-rival/fakeslow' or 'fake-tasks/fakeslow'"):
        registry.get("fakeslow")
    assert registry.get("a-rival/fakeslow").__module__ == "rival_tasks"
    assert registry.get("fake-tasks/fakeslow").__module__ == "fake_tasks"
    assert registry.get("fakefill").__name__ == "Fill"


def test_one_distribution_may_not_claim_a_name_twice(install: Install) -> None:
    install("twice", "[invr.tasks]\nfaketwice = one:A\nfaketwice = two:B\n")
    with pytest.raises(AmbiguousTask, match=r"twice offers the task 'faketwice' 2 times"):
        registry.get("twice/faketwice")


@pytest.mark.parametrize(
    ("value", "code", "cause"),
    [
        ("broken_tasks:Task", "import not_installed_anywhere", "ModuleNotFoundError: .*not_installed_anywhere"),
        ("broken_tasks:Task", "raise SystemExit('no')", "SystemExit: no"),
        ("broken_tasks:Task", "1 +", "SyntaxError"),
        ("broken_tasks:Missing", "", "AttributeError: .*Missing"),
        ("broken_tasks:thing", "thing = 3", "not a subclass of invr_tasks.task.Task but 3"),
        ("broken_tasks:Task", "from invr_tasks.task import Task", "not a subclass"),
        ("not a reference", "", "AttributeError|cannot be imported"),
    ],
)
def test_a_broken_task_is_named_with_its_cause(install: Install, value: str, code: str, cause: str) -> None:
    install("bad-dist", {"fakebroken": value}, {"broken_tasks": code}, version="3.1")
    with pytest.raises(BrokenTask, match=rf"'fakebroken' of bad-dist 3.1 \({value}\) .*({cause})"):
        registry.get("fakebroken")


def test_a_broken_task_leaves_the_others_working(tasks: Path, install: Install) -> None:
    install("bad-dist", {"fakebroken": "broken_tasks:Task"}, {"broken_tasks": "raise RuntimeError('no')"})
    assert registry.get("fakeslow").__name__ == "Slow"


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ("class New(Slow):\n    api = 2", IncompatibleTask, "written for api 2, this invr supports 1"),
        ("class New(Slow):\n    api = '1'", IncompatibleTask, "written for api '1'"),
        ("class New(Task):\n    pass", IncompatibleTask, "does not state its api"),
        (
            "class New(Task):\n    api = 1\n    Config = NoOptions",
            BrokenTask,
            "does not define observe, plan, simulate",
        ),
        ("class New(Slow):\n    Config = dict", BrokenTask, "needs a dataclass as `Config`"),
    ],
)
def test_an_unusable_task_says_why(
    tasks: Path, install: Install, body: str, error: type[InvrError], message: str
) -> None:
    code = f"from fake_tasks import *\n{body}\n"
    install("new-dist", {"fakenew": "new_tasks:New"}, {"new_tasks": code})
    with pytest.raises(error, match=message):
        registry.get("fakenew")


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


@pytest.mark.parametrize(
    "entries", ["[invr.tasks]\nfoo\n", "[console_scripts]\n= a:b\nfoo", b"[invr.tasks]\n\xff = a:b"]
)
def test_a_stranger_with_malformed_entry_points_is_named_and_hides_nothing(
    tasks: Path, install: Install, entries: str | bytes
) -> None:
    site = install("stranger")
    content = entries.encode() if isinstance(entries, str) else entries
    (site / "stranger-1.0.dist-info" / "entry_points.txt").write_bytes(content)
    with pytest.raises((TypeError, UnicodeDecodeError)):  # if not, the standard library has learnt to guard itself
        discovery.entry_points(group="invr.tasks")
    with pytest.warns(DiscoveryWarning, match="'stranger'"):
        names = [offer.name for offer in registry.installed()]
    assert {"fakeslow", "fakefill"} <= set(names)


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


def test_hundreds_of_distributions_are_listed_in_order(install: Install) -> None:
    for index in reversed(range(300)):
        install(f"many-{index:03}", {f"many{index:03}": "nowhere:Nothing"})
    names = [offer.name for offer in registry.installed() if offer.name.startswith("many")]
    assert names == [f"many{index:03}" for index in range(300)]


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


def test_listing_imports_no_torch(tasks: Path) -> None:
    """A warm start of a second says nothing; that torch is not there says that it cannot be slow."""
    code = (
        "import sys\n"
        "from invr_tasks.cli import main\n"
        "for command in (['tasks'], ['models'], ['--help'], ['run', '--help'], ['--version']):\n"
        "    assert main(command) == 0, command\n"
        "heavy = {'torch', 'numpy', 'av', 'kornia', 'skimage', 'fake_tasks'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    root = Path(__file__).resolve().parents[2]
    path = [str(tasks), str(root)]
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": ":".join(path)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "fakeslow" in done.stdout
    assert "Tasks [for] tests" in done.stdout
