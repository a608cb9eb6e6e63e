"""Enlarge: twice as many pixels each way; shrunk again, the result gives back what was given.

python examples/05_enlarge.py [--out FOLDER] [--steps N]

The same from a shell: invr run upscale CLIP large.mp4 --scale 2
"""

from pathlib import Path

import tyro
from invr_super_resolution import Upscale, UpscaleConfig

from invr_core import FitConfig, Video
from invr_tasks.metrics import compare
from invr_tasks.operators import downscale
from invr_tasks.run import run
from invr_tasks.task import Source

CLIP = Path(__file__).parent / "data" / "bunny.mp4"


def main(out: Path = Path("invr-examples/05_enlarge"), steps: int = 30) -> None:
    """Shrink a clip, and enlarge it again.

    Args:
        out: folder for what is made.
        steps: of the fit; more is better, and slower.
    """
    clip = Video.open(CLIP)[:8]
    source = Source(downscale(clip, scale=2))
    task = Upscale(UpscaleConfig(scale=2))
    result = run(task, source, fit_config=FitConfig(steps=steps))
    large = result.video.remembered(len(clip))  # a result is rendered as it is read; this renders it once

    ours, bicubic = (compare(video, clip).psnr for video in (large, task.naive(source)))
    again = compare(downscale(large, scale=2), source.video).psnr
    print(f"against the truth: {ours:.2f} dB; bicubic: {bicubic:.2f} dB")
    print(f"the result, shrunk again, is {again:.1f} dB from what was given")
    source.video.save(out / "given.mp4")
    large.save(out / "large.mp4")
    print(f"look into {out}")


if __name__ == "__main__":
    tyro.cli(main)
