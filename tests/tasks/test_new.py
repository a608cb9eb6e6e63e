"""`invr new-task` and `invr new-model`: what they write works as it stands, and nothing is written by halves."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from invr_core import discovery
from invr_core.errors import BadInput, BadOutput
from invr_core.io import open_video
from invr_core.models import registry as models
from invr_core.storage import load
from invr_core.testing import check_representation
from invr_core.video import Video
from invr_tasks import registry, scaffold
from invr_tasks.demo_clip import demo_clip_path
from invr_tasks.scaffold import Kind, new_plugin
from invr_tasks.testing import check_task

Install = Callable[..., Path]
KINDS: tuple[Kind, ...] = ("task", "model")


def files(folder: Path) -> dict[str, str]:
    """Path within a folder -> text."""
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


# ------------------------------------------------------------------ what is written
def test_it_is_a_whole_distribution_in_the_names_that_were_asked_for(kind: Kind, tmp_path: Path) -> None:
    folder = new_plugin(kind, "ripple_out", tmp_path)
    assert folder == tmp_path / "invr-ripple-out"
    written = files(folder)
    assert set(written) == {
        "README.md",
        "pyproject.toml",
        "src/invr_ripple_out/__init__.py",
        "src/invr_ripple_out/py.typed",
        "tests/test_ripple_out.py",
    }
    for name, text in written.items():
        assert not re.search(r"new[-_]?(task|model)", text, re.IGNORECASE), f"a placeholder is left in {name}"
    project = tomllib.loads(written["pyproject.toml"])["project"]
    assert project["name"] == "invr-ripple-out"
    assert project["entry-points"] == {f"invr.{kind}s": {"ripple_out": "invr_ripple_out:RippleOut"}}
    classes = [
        node.name for node in ast.parse(written["src/invr_ripple_out/__init__.py"]).body if hasattr(node, "name")
    ]
    assert {"RippleOut"} <= set(classes) and all(name.startswith("RippleOut") for name in classes)


def test_it_asks_for_the_invr_that_wrote_it(kind: Kind, tmp_path: Path) -> None:
    project = tomllib.loads((new_plugin(kind, "ripple", tmp_path) / "pyproject.toml").read_text())["project"]
    (needed,) = map(Requirement, project["dependencies"])
    assert needed.name == "invr" and needed.specifier.contains(version("invr"))


@pytest.fixture
def made(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A new plugin ``ripple``, as an editable installation would have it: source and metadata on the path."""
    folder = new_plugin(kind, "ripple", tmp_path)
    info = folder / "src" / "invr_ripple-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: invr-ripple\nVersion: 0.1.0\nSummary: made just now\n")
    (info / "entry_points.txt").write_text(f"[invr.{kind}s]\nripple = invr_ripple:Ripple\n")
    monkeypatch.syspath_prepend(str(folder / "src"))
    yield folder
    sys.modules.pop("invr_ripple", None)


def test_installed_it_is_listed_and_works(invr: Any, kind: Kind, made: Path, make_video: Callable[..., Video]) -> None:
    """Its own tests, of which this is a part, are run by CI on one that is built and installed."""
    summary = "made just now" if kind == "task" else "A clip as a grid of features in time and space"
    assert re.search(rf"^ripple +invr-ripple +0\.1\.0 +{summary}", invr(f"{kind}s")[1], re.MULTILINE)
    make_video(4, 24, 32, smooth=True).save("in.mkv")
    options = ["--steps", "2", "--device", "cpu", "--quiet"]
    if kind == "task":
        check_task(registry.get("ripple")())
        assert invr("run", "ripple", "in.mkv", "out.mkv", "--sigma", "1.5", "--model", "hnerv", *options) == (0, "", "")
        assert (len(open_video("out.mkv")), open_video("out.mkv").size) == (4, (24, 32))
    else:
        assert invr("fit", "in.mkv", "out.invr", "--model", "ripple", *options) == (0, "", "")
        check_representation(load("out.invr"))


def test_the_help_of_the_task_shows_its_options_and_what_it_refuses(invr: Any) -> None:
    task = f"{new_plugin('task', 'ripple')}/src/invr_ripple/__init__.py:Ripple"
    text = " ".join(invr("run", task, "--help")[1].replace("│", " ").split())
    assert "--sigma FLOAT Standard deviation of the lens's blur, in pixels, from 0.3 to 5. (default: 1.0)" in text
    assert (
        invr.refuses("run", task, "a", "b", "--sigma", "9") == "--sigma 9.0: sigma must be from 0.3 to 5 pixels, got 9"
    )


def test_the_three_next_commands_are_told(
    invr: Any, monkeypatch: pytest.MonkeyPatch, kind: Kind, tmp_path: Path
) -> None:
    folder = "./where to/invr-ripple"
    code, out, err = invr(f"new-{kind}", "ripple", "--dir", "where to")
    assert (code, err) == (0, "")
    said = [line.strip() for line in out.splitlines()]
    assert said[0].startswith("wrote where to/invr-ripple: ") and said[1] == ""
    use = {
        "task": f"invr run ripple {demo_clip_path()} ripple.mp4 --steps 50",
        "model": f"invr fit {demo_clip_path()} ripple.invr --model ripple --steps 200",
    }
    assert said[2:] == [f"pip install -e '{folder}[test]'", f"pytest '{folder}'", use[kind]]
    assert Path("where to/invr-ripple/pyproject.toml").is_file()


