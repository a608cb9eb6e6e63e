"""All that a task makes of a source: here, or in a new process, which has met the source and nothing else."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from invr_core.checking import expect
from invr_core.oracle import PanningTexture
from invr_core.query import Query
from invr_core.representation import Representation
from invr_core.video import Video
from invr_tasks.registry import by_reference
from invr_tasks.task import Source, Task
from invr_tasks.testing.cases import SPAN, global_seed, some

Made = dict[str, Tensor]
Stage = Callable[[str], None]


def everything(task: Task[Any], source: Source, rep: Representation, enter: Stage = lambda name: None) -> Made:
    """All that a task makes of a source, by name; ``enter`` is told which hook comes next."""
    found: Made = {}
    enter("observe")
    observation = task.observe(source)
    indices = some(observation.video)
    times = observation.video.times[indices]
    given = observation.video.read(indices)
    found["observe: the video"] = given
    if observation.weight is not None:
        found["observe: the weight"] = observation.weight.read(indices)
    enter("the observation's forward or distance")
    seen = observation.forward(lambda instants: rep(Query(instants)), times)
    found["observe: forward"] = seen
    found["observe: distance"] = observation.distance(seen, given)
    enter("prior")
    found["prior"] = task.prior(rep, times).detach()
    enter("plan")
    found["plan: times"] = task.plan(source).times
    for name, make in (("naive", task.naive), ("render", lambda source: task.render(rep, source))):
        enter(name)
        video = make(source)
        found[f"{name}: times"], found[f"{name}: frames"] = video.times, video.read(some(video))
    return found


def from_the_source(task: Task[Any], source: Source) -> Made:
    """Everything, with a representation that shows something else than the truth that the source was simulated from."""
    with global_seed(0):
        return everything(task, source, PanningTexture(task.observe(source).clip_size, SPAN))


# ---------------------------------------------------------------- in a new process
def can_be_imported(kind: type[Task[Any]]) -> bool:
    """Whether a new process would find this class: not one that stands within a function or in a script that is run."""
    module = sys.modules.get(kind.__module__)
    if module is None or kind.__module__ == "__main__" or "<locals>" in kind.__qualname__:
        return False
    try:
        return attrgetter(kind.__qualname__)(module) is kind
    except AttributeError:
        return False


def in_a_new_process(task: Task[Any], source: Source) -> Made:
    """As `from_the_source`, by a Python that has just begun: it gets the class, its options and the source.

    Args:
        task: of a class that `can_be_imported`.
        source: in memory.
    """
    kind = type(task)
    names = [kind.__module__, str(getattr(sys.modules[kind.__module__], "__file__", ""))]
    with tempfile.TemporaryDirectory() as folder:
        order = {
            "references": [f"{name}:{kind.__qualname__}" for name in names],
            "options": dataclasses.asdict(task.config),
            "threads": torch.get_num_threads(),
            "depths": {name: _written(video, Path(folder, name)) for name, video in _videos(source).items()},
        }
        Path(folder, "order.json").write_text(json.dumps(order), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", __name__, folder],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
        )
        expect(done.returncode == 0, f"in a new process it fails:\n{done.stderr}")
        return load_file(Path(folder, "made"))


def main(folder: Path) -> None:
    """Do what `in_a_new_process` has ordered."""
    order = json.loads((folder / "order.json").read_text(encoding="utf-8"))
    torch.set_num_threads(order["threads"])
    by_name, by_file = order["references"]
    try:
        kind = by_reference(by_name)
    except ModuleNotFoundError:  # a file that is on no path, as a test's
        kind = by_reference(by_file)
    videos = {name: _read(folder / name, depth) for name, depth in order["depths"].items()}
    made = from_the_source(kind(kind.Config(**untyped(order["options"]))), Source(videos.pop("video"), videos))
    save_file({name: value.clone().contiguous() for name, value in made.items()}, folder / "made")  # some are one


def untyped(options: dict[str, Any]) -> dict[str, Any]:
    """Options as JSON has kept them, which knows no tuples."""
    return {name: _tuples(value) for name, value in options.items()}


def _tuples(value: Any) -> Any:
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value


def _videos(source: Source) -> dict[str, Video]:
    return {"video": source.video, **source.extras}


def _written(video: Video, path: Path) -> int:
    """The depth of a video whose frames and times are written."""
    save_file({"frames": video.frames().contiguous(), "times": video.times.contiguous()}, path)
    return video.depth


def _read(path: Path, depth: int) -> Video:
    kept = load_file(path)
    return Video.of(kept["frames"], kept["times"], depth=depth)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
