"""What tests of tasks share: a task that shows the representation's own picture, and the names of ours."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import pytest
import torch

from invr_core.observation import Observation
from invr_core.query import Query
from invr_core.video import Video
from invr_tasks.task import NoOptions, Source, Task

EXAMPLES = ("deblur", "stabilize")
TASKS = [
    *("interpolate", "inpaint", "denoise", "upscale"),
    *(
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                name not in entry_points(group="invr.tasks").names,
                reason=f"NOT TESTED: pip install -e examples/plugins/{name}",
            ),
        )
        for name in EXAMPLES
    ),
]
"""The names of our tasks; those of the examples are skipped where they are not installed."""


class Own(Task[Any]):
    """The representation's own picture at the given instants; tests add what they are about."""

    api = 1
    Config = NoOptions

    def observe(self, source: Source) -> Observation:
        return Observation(source.video)

    def plan(self, source: Source) -> Query:
        return Query(source.video.times)

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        return Source(truth)
