"""Show the parts of a fitted clip: ``python docs/pictures/parts.py`` fits the shipped one and writes parts.jpg."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from invr_core.fitted import Fitted
from invr_core.fitting import FitConfig, fit
from invr_core.models.cwrnn import CWRNN
from invr_core.observation import Observation
from invr_core.query import Query
from invr_core.video import Video
from invr_tasks.pictures import colour_wheel, flow_colours, grey, side_by_side
from invr_tasks.pixels import Bytes, to_bytes

HERE = Path(__file__).resolve().parent
CLIP = HERE.parents[1] / "examples" / "data" / "bunny.mp4"
INSTANTS = (10, 26, 42)
"""Given frames that are shown: none of them is an anchor."""
LONGEST, GAIN = 6.0, 10.0
"""Pixels from one frame to the next in full colour; how much the residual is enlarged around grey."""


def row(rep: Fitted, clip: Video, index: int) -> list[tuple[str, Bytes]]:
    """The parts at one instant, and the motion from it to the next frame."""
    here, there = clip.times[index : index + 1], clip.times[index + 1 : index + 2]
    motion = rep.motion(here, there)
    full, structured = (rep(Query(here, part=part)) for part in ("full", "structured"))
    return [
        (f"given, frame {index}", to_bytes(clip.read([index]))[0]),
        ("motion to the next frame", flow_colours(motion.flow[0], LONGEST)),
        ("its confidence", grey(motion.confidence[0])),
        ("structured", to_bytes(structured)[0]),
        (f"residual, {GAIN:g} times, 0 is grey", to_bytes(0.5 + GAIN * (full - structured))[0]),
    ]


def main() -> None:
    """Fit for fifty seconds, and write the sheet."""
    clip = Video.open(CLIP)
    rep = fit(Observation(clip), CWRNN(), FitConfig(minutes=50 / 60))
    with torch.no_grad():
        rows = [row(rep, clip, index) for index in INSTANTS]
    key = [
        (
            f"the wheel, to {LONGEST:g} pixels",
            np.pad(colour_wheel(100), ((0, 0), (0, 220), (0, 0)), constant_values=255),
        )
    ]
    side_by_side([*rows, key], HERE / "parts.jpg", 320)
    print(f"{rep.info['steps']} steps, {rep.info['psnr']} dB, {rep.info['parameters']:,} parameters")


if __name__ == "__main__":
    main()
