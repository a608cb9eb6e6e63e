"""Denoise: the kind and the level of the noise are told from the clip, and averaged away along the motion.

python examples/04_denoise.py [--out FOLDER] [--steps N]

The same from a shell: invr run denoise CLIP clean.mp4
"""

from pathlib import Path

import tyro
from invr_denoising import Denoise

from invr_core import FitConfig, Video
from invr_core.noise import gaussian_level
from invr_tasks.metrics import compare
from invr_tasks.operators import add_gaussian
from invr_tasks.run import run
from invr_tasks.task import Source

CLIP = Path(__file__).parent / "data" / "bunny.mp4"


def main(out: Path = Path("invr-examples/04_denoise"), steps: int = 30) -> None:
    """Add noise to a clip, and take it off again.

    Args:
        out: folder for what is made.
        steps: of the fit; more is better, and slower.
    """
    clip = Video.open(CLIP)[:8]
    noisy = add_gaussian(clip, sigma=25, seed=1)
    print(f"noise of 25 levels of 255 was added; as told from the clip: {255 * gaussian_level(noisy.frames()):.0f}")
    result = run(Denoise(), Source(noisy), fit_config=FitConfig(steps=steps))
    clean = result.video.remembered(len(clip))  # a result is rendered as it is read; this renders it once

    before, after = (compare(video, clip) for video in (noisy, clean))
    print(f"clean: {after.psnr:.2f} dB, SSIM {after.ssim:.3f}; noisy: {before.psnr:.2f} dB, SSIM {before.ssim:.3f}")
    noisy.save(out / "given.mp4")
    clean.save(out / "clean.mp4")
    print(f"look into {out}")


if __name__ == "__main__":
    tyro.cli(main)
