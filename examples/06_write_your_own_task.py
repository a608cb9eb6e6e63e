"""Your own task: undo a rolling shutter. Also: invr run examples/06_write_your_own_task.py:Unroll INPUT OUTPUT."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro

from invr_core import FitConfig, Observation, Query, Representation, Video, observation
from invr_core.transport import transport
from invr_tasks.run import score
from invr_tasks.task import Source, Task


@dataclass(frozen=True)
class UnrollConfig:
    readout: float = 0.2
    """Seconds that the sensor takes to read a frame from top to bottom; the frame's instant is in the middle."""


class Unroll(Task[UnrollConfig]):
    """Undo a rolling shutter: show all rows of a frame as they were at one instant."""

    api = 1
    Config = UnrollConfig

    def expose(self, clip: observation.Clip, times: torch.Tensor) -> torch.Tensor:  # what is seen: band after band
        return torch.cat([clip(times + (b - 2) / 5 * self.config.readout).tensor_split(5, 2)[b] for b in range(5)], 2)

    def observe(self, source: Source) -> Observation:
        (first, last), margin = source.video.span, self.config.readout / 2
        return Observation(source.video, forward=self.expose, span=(first - margin, last + margin))

    def plan(self, source: Source) -> Query:
        return Query(source.video.times)

    def render(self, rep: Representation, source: Source) -> Video:
        def upright(y: Video) -> torch.Tensor:  # each band, carried from when it was seen to the frame's instant
            return self.expose(lambda t: transport(Video.of(y.frames(), t), rep, y.span[0], [0]).pictures, y.times)

        return replace(source.video, read=lambda ids: torch.cat([upright(source.video[i : i + 1]) for i in ids]).cpu())

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        times = truth.times[2:-2:5]
        return Source(Video.of(self.expose(lambda t: truth.read((t * truth.fps).round().int().tolist()), times), times))

    def judged(self, source: Source, truth: Video) -> Video:
        return source.video.map(lambda frames: torch.ones_like(frames[:, :1]))


def main(out: Path = Path("invr-examples/06_write_your_own_task"), steps: int = 30) -> None:
    clip = Video.open(Path(__file__).parent / "data" / "bunny.mp4").map(lambda frames: frames[..., 40:120, 80:240])
    scored = score(Unroll(), clip, fit_config=FitConfig(steps=steps, batch=2))
    print(f"the shutter undone: {scored.scores.psnr:.2f} dB; as given: {scored.naive.psnr:.2f} dB; look into {out}")
    scored.result.video.save(out / "upright.mp4")


if __name__ == "__main__":
    tyro.cli(main)
