"""HNeRV, re-implemented from its paper, as a peer to compare with.

Source: H. Chen, M. Gwilliam, S.-N. Lim and A. Shrivastava, "HNeRV: A Hybrid Neural Representation for Videos",
CVPR 2023.
"""

from __future__ import annotations

from invr_core.models.hnerv.config import HNeRV

__all__ = ["HNeRV"]
