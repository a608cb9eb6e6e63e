"""The demonstration on a tiny clip, with tasks that need no fit."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import Tensor

from invr_core.errors import BadInput, BadOutput, InvrError
from invr_core.fitting import FitConfig
from invr_core.observation import Observation
from invr_core.oracle import MovingDisc
from invr_core.query import Query
from invr_core.video import Video
from invr_tasks import demo, registry
from invr_tasks.baselines import enlarge
from invr_tasks.operators import downscale, punch, static_hole
from invr_tasks.run import Result
from invr_tasks.task import NoOptions, Source, Task


@dataclass(frozen=True)
class EnlargeOptions:
    scale: int = 2
    note: str | None = None


class Enlarge(Task[EnlargeOptions]):
    api = 1
    Config = EnlargeOptions

    def observe(self, source: Source) -> Observation:
        return Observation(source.video)

    def plan(self, source: Source) -> Query:
        height, width = source.video.size
        return Query(source.video.times, (height * 2, width * 2))

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        return Source(downscale(truth, 2))

    def naive(self, source: Source) -> Video:
        size = self.plan(source).size
        assert size is not None
        return enlarge(source.video, size, "nearest")


class Fill(Task[NoOptions]):
    api = 1
    Config = NoOptions
    inputs = ("video", "mask")

    def observe(self, source: Source) -> Observation:
        return Observation(source.video)

    def plan(self, source: Source) -> Query:
        return Query(source.video.times)

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        mask = static_hole(truth, side=200)
        return Source(punch(truth, mask), {"mask": mask})

    def judged(self, source: Source, truth: Video) -> Video:
        return source["mask"]


class Fitted(MovingDisc):
    def save(self, path: str | Path, bits: int = 32) -> None:
        Path(path).write_bytes(b"fitted")


class Answers(list[FitConfig]):
    """The fits that were asked for; with ``interrupted``, each is as if Ctrl-C had ended it."""

    interrupted = False


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Stands in for the fit: each task is answered by a grey clip."""
    configs = Answers()
    offered: dict[str, type[Task[Any]]] = {"upscale": Enlarge, "inpaint": Fill}

    def get(name: str) -> type[Task[Any]]:
        if name == "broken":
            raise registry.BrokenTask("the task 'broken' of acme 1.0 cannot be imported")
        if name not in offered:
            raise registry.UnknownTask(f"no installed task is called {name!r}")
        return offered[name]

    def run(task: Task[Any], source: Source, *, fit_config: FitConfig, on_step: object) -> Result:
        configs.append(fit_config)
        plan = task.plan(source)
        height, width = plan.size or source.video.size

        def read(indices: Any) -> Tensor:
            return torch.full((len(indices), 3, height, width), 0.5)

        answer = Video(plan.times, (height, width), read)
        return Result(answer, Fitted(source.video.size, source.video.span), 1.0, configs.interrupted)

    monkeypatch.setattr(registry, "get", get)
    monkeypatch.setattr(demo, "run", run)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: "/nonexistent")
    return configs


@pytest.fixture
def clip(make_video: Callable[..., Video]) -> Video:
    return make_video(4, 32, 48, smooth=True)


def shown() -> Console:
    return Console(file=io.StringIO(), width=150)


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_it_leaves_videos_a_sheet_and_metrics(answers: Answers, clip: Video, tmp_path: Path) -> None:
    console, out = shown(), tmp_path / "new" / "out"
    rows = demo.run_demo(out, True, seconds=6, seed=3, device="cpu", clip=clip, console=console)
    assert [row.task for row in rows] == ["inpaint", "upscale"]
    assert [(config.minutes, config.seed, config.device) for config in answers] == [(0.1, 3, "cpu")] * 2
    names = sorted(file.relative_to(out).as_posix() for file in out.rglob("*") if file.is_file())
    films = [f"{kind}.mp4" for kind in ("given", "naive", "ours", "truth")]
    expected = [f"{task}/{file}" for task in ("inpaint", "upscale") for file in ("fitted.invr", "report.html", *films)]
    assert names == sorted(["contact_sheet.png", "metrics.json", *expected])
    assert Video.open(out / "upscale" / "given.mp4").size == (16, 24)
    assert len(Video.open(out / "upscale" / "ours.mp4")) == 4


