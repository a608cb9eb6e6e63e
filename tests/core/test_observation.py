"""How the given frames came from the clip that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace

import pytest
import torch
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.observation import Observation, charbonnier, framewise, identity, squared
from invr_core.video import Video

Make = Callable[..., Video]


def test_by_default_the_clip_itself_was_seen(make_video: Make) -> None:
    video = make_video(3, 4, 6, times=[1.0, 1.5, 3.0])
    seen = Observation(video)
    assert (seen.clip_size, seen.clip_span) == ((4, 6), (1.0, 3.0))
    assert seen.weight is None and seen.forward is identity
    frames = torch.rand(2, 3, 4, 6)
    assert torch.equal(seen.forward(lambda times: frames, video.times[:2]), frames)


def test_the_clip_may_be_larger_and_longer_than_what_was_seen(make_video: Make) -> None:
    seen = Observation(make_video(3, 4, 6), size=(8, 12), span=(-1.0, 2.0))
    assert (seen.clip_size, seen.clip_span) == ((8, 12), (-1.0, 2.0))


def test_the_clip_may_be_of_one_instant_but_not_of_none(make_video: Make) -> None:
    video = make_video(1, 4, 6, times=[1.5])
    assert Observation(video, span=(1.5, 1.5)).clip_span == (1.5, 1.5)
    for span in ((1.6, 1.5), (float("nan"), 1.5), (1.5, float("inf"))):
        with pytest.raises(BadInput, match="the span must be two finite seconds, the first not after the last"):
            Observation(video, span=span)


def test_the_clip_may_not_be_shorter_than_what_was_seen(make_video: Make) -> None:
    video = make_video(3, 4, 6, times=[0.0, 0.5, 19 / 24])
    for span in ((0.0, 0.75), (0.01, 1.0), (1.0, 2.0)):
        with pytest.raises(BadInput, match=r"^the video goes from 0 to 0.791667 s, .* give a span that covers the vi"):
            Observation(video, span=span)
    assert Observation(video, span=(0.0, 0.791666)).clip_span == (0.0, 0.791666)  # as it is written


def test_it_is_fixed_once_made_and_equal_to_itself_alone(make_video: Make) -> None:
    seen = Observation(make_video(2, 4, 6))
    with pytest.raises(FrozenInstanceError):
        seen.weight = make_video(3, 4, 6)  # type: ignore[misc]
    assert len({seen, replace(seen)}) == 2


def test_a_framewise_operator_sees_the_clip_at_the_asked_instants() -> None:
    asked: list[Tensor] = []

    def clip(times: Tensor) -> Tensor:
        asked.append(times)
        return times.view(-1, 1, 1, 1).expand(-1, 3, 2, 2).float()

    times = torch.tensor([0.5, 0.25], dtype=torch.float64)
    result = framewise(lambda frames: frames.mean((2, 3), keepdim=True) + 1)(clip, times)
    assert asked == [times]
    assert result.flatten().tolist() == [1.5] * 3 + [1.25] * 3


@pytest.mark.parametrize(
    ("frames", "height", "width", "channels"), [(2, 4, 6, 1), (3, 5, 6, 1), (3, 4, 5, 1), (3, 4, 6, 3)]
)
def test_a_weight_of_another_shape_is_refused(
    make_video: Make, frames: int, height: int, width: int, channels: int
) -> None:
    weight = make_video(frames, height, width, channels)
    with pytest.raises(
        BadInput, match=rf"{frames} frames of {width}x{height} with {channels} .* needs 3 of 6x4 with 1"
    ):
        Observation(make_video(3, 4, 6), weight=weight)


def test_making_one_decodes_nothing(make_video: Make) -> None:
    def read(indices: object) -> Tensor:
        raise AssertionError("decoded")

    times = torch.tensor([0.0, 1.0])
    seen = Observation(Video(times, (4, 6), read), weight=Video(times, (4, 6), read, channels=1))
    assert seen.clip_size == (4, 6)


def test_distances_are_elementwise_and_zero_where_nothing_differs() -> None:
    prediction, target = torch.tensor([0.0, 0.5, 1.0], requires_grad=True), torch.tensor([0.0, 0.25, 0.0])
    assert squared(prediction, target).tolist() == [0.0, 0.0625, 1.0]
    assert charbonnier(prediction, target).tolist() == pytest.approx([0.0, 0.249, 0.999], abs=1e-4)
    charbonnier(prediction, target).sum().backward()
    assert prediction.grad is not None and prediction.grad.tolist() == pytest.approx([0, 1, 1], abs=1e-4)


# ------------------------------------------------------------------------- what is given as it is
def test_frames_are_plain_only_where_they_are_the_clip_as_it_is(make_video: Make) -> None:
    video, weight = make_video(3, 4, 6), make_video(3, 4, 6, channels=1)
    assert Observation(video).plain and Observation(video, distance=charbonnier, size=(4, 6), span=(-1.0, 2.0)).plain
    assert not Observation(video, weight=weight).plain
    assert not Observation(video, forward=framewise(torch.negative)).plain
    assert not Observation(video, size=(8, 12)).plain
    assert not Observation(video, noisy=True).plain


# ------------------------------------------------------------------------- where a fit starts
def test_a_fit_starts_from_what_was_given(make_video: Make) -> None:
    seen = Observation(make_video(3, 4, 6), size=(8, 12), span=(-1.0, 2.0))
    assert seen.beginning is seen


def test_a_fit_starts_from_the_guess_where_there_is_one(make_video: Make) -> None:
    given, weight, guess = make_video(3, 4, 6), make_video(3, 4, 6, channels=1), make_video(3, 8, 12, seed=1)
    seen = Observation(given, framewise(torch.negative), weight, squared, (8, 12), (-1.0, 2.0), guess)
    start = seen.beginning
    assert start.video is guess and start.forward is identity and start.weight is None
    assert (start.clip_size, start.clip_span, start.distance) == ((8, 12), (-1.0, 2.0), squared)


def test_a_fit_of_one_channel_starts_grey(make_video: Make) -> None:
    given = make_video(3, 4, 6, channels=1)
    assert torch.equal(Observation(given).beginning.video.frames(), given.frames().repeat(1, 3, 1, 1))


@pytest.mark.parametrize(("field", "name"), [("guess", "guess"), ("moving", "moving clip")])
@pytest.mark.parametrize("change", [{"frames": 2}, {"channels": 1}, {"times": [0.0, 1.0, 2.0]}])
def test_pictures_to_start_from_that_do_not_match_are_refused(
    make_video: Make, change: dict[str, object], field: str, name: str
) -> None:
    with pytest.raises(BadInput, match=rf"the {name} has .*it needs 3 with 3, at the instants of the video"):
        Observation(make_video(3, 4, 6), **{field: make_video(**{"frames": 3, **change})})


def test_a_fit_that_starts_from_a_guess_keeps_by_what_its_motion_starts(make_video: Make) -> None:
    given, guess = make_video(3, 4, 6), make_video(3, 8, 12, seed=1)
    assert Observation(given, size=(8, 12), guess=guess, moving=given).beginning.moving is given
    assert Observation(given, size=(8, 12), guess=guess).beginning.moving is None
