"""What the tests of the example plugins share: one thread, and the plugins, also where they are not installed."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

torch.set_num_threads(1)
sys.path += [str(source) for source in sorted(Path(__file__).parent.glob("*/src"))]
