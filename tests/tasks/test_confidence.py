"""How sure an answer is: made in one pass with it, joined over parts, written, and told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from standins import Own
from torch import Tensor

from invr_core.fitting import FitConfig
from invr_core.io import open_video
from invr_core.oracle import MovingDisc
from invr_core.representation import Representation
from invr_core.video import Video
from invr_tasks.confidence import Sureness, confidence_of, expected_error, of_frames
from invr_tasks.run import run
from invr_tasks.shots import run_shots
from invr_tasks.task import Source, as_video


class Watched(Own):
    """Counts the frames that are made; as sure as a frame is early."""

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.made: list[int] = []

    def with_confidence(self, rep: Representation, source: Source) -> Video:
        answer = as_video(rep, self.plan(source))

        def read(indices: Sequence[int]) -> Tensor:
            self.made += indices
            sure = torch.tensor([0.9 - 0.1 * int(index) for index in indices]).view(-1, 1, 1, 1)
            return torch.cat([answer.read(indices), sure.expand(-1, 1, *answer.size)], 1)

        return replace(answer, channels=4, read=read)


def clip(frames: int = 3) -> Video:
    return Video.of(torch.rand(frames, 3, 16, 24, generator=torch.Generator().manual_seed(0)), fps=10)


def test_confidence_and_expected_error_are_each_others_inverse() -> None:
    error = torch.tensor([0.0, 0.5, 10, 100, 255]) / 255
    assert torch.allclose(expected_error(confidence_of(error.square())), error, atol=1e-4)


def test_a_frame_counts_by_its_square_error() -> None:
    """A tenth of the pixels wrong by 40 levels is a frame wrong by 40 / sqrt(10)."""
    square = torch.zeros(1, 1, 10, 10)
    square[..., 0, :] = (40 / 255) ** 2
    found = 255 * expected_error(of_frames(confidence_of(square)))
    assert float(found) == pytest.approx(40 / 10**0.5, rel=1e-3)


def test_the_least_sure_instants_are_named_and_sure_ones_are_not() -> None:
    assert Sureness((0.0, 1.0), (1.0, 0.999)).told() == "sure of every frame"
    values = (0.9, 0.2, 0.1, 0.3, 0.9, 0.9, 0.8, 1.0)
    assert (
        Sureness(tuple(map(float, range(8))), values).told()
        == "least sure: 2.00 s (0.10), 6.00 s (0.80), 0.00 s (0.90)"
    )


# ---------------------------------------------------------------------------------- run
def test_answer_and_confidence_are_made_together_and_only_if_asked() -> None:
    task, rep, source = Watched(), MovingDisc((16, 24)), Source(clip())
    plain = run(task, source, rep=rep)
    assert plain.confidence is None and plain.video.channels == 3
    plain.video.frames()
    assert task.made == []
    result = run(task, source, rep=rep, confidence=True)
    assert result.confidence is not None and task.made == []
    for index in range(3):
        assert torch.equal(result.video.read([index]), plain.video.read([index]))
        assert float(result.confidence.read([index]).mean()) == pytest.approx(0.9 - 0.1 * index)
    assert task.made == [0, 1, 2]


def test_a_task_that_cannot_tell_still_answers() -> None:
    result = run(Own(), Source(clip()), rep=MovingDisc((16, 24)), confidence=True)
    assert result.confidence is None and len(result.video) == 3
    assert Own().confidence(MovingDisc((16, 24)), Source(clip())) is None


# -------------------------------------------------------------------------------- parts
def test_parts_are_joined_with_their_confidence_and_a_short_one_is_not_sure() -> None:
    class Pairs(Watched):
        minimum_frames = 2

    joined = run_shots(Pairs(), Source(clip(6)), [3, 4], fit_config=FitConfig(steps=3, device="cpu"), confidence=True)
    assert joined.confidence is not None and joined.video.channels == 3
    values = [round(float(joined.confidence.read([index]).mean()), 3) for index in range(6)]
    assert values == [0.9, 0.8, 0.7, 0.0, 0.9, 0.8]
    assert torch.equal(joined.video.read([3]), clip(6).read([3]))


@pytest.mark.parametrize("first_tells", [True, False])
def test_parts_that_cannot_tell_fit_together_with_those_that_can(
    first_tells: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sometimes(Watched):
        def with_confidence(self, rep: Representation, source: Source) -> Video | None:  # type: ignore[override]
            tells = (source.video.times[0] < 0.25) == first_tells
            return super().with_confidence(rep, source) if tells else None

    monkeypatch.setattr("invr_tasks.run.fit", lambda *arguments, **options: MovingDisc((16, 24)))
    joined = run_shots(Sometimes(), Source(clip(6)), [3], confidence=True)
    assert joined.video.frames().shape == (6, 3, 16, 24)
    assert (joined.confidence is not None) == first_tells
    if joined.confidence is not None:
        values = [round(float(joined.confidence.read([index]).mean()), 3) for index in range(6)]
        assert values == [0.9, 0.8, 0.7, 0.0, 0.0, 0.0]


# ------------------------------------------------------------------------- command line
def test_the_command_writes_it_as_grey_frames_and_names_the_least_sure(
    invr: Any, fits: Any, clip: str, sure: None
) -> None:
    code, out, err = invr("run", "fakesure", clip, "out.mkv", "--confidence", "sure.mkv")
    assert code == 0, err
    assert "and sure.mkv, in " in out
    assert out.splitlines()[1].startswith("least sure: 0.12 s (0.14)")
    written = open_video("sure.mkv")
    assert written.times.tolist() == open_video("out.mkv").times.tolist()
    levels = [round(255 / (1 + index)) for index in range(7)]
    assert (255 * written.frames()).round().flatten(1).unique(dim=1).flatten().tolist() == levels


def test_the_answer_is_the_same_with_and_without(invr: Any, fits: Any, clip: str, sure: None) -> None:
    invr("run", "fakesure", clip, "a.mkv", "--confidence", "sure/", "--quiet")
    invr("run", "fakesure", clip, "b.mkv", "--quiet")
    assert Path("a.mkv").read_bytes() == Path("b.mkv").read_bytes()
    assert len(list(Path("sure").iterdir())) == 7


def test_a_report_shows_it(invr: Any, fits: Any, clip: str, sure: None) -> None:
    code, out, err = invr("run", "fakesure", clip, "out.mkv", "--report", "at.html")
    assert code == 0, err
    page = Path("at.html").read_text(encoding="utf-8")
    assert "confidence over time; the rings" in page and "least sure at 0.12 s (0.14)" in page
    assert "least sure: 0.12 s" in out


def test_what_cannot_be_is_refused_before_the_fit(invr: Any, fits: Any, clip: str, sure: None) -> None:
    refused = invr.refuses("run", "fakeslow", clip, "out.mkv", "--confidence", "sure.mkv")
    assert refused == "the task Slow cannot tell how sure it is; leave --confidence out"
    assert "named twice" in invr.refuses("run", "fakesure", clip, "out.mkv", "--confidence", "out.mkv")
    assert "sure.avi" in invr.refuses("run", "fakesure", clip, "out.mkv", "--confidence", "sure.avi")
    assert fits.calls == [] and not Path("out.mkv").exists()


def test_a_batch_wants_a_name_for_each(invr: Any, fits: Any, clip: str, sure: None) -> None:
    open_video(clip).save("other.mkv")
    arguments = ("batch", "fakesure", clip, "other.mkv", "--into", "out", "--suffix", ".mkv", "--confidence")
    assert "would be written by each of 2 clips" in invr.refuses(*arguments, "sure.mkv")
    assert invr(*arguments, "sure-{stem}.mkv")[0] == 0
    assert Path("sure-in.mkv").exists() and Path("sure-other.mkv").exists()
