"""Small distributions, found by the real `importlib.metadata`; and the command line, with a fit that takes no time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import invr_tasks.run  # noqa: F401  # both in sys.modules for `Fits`
from invr_core.fitted import Fitted
from invr_core.fitting import FitConfig, Progress
from invr_core.io import open_video
from invr_core.models.base import Geometry, ModelConfig
from invr_core.models.hnerv import HNeRV
from invr_core.observation import Observation
from invr_core.video import Video
from invr_tasks.cli import main

TASK = '''
from __future__ import annotations

from dataclasses import dataclass

from invr_core.observation import Observation
from invr_core.query import Query, subdivide
from invr_tasks.task import NoOptions, Source, Task


@dataclass(frozen=True)
class Options:
    """How much slower."""

    factor: int = 2
    """Times as many frames; at least 2."""
    gain: float = 1.0
    """Brightness, as a factor."""
    times: tuple[float, ...] | None = None
    """Instants, in seconds."""

    def __post_init__(self):
        if self.factor < 2:
            raise ValueError(f"must be at least 2, got {self.factor}")


class Slow(Task[Options]):
    """Play a clip slower.

    This paragraph is for readers of the code.
    """

    api = 1
    minimum_frames = 2
    Config = Options

    def observe(self, source):
        return Observation(source.video)

    def plan(self, source):
        if self.config.times is not None:
            return Query(self.config.times)
        return Query(subdivide(source.video.times, self.config.factor))

    def simulate(self, truth, generator):
        return Source(truth[:: self.config.factor])


class Fill(Slow):
    """Fill a hole."""

    inputs = ("video", "mask")
    Config = NoOptions

    def observe(self, source):
        return Observation(source.video, weight=source["mask"].map(lambda mask: 1 - mask))

    def plan(self, source):
        return Query(source.video.times)


class Fine(Slow):
    """Show the fine part."""

    needs = frozenset({"full", "fine"})
'''
"""A module with three good tasks."""
SURE_TASK = """
from dataclasses import replace

import torch

from fake_tasks import *
from invr_tasks.task import as_video


class Sure(Slow):
    '''Say how sure it is: less and less.'''

    def with_confidence(self, rep, source):
        answer = self.render(rep, source)

        def read(indices):
            sure = torch.tensor([1 / (1 + index) for index in indices]).view(-1, 1, 1, 1)
            return torch.cat([answer.read(indices), sure.expand(-1, 1, *answer.size)], 1)

        return replace(answer, channels=4, read=read)
"""
"""A module with one that tells how sure it is."""

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """``install(name, entries, code, ...)``: a distribution on `sys.path`, gone after the test."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)

    def write(
        name: str,
        entries: dict[str, str] | str = "",
        code: dict[str, str] | None = None,
        group: str = "invr.tasks",
        version: str = "1.0",
        summary: str = "",
    ) -> Path:
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: {summary}\n", encoding="utf-8"
        )
        if isinstance(entries, dict):
            entries = f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
        (info / "entry_points.txt").write_text(entries, encoding="utf-8")
        for module, text in (code or {}).items():
            (site / f"{module}.py").write_text(text, encoding="utf-8")
        return site

    yield write
    for module in set(sys.modules) - before:
        if str(site) in str(getattr(sys.modules[module], "__file__", "")):
            del sys.modules[module]


@pytest.fixture
def tasks(install: Install) -> Path:
    """The distribution ``fake-tasks``, with the tasks fakeslow, fakefill and fakefine; returns its folder."""
    entries = {"fakeslow": "fake_tasks:Slow", "fakefill": "fake_tasks:Fill", "fakefine": "fake_tasks:Fine"}
    return install("fake-tasks", entries, {"fake_tasks": TASK}, summary="Tasks [for] tests")


def fitted(geometry: Geometry) -> Fitted:
    config = HNeRV(strides=(2, 2), width=6.5, lower_width=4, embedding=4).solve(geometry)
    network = config.build(geometry).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(1)
    for value in network.state_dict().values():
        value.uniform_(-0.3, 0.3, generator=generator)
    return Fitted(network, config, geometry, {})


class Fits:
    """Stands in for `fit`: notes what it is given, tells of one step, and answers with a small network."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[Observation, ModelConfig, FitConfig]] = []
        self.info: dict[str, Any] = {}
        self.error: BaseException | None = None
        for module in ("invr_core.fitting", "invr_tasks.run"):
            monkeypatch.setattr(sys.modules[module], "fit", self)

    def __call__(
        self, observation: Observation, model: ModelConfig, config: FitConfig, *, on_step: Any = None, **rest: Any
    ) -> Fitted:
        self.calls.append((observation, model, config))
        on_step(Progress(1, 1, 2.0, 0.0, 31.5, 0.1, "recovered"))
        if self.error is not None:
            raise self.error
        rep = fitted(Geometry.of(observation))
        rep.info.update(self.info)
        return rep


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> Fits:
    return Fits(monkeypatch)


class Invr:
    """Runs command lines in process.

    Args:
        capsys: catches what they say.
    """

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """-> exit code, stdout, stderr."""
        code = main(arguments)
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def refuses(self, *arguments: str) -> str:
        """The one line in which a command line is refused, with exit code 2 and nothing else said."""
        code, out, err = self(*arguments)
        lines = err.splitlines()
        assert code == 2 and out == ""
        assert len(lines) == 1 and lines[0].startswith("invr: error: "), err
        return lines[0].removeprefix("invr: error: ")


@pytest.fixture
def invr(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tasks: Path) -> Invr:
    """Runs a command line in an empty folder where the fake tasks are installed."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "120")
    return Invr(capsys)


@pytest.fixture
def sure(install: Install, invr: Invr) -> None:
    """The task fakesure."""
    install("sure-dist", {"fakesure": "sure_tasks:Sure"}, {"sure_tasks": SURE_TASK})


@pytest.fixture
def clip(invr: Invr, make_video: Callable[..., Video]) -> str:
    make_video(4, 16, 24).save("in.mkv")
    return "in.mkv"


@pytest.fixture
def stored(clip: str) -> str:
    fitted(Geometry.of(Observation(open_video(clip)))).save("clip.invr")
    return "clip.invr"


@pytest.fixture
def refuses(invr: Any, clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """``refuses(arguments) -> the one line``; files, folders and their contents are afterwards as they were before."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    def everything() -> dict[str, bytes | None]:
        places = [path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts]
        return {str(path): path.read_bytes() if path.is_file() else None for path in places}

    def check(*arguments: str) -> str:
        before = everything()
        message: str = invr.refuses(*arguments)
        assert everything() == before
        assert 10 < len(message) < 500
        return message

    return check


@pytest.fixture
def taken(clip: str) -> None:
    """Names that are taken by something else."""
    Path("folder.mp4").mkdir()
    Path("file").write_text("precious")
    Path("album").mkdir()
    Path("album/holiday.jpg").write_text("precious")
    Path("folder.invr").mkdir()
