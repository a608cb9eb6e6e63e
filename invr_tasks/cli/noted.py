"""What an answer says of itself while it is written: how sure each frame is, so that nothing is rendered twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from invr_core.io import save_video
from invr_core.io.scratch import Scratch
from invr_core.video import Video
from invr_tasks.confidence import Sureness, of_frames
from invr_tasks.pixels import Bytes, to_bytes


class Noted:
    """An answer whose confidence is noted as it is read, in order.

    Args:
        video: the answer.
        confidence: of it, one channel.
        kept: whether its pictures are wanted afterwards, and not only figures.
    """

    def __init__(self, video: Video, confidence: Video, kept: bool) -> None:
        self._answer, self._confidence = video, confidence
        self._values: list[float] = []
        self._scratch = Scratch("the confidence", len(video)) if kept else None
        self._picture: Bytes | None = None

    @property
    def video(self) -> Video:
        """The answer, to be read; it is not held here, so that nothing outlives its last use."""
        return replace(self._answer, read=self._read)

    @property
    def sureness(self) -> Sureness:
        """Of the frames that have been read."""
        return Sureness(tuple(self._answer.times.tolist()[: len(self._values)]), tuple(self._values))

    @property
    def pictured(self) -> bool:
        """Whether its pictures are wanted, and not only figures."""
        return self._scratch is not None

    @property
    def last(self) -> tuple[float, Bytes | None]:
        """Of the frame that was read last: how sure it is, in [0, 1], and as (H, W, 1) if pictures are wanted."""
        return self._values[-1], self._picture

    def restore(self, index: int, value: float, picture: Bytes | None) -> None:
        """Note what was noted of a frame before, in the place of reading it.

        Args:
            index: of the frame; one that has been noted is passed over.
            value: as in `last`.
            picture: as in `last`.
        """
        if index == len(self._values):
            self._note(value, picture)

    def save(self, path: str, times: Tensor, note: Callable[[str], None]) -> None:
        """Write the confidence as grey pictures, once the answer has been read.

        Args:
            path: as `invr_core.io.save_video` takes it.
            times: of the answer as it was written, in seconds.
            note: as there.

        Raises:
            BadOutput: if it cannot be written.
        """
        assert self._scratch is not None
        self._scratch.seal()
        save_video(replace(self._confidence, times=times, read=self._scratch.read, depth=8), path, note)

    def _read(self, indices: Sequence[int]) -> Tensor:
        return torch.cat([self._frame(int(index)) for index in indices])

    def _frame(self, index: int) -> Tensor:
        frame = self._answer.read([index])
        if index == len(self._values):
            sure = self._confidence.read([index])
            self._note(float(of_frames(sure)), None if self._scratch is None else to_bytes(sure)[0])
        return frame

    def _note(self, value: float, picture: Bytes | None) -> None:
        self._values.append(value)
        self._picture = picture
        if self._scratch is not None and picture is not None:
            self._scratch.append(picture)
