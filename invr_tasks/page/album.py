"""Pictures within a page: WebP as data URIs, all together within a bound, whatever the clip."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from PIL import Image

from invr_tasks.pixels import Bytes

LONGEST = {"large": 960, "small": 480}
"""Pixels of the longer side of a picture at the most."""
QUALITIES = (88, 75, 55, 35, 15)
"""Of WebP, the best first; the first of them with which all pictures fit in is taken."""
MOST_BYTES = 6_000_000
"""Of all pictures of a page, before they are written as text, which takes a third more."""

K = TypeVar("K")


@dataclass(frozen=True)
class Embedded:
    """A picture as a part of a page.

    Args:
        uri: ``data:image/webp;base64,…``.
        width, height: in pixels.
    """

    uri: str
    width: int
    height: int


class Album(Generic[K]):
    """Collects pictures, then gives all of them at the best quality at which they fit in."""

    def __init__(self) -> None:
        self._kept: dict[K, Image.Image] = {}

    def put(self, key: K, picture: Bytes, kind: str = "large") -> None:
        """Keep a picture, (H, W, 3) uint8, "large" or "small"."""
        image = Image.fromarray(picture)
        shrink = LONGEST[kind] / max(image.size)
        if shrink < 1:
            width, height = (max(1, round(side * shrink)) for side in image.size)
            image = image.resize((width, height), Image.Resampling.LANCZOS)
        self._kept[key] = image

    def embedded(self, share: float = 1.0) -> Mapping[K, Embedded]:
        """All of them; with the least quality if they fit into their share of a page's bytes at none."""
        for quality in QUALITIES:
            encoded = {key: _webp(image, quality) for key, image in self._kept.items()}
            if sum(map(len, encoded.values())) <= MOST_BYTES * share:
                break
        return {
            key: Embedded(f"data:image/webp;base64,{base64.b64encode(encoded[key]).decode()}", *image.size)
            for key, image in self._kept.items()
        }


def _webp(image: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=quality, method=4)
    return out.getvalue()
