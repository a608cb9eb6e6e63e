"""The one line after a command: what was written."""

from __future__ import annotations

from invr_core.video import Video
from invr_tasks.cli.printed import printable


def wrote(
    quiet: bool, output: str, video: Video, seconds: float, rep: str | None = None, report: str | None = None
) -> None:
    """Print what was written, how many frames of what size, and how long it took; nothing if ``quiet``."""
    if quiet:
        return
    height, width = video.size
    frames = "frame" if len(video) == 1 else "frames"
    kept = "".join(f", and {other}" for other in (rep, report) if other)
    print(printable(f"wrote {output}: {len(video)} {frames} of {width}x{height}{kept}, in {seconds:.1f} s"))