def test_metrics_tell_scores_options_and_where_they_come_from(answers: Answers, clip: Video, tmp_path: Path) -> None:
    rows = demo.run_demo(tmp_path, True, seconds=6, seed=3, device="cpu", clip=clip, console=shown())
    facts = json.loads((tmp_path / "metrics.json").read_text())
    assert facts["clip"] == {"frames": 4, "size": [32, 48], "fps": 25.0}
    assert facts["tasks"]["upscale"]["options"] == {"scale": 2, "note": None}
    assert facts["tasks"]["upscale"]["ours"]["psnr"] == rows[1].ours_scores.psnr
    assert len(facts["tasks"]["inpaint"]["naive"]["frames"]) == 4
    assert facts["provenance"]["seed"] == 3 and facts["provenance"]["device"].startswith("cpu")
    inpaint = facts["tasks"]["inpaint"]["ours"]
    assert inpaint["psnr"] != inpaint["psnr_frame"]


def test_scores_are_those_of_the_task_s_own_judgement(answers: Answers, clip: Video, tmp_path: Path) -> None:
    (row,) = demo.run_demo(tmp_path, True, clip=clip, device="cpu", tasks=["inpaint"], console=shown())
    hole = row.judged is not None and row.judged.frames().bool().expand(-1, 3, -1, -1)
    error = (128 / 255 - clip.frames()).square()
    means = [-10 * torch.log10(error[i][hole[i]].mean()) for i in range(4)]  # type: ignore[index]
    assert row.ours_scores.psnr == pytest.approx(float(torch.stack(means).mean()), abs=1e-3)
    assert row.naive_scores.psnr != row.ours_scores.psnr


def test_missing_tasks_are_named_with_what_to_do(answers: Answers, clip: Video, tmp_path: Path) -> None:
    console = shown()
    demo.run_demo(tmp_path, True, clip=clip, device="cpu", tasks=["denoise", "broken", "upscale"], console=console)
    text = text_of(console)
    assert "the task 'denoise' is not installed; in a checkout of invr run: pip install -c constraints.txt" in text
    assert "'broken' of acme 1.0 cannot be imported" in text
    assert "upscale (scale 2)" in text
    assert set(json.loads((tmp_path / "metrics.json").read_text())["missing"]) == {"denoise", "broken"}


def test_no_task_at_all_is_an_error_before_anything_is_fitted(answers: Answers, clip: Video, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"'interpolate' is not installed.*pip install"):
        demo.run_demo(tmp_path, True, clip=clip, tasks=["interpolate"], console=shown())
    assert answers == []


def test_lpips_is_never_left_out_in_silence(answers: Answers, clip: Video, tmp_path: Path) -> None:
    console = shown()
    demo.run_demo(tmp_path, True, clip=clip, device="cpu", tasks=["upscale"], console=console)
    assert "LPIPS is left out: no AlexNet weights" in text_of(console)
    assert "no AlexNet weights" in json.loads((tmp_path / "metrics.json").read_text())["lpips"]


def test_an_interrupted_fit_ends_the_demo_with_what_there_is(answers: Answers, clip: Video, tmp_path: Path) -> None:
    answers.interrupted = True
    rows = demo.run_demo(tmp_path, True, clip=clip, device="cpu", console=shown())
    assert [row.task for row in rows] == ["inpaint"] and len(answers) == 1
    assert (tmp_path / "contact_sheet.png").exists() and (tmp_path / "metrics.json").exists()


def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_fitted(
    answers: Answers, clip: Video, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("keep")
    (tmp_path / "upscale").write_text("keep")
    for out in (tmp_path / "file", tmp_path / "file" / "out", tmp_path):
        with pytest.raises(BadOutput, match="choose another"):
            demo.run_demo(out, True, clip=clip, console=shown())
    assert answers == [] and (tmp_path / "file").read_text() == "keep"


def test_a_device_that_is_not_there_is_refused(answers: Answers, clip: Video, tmp_path: Path) -> None:
    with pytest.raises(InvrError, match="warp"):
        demo.run_demo(tmp_path / "out", True, clip=clip, device="warp", console=shown())
    assert not (tmp_path / "out").exists()


def test_progress_goes_to_stderr_and_can_be_silenced(
    answers: Answers, clip: Video, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo.run_demo(tmp_path, clip=clip, device="cpu", tasks=["upscale"])
    told = capsys.readouterr()
    assert "[1/1] upscale" in told.err and "PSNR" in told.out
    demo.run_demo(tmp_path, quiet=True, clip=clip, device="cpu", tasks=["upscale"])
    told = capsys.readouterr()
    assert told.err == "" and "PSNR" in told.out
