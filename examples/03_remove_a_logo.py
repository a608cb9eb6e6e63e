"""Remove a logo: a mask says where it is; what lies under it is brought in from when it was visible, or made up.

python examples/03_remove_a_logo.py [--out FOLDER] [--steps N]

The same from a shell: invr run inpaint CLIP clean.mp4 --mask logo.png
"""

from pathlib import Path

import cv2
import numpy as np
import tyro
from invr_inpainting import Inpaint

from invr_core import FitConfig, Video
from invr_core.io import open_mask
from invr_tasks.metrics import compare
from invr_tasks.operators import punch
from invr_tasks.run import run
from invr_tasks.task import Source

CLIP = Path(__file__).parent / "data" / "bunny.mp4"


def main(out: Path = Path("invr-examples/03_remove_a_logo"), steps: int = 30) -> None:
    """Put a logo on a clip, and take it off again.

    Args:
        out: folder for what is made.
        steps: of the fit; more is better, and slower.
    """
    clip = Video.open(CLIP)[34:42]
    logo = np.zeros(clip.size, np.uint8)
    cv2.putText(logo, "invr", (220, 40), cv2.FONT_HERSHEY_SIMPLEX, 1.2, color=255, thickness=4)
    out.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out / "logo.png"), logo)

    mask = open_mask(out / "logo.png", clip)  # one picture holds for all frames; white is to be filled
    source = Source(punch(clip, mask, value=1.0), {"mask": mask})
    task = Inpaint()
    result = run(task, source, fit_config=FitConfig(steps=steps))
    clean = result.video.remembered(len(clip))  # a result is rendered as it is read; this renders it once

    ours, median = (compare(video, clip, mask).psnr for video in (clean, task.naive(source)))
    print(f"under the logo: {ours:.2f} dB; the median over time, and what is around, instead: {median:.2f} dB")
    source.video.save(out / "given.mp4")
    clean.save(out / "clean.mp4")
    print(f"look into {out}")


if __name__ == "__main__":
    tyro.cli(main)
