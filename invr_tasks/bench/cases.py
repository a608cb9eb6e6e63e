"""The input of each setting, the same bytes for every method, and where it is scored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import torch

from invr_core.errors import BadInput
from invr_core.video import Video
from invr_tasks.bench.classical import Given
from invr_tasks.operators import (
    add_gaussian,
    add_poisson,
    add_salt_pepper,
    box_holes,
    downscale,
    interpolation_split,
    moving_hole,
    object_holes,
    punch,
    static_hole,
)
from invr_tasks.pixels import to_bytes
from invr_tasks.task import Source

Kernel = Literal["area", "bicubic"]
KERNELS: tuple[Kernel, ...] = get_args(Kernel)
OBJECT = "object:"
"""What the settings of `inpaint` begin with whose holes are the masks of a real object."""


@dataclass(frozen=True, eq=False)
class Case:
    """What a method is given, and what belongs to the scoring alone.

    Args:
        source: the input.
        judged: where scores count, as `Task.judged` gives it; None for everywhere.
        step: for interpolation, how many frames of the truth there are to a given one; else 1.
    """

    source: Source
    judged: Video | None = None
    step: int = 1


Make = Callable[[Video, int, Video | None], Case]
"""(the truth, seed, masks of an object) -> the case."""


@dataclass(frozen=True)
class Setting:
    """How an input is made, and what our task is told of it.

    Args:
        make: the case.
        options: fields of the task's config.
    """

    make: Make
    options: Mapping[str, Any] = field(default_factory=dict)


def _interpolate(step: int) -> Setting:
    def make(truth: Video, seed: int, masks: Video | None) -> Case:
        given, asked = interpolation_split(truth, step)
        return Case(Source(given), asked.map(lambda frames: torch.ones_like(frames[:, :1])), step)

    return Setting(make, {"factor": step})


def _inpaint(cut: Callable[[Video, int, Video | None], Video]) -> Setting:
    def make(truth: Video, seed: int, masks: Video | None) -> Case:
        holes = cut(truth, seed, masks)
        return Case(Source(punch(truth, holes), {"mask": holes}), holes)

    return Setting(make)


def _object(truth: Video, seed: int, masks: Video | None) -> Video:
    if masks is None:
        raise BadInput("the holes of an object need its masks; the suite names none")
    return object_holes(truth, masks)


def _denoise(spoil: Callable[[Video, int], Video]) -> Setting:
    return Setting(lambda truth, seed, masks: Case(Source(spoil(truth, seed))))


def _upscale(scale: int, kernel: Kernel) -> Setting:
    def make(truth: Video, seed: int, masks: Video | None) -> Case:
        return Case(Source(downscale(truth, scale, kernel)))

    return Setting(make, {"scale": scale, "kernel": kernel})


SETTINGS: dict[str, dict[str, Setting]] = {
    "interpolate": {f"x{step}": _interpolate(step) for step in (2, 4)},
    "inpaint": {
        "boxes": _inpaint(lambda truth, seed, masks: box_holes(truth, seed=seed)),
        "static": _inpaint(lambda truth, seed, masks: static_hole(truth)),
        "moving": _inpaint(lambda truth, seed, masks: moving_hole(truth)),
        OBJECT: _inpaint(_object),
    },
    "denoise": {
        "gauss25": _denoise(lambda truth, seed: add_gaussian(truth, 25, seed)),
        "gauss50": _denoise(lambda truth, seed: add_gaussian(truth, 50, seed)),
        "sp10": _denoise(lambda truth, seed: add_salt_pepper(truth, 0.10, seed)),
        "poisson30": _denoise(lambda truth, seed: add_poisson(truth, 30, seed)),
        "mixed25": _denoise(lambda truth, seed: add_salt_pepper(add_gaussian(truth, 25, seed), 0.10, seed + 1)),
    },
    "upscale": {f"x{scale}_{kernel}": _upscale(scale, kernel) for kernel in KERNELS for scale in (2, 4)},
}
"""By the registered name of a task and that of a setting; the names of the protocol."""


def setting_of(task: str, setting: str) -> Setting:
    """The setting of a task by its name."""
    return SETTINGS[task][OBJECT if setting.startswith(OBJECT) else setting]


def make_case(task: str, setting: str, truth: Video, seed: int = 0, masks: Video | None = None) -> Case:
    """The input of a setting.

    Args:
        task: registered name.
        setting: of `SETTINGS`, or ``object:`` and a name.
        truth: the clip.
        seed: of holes and noise.
        masks: of an object.

    Raises:
        BadInput: if the clip is too short or small for it.
    """
    return setting_of(task, setting).make(truth, seed, masks)


def given_of(case: Case, size: tuple[int, int]) -> Given:
    """The same input for a classical method.

    Args:
        case: see `Case`.
        size: (H, W) of the answer.
    """
    video, step = case.source.video, case.step
    holes = None
    if "mask" in case.source.extras:
        holes = np.concatenate([case.source["mask"].read([i])[:, 0].numpy() > 0.5 for i in range(len(video))])
    places = tuple((before, k / step) for before in range(len(video) - 1) for k in range(1, step)) if step > 1 else ()
    pictures = np.concatenate([to_bytes(video.read([index])) for index in range(len(video))])
    return Given(pictures, size, video.fps, holes, places)


def fingerprint(given: Given) -> str:
    """SHA-256 of the given pixels, (n, h, w, 3) uint8: what tells that every method had the same input."""
    return hashlib.sha256(np.ascontiguousarray(given.pictures).tobytes()).hexdigest()
