"""What a fit of a clip is estimated to take, by its size, and how long it is if nobody says: a table for the guide.

    python docs/benchmarks/needed.py

Computed, not measured, for one piece (160 frames), on a CPU, with the model's own number of parameters: by
`invr_core.memory.estimate`, by which a fit is refused, and `invr_core.fitting.default_steps`.
"""

from __future__ import annotations

import torch

from invr_core.fitting import FitConfig, default_steps, solved_for
from invr_core.memory import estimate, frames_a_step
from invr_core.models.base import Geometry
from invr_core.models.cwrnn import CWRNN
from invr_core.observation import Observation
from invr_core.video import Video

SIZES = ((640, 360), (1280, 720), (1920, 1080), (3840, 2160))
FRAMES = 160


def main() -> None:
    """Print the rows."""
    print("| 160 frames of | parameters | frames a step | memory | steps | passes over the clip |")
    print("|---|---|---|---|---|---|")
    for width, height in SIZES:
        clip = Video(torch.arange(FRAMES) / 25, (height, width), lambda indices: torch.zeros(0))
        observation = Observation(clip)
        geometry = Geometry.of(observation)
        model = solved_for(observation, CWRNN(), FitConfig(device="cpu"))
        batch = frames_a_step(model, geometry.size, FRAMES)
        steps = default_steps(model, geometry, batch, torch.device("cpu"))
        needed = f"{estimate(model, geometry, batch) / 2**30:.1f} GiB"
        with torch.device("meta"):
            parameters = model.build(geometry).counted() / 1e6
        passes = batch * steps / FRAMES
        print(f"| {width}x{height} | {parameters:.0f} million | {batch} | {needed} | {steps} | {passes:.1f} |")


if __name__ == "__main__":
    main()
