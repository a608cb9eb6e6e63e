"""A clean version of a noisy clip: like patches along the fitted motion, the noise level estimated from the clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import get_args

import torch
from torch import Tensor

from invr_core.errors import BadInput
from invr_core.fill import fill
from invr_core.observation import Observation, charbonnier, squared
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.transport import mean, neighbours, patched, transport
from invr_core.video import Video
from invr_denoising.kinds import Kind, noise_of
from invr_denoising.noisy import BARE, Noisy
from invr_tasks.confidence import confidence_of
from invr_tasks.operators import add_gaussian, add_poisson, add_salt_pepper
from invr_tasks.task import Source, Task, frame_by_frame

__all__ = ["Denoise", "DenoiseConfig"]

SIGMA, PHOTONS, IMPULSES = 25.0, 30.0, 0.10
"""What is simulated: levels of 255 of Gaussian noise, photons for white, and the share of pixels that are impulses."""


@dataclass(frozen=True)
class DenoiseConfig:
    """What kind of noise to remove, and how far to look for the same thing seen again."""

    noise: Kind = "auto"
    """The kind of noise: of one level everywhere (gaussian), growing with brightness (poisson), black and white pixels
    (salt-pepper), or these beside either of the others (mixed); auto tells it from the clip. Its level is estimated."""
    reach: int = 6
    """In how many frames before and after each one the same thing is looked for, at most."""
    strength: float = 1.0
    """How many times the level that is told from the clip the noise is taken to be. More for what a codec has smoothed:
    told from pixel to pixel, its level is too low."""

    def __post_init__(self) -> None:
        if self.noise not in (kinds := get_args(Kind)):
            raise BadInput(f"noise must be one of {', '.join(kinds)}, got {self.noise!r}")
        if not 0 < self.strength < float("inf"):
            raise BadInput(f"strength must be a number above 0, got {self.strength}")
        if self.reach < 0:
            raise BadInput(f"reach must be at least 0 frames, got {self.reach}")


class Denoise(Task[DenoiseConfig]):
    """Show a noisy clip as it would be without the noise."""

    api = 1
    Config = DenoiseConfig

    def observe(self, source: Source) -> Observation:
        """Noise by its likelihood, as if of one level; impulses are hidden."""
        noise = noise_of(source.video, self.config.noise)
        if noise.impulsive and noise.level == 0:
            return Observation(source.video, weight=noise.known(source.video), distance=charbonnier)
        return Observation(source.video, weight=noise.known(source.video), distance=squared, noisy=True)

    def plan(self, source: Source) -> Query:
        """The given instants."""
        return Query(source.video.times)

    def render(self, rep: Representation, source: Source) -> Video:
        """Each frame of what it and its neighbours, carried to it, show alike; without any noise, as it is."""
        return frame_by_frame(source.video, self._drawn(rep, source, False))

    def with_confidence(self, rep: Representation, source: Source) -> Video:
        """Less sure where more of the noise is left, or where what was brought to an impulse disagrees."""
        return frame_by_frame(replace(source.video, channels=4), self._drawn(rep, source, True))

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        """As the options say, or else Gaussian noise; of mixed noise, that and impulses."""
        seed = generator.initial_seed()
        match self.config.noise:
            case "poisson":
                return Source(add_poisson(truth, PHOTONS, seed))
            case "salt-pepper":
                return Source(add_salt_pepper(truth, IMPULSES, seed))
            case "mixed":
                return Source(add_salt_pepper(add_gaussian(truth, SIGMA, seed), IMPULSES, seed + 1))
            case _:
                return Source(add_gaussian(truth, SIGMA, seed))

    def naive(self, source: Source) -> Video:
        """The noisy clip itself."""
        return source.video

    def _drawn(self, rep: Representation, source: Source, asked: bool) -> Callable[[int], Tensor]:
        """What draws a frame, (1, 3, H, W), or where confidence is asked for (1, 4, H, W)."""
        video = source.video
        window = 2 * self.config.reach + 1
        noise = noise_of(video, self.config.noise)
        if noise.level:
            noisy = Noisy.of(video, rep, noise, self.config.strength, self.config.reach)
            return partial(noisy.clean, noisy.piloted(), asked=asked)
        known = noise.known(video)
        if known is None:
            return lambda index: _as_given(video.read([index]), asked)
        known = known.remembered(window)
        whole = patched(video, known).remembered(window)
        return lambda index: self._without_impulses(index, whole, known, rep, asked)

    def _without_impulses(self, index: int, video: Video, known: Video, rep: Representation, asked: bool) -> Tensor:
        given, trusted, time = video.read([index]), known.read([index]), float(video.times[index])
        frames = neighbours(video, time, self.config.reach, itself=False)
        if not frames:
            return torch.cat([given, trusted], 1) if asked else given
        brought = transport(video, rep, time, frames, weight=known)
        steps = (brought.seconds.abs() * video.fps).clamp(min=1).view(-1, 1, 1, 1)
        weights = brought.validity * steps.to(brought.validity) ** -2
        picture, share = (one.cpu() for one in mean(brought.pictures, weights, given.to(weights), 0.05))
        answer = torch.where(trusted > 0, given, picture + fill(given - picture, trusted))
        if not asked:
            return answer
        apart = (weights * (brought.pictures - answer.to(weights)).square().mean(1, keepdim=True)).sum(0, keepdim=True)
        expected = apart / weights.sum(0, keepdim=True).clamp(min=1e-8)
        expected = torch.lerp(torch.full_like(share, BARE**2), expected.cpu(), share)
        return torch.cat([answer, torch.where(trusted > 0, 1.0, confidence_of(expected))], 1)


def _as_given(frame: Tensor, asked: bool) -> Tensor:
    """A frame without noise: it is the answer, and sure."""
    return torch.cat([frame, torch.ones_like(frame[:, :1])], 1) if asked else frame
