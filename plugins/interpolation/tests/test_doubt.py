"""How sure a frame between two given ones is: with a clip whose motion and truth are known exactly."""

from __future__ import annotations

import pytest
import torch
from invr_interpolation import Interpolate, InterpolateConfig
from scipy.stats import spearmanr

from invr_core.oracle import MovingDisc, Occlusion, Oracle
from invr_core.query import Query
from invr_core.video import Video
from invr_tasks.confidence import expected_error
from invr_tasks.run import run
from invr_tasks.task import Source

SIZE = (32, 48)
TIMES = torch.linspace(0, 1, 7, dtype=torch.float64)


def clip(oracle: Oracle, times: torch.Tensor = TIMES) -> Video:
    return Video.of((oracle(Query(times)) * 255).round().to(torch.uint8), times)


@pytest.mark.parametrize("kind", [MovingDisc, Occlusion])
def test_it_is_less_sure_where_it_is_more_wrong(kind: type[Oracle]) -> None:
    """A thing that moves covers and uncovers what is behind it: errors are there, and nearly nowhere else."""
    oracle = kind(SIZE)
    result = run(Interpolate(), Source(clip(oracle)), rep=oracle, confidence=True)
    assert result.confidence is not None
    between = range(1, len(result.video), 2)
    truth = clip(oracle, result.video.times).read(between)
    wrong = (result.video.read(between) - truth).square().mean(1, keepdim=True)
    sure = result.confidence.read(between)
    worst = wrong > wrong.quantile(0.95)
    assert float(sure[worst].mean()) < float(sure[~worst].mean()) - 0.1
    assert spearmanr(sure.flatten(), wrong.flatten()).statistic < -0.3


def test_given_frames_are_sure_and_others_are_not() -> None:
    noise = torch.rand(3, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    task = Interpolate(InterpolateConfig(factor=2))
    sure = task.confidence(MovingDisc(SIZE), Source(Video.of(noise, torch.tensor([0.0, 0.5, 1.0]))))
    assert torch.equal(sure.frames()[::2], torch.ones(3, 1, *SIZE))
    assert float(expected_error(sure.frames()[1::2]).mean()) > 20 / 255


def test_a_clip_that_stands_still_is_sure() -> None:
    still = clip(MovingDisc(SIZE), TIMES[:1]).frames().expand(3, -1, -1, -1)
    sure = Interpolate().confidence(MovingDisc(SIZE), Source(Video.of(still, torch.tensor([0.2, 0.201, 0.202]))))
    assert float(sure.frames().min()) > 0.9
