"""The one line after a command: what was written."""

from __future__ import annotations

from invr_core.video import Video
from invr_tasks.cli.printed import printable


def wrote(quiet: bool, output: str, video: Video, seconds: float, *others: str | None) -> None:
    """Print what was written, how many frames of what size, and how long it took; nothing if ``quiet``.

    Args:
        quiet: print nothing.
        output: where the frames are.
        video: they are of.
        seconds: that it took.
        others: what else was written; None is left out.
    """
    if quiet:
        return
    height, width = video.size
    frames = "frame" if len(video) == 1 else "frames"
    kept = "".join(f", and {other}" for other in others if other)
    print(printable(f"wrote {output}: {len(video)} {frames} of {width}x{height}{kept}, in {seconds:.1f} s"))
