"""Slow motion: every second frame of a clip is given; the ones between are made, and compared with the truth.

python examples/02_slow_motion.py [--out FOLDER] [--steps N]

The same from a shell, of all frames of a clip: invr run interpolate CLIP slow.mp4 --factor 4 --slow 4
"""

from dataclasses import replace
from pathlib import Path

import torch
import tyro
from invr_interpolation import Interpolate, InterpolateConfig

from invr_core import FitConfig, Video
from invr_tasks.metrics import compare
from invr_tasks.run import run
from invr_tasks.task import Source

CLIP = Path(__file__).parent / "data" / "bunny.mp4"


def main(out: Path = Path("invr-examples/02_slow_motion"), steps: int = 30) -> None:
    """Make 8 frames of each one that is given.

    Args:
        out: folder for what is made.
        steps: of the fit; more is better, and slower.
    """
    clip = Video.open(CLIP)[30:39]
    source = Source(clip[::2])  # 12.5 frames per second
    task = Interpolate(InterpolateConfig(factor=8))
    result = run(task, source, fit_config=FitConfig(steps=steps))

    unseen = clip[1::2].map(lambda frames: torch.ones_like(frames[:, :1]))  # where, and when, scores count
    ours, blended = (compare(video, clip, unseen).psnr for video in (result.video, task.naive(source)))
    print(f"{len(source.video)} frames became {len(result.video)}")
    print(f"at {len(unseen)} instants that were held back: {ours:.2f} dB; blending the neighbours: {blended:.2f} dB")

    # The result keeps the clip's own time. Stretch its clock to see it slowly: 100 frames a second become 25.
    slow = replace(result.video, times=result.video.times * 4)
    slow.save(out / "slow.mp4")
    source.video.save(out / "given.mp4")
    print(f"look into {out}")


if __name__ == "__main__":
    tyro.cli(main)
