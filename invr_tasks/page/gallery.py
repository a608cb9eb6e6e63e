"""The pictures of a page: at each instant what was given, the answer, what it is made of, and how wrong it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from torch import Tensor

from invr_core.video import Video
from invr_tasks.metrics import TOLERANCE
from invr_tasks.page.album import Album, Embedded
from invr_tasks.page.instants import Instant, shown_at
from invr_tasks.page.parts import CONFIDENCE, MOTION, Parts, fitting, frame_at
from invr_tasks.pictures import colour_wheel
from invr_tasks.pixels import Bytes

ERROR_GAIN = 4
"""How much the error is enlarged: a quarter of full contrast is white."""
WHEEL = 96
"""Side of the key to the colours of motion, in pixels."""


@dataclass(frozen=True)
class Picture:
    """A picture under its name.

    Args:
        name: such as "given", "ours", "motion"; one word, the same at each instant.
        note: what one needs to know to read it, or "".
        image: itself.
        whole: whether it shows the scene, and is compared by the wipe first of all.
    """

    name: str
    note: str
    image: Embedded
    whole: bool


@dataclass(frozen=True)
class Moment:
    """All pictures of one instant.

    Args:
        time: of the answer that is shown, in seconds.
        instant: that it was chosen for; of the answer, or of the given frame nearest to it.
        pictures: of it.
    """

    time: float
    instant: Instant
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Gallery:
    """All pictures of a page.

    Args:
        moments: in order of time.
        wheel: the key to the colours of motion; None if no motion is shown.
        unsure: the share of pixels whose motion is hardly to be trusted; None if no motion is shown.
        left, right: names of the pictures that the wipe begins with.
    """

    moments: tuple[Moment, ...]
    wheel: Embedded | None
    unsure: float | None
    left: str
    right: str

    @property
    def instants(self) -> list[Instant]:
        """Those that are shown, as they were chosen."""
        return [moment.instant for moment in self.moments]

    @property
    def first(self) -> int:
        """Which of the moments to look at first: the worst."""
        return min(range(len(self.moments)), key=lambda number: self.moments[number].instant.psnr)


def gallery(
    instants: Sequence[Instant],
    parts: Parts,
    given: Video,
    answer: Video,
    naive: Video | None,
    truth: Video | None,
    share: float = 1.0,
) -> Gallery:
    """Render what is to be seen at some instants.

    Args:
        instants: by the clock of the truth if there is one, else by that of the given frames.
        parts: of what was fitted.
        given: the clip that was given.
        answer: the answer.
        naive: the trivial answer; None where the truth is not known.
        truth: what the answer should be; None where it is not known.
        share: of the bytes that all pictures of a page may have.
    """
    album: Album[tuple[int, str] | str] = Album()
    notes: list[list[tuple[str, str, bool]]] = []
    unsure: list[Tensor] = []
    times = [one.time if truth is not None else shown_at(answer, given, one.time) for one in instants]
    for number, time in enumerate(times):
        notes.append([])
        for name, note, picture, whole in _of_instant(time, parts, given, answer, naive, truth):
            album.put((number, name), picture, "large" if whole else "small")
            notes[-1].append((name, note, whole))
        if MOTION in parts.names:
            unsure.append((parts.motion(time).confidence < 0.5).float().mean())
    if unsure:
        album.put("wheel", colour_wheel(WHEEL), "small")
    images = album.embedded(share)
    moments = tuple(
        Moment(
            times[number],
            instant,
            tuple(Picture(name, note, images[number, name], whole) for name, note, whole in notes[number]),
        )
        for number, instant in enumerate(instants)
    )
    doubt = float(sum(unsure) / len(unsure)) if unsure else None
    return Gallery(moments, images.get("wheel"), doubt, "given" if naive is None else "naive", "ours")


def _of_instant(
    time: float, parts: Parts, given: Video, answer: Video, naive: Video | None, truth: Video | None
) -> Iterator[tuple[str, str, Bytes, bool]]:
    """Name, note, picture, and whether it shows the scene."""
    picture, when = frame_at(given, time)
    notes = [f"{given.size[1]}x{given.size[0]}"] if given.size != answer.size else []
    notes += [f"the nearest, {1000 * (when - time):+.0f} ms"] if abs(when - time) > TOLERANCE else []
    yield "given", ", ".join(notes), picture, True
    if naive is not None:
        yield "naive", "", frame_at(naive, time)[0], True
    ours = frame_at(answer, time)[0]
    yield "ours", "", ours, True
    if truth is not None:
        true = frame_at(truth, time)[0]
        yield "truth", "", true, True
        yield "error", f"of ours; brighter is worse, {ERROR_GAIN} times", _error(ours, true), False
    inside = min(max(time, parts.rep.span[0]), parts.rep.span[1])
    for name in parts.names:
        shown = "fitted" if name == "full" else name
        note = "by the network alone, without the given pixels" if name == "full" else parts.told(name)
        yield shown, note, parts.draw(name, inside), name not in (MOTION, CONFIDENCE, "residual")


def _error(picture: Bytes, truth: Bytes) -> Bytes:
    """The mean absolute error of each pixel, from black by red to white."""
    picture = fitting(picture, (truth.shape[0], truth.shape[1]))
    wrong = np.abs(picture.astype(np.float32) - truth.astype(np.float32)).mean(axis=2) * ERROR_GAIN
    coloured = cv2.applyColorMap(np.clip(np.rint(wrong), 0, 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.ascontiguousarray(coloured[:, :, ::-1])
