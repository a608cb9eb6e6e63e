"""The state of a running fit on disk, so that one that was killed goes on: safetensors with a checksum, no pickle."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from invr_core.atomic import atomic_file
from invr_core.errors import BadFile
from invr_core.io.notes import Note, silent
from invr_core.loop import Loop
from invr_core.storage import checksum

KEY = "invr-checkpoint"
FORMAT = "1"
EVERY = 45.0
"""Seconds from one state to the next: with the step and the writing between them, less than a minute is lost."""


class Checkpoints:
    """The last two states of one fit. The first is due as long after this is made: what comes before the steps counts.

    Args:
        path: of the newer one; the older lies beside it.
        tell: is told, in a line, when a fit goes on from one, and when one cannot be read.
        every: seconds from one to the next; None for `EVERY`.
    """

    def __init__(self, path: Path, tell: Note = silent, every: float | None = None) -> None:
        self.path, self.before = path, path.with_name(f"{path.name}.before")
        self.tell, self.every = tell, EVERY if every is None else every
        self._saved = time.monotonic()

    def due(self) -> bool:
        """Whether it is time for another."""
        return time.monotonic() - self._saved >= self.every

    def save(self, loop: Loop) -> None:
        """Keep the state of a fit; the one before stays.

        Raises:
            BadOutput: if it cannot be written; what was kept before is still there.
        """
        state = loop.state()
        data = serialise(state, {KEY: f"{FORMAT} {checksum(FORMAT, state)}"})
        with atomic_file(self.path) as private:
            private.write_bytes(data)
            if self.path.exists():
                self.path.replace(self.before)
        self._saved = time.monotonic()

    def restore(self, loop: Loop) -> None:
        """Let a fit go on from the newest state that can be read; without one it begins at its beginning."""
        for path in (self.path, self.before):
            if not path.exists():
                continue
            try:
                loop.load_state(_read(path))
            except BadFile as cause:
                self.tell(f"{path} is left out: {cause}")
                path.unlink()
            else:
                self.tell(f"going on after step {loop.count}")
                self._saved = time.monotonic()
                break

    def clear(self) -> None:
        """Remove both, once what they lead to is kept."""
        for path in (self.path, self.before):
            path.unlink(missing_ok=True)


def _read(path: Path) -> Mapping[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            said = (file.metadata() or {}).get(KEY, "")
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118  # unlike those, not the file
    except (SafetensorError, OSError) as cause:
        raise BadFile(f"cut short, damaged, or no state of a fit ({cause})") from cause
    form, _, digest = said.partition(" ")
    if form != FORMAT:
        raise BadFile(f"made by another invr (format {form or 'unknown'}; this one reads {FORMAT})")
    if digest != checksum(form, tensors):
        raise BadFile("damaged: its checksum does not match what it holds")
    return tensors
