"""Clips with no fit: analytic representations, exact at every instant and size, to test tasks with.

Each shows one thing that a task meets: a thing that moves and covers, a pan, a long occlusion, a cut.
"""

from __future__ import annotations

from invr_core.oracle.base import Oracle
from invr_core.oracle.cut import Cut
from invr_core.oracle.scenes import MovingDisc, Occlusion, PanningTexture

__all__ = ["ORACLES", "Cut", "MovingDisc", "Occlusion", "Oracle", "PanningTexture"]

ORACLES: tuple[type[Oracle], ...] = (MovingDisc, PanningTexture, Occlusion, Cut)
"""All of them; each is made by ``oracle(size, span)``."""
