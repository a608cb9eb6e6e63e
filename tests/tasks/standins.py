"""A task that shows the representation's own picture of the given instants; tests add what they are about."""

from __future__ import annotations

from typing import Any

import torch

from invr_core.observation import Observation
from invr_core.query import Query
from invr_core.video import Video
from invr_tasks.task import NoOptions, Source, Task


class Own(Task[Any]):
    """The representation's own picture at the given instants."""

    api = 1
    Config = NoOptions

    def observe(self, source: Source) -> Observation:
        return Observation(source.video)

    def plan(self, source: Source) -> Query:
        return Query(source.video.times)

    def simulate(self, truth: Video, generator: torch.Generator) -> Source:
        return Source(truth)
