"""What the tests of all four plugins share: one thread, so that they neither wait for nor disturb each other."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
