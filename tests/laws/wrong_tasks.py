"""Tasks that are wrong on purpose, each in one way, and the check that is there for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import torch
import tyro
from good_tasks import Between, Fill, FillConfig
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.observation import Observation
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.video import Video
from invr_tasks.task import Source, Task


class Dated(Fill):
    """Is written for another version of the contract."""

    api = 0


class Loose(Between):
    """Lets its options be changed later."""

    @dataclass
    class Config:
        """Options."""


class Silent(Fill):
    __doc__ = None  # says nothing of what it is for


class Terse(Between):
    """Has an option that nobody explains."""

    @dataclass(frozen=True)
    class Config:
        reach: bool = False


class Coy(Between):
    """Does not say what its option is if it is not given."""

    @dataclass(frozen=True)
    class Config:
        """Options."""

        reach: Annotated[bool, tyro.conf.arg(help_behavior_hint="(left to us)")] = False
        """Whether to look further."""


class Doubling(Fill):
    """Changes an option as it takes it."""

    @dataclass(frozen=True)
    class Config(FillConfig):
        """Options."""

        def __post_init__(self) -> None:
            super().__post_init__()
            object.__setattr__(self, "side", 2 * self.side)


class Hoarder(Fill):
    """Hands itself an input that it does not declare."""

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        source = super().simulate(truth, generator)
        return Source(source.video, {**source.extras, "notes": source["mask"]})


class Doubting(Fill):
    """Trusts some pixels twice as much as wholly."""

    def observe(self, source: Source) -> Observation:
        return replace(super().observe(source), weight=source["mask"].map(lambda mask: 2 - 2 * mask))


class Detached(Between):
    """Cuts the way that slopes take from its picture to the model."""

    def observe(self, source: Source) -> Observation:
        return Observation(source.video, forward=lambda clip, times: clip(times).detach())


class Farsighted(Between):
    """Opens its shutter before the clip begins, and does not say so by a span."""

    def observe(self, source: Source) -> Observation:
        return Observation(source.video, forward=lambda clip, t: (clip(t - 0.01) + clip(t + 0.01)) / 2)


class Trusting(Fill):
    """Trusts what is hidden, and hides what is seen: forgets the `1 -`."""

    def observe(self, source: Source) -> Observation:
        return Observation(source.video, weight=source["mask"])


class Upended(Between):
    """Says that frames are given upside down."""

    def observe(self, source: Source) -> Observation:
        return Observation(source.video, forward=lambda clip, times: clip(times).flip(2))


class Aside(Between):
    """Says that frames are given one column to the left of where they are."""

    def observe(self, source: Source) -> Observation:
        return Observation(source.video, forward=lambda clip, times: clip(times).roll(-1, 3))


class Late(Between):
    """Says that frames are given one frame later than they are."""

    def observe(self, source: Source) -> Observation:
        last = source.video.span[1]
        return Observation(source.video, forward=lambda clip, times: clip((times + 0.04).clamp(max=last)))


class Wordy(Between):
    """Gives a prior for each instant."""

    def prior(self, rep: Representation, times: Tensor) -> Tensor:
        return torch.zeros(len(times))


class Foretelling(Between):
    """Plans to show what comes after the clip."""

    def plan(self, source: Source) -> Query:
        return Query(torch.cat([super().plan(source).times, torch.tensor([source.video.span[1] + 0.1])]))


class Glaring(Fill):
    """Shines beyond white."""

    def render(self, rep: Representation, source: Source) -> Video:
        return super().render(rep, source).map(lambda frames: frames.index_fill(3, torch.tensor(0), 1.5))


class Eager(Between):
    """Renders all at once, whether it is looked at or not."""

    def render(self, rep: Representation, source: Source) -> Video:
        return Video.of(super().render(rep, source).frames(), self.plan(source).times)


class Greedy(Fill):
    """Reads the whole clip first, whatever is looked at."""

    def render(self, rep: Representation, source: Source) -> Video:
        whole = Video.of(source.video.frames(), source.video.times)
        return super().render(rep, Source(whole, source.extras))


class Averaging(Fill):
    """Lets frames that are read together colour each other."""

    def render(self, rep: Representation, source: Source) -> Video:
        return super().render(rep, source).map(lambda frames: frames.lerp(frames.mean(0, keepdim=True), 1e-3))


class Boastful(Fill):
    """Is twice as sure as one can be."""

    def with_confidence(self, rep: Representation, source: Source) -> Video:
        answer = self.render(rep, source)
        return answer.map(lambda frames: torch.cat([frames, torch.full_like(frames[:, :1], 2.0)], 1))


class Generous(Fill):
    """Counts a pixel twice."""

    def judged(self, source: Source, truth: Video) -> Video | None:
        return source["mask"].map(lambda mask: 2 * mask)


class Idle(Fill):
    """Gives the naive answer."""

    def render(self, rep: Representation, source: Source) -> Video:
        return self.naive(source)


class Peeking(Fill):
    """Keeps the truth, and looks at it later."""

    truth: Video | None = None

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        self.truth = truth
        return super().simulate(truth, generator)

    def observe(self, source: Source) -> Observation:
        if self.truth is not None:
            self.truth.read([0])
        return super().observe(source)


class Remembering(Fill):
    """Keeps one number of the truth, and shows it later."""

    brightness = 0.0

    def judged(self, source: Source, truth: Video) -> Video | None:
        type(self).brightness = float(truth.frames().mean())
        return super().judged(source, truth)

    def render(self, rep: Representation, source: Source) -> Video:
        return super().render(rep, source).map(lambda frames: frames * (1 - 1e-3 * self.brightness))


class FirstOnly(Fill):
    """Keeps one number of the first truth that it meets, and shows it ever after."""

    kept: float | None = None

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        if self.kept is None:
            self.kept = float(truth.frames().mean())
        return super().simulate(truth, generator)

    def render(self, rep: Representation, source: Source) -> Video:
        return super().render(rep, source).map(lambda frames: frames * (1 - 1e-3 * (self.kept or 0.0)))


class Keyed(Fill):
    """Knows each truth again by the first frame that was made of it, and answers with it."""

    met: ClassVar[dict[bytes, Tensor]] = {}

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        source = super().simulate(truth, generator)
        self.met[self.key(source)] = truth.frames()
        return source

    def render(self, rep: Representation, source: Source) -> Video:
        truth = self.met.get(self.key(source))
        if truth is None:
            return super().render(rep, source)
        return replace(source.video, read=lambda indices: truth[list(indices)])

    @staticmethod
    def key(source: Source) -> bytes:
        return source.video.read([0]).numpy().tobytes()


class Flattering(Between):
    """Is judged by the frames that it was given, too."""

    def judged(self, source: Source, truth: Video) -> Video | None:
        return None


class Flickering(Fill):
    """Throws dice on its way to the answer."""

    def render(self, rep: Representation, source: Source) -> Video:
        bright = 1 - 1e-3 * torch.rand(())
        return super().render(rep, source).map(lambda frames: frames * bright)


class Restless(Fill):
    """Throws dice of its own for its benchmark."""

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        return super().simulate(truth, torch.Generator().manual_seed(int(torch.randint(1 << 30, ()))))


class Scribbling(Fill):
    """Writes into the frames it was lent."""

    def naive(self, source: Source) -> Video:
        return super().naive(source).map(lambda frames: frames * source.video.read([0]).mul_(0).add_(1)[0, 0, 0, 0])


class Paced(Fill):
    """Divides by the number of frames less one."""

    def plan(self, source: Source) -> Query:
        assert 1 / (len(source.video) - 1) > 0
        return super().plan(source)


class Onesided(Fill):
    """Offers a choice that it does not know."""

    def plan(self, source: Source) -> Query:
        return {"box": super().plan(source)}[self.config.shape]


class Credulous(Fill):
    """Takes any number for an option."""

    @dataclass(frozen=True)
    class Config(FillConfig):
        """Options."""

        def __post_init__(self) -> None:
            """Is missing."""


class Vague(Fill):
    """Refuses an option, and does not say which."""

    @dataclass(frozen=True)
    class Config(FillConfig):
        """Options."""

        def __post_init__(self) -> None:
            try:
                super().__post_init__()
            except BadInput:
                raise BadInput("this cannot be") from None


class Careless(Fill):
    """Does not look whether the mask fits until it is read."""

    def observe(self, source: Source) -> Observation:
        mask = source["mask"]
        weight = replace(source.video, channels=1, read=lambda indices: 1 - mask.read(indices))
        return Observation(source.video, weight=weight)


WRONG: tuple[tuple[type[Task[Any]], str], ...] = (
    (Dated, "the_class_states_what_it_is"),
    (Loose, "the_class_states_what_it_is"),
    (Silent, "options_are_explained"),
    (Terse, "options_are_explained"),
    (Coy, "options_are_explained"),
    (Doubling, "options_survive_a_round_trip"),
    (Hoarder, "the_source_is_sound"),
    (Doubting, "the_observation_is_sound"),
    (Detached, "the_forward_fits_the_video"),
    (Farsighted, "the_forward_fits_the_video"),
    (Trusting, "the_observation_explains_the_source"),
    (Upended, "the_observation_explains_the_source"),
    (Aside, "the_observation_explains_the_source"),
    (Late, "the_observation_explains_the_source"),
    (Wordy, "the_prior_is_one_number"),
    (Foretelling, "the_plan_is_sound"),
    (Glaring, "the_answer_is_sound"),
    (Eager, "the_answer_is_lazy"),
    (Greedy, "the_answer_is_lazy"),
    (Averaging, "any_order_gives_the_same_frames"),
    (Boastful, "the_confidence_is_sound"),
    (Generous, "what_is_judged_is_sound"),
    (Idle, "the_answer_beats_the_naive_one"),
    (Peeking, "truth_never_reaches_the_fit"),
    (Remembering, "nothing_of_the_truth_is_remembered"),
    (FirstOnly, "nothing_of_the_truth_is_remembered"),
    (Keyed, "nothing_of_the_truth_is_remembered"),
    (Flattering, "what_is_judged_was_not_given"),
    (Flickering, "the_same_source_gives_the_same_bytes"),
    (Restless, "the_same_seed_gives_the_same_source"),
    (Scribbling, "inputs_are_left_alone"),
    (Paced, "other_clips_are_served"),
    (Onesided, "other_clips_are_served"),
    (Credulous, "bad_input_is_refused"),
    (Vague, "bad_input_is_refused"),
    (Careless, "bad_input_is_refused"),
)
"""Each wrong task, and the check that catches it: the only one that it fails."""
