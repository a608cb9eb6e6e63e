"""The parts of a fitted clip as pictures: what the page of a run and the viewer show."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from invr_core.errors import Unsupported
from invr_core.query import Query, Region
from invr_core.representation import Motion, Representation
from invr_core.video import Video
from invr_tasks.pictures import flow_colours, grey
from invr_tasks.pixels import Bytes, from_bytes, to_bytes

GAIN = 8.0
"""How much the residual is enlarged around grey."""
MOTION, CONFIDENCE = "motion", "confidence"
"""What is shown beside the parts of a representation that knows motion."""
LOOKS = 3
"""Instants at which it is measured how long motions are."""
USUAL = 0.995
"""The share of pixels whose motion is within the scale."""

Size = tuple[int, int]


class Parts:
    """The parts of a fitted clip, each as a picture of any instant, size and region.

    Args:
        rep: the fitted clip.
        step: seconds over which motion is shown, such as those from one given frame to the next.
    """

    def __init__(self, rep: Representation, step: float) -> None:
        first, last = rep.span
        self.rep = rep
        self.step = min(step, last - first)
        self._moved: tuple[float, Motion] | None = None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """ "full" first, then the other parts, then "motion" and "confidence" where the model knows motion."""
        known = ("full", "structured", "residual")
        parts = (*(part for part in known if part in self.rep.parts), *sorted(self.rep.parts - set(known)))
        try:
            self.motion(self.rep.span[0])
        except Unsupported:
            return parts
        return (*parts, MOTION, CONFIDENCE)

    def motion(self, time: float) -> Motion:
        """Motion over a step from an instant; near the end of the span, over the last step. The last one is kept."""
        if self._moved is not None and self._moved[0] == time:
            return self._moved[1]
        begin = max(min(time, self.rep.span[1] - self.step), self.rep.span[0])
        t0 = torch.tensor([begin], dtype=torch.float64)
        with torch.no_grad():
            motion = self.rep.motion(t0, (t0 + self.step).clamp(max=self.rep.span[1]))
        self._moved = (time, motion)
        return motion

    @cached_property
    def longest(self) -> float:
        """Pixels over a step that are shown in full colour: nearly all motions at a few instants are shorter."""
        instants = torch.linspace(*self.rep.span, LOOKS, dtype=torch.float64).tolist()
        lengths = torch.stack([self.motion(time).flow[0].square().sum(0).sqrt().flatten() for time in instants])
        kept = torch.sort(lengths[torch.isfinite(lengths)]).values
        usual = float(kept[int(USUAL * (len(kept) - 1))]) if len(kept) else 0.0
        return max(float(f"{usual:.1g}" if usual >= 1 else f"{usual:.1f}"), 0.5)

    def draw(self, name: str, time: float, size: Size | None = None, region: Region | None = None) -> Bytes:
        """One picture.

        Args:
            name: one of `names`.
            time: seconds, within the span.
            size: (H, W) of the whole frame in pixels; None for the native one.
            region: what of it is shown; None for all.

        Returns:
            (h, w, 3) uint8. Motion by the colour wheel, `longest` pixels in full colour; the residual `GAIN` times
            around grey.

        Raises:
            Unsupported: if there is no such part.
            OutOfSpan: if the instant is outside.
        """
        if name == MOTION:
            return fitting(flow_colours(self.motion(time).flow[0], self.longest), size, region)
        if name == CONFIDENCE:
            return fitting(grey(self.motion(time).confidence[0]), size, region)
        with torch.no_grad():
            picture = self.rep(Query(torch.tensor([time], dtype=torch.float64), size, region, name))
        drawn: Bytes = to_bytes(0.5 + GAIN * picture if name == "residual" else picture)[0]
        return drawn

    def told(self, name: str) -> str:
        """What one needs to know to read a picture, in a few words."""
        if name == MOTION:
            scale = f"over {1000 * self.step:.3g} ms, {self.longest:g} pixels in full colour"
            return f"{scale}; red right, yellow down, cyan left, violet up"
        if name == CONFIDENCE:
            return "of the motion; white is sure"
        return f"{GAIN:g} times, grey is nothing" if name == "residual" else ""


def fitting(picture: Bytes, size: Size | None, region: Region | None = None) -> Bytes:
    """A picture of another size, or a part of that.

    Args:
        picture: (H, W, 3) uint8.
        size: (H, W) of the whole, in pixels; None for its own.
        region: what of it is kept; None for all.

    Returns:
        (h, w, 3) uint8.
    """
    if size is not None and size != picture.shape[:2]:
        picture = to_bytes(_resized(from_bytes(picture[None]), size))[0]
    if region is None:
        return picture
    rows, columns = region.slices((picture.shape[0], picture.shape[1]))
    kept: Bytes = picture[rows, columns]
    return kept


def frame_at(video: Video, time: float) -> tuple[Bytes, float]:
    """The frame of a clip nearest to an instant, (H, W, 3) uint8, and its own instant."""
    index = int((video.times - time).abs().argmin())
    picture = to_bytes(video.read([index]))[0]
    colour: Bytes = picture.repeat(3, axis=2) if picture.shape[2] == 1 else picture
    return colour, float(video.times[index])


def _resized(frames: Tensor, size: Size) -> Tensor:
    smaller = size[0] < frames.shape[2] or size[1] < frames.shape[3]
    return F.interpolate(frames, size, mode="bicubic", align_corners=False, antialias=smaller)
