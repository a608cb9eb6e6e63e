"""The examples run and leave what they say; the code that the README shows is code that runs."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from invr_core import Query, Video, load
from invr_tasks import registry
from invr_tasks.operators import downscale

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("[0-9]*.py"))
PLUGINS = sorted((ROOT / "plugins").glob("*/README.md"))
OUTSIDERS = sorted((ROOT / "examples" / "plugins").glob("*/src/*/__init__.py"))
LEFT = {
    "01_fit_and_query": {
        "at_100_fps.mp4": (45, 160, 320),
        "closer": (1, 160, 320),
        "residual.mp4": (12, 160, 320),
        "structured.mp4": (12, 160, 320),
    },
    "02_slow_motion": {"given.mp4": (5, 160, 320), "slow.mp4": (33, 160, 320)},
    "03_remove_a_logo": {"clean.mp4": (8, 160, 320), "given.mp4": (8, 160, 320), "logo.png": (1, 160, 320)},
    "04_denoise": {"clean.mp4": (8, 160, 320), "given.mp4": (8, 160, 320)},
    "05_enlarge": {"given.mp4": (8, 80, 160), "large.mp4": (8, 160, 320)},
    "06_write_your_own_task": {"upright.mp4": (12, 80, 160)},
    "07_any_operator": {"found.mp4": (8, 160, 320), "given.mp4": (8, 160, 320)},
}
"""What each example leaves: name -> (frames, height, width)."""
BETTER = {
    "02_slow_motion": r"held back: ([\d.]+) dB; blending the neighbours: ([\d.]+) dB",
    "03_remove_a_logo": r"under the logo: ([\d.]+) dB; .* instead: ([\d.]+) dB",
    "04_denoise": r"clean: ([\d.]+) dB.* noisy: ([\d.]+) dB",
    "05_enlarge": r"the truth: ([\d.]+) dB; bicubic: ([\d.]+) dB",
    "06_write_your_own_task": r"undone: ([\d.]+) dB; as given: ([\d.]+) dB",
    "07_any_operator": r"noise: ([\d.]+) dB; as given: ([\d.]+) dB",
}
"""What each example says: ours, then the naive answer, which is worse even if the fit has had a few steps only."""
BLOCKS = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)


def run(script: Path, *arguments: str, cwd: Path) -> str:
    """Run a script in a folder; what it prints. One thread, so that tests that run beside each other do not wait."""
    code = f"import runpy, sys, torch; torch.set_num_threads(1); sys.argv = {[str(script), *arguments]!r}; "
    code += f"runpy.run_path({str(script)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_example_is_listed() -> None:
    assert [example.stem for example in EXAMPLES] == sorted(LEFT)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short(example: Path) -> None:
    assert len(example.read_text(encoding="utf-8").splitlines()) < 60


@pytest.mark.parametrize("plugin", OUTSIDERS, ids=lambda path: path.parent.name)
def test_a_strangers_task_is_at_most_a_hundred_lines(plugin: Path) -> None:
    """All that its distribution holds of code, blank lines too."""
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in plugin.parent.parent.rglob("*.py")) <= 100


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_leaves_what_can_be_read(example: Path, tmp_path: Path) -> None:
    said = run(example, "--out", "out", "--steps", "3", cwd=tmp_path)
    found = re.search(BETTER.get(example.stem, r"(\d\d\.\d) dB()"), said)
    assert found, said
    ours, naive = found.groups()
    assert float(ours) > float(naive or 20), said
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    videos = {path.name: Video.open(path) for path in (tmp_path / "out").iterdir() if path.suffix != ".invr"}
    assert {name: (len(video), *video.size) for name, video in videos.items()} == LEFT[example.stem]
    for path in (tmp_path / "out").glob("*.invr"):
        rep = load(path)
        assert rep(Query(torch.tensor(rep.span, dtype=torch.float64))).isfinite().all()


def test_the_operator_of_deepinv_does_as_well_as_that_of_kornia(tmp_path: Path) -> None:
    if find_spec("deepinv") is None:
        pytest.skip("DEEPINV IS NOT TESTED: it is not installed here (pip install -c constraints.txt -e '.[interop]')")
    (example,) = (path for path in EXAMPLES if path.stem == "07_any_operator")
    said = run(example, "--library", "deepinv", "--out", "out", "--steps", "3", cwd=tmp_path)
    found = re.search(BETTER[example.stem], said)
    assert found and float(found[1]) > float(found[2]), said


def test_an_example_defaults_to_a_folder_that_git_ignores() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "invr-examples/" in ignored
    for example in EXAMPLES:
        assert f'Path("invr-examples/{example.stem}")' in example.read_text(encoding="utf-8")


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    code = BLOCKS[0]
    assert "minutes=1" in code
    (tmp_path / "readme.py").write_text(code.replace("minutes=1", "steps=2"), encoding="utf-8")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    run(tmp_path / "readme.py", cwd=tmp_path)
    smooth, structured = Video.open(tmp_path / "smooth.mp4"), Video.open(tmp_path / "structured.mp4")
    assert (len(smooth), smooth.size, round(smooth.fps)) == (37, (160, 320), 60)
    assert (len(structured), structured.size, round(structured.fps)) == (31, (320, 640), 50)
    assert load(tmp_path / "bunny.invr").size == (160, 320)


@pytest.mark.parametrize("readme", PLUGINS, ids=lambda path: path.parent.name)
def test_the_python_of_a_plugins_readme_runs(readme: Path, tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", readme.read_text(encoding="utf-8"), re.M | re.S)
    assert "minutes=1" in code
    (tmp_path / "readme.py").write_text(code.replace("minutes=1", "steps=1"), encoding="utf-8")
    clip = downscale(Video.open(ROOT / "examples" / "data" / "bunny.mp4")[:3], 2)
    clip.save(tmp_path / "clip.mp4")
    Video.of(torch.zeros(1, 1, *clip.size)).save(tmp_path / "black")
    next((tmp_path / "black").iterdir()).rename(tmp_path / "logo.png")
    run(tmp_path / "readme.py", cwd=tmp_path)
    height, width = clip.size
    shape = {"interpolation": (9, height, width), "super_resolution": (3, 2 * height, 2 * width)}
    out = Video.open(tmp_path / "out.mp4")
    assert (len(out), *out.size) == shape.get(readme.parent.name, (3, height, width))


def test_the_task_of_the_readme_is_that_of_the_example() -> None:
    example = ROOT / "examples" / "06_write_your_own_task.py"
    assert "class Unroll(Task" in BLOCKS[1]
    assert BLOCKS[1].strip() in example.read_text(encoding="utf-8")
    assert registry.get(f"{example}:Unroll").__name__ == "Unroll"


def test_the_readme_names_files_that_are_there() -> None:
    for document in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("plugins/*/README.md"),
        *ROOT.glob("examples/plugins/*/README.md"),
    ]:
        for link in re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", document.read_text(encoding="utf-8")):
            there = document.parent / link.partition("#")[0]
            assert there.exists(), f"{document.relative_to(ROOT)} links to {link}"
