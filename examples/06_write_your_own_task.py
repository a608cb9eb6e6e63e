"""A task of your own: undo a rolling shutter. Run this file, or `invr run examples/06_write_your_own_task.py:Unroll …`."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro
from torch import Generator, Tensor

from invr_core import FitConfig, Observation, Query, Representation, Video
from invr_core.observation import Clip
from invr_core.transport import transport
from invr_tasks.operators import downscale
from invr_tasks.run import score
from invr_tasks.task import Source, Task


@dataclass(frozen=True)
class UnrollConfig:
    readout: float = 0.2
    """Seconds that the sensor takes to read one frame, from its top row to its bottom row."""
    bands: int = 5
    """In how many steps it does so."""


class Unroll(Task[UnrollConfig]):
    """Undo a rolling shutter: show all rows of a frame as they were at one instant."""

    api = 1
    Config = UnrollConfig

    def expose(self, clip: Clip, times: Tensor) -> Tensor:  # what such a sensor sees of a continuous clip
        n, readout = self.config.bands, self.config.readout
        return torch.cat([clip(times + ((b + 0.5) / n - 0.5) * readout).tensor_split(n, 2)[b] for b in range(n)], 2)

    def observe(self, source: Source) -> Observation:
        (first, last), margin = source.video.span, self.config.readout / 2
        return Observation(source.video, forward=self.expose, span=(first - margin, last + margin))

    def plan(self, source: Source) -> Query:
        return Query(source.video.times)

    def render(self, rep: Representation, source: Source) -> Video:
        def upright(index: int) -> Tensor:  # each band, carried along the motion from when it was seen to one instant
            frame, time = source.video.read([index]), source.video.times[index : index + 1]
            return self.expose(lambda seen: transport(Video.of(frame, seen), rep, float(time), [0]).pictures, time)

        return replace(source.video, read=lambda indices: torch.cat([upright(i) for i in indices]).cpu())

    def simulate(self, truth: Video, generator: Generator) -> Source:
        (first, last), margin = truth.span, self.config.readout / 2
        times = truth.times[(truth.times > first + margin) & (truth.times < last - margin)][:: self.config.bands]
        nearest = lambda seen: truth.read([int((truth.times - t).abs().argmin()) for t in seen])  # noqa: E731
        return Source(Video.of(self.expose(nearest, times), times))

    def judged(self, source: Source, truth: Video) -> Video:
        return source.video.map(lambda frames: torch.ones_like(frames[:, :1]))


def main(out: Path = Path("invr-examples/06_write_your_own_task"), steps: int = 40) -> None:
    clip = downscale(Video.open(Path(__file__).parent / "data" / "bunny.mp4"), scale=2)
    scored = score(Unroll(), clip, fit_config=FitConfig(steps=steps, batch=2))
    print(f"as given: {scored.naive.psnr:.2f} dB; the shutter undone: {scored.scores.psnr:.2f} dB")
    scored.source.video.save(out / "given.mp4")
    scored.result.video.save(out / "upright.mp4")


if __name__ == "__main__":
    tyro.cli(main)
