"""Every public name with its signature, as kept in `api_surface.txt`: none goes, comes or changes unannounced.

Public is what the reference documents: the modules named by ``::: module`` in ``docs/reference``, and in them what
``__all__`` lists, or else every name without an underscore that is not imported. Sources are read and not imported, so
the text is the same on every Python.

To accept a change: ``python tests/architecture/test_api_surface.py``, then look at the difference, and say it in the
changelog. What may change in which release is in ``docs/guides/versions.md``.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import griffe
import pytest

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = Path(__file__).with_name("api_surface.txt")
UPDATE = f"python {Path(__file__).resolve().relative_to(ROOT)}"
SOURCES = [ROOT, *sorted(ROOT.glob("plugins/*/src"))]
INTERNAL_METHODS = {"__post_init__", "__init_subclass__", "__repr__"}


def documented() -> list[str]:
    """The modules that the reference names, and `invr_core`, whose names are shortcuts to them."""
    pages = sorted((ROOT / "docs" / "reference").glob("*.md"))
    named = [name for page in pages for name in re.findall(r"^::: (\S+)", page.read_text(encoding="utf-8"), re.M)]
    return sorted({"invr_core", *named})


def surface(modules: list[str], sources: list[Path] = SOURCES) -> list[str]:
    """One line for each public name of these modules, sorted within a module in the order of its names."""
    loader = griffe.GriffeLoader(search_paths=sources)
    for package in sorted({module.split(".")[0] for module in modules}):
        loader.load(package)
    return [line for name in modules for line in _of_module(loader.modules_collection[name])]


def _of_module(module: griffe.Module) -> Iterator[str]:
    yield f"{module.path}"
    for name in sorted(module.members):
        member = module.members[name]
        if module.exports is None:
            public = not (name.startswith("_") or member.is_alias or member.is_module)
        else:
            public = name in {str(export) for export in module.exports}
        if public:
            yield from _of_member(module, name, "    ")


def _of_member(owner: griffe.Module | griffe.Class, name: str, indent: str) -> Iterator[str]:
    found = owner.members[name]
    member = found.final_target if isinstance(found, griffe.Alias) else found
    if isinstance(found, griffe.Alias) and member.module.path in documented():
        yield f"{indent}{name} = {member.path}"
    elif isinstance(member, griffe.Class):
        bases = ", ".join(map(str, member.bases))
        yield f"{indent}class {name}" + (f"({bases})" if bases else "")
        for inner in sorted(member.members):
            special = inner.startswith("__") and inner not in INTERNAL_METHODS and member.members[inner].is_function
            if special or not inner.startswith("_"):
                yield from _of_member(member, inner, indent + "    ")
    elif isinstance(member, griffe.Function):
        labels = "".join(f"{label} " for label in sorted(member.labels & {"classmethod", "staticmethod"}))
        yield f"{indent}{labels}def {name}({_parameters(member)}) -> {member.returns}"
    elif isinstance(member, griffe.Attribute):
        yield f"{indent}{_attribute(owner, name, member)}"


def _parameters(function: griffe.Function) -> str:
    """As in the source, with ``/`` and ``*`` where they stand."""
    shown: list[str] = []
    before: griffe.ParameterKind | None = None
    for parameter in function.parameters:
        kind = parameter.kind
        if before is griffe.ParameterKind.positional_only and kind is not before:
            shown.append("/")
        after_star = before in (griffe.ParameterKind.keyword_only, griffe.ParameterKind.var_positional)
        if kind is griffe.ParameterKind.keyword_only and not after_star:
            shown.append("*")
        shown.append(_parameter(parameter))
        before = kind
    return ", ".join([*shown, "/"] if before is griffe.ParameterKind.positional_only else shown)


def _parameter(parameter: griffe.Parameter) -> str:
    stars = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}
    variadic = parameter.kind in stars
    annotation = "" if parameter.annotation is None else f": {parameter.annotation}"
    default = "" if parameter.default is None or variadic else f" = {parameter.default}"
    return f"{stars.get(parameter.kind, '')}{parameter.name}{annotation}{default}"


def _attribute(owner: griffe.Module | griffe.Class, name: str, attribute: griffe.Attribute) -> str:
    """A field with its default. A constant of a module, and what a class sets on itself, may change their values."""
    if "property" in attribute.labels:
        return f"property {name} -> {attribute.annotation}"
    annotation = "" if attribute.annotation is None else f": {attribute.annotation}"
    free = name.isupper() if owner.is_module else "class-attribute" not in attribute.labels
    return f"{name}{annotation}" + ("" if attribute.value is None or free else f" = {attribute.value}")


def test_the_surface_is_what_was_announced() -> None:
    found, kept = surface(documented()), SNAPSHOT.read_text(encoding="utf-8").splitlines()
    difference = "\n".join(difflib.unified_diff(kept, found, "announced", "found", lineterm="", n=0))
    assert not difference, (
        f"the public interface changed; if that is meant: {UPDATE}, and a line in CHANGELOG.md\n{difference}"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("def f(a: int, *, b: str = 'x') -> int: ...", "def f(a: int, b: str = 'x') -> int: ..."),
        ("def f(a: int = 1) -> int: ...", "def f(a: int = 2) -> int: ..."),
        ("def f(a: int) -> int: ...", "def f(a: int) -> int | None: ..."),
        ("def f(a, /): ...", "def f(a): ..."),
        ("def f(*a): ...", "def f(**a): ..."),
        ("class C:\n    x: int = 1", "class C:\n    x: int = 2"),
        ("class C:\n    x: int = 1", "class C:\n    y: int = 1"),
        ("class C:\n    def m(self): ...", "class C:\n    @classmethod\n    def m(self): ..."),
        ("class C:\n    def m(self): ...", "class C:\n    @property\n    def m(self): ..."),
        ("class C:\n    def __call__(self): ...", "class C: ..."),
        ("class C(ValueError): ...", "class C(TypeError): ..."),
        ("Alias = int", "Alias = str"),
        ("NUMBER = 1", "OTHER = 1"),
        ("__all__ = ['f', 'g']\ndef f(): ...\ndef g(): ...", "__all__ = ['f']\ndef f(): ...\ndef g(): ..."),
        ("def f(a, *rest, b): ...", "def f(a, rest, *, b): ..."),
    ],
)
def test_a_change_is_seen(tmp_path: Path, before: str, after: str) -> None:
    lines = []
    for number, source in enumerate((before, after)):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "some_module.py").write_text(source, encoding="utf-8")
        lines.append(surface(["some_module"], [tmp_path / str(number)]))
    assert lines[0] != lines[1]


def test_the_overview_of_the_reference_lists_each_module() -> None:
    overview = (ROOT / "docs" / "reference" / "index.md").read_text(encoding="utf-8")
    assert [name for name in documented() if f"`{name}`" not in overview] == []


def test_what_is_private_or_imported_is_no_surface(tmp_path: Path) -> None:
    source = (
        "from json import dumps\nimport os\n_a = 1\ndef _f(): ...\nclass C:\n    _x: int = 1\n    def _m(self): ...\n"
    )
    (tmp_path / "some_module.py").write_text(source, encoding="utf-8")
    assert surface(["some_module"], [tmp_path]) == ["some_module", "    class C"]


def test_each_shortcut_of_invr_core_leads_to_a_documented_module() -> None:
    import invr_core

    homes = {getattr(invr_core, name).__module__ for name in invr_core.__all__}
    assert homes - set(documented()) == set()


@pytest.mark.parametrize("where", ["plugins/*/src/**/*.py", "examples/**/*.py", "docs/guides/*.md", "README.md"])
def test_what_we_show_to_others_imports_documented_modules_only(where: str) -> None:
    files = list(ROOT.glob(where))
    assert files
    for file in files:
        text = file.read_text(encoding="utf-8")
        blocks = [text] if file.suffix == ".py" else re.findall(r"^```python[^\n]*\n(.*?)^```$", text, re.M | re.S)
        trees = [ast.parse(dedent(block)) for block in blocks]
        used = {name for tree in trees for node in ast.walk(tree) for name in _imported(node)}
        assert used - set(documented()) == set(), f"{file.relative_to(ROOT)} imports what the reference does not have"


def _imported(node: ast.AST) -> Iterator[str]:
    """The modules of ours that an import names."""
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        below = [f"{node.module}.{alias.name}" for alias in node.names]
        submodules = [
            name
            for name in below
            if any((source / Path(*name.split("."))).with_suffix(".py").is_file() for source in SOURCES)
        ]
        names = submodules or [node.module]
    yield from (name for name in names if name.split(".")[0] in ("invr_core", "invr_tasks"))


if __name__ == "__main__":
    SNAPSHOT.write_text("\n".join(surface(documented())) + "\n", encoding="utf-8")
    print(f"written: {SNAPSHOT.relative_to(ROOT)}; now `git diff` it, and say the change in CHANGELOG.md")
