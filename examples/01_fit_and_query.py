"""Fit a clip once, keep it in one file, and ask it for what it was never given.

python examples/01_fit_and_query.py [--out FOLDER] [--steps N]
"""

from pathlib import Path

import torch
import tyro

from invr_core import FitConfig, Observation, Query, Region, Video, fit, load
from invr_core.models.cwrnn import CWRNN
from invr_core.query import at_rate
from invr_tasks.metrics import compare
from invr_tasks.task import as_video

CLIP = Path(__file__).parent / "data" / "bunny.mp4"


def main(out: Path = Path("invr-examples/01_fit_and_query"), steps: int = 30) -> None:
    """Fit a clip, save it, load it, query it.

    Args:
        out: folder for what is made.
        steps: of the fit; more is better, and slower.
    """
    video = Video.open(CLIP)[:12]
    fitted = fit(Observation(video), CWRNN(), FitConfig(steps=steps))
    fitted.save(out / "bunny.invr")
    rep = load(out / "bunny.invr")

    size = (out / "bunny.invr").stat().st_size
    pixels = 3 * len(video) * video.size[0] * video.size[1]
    print(f"{fitted.info['parameters']:,} parameters in {size:,} bytes stand for {pixels:,} bytes of pixels")
    print(f"the given frames come back at {compare(as_video(rep, Query(video.times)), video).psnr:.1f} dB")

    # A clip is a function of time: any rate, any instants.
    as_video(rep, Query(at_rate(rep.span, fps=100))).save(out / "at_100_fps.mp4")

    # One instant between two frames: the upper right quarter, drawn twice as large.
    instant = torch.tensor([0.1], dtype=torch.float64)
    closer = Query(instant, size=(2 * video.size[0], 2 * video.size[1]), region=Region(0.0, 0.5, 0.5, 0.5))
    as_video(rep, closer).save(out / "closer")

    # What the recurrent network explains, and what the grid adds to it (shown around grey).
    as_video(rep, Query(video.times, part="structured")).save(out / "structured.mp4")
    as_video(rep, Query(video.times, part="residual")).save(out / "residual.mp4")

    motion = rep.motion(instant, instant + 0.04)
    trusted = motion.confidence > 0.5
    length = motion.flow.norm(dim=1, keepdim=True)[trusted].mean()
    print(f"from 0.10 to 0.14 s, pixels move by {length:.2f} on average ({trusted.float().mean():.0%} of them trusted)")
    print(f"look into {out}")


if __name__ == "__main__":
    tyro.cli(main)
