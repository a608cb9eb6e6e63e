"""How clips are degraded: operators a fit can differentiate, and the seeded degradations that tasks are judged on.

The degradations give the same bytes for the same seed on every machine, so that every method gets the same input:
8 bits per sample, whatever the depth of the clip.
"""

from __future__ import annotations

from invr_tasks.operators.camera import displace
from invr_tasks.operators.forward import blur, shrink
from invr_tasks.operators.holes import box_holes, moving_hole, object_holes, punch, static_hole
from invr_tasks.operators.noise import add_gaussian, add_poisson, add_salt_pepper
from invr_tasks.operators.resize import crop_to, downscale
from invr_tasks.operators.split import interpolation_split

__all__ = [
    "add_gaussian",
    "add_poisson",
    "add_salt_pepper",
    "blur",
    "box_holes",
    "crop_to",
    "displace",
    "downscale",
    "interpolation_split",
    "moving_hole",
    "object_holes",
    "punch",
    "shrink",
    "static_hole",
]
