"""Discovery as it is met: wheels, installed by pip into a fresh environment, and asked for by another process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("pip", reason="wheels are installed by pip")

ROOT = Path(__file__).resolve().parents[2]

TASK = '''
from dataclasses import dataclass
from invr_core.observation import Observation
from invr_core.query import Query
from invr_tasks.task import NoOptions, Source, Task


@dataclass(frozen=True)
class Options:
    """Options."""

    seed: int = 0
    """An option that `invr run` has itself."""


class Good(Task[NoOptions]):
    """Show a clip as it is."""

    api = 1
    Config = NoOptions

    def observe(self, source):
        return Observation(source.video)

    def plan(self, source):
        return Query(source.video.times)

    def simulate(self, truth, generator):
        return Source(truth)


class Newer(Good):
    api = 2


class Silent(Task[NoOptions]):
    Config = NoOptions


class Abstract(Task[NoOptions]):
    api = 1
    Config = NoOptions


class Loose(Good):
    Config = dict


class Clashing(Good):
    Config = Options


number = 3
'''

BROKEN = {
    "import-error": ("import not_installed_anywhere", "BrokenTask", "ModuleNotFoundError: .*not_installed_anywhere"),
    "missing-dependency": ("import imaginary_dep", "BrokenTask", "ModuleNotFoundError: .*imaginary_dep"),
    "exits": ("raise SystemExit('no')", "BrokenTask", "SystemExit: no"),
    "unfinished": ("1 +", "BrokenTask", "SyntaxError"),
    "not-there": (f"{TASK}\ndel Good", "BrokenTask", "AttributeError: .*Good"),
    "newer-api": (f"{TASK}\nGood = Newer", "IncompatibleTask", "written for api 2, this invr supports 1"),
    "wordy-api": (f"{TASK}\nclass Good(Good): api = '1'", "IncompatibleTask", "written for api '1'"),
    "no-api": (
        f"{TASK}\nGood = Silent",
        "IncompatibleTask",
        "does not state its api; write `api = 1` in the class Silent",
    ),
    "number": (f"{TASK}\nGood = number", "BrokenTask", "not a subclass of invr_tasks.task.Task but 3"),
    "task-itself": (f"{TASK}\nGood = Task", "BrokenTask", "not a subclass"),
    "abstract": (f"{TASK}\nGood = Abstract", "BrokenTask", "does not define observe, plan, simulate"),
    "loose": (f"{TASK}\nGood = Loose", "BrokenTask", "needs a dataclass as `Config`"),
}
"""Distribution -> its one module, the error, and what it says. The task is called as its distribution, with _."""

MODEL = """
from invr_core.models.cwrnn import CWRNN

class Model(CWRNN):
    name = "twin_model"
"""

BROKEN_MODELS = {
    "model-import-error": ("import not_installed_anywhere", "cannot be imported: ModuleNotFoundError"),
    "model-exits": ("raise SystemExit('no')", "cannot be imported: SystemExit: no"),
    "model-not-there": (f"{MODEL}\ndel Model", "cannot be imported: AttributeError"),
    "model-number": ("Model = 3", "is not a ModelConfig but 3"),
    "model-abstract": (
        "from invr_core.models.base import ModelConfig\nclass Model(ModelConfig): name = 'model_abstract'",
        "does not define build, solve",
    ),
    "model-no-recipe": (
        "from invr_core.models.base import ModelConfig\n"
        "class Model(ModelConfig):\n    name = 'model_no_recipe'\n    def build(self, g): ...\n"
        "    def solve(self, g): ...",
        "does not state its recipe",
    ),
}
"""Distribution -> its one module, and what is said of it. The model is called as its distribution, with _."""

STRANGERS = {
    "stranger-a": b"[invr.tasks]\nfoo\n",
    "stranger-b": b"[console_scripts]\n= a:b\nfoo",
    "stranger-c": b"[invr.tasks]\n\xff = a:b",
}
"""Unrelated distributions whose entry_points.txt cannot be read."""

ASK = """
import json, sys, warnings
from invr_core.models import registry as models
from invr_tasks import registry

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    listed = [[o.name, o.distribution, o.version, o.summary] for o in registry.installed()]
heavy = sorted({"torch", "numpy", "av", "good_dist", "twin_a"} & set(sys.modules))
found = {}
for kind, get in (("task", registry.get), ("model", models.get)):
    for name in json.loads(sys.argv[1])[kind]:
        try:
            thing = get(name)
        except Exception as error:
            found[name] = [type(error).__name__, str(error)]
        else:
            found[name] = ["", f"{thing.__module__}:{thing.__qualname__}"]
