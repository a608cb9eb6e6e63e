"""Answers by well-kept libraries: what people use today, and what a task must beat. One function a method."""

from __future__ import annotations

from invr_tasks.bench.classical import denoising, enlarging, inpainting, interpolation
from invr_tasks.bench.classical.given import Given, Method

__all__ = ["METHODS", "Given", "Method", "of_setting"]

METHODS: dict[str, tuple[Method, ...]] = {
    "interpolate": interpolation.METHODS,
    "inpaint": inpainting.METHODS,
    "denoise": denoising.METHODS,
    "upscale": enlarging.METHODS,
}
"""By the name of the task that they are held against."""


def of_setting(task: str, setting: str) -> list[Method]:
    """The methods for a setting, the naive ones first.

    Example:
        >>> [method.name for method in of_setting("denoise", "sp10")]
        ['none', 'median 3x3', 'detect + telea']
    """
    return [one for one in METHODS[task] if one.settings is None or setting in one.settings]