def test_what_is_left_beside_a_template_is_not_copied(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = tmp_path / "templates" / kind
    for name in ("src/kept.py", "src/__pycache__/kept.pyc", ".pytest_cache/README.md", ".DS_Store"):
        (template / name).parent.mkdir(parents=True, exist_ok=True)
        (template / name).write_text("")
    monkeypatch.setattr(scaffold, "TEMPLATES", template.parent)
    assert list(files(new_plugin(kind, "ripple", tmp_path))) == ["src/kept.py"]


# ------------------------------------------------------------------ what is refused
@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Ripple", "such as 'ripple'"),
        ("slow-motion", "such as 'slow_motion'"),
        ("slow motion", "such as 'slow_motion'"),
        ("2x", "such as 'x'"),
        ("_x", "such as 'x'"),
        ("x_", "such as 'x'"),
        ("a__b", "such as 'a_b'"),
        ("../up", "such as 'up'"),
        ("a/b", "such as 'a_b'"),
        ("x\n", "such as 'x'"),
        ("class", "no word of the language"),
        ("", "a Python name"),
        ("é", "a Python name"),
        ("a" * 41, f"such as '{'a' * 40}'"),
    ],
)
def test_a_name_that_cannot_be_is_refused(kind: Kind, tmp_path: Path, name: str, hint: str) -> None:
    with pytest.raises(BadInput, match="cannot be the name of a plugin") as refused:
        new_plugin(kind, name, tmp_path)
    assert hint in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken_is_refused(kind: Kind, install: Install, tmp_path: Path) -> None:
    install("a-rival", {"ripple": "nowhere:Thing"}, group=f"invr.{kind}s")
    with pytest.raises(BadInput, match=f"the {kind} 'ripple' is installed already, from a-rival"):
        new_plugin(kind, "ripple", tmp_path)


def test_a_package_or_a_distribution_that_is_there_is_not_hidden(kind: Kind, install: Install, tmp_path: Path) -> None:
    install("some-dist", {}, {"invr_there": ""})
    install("invr-named", {})
    for name in ("core", "tasks", "there", "named"):
        with pytest.raises(BadInput, match=f"invr-{name} .* is installed already"):
            new_plugin(kind, name, tmp_path)


@pytest.mark.parametrize(
    ("kind", "name", "title"),
    [("task", "video", "Video"), ("model", "network", "Network"), ("task", "warning", "Warning")],
)
def test_a_class_that_would_hide_another_is_refused(tmp_path: Path, kind: Kind, name: str, title: str) -> None:
    with pytest.raises(BadInput, match=f"would be {title}, .* such as '{name}_{kind}'"):
        new_plugin(kind, name, tmp_path)
    assert new_plugin(kind, f"{name}_{kind}", tmp_path).is_dir()


def test_what_exists_stays_as_it_is(kind: Kind, tmp_path: Path) -> None:
    mine = tmp_path / "invr-ripple"
    mine.mkdir()
    with pytest.raises(BadOutput, match="exists; nothing was written"):
        new_plugin(kind, "ripple", tmp_path)
    assert list(tmp_path.rglob("*")) == [mine]
    (tmp_path / "file").write_text("precious")
    with pytest.raises(BadOutput, match="cannot be written"):
        new_plugin(kind, "ripple", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "precious"


def test_a_failure_on_the_way_leaves_nothing(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, written = Path.write_text, []

    def full(path: Path, *arguments: Any, **options: Any) -> int:
        written.append(path)
        if len(written) == 3:
            raise OSError(28, "No space left on device")
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(BadOutput, match="No space left on device"):
        new_plugin(kind, "ripple", tmp_path)
    assert len(written) == 3 and list(tmp_path.iterdir()) == []


def test_the_command_refuses_in_one_line(invr: Any, kind: Kind) -> None:
    assert "cannot be the name of a plugin" in invr.refuses(f"new-{kind}", "Ripple")
    assert "missing: NAME" in invr.refuses(f"new-{kind}")
    taken = {"task": "fakeslow", "model": "hnerv"}[kind]
    assert f"the {kind} '{taken}' is installed already" in invr.refuses(f"new-{kind}", taken)
    assert list(Path().iterdir()) == []
    assert invr(f"new-{kind}", "--help")[1].startswith(f"usage: invr new-{kind}")


def test_both_registries_are_told_apart(install: Install, tmp_path: Path) -> None:
    install("a-rival", {"ripple": "nowhere:Thing"}, group="invr.models")
    assert "ripple" in [offer.name for offer in discovery.discover(models.GROUP)]
    assert new_plugin("task", "ripple", tmp_path).is_dir()