print(json.dumps({"listed": listed, "heavy": heavy, "warned": [str(w.message) for w in caught], "found": found}))
"""


def wheel(
    folder: Path,
    name: str,
    entries: dict[str, str] | bytes,
    code: str = "",
    group: str = "invr.tasks",
    needs: str = "",
) -> str:
    """A wheel of one module, named as the distribution; returns its path."""
    module = name.replace("-", "_")
    info = f"{module}-1.0.dist-info"
    if isinstance(entries, dict):
        entries = "\n".join([f"[{group}]", *(f"{key} = {value}" for key, value in entries.items()), ""]).encode()
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nSummary: The [one] of {name}\n"
    files = {
        f"{module}.py": code.encode(),
        f"{info}/METADATA": (metadata + (f"Requires-Dist: {needs}\n" if needs else "")).encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": entries,
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    path = folder / f"{module}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in {**files, f"{info}/RECORD": record.encode()}.items():
            archive.writestr(file, content)
    return str(path)


def pip(*arguments: str) -> None:
    quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", "--no-compile"]
    command = [sys.executable, "-m", "pip", arguments[0], *arguments[1:], *quiet]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class Environment:
    """A fresh virtual environment that sees what this one has, and nothing of this process.

    Args:
        folder: where it is made.
    """

    def __init__(self, folder: Path) -> None:
        venv.create(folder / "env", with_pip=False)
        self.python = str(folder / "env" / "bin" / "python")
        self.folder = folder
        (site,) = (folder / "env").glob("lib/python*/site-packages")
        ours = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        lines = [f"import site; site.addsitedir({path!r})\n" for path in ours]
        (site / "ours.pth").write_text("".join([*lines, f"{ROOT}\n"]))

    def install(self, *wheels: str) -> None:
        pip("--python", self.python, "install", *wheels)

    def run(self, code: str, *arguments: str, path: str = "") -> SimpleNamespace:
        environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
        command = [self.python, "-c", code, *arguments]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr)

    def invr(self, *arguments: str, path: str = "") -> SimpleNamespace:
        return self.run("from invr_tasks.cli import main; raise SystemExit(main())", *arguments, path=path)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """With good tasks, broken ones, and two distributions that claim the same names."""
    made = Environment(tmp_path_factory.mktemp("fresh"))
    wheels = made.folder / "wheels"
    wheels.mkdir()
    made.install(
        wheel(wheels, "good-dist", {"good": "good_dist:Good"}, TASK),
        wheel(wheels, "twin-a", {"twin": "twin_a:Good"}, TASK),
        wheel(wheels, "twin-b", {"twin": "twin_b:Good"}, TASK),
        wheel(wheels, "model-a", {"twin_model": "model_a:Model"}, MODEL, "invr.models"),
        wheel(wheels, "model-b", {"twin_model": "model_b:Model"}, MODEL, "invr.models"),
        wheel(wheels, "misnamed", {"other_name": "misnamed:Model"}, MODEL, "invr.models"),
        *(
            wheel(wheels, name, {(it := name.replace("-", "_")): f"{it}:Model"}, code, "invr.models")
            for name, (code, _) in BROKEN_MODELS.items()
        ),
        wheel(wheels, "clashing", {"clashing": "clashing:Clashing"}, TASK),
        *(
            wheel(
                wheels,
                name,
                {name.replace("-", "_"): f"{name.replace('-', '_')}:Good"},
                code,
                needs="imaginary-dep>=2" if name == "missing-dependency" else "",
            )
            for name, (code, _, _) in BROKEN.items()
        ),
    )
    (made.folder / "mytask.py").write_text(TASK)
    elsewhere = made.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "parted.py").write_text("from helper_of_parted import Good")
    (elsewhere / "helper_of_parted.py").write_text(TASK)
    return made


@pytest.fixture(scope="module")
def answers(environment: Environment) -> Mapping[str, Any]:
    """What one process there finds, for all the tests below."""
    tasks = ["good", "Good_Dist/good", "twin", "twin-a/twin", "twin-b/twin", "no-such"]
    tasks += ["./mytask.py:Good", "elsewhere/parted.py:Good"]
    names = {"task": tasks + [name.replace("-", "_") for name in BROKEN]}
    names["model"] = ["twin_model", "model-a/twin_model", "model-b/twin_model", "other_name"]
    names["model"] += [name.replace("-", "_") for name in BROKEN_MODELS]
    done = environment.run(ASK, json.dumps(names))
    assert done.code == 0, done.err
    return dict(json.loads(done.out))


def test_what_is_installed_is_listed_from_metadata_alone(answers: Mapping[str, Any]) -> None:
    assert ["good", "good-dist", "1.0", "The [one] of good-dist"] in answers["listed"]
    names = [name for name, *_ in answers["listed"]]
    assert names == sorted(names) and names.count("twin") == 2
    assert {name.replace("-", "_") for name in BROKEN} <= set(names)
    assert answers["heavy"] == [] and answers["warned"] == []


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("good", "good_dist"),
        ("Good_Dist/good", "good_dist"),
        ("twin-a/twin", "twin_a"),
        ("twin-b/twin", "twin_b"),
        ("./mytask.py:Good", "invr_task_file_mytask"),
        ("elsewhere/parted.py:Good", "helper_of_parted"),
    ],
)
def test_a_good_task_is_found_beside_all_the_broken_ones(answers: Mapping[str, Any], name: str, module: str) -> None:
    assert answers["found"][name] == ["", f"{module}:Good"]


def test_two_distributions_with_one_name_are_both_named_and_neither_is_picked(answers: Mapping[str, Any]) -> None:
    kind, message = answers["found"]["twin"]
    assert kind == "AmbiguousTask" and "'twin-a/twin' or 'twin-b/twin'" in message


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_task_is_named_with_its_distribution_and_cause(answers: Mapping[str, Any], name: str) -> None:
    _, error, cause = BROKEN[name]
    kind, message = answers["found"][name.replace("-", "_")]
    assert kind == error
    module = name.replace("-", "_")
    assert message.startswith(f"the task '{module}' of {name} 1.0 ({module}:Good) ")
    assert re.search(cause, message), message


def test_models_come_in_by_the_same_door(answers: Mapping[str, Any]) -> None:
    found = answers["found"]
    assert found["model-a/twin_model"] == ["", "model_a:Model"] and found["model-b/twin_model"] == ["", "model_b:Model"]
    kind, message = found["twin_model"]
    assert kind == "BadInput" and "'model-a/twin_model' or 'model-b/twin_model'" in message
    kind, message = found["other_name"]
    assert kind == "InvrError" and "misnamed 1.0" in message and "write `name = 'other_name'`" in message


@pytest.mark.parametrize("name", BROKEN_MODELS)
def test_a_broken_model_is_named_with_its_distribution_and_cause(answers: Mapping[str, Any], name: str) -> None:
    module = name.replace("-", "_")
    kind, message = answers["found"][module]
    assert kind == "InvrError"
    assert message.startswith(f"the model '{module}' of {name} 1.0 ({module}:Model) {BROKEN_MODELS[name][1]}"), message


def test_an_unrelated_distribution_that_is_malformed_hides_nothing(environment: Environment) -> None:
    folder = environment.folder / "strangers"
    wheels = [wheel(environment.folder / "wheels", name, {}) for name in STRANGERS]
    pip("install", "--target", str(folder), *wheels)
    for name, content in STRANGERS.items():  # pip itself refuses to install them like that
        (folder / f"{name.replace('-', '_')}-1.0.dist-info" / "entry_points.txt").write_bytes(content)
    raises = environment.run(
        "from importlib.metadata import entry_points; entry_points(group='invr.tasks')", path=str(folder)
    )
    assert raises.code == 1, "the standard library has learnt to guard itself"
    done = environment.invr("tasks", path=str(folder))
    assert done.code == 0 and re.search("^good +good-dist +1.0", done.out, re.MULTILINE)
    warned = done.err.splitlines()
    assert all(line.startswith("invr: warning: ") for line in warned)
    assert [name for name in STRANGERS for line in warned if f"'{name}'" in line] == list(STRANGERS)


def test_the_doctor_loads_each_one_guarded_and_says_how_to_mend_it(environment: Environment) -> None:
    done = environment.invr("doctor")
    lines = {" ".join(line.split()[:3]): line for line in done.out.splitlines()}
    assert done.code == 1
    for kind, names in (("task", BROKEN), ("model", BROKEN_MODELS)):
        for name in names:
            assert f"WRONG {kind} {name.replace('-', '_')}" in lines
    assert "ok task good" in lines and "ok model cwrnn" in lines and "WRONG model other_name" in lines
    assert "pip install 'imaginary-dep>=2'" in lines["WRONG task missing_dependency"]
    assert "pip uninstall import-error" in lines["WRONG task import_error"]
    assert "options that `invr run` has itself: --seed" in lines["WRONG task clashing"]
    assert "ask for twin-b/twin" in done.out and "ask for model-a/twin_model" in done.out
    assert done.out.splitlines()[-1].startswith(f"{len(BROKEN) + len(BROKEN_MODELS) + 2} wrong: ")


def test_a_task_runs_without_being_installed(environment: Environment, make_video: Callable[..., Any]) -> None:
    make_video(4, 16, 24).save(environment.folder / "in.mkv")
    wanted = ["--steps", "1", "--model", "hnerv", "--device", "cpu", "--quiet"]
    done = environment.invr("run", "./mytask.py:Good", "in.mkv", "out.mkv", *wanted)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert (environment.folder / "out.mkv").stat().st_size > 0
