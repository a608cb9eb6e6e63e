"""The guides are true: what they tell to write is written, what they tell to type is run, in their order.

A block ``python title="FILE"`` is a file. One with ``title="FILE, above: TEXT"`` goes into that file, above the first
line that begins with TEXT. Other ``python`` blocks are programs, and ``sh`` blocks are commands; where one fails, the
guide is wrong. Fits are cut short, and ``pip`` is a stand-in that needs no network.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
LEAST = {"batch": 3, "cluster": 2, "write_a_task": 10, "write_a_model": 3, "see": 2}
"""How many things there are to do in a guide, so that none is passed over unseen."""
FEW = (
    "import sys; from invr_core import Video; from invr_tasks.demo_clip import demo_clip_path; "
    "Video.open(demo_clip_path())[:5].save(sys.argv[1])"
)
"""What copies a part of the clip that ships."""
PIP = Path(__file__).with_name("fake_pip.py")


@dataclass
class Reader:
    """Somebody who does what a guide says.

    Args:
        home: the folder to begin in.
        scripts: first in the search path for programs.
        modules: first in the search path for modules: what is "installed".
        shortened: what is done to each text before it is followed.
        said: what each command has printed.
    """

    home: Path
    scripts: Path
    modules: str
    shortened: Callable[[str], str]
    said: list[str] = field(default_factory=list)

    @classmethod
    def at(cls, folder: Path) -> Reader:
        """One who begins in an empty folder."""
        site = folder / "site"
        reader = cls(folder / "home", folder / "scripts", f"{site}:{ROOT}", shortened)
        for made in (reader.home, reader.scripts, site):
            made.mkdir()
        installed = Path(sys.executable).parent
        programs = {name: f'"{installed / name}"' for name in ("python", "pytest", "invr")}
        programs["pip"] = f'"{sys.executable}" "{PIP}" "{site}"'
        for name, program in programs.items():
            (reader.scripts / name).write_text(f'#!/bin/sh\nexec {program} "$@"\n', encoding="utf-8")
            (reader.scripts / name).chmod(0o755)
        return reader

    def follow(self, text: str, name: str) -> list[str]:
        """Do it all; what was done, block by block."""
        done = []
        for token in MarkdownIt().parse(text):
            block = re.fullmatch(r'(python|sh)(?: title="(.+)")?', token.info.strip())
            if token.type != "fence" or token.map is None or block is None:
                continue
            language, title = block.groups()
            place, code = f"{name}, line {token.map[0] + 1}", self.shortened(token.content)
            if title:
                self.write(title, code)
            elif language == "python":
                self.run(["python", "-c", code], place)
            else:
                self.run(["bash", "-euc", f'{code}\npwd > "$LEFT_IN"'], place)
                self.home = Path((self.scripts / "left_in").read_text(encoding="utf-8").strip())
            done.append(f"{language}: {title or token.content.splitlines()[0]}")
        return done

    def write(self, title: str, content: str) -> None:
        """A file, or lines into one."""
        name, _, mark = title.partition(", above: ")
        file = self.home / name
        if mark:
            before, found, after = file.read_text(encoding="utf-8").partition(f"\n{mark}")
            assert found, f"{name} has no line that begins with {mark!r}"
            content = f"{before}\n{content}{mark}{after}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")

    def run(self, command: list[str], place: str) -> None:
        """A command, which must succeed."""
        environment = {
            **os.environ,
            "PATH": f"{self.scripts}:{os.environ['PATH']}",
            "PYTHONPATH": self.modules,
            "OMP_NUM_THREADS": "1",
            "LEFT_IN": str(self.scripts / "left_in"),
        }
        done = subprocess.run(command, cwd=self.home, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{place}: {command[-1]}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        self.said.append(done.stdout)


def shortened(text: str) -> str:
    """The same with fits of few steps on a few frames of the clip that ships; of tests that `invr new-…` has just made
    it is only seen that they are found: they run elsewhere.
    """
    if "invr new-" in text:
        text = re.sub(r"^pytest$", "pytest --collect-only", text, flags=re.MULTILINE)
    text = re.sub(r"^cp .*demo_clip_path.* (\S+)$", rf"python -c '{FEW}' \1", text, flags=re.MULTILINE)
    return re.sub(r"\b(minutes|steps)=[\d.]+", "steps=3", re.sub(r"--(minutes|steps) [\d.]+", "--steps 3", text))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_a_reader_who_does_what_a_guide_says_gets_there(guide: Path, tmp_path: Path) -> None:
    done = Reader.at(tmp_path).follow(guide.read_text(encoding="utf-8"), str(guide.relative_to(ROOT)))
    assert len(done) >= LEAST.get(guide.stem, 0), done


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\n```sh\nfalse\n```\n", "wrong.md, line 2: false"),
        ("```python\nassert 1 == 2\n```\n", "AssertionError"),
        (
            '```python title="a.py"\nx = 1\n```\n\n```python title="a.py, above: y ="\nz = 1\n```\n',
            "no line that begins",
        ),
    ],
)
def test_a_guide_that_is_wrong_is_found_out(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(AssertionError, match=reason):
        Reader.at(tmp_path).follow(text, "wrong.md")


def test_each_hook_has_a_picture_of_today(tmp_path: Path) -> None:
    folder = ROOT / "docs" / "pictures"
    subprocess.run([sys.executable, str(folder / "hooks.py"), str(tmp_path)], check=True)
    drawn = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.svg")}
    assert drawn == {path.name: path.read_text(encoding="utf-8") for path in folder.glob("hook_*.svg")}
    guide = (ROOT / "docs" / "guides" / "write_a_task.md").read_text(encoding="utf-8")
    assert [name for name in drawn if f"(../pictures/{name})" not in guide] == []


def test_the_page_of_the_model_shows_its_picture_of_today(tmp_path: Path) -> None:
    folder = ROOT / "docs" / "pictures"
    subprocess.run([sys.executable, str(folder / "model.py"), str(tmp_path)], check=True)
    assert (tmp_path / "model.svg").read_text(encoding="utf-8") == (folder / "model.svg").read_text(encoding="utf-8")
    assert "](pictures/model.svg)" in (ROOT / "docs" / "model.md").read_text(encoding="utf-8")


def test_the_guide_to_settings_shows_what_a_fit_is_refused_by() -> None:
    command = [sys.executable, str(ROOT / "docs" / "benchmarks" / "needed.py")]
    table = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert table.strip() in (ROOT / "docs" / "guides" / "choosing_settings.md").read_text(encoding="utf-8")


def test_the_guide_to_settings_invents_no_figure() -> None:
    guide = (ROOT / "docs" / "guides" / "choosing_settings.md").read_text(encoding="utf-8")
    measured = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "benchmarks").glob("*.md"))
    figures = re.findall(r"[\d.,]*\d(?= (?:dB|s|seconds|MiB|KiB|MB|GB)\b)", guide)
    assert figures
    assert [figure for figure in figures if not re.search(rf"(?<![\d.]){re.escape(figure)}(?!\d)", measured)] == []
