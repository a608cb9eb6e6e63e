"""The only file access for video: open files and folders as `Video`, save a `Video` atomically."""

from __future__ import annotations

from invr_core.io.masks import open_mask
from invr_core.io.opening import open_video
from invr_core.io.saving import save_video
from invr_core.io.targets import check_output

__all__ = ["check_output", "open_mask", "open_video", "save_video"]
