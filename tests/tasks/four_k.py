"""A clip of 3840x2160 on a machine where 4 GiB are free: what each task does, and the most that this process held.

    python tests/tasks/four_k.py FOLDER

prints a JSON line for each.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from invr_core import memory
from invr_core.video import Video
from invr_tasks.bench import rss
from invr_tasks.cli import main

FREE = 4 << 30
ASKED = {
    "interpolate": ["large.mkv"],
    "upscale": ["half.mkv", "--scale", "2"],
    "denoise": ["large.mkv"],
    "inpaint": ["large.mkv", "--box", "1760,990,320,180"],
}


def slope(height: int, width: int) -> Video:
    """Two frames of a slope that brightens."""

    def read(indices: Sequence[int]) -> Tensor:
        grey = torch.linspace(0.1, 0.8, width).expand(3, height, width)
        return torch.stack([grey + index / 100 for index in indices])

    return Video(torch.arange(2) / 25, (height, width), read)


def tried(task: str) -> dict[str, object]:
    """Run a task, and tell what came of it."""
    source, *options = ASKED[task]
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code = main(["run", task, source, "out.mkv", *options, "--save-rep", "out.invr", "--quiet"])
    held = rss.peak() * 2**20
    return {"task": task, "code": code, "said": said.getvalue(), "files": sorted(os.listdir()), "held": held}


if __name__ == "__main__":
    torch.set_num_threads(1)
    os.chdir(Path(sys.argv[1]))
    slope(2160, 3840).save("large.mkv")
    slope(1080, 1920).save("half.mkv")
    memory.available = lambda device: FREE
    for name in ASKED:
        print(json.dumps(tried(name)), flush=True)
