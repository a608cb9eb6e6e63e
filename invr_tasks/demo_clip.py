"""Where the clip that ships with `invr` is, installed or in a checkout."""

from __future__ import annotations

from pathlib import Path

from invr_core.errors import BadFile

_NAME = "bunny.mp4"


def demo_clip_path() -> Path:
    """The clip of the demo: 64 frames, 320x160, 25 frames per second.

    Big Buck Bunny, (c) 2008 Blender Foundation, www.bigbuckbunny.org, CC BY 3.0; see the README beside it.

    Raises:
        BadFile: if neither the installed package nor a checkout holds it.

    Example:
        >>> demo_clip_path().name
        'bunny.mp4'
    """
    here = Path(__file__).resolve().parent
    places = [here / "demo_data" / _NAME, here.parent / "examples" / "data" / _NAME]
    for place in places:
        if place.is_file():
            return place
    raise BadFile(f"the demo clip is not at {' or '.join(map(str, places))}; install invr again")
