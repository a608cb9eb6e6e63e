"""Any operator: a module of kornia, or a physics of deepinv, is what the camera did to the clip; in one line.

python examples/07_any_operator.py [--library kornia|deepinv] [--out FOLDER] [--steps N]
"""

from pathlib import Path
from typing import Literal

import kornia
import torch
import tyro

from invr_core import FitConfig, Observation, Query, Video, fit
from invr_core.models.cwrnn import CWRNN
from invr_core.observation import framewise, squared
from invr_tasks.metrics import compare
from invr_tasks.perceptual import allow_torchvision
from invr_tasks.task import as_video

CLIP = Path(__file__).parent / "data" / "bunny.mp4"
Library = Literal["kornia", "deepinv"]


def lens(library: Library) -> torch.nn.Module:
    """A lens that is out of focus, as a library of one's choice has it."""
    if library == "kornia":
        return kornia.filters.GaussianBlur2d((9, 9), (1.2, 1.2))
    allow_torchvision()  # which deepinv imports, and which may be built for another torch
    import deepinv  # not among the requirements of invr: pip install 'invr[interop]'

    blur = deepinv.physics.functional.blur.gaussian_blur(sigma=(1.2, 1.2))
    return deepinv.physics.Blur(blur, padding="reflect", noise_model=deepinv.physics.GaussianNoise(0.1))


def main(library: Library = "kornia", out: Path = Path("invr-examples/07_any_operator"), steps: int = 30) -> None:
    """Blur a clip, add noise, and find the clip that it came from.

    Args:
        library: whose operator.
        out: folder for what is made.
        steps: of the fit; more is better, and slower.
    """
    clip, physics = Video.open(CLIP)[34:42], lens(library)
    torch.manual_seed(1)
    noise = 0 if library == "deepinv" else 0.1 * torch.randn(len(clip), 3, *clip.size)  # deepinv's adds its own
    given = Video.of((physics(clip.frames()) + noise).clamp(0, 1), clip.times)

    observation = Observation(given, forward=framewise(physics), distance=squared)  # noise is left to the distance
    rep = fit(observation, CWRNN(), FitConfig(steps=steps))

    found = as_video(rep, Query(clip.times)).remembered(len(clip))
    ours, before = (compare(video, clip).psnr for video in (found, given))
    print(f"found behind blur and noise: {ours:.2f} dB; as given: {before:.2f} dB; look into {out}")
    given.save(out / "given.mp4")
    found.save(out / "found.mp4")


if __name__ == "__main__":
    tyro.cli(main)
