"""The Coupled WarpRNN with a mixed residual grid (after CWRNN-INVR, arXiv 2604.06564), by our own reading."""

from __future__ import annotations

from invr_core.models.cwrnn.config import CWRNN

__all__ = ["CWRNN"]
