"""One picture at a time, the newest first of all: who asks again no longer waits for what was asked before."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable

from anyio import to_thread

from invr_core.errors import InvrError

CACHE_BYTES = 64 << 20
"""Of pictures that are kept."""
LANES = 64
"""How many who ask are told apart."""


class Superseded(InvrError):
    """The one who asked has asked for something else since."""


class Kept:
    """What was used last, within a bound of bytes.

    Args:
        limit: bytes in all at the most.

    Example:
        >>> kept = Kept(5)
        >>> kept.put("a", b"123"); kept.put("b", b"45"); kept.get("a"); kept.put("c", b"6"); kept.get("b")
        b'123'
    """

    def __init__(self, limit: int) -> None:
        self._limit, self.used = limit, 0
        self._held: OrderedDict[Hashable, bytes] = OrderedDict()

    def get(self, key: Hashable) -> bytes | None:
        """What is kept under a key; it then counts as used."""
        if key in self._held:
            self._held.move_to_end(key)
        return self._held.get(key)

    def put(self, key: Hashable, value: bytes) -> None:
        """Keep it, and let go of what was not used for longest; what is larger than the bound is not kept."""
        if len(value) > self._limit:
            return
        self.used += len(value) - len(self._held.pop(key, b""))
        self._held[key] = value
        while self.used > self._limit:
            self.used -= len(self._held.popitem(last=False)[1])


class Turns:
    """Does work one by one in a thread, and keeps what came of it.

    Args:
        limit: bytes that are kept.
    """

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._kept = Kept(limit)
        self._turn = asyncio.Lock()
        self._newest: OrderedDict[str, int] = OrderedDict()
        self._count = 0

    async def take(self, lane: str, key: Hashable, work: Callable[[], bytes]) -> bytes:
        """Wait for a turn, and do the work; or answer at once with what is kept.

        Who is cancelled no longer waits, but work that has begun goes on, has its turn to itself, and is kept.

        Args:
            lane: who asks. Of those waiting in one lane only the newest gets a turn.
            key: of the work.
            work: what is done, in a thread.

        Raises:
            Superseded: if somebody newer is in the lane.
        """
        self._count += 1
        ticket = self._count
        self._newest[lane] = ticket
        self._newest.move_to_end(lane)
        if len(self._newest) > LANES:
            self._newest.popitem(last=False)
        if (found := self._kept.get(key)) is not None:
            return found
        await self._turn.acquire()
        newer, found = self._newest.get(lane) != ticket, self._kept.get(key)
        if newer or found is not None:
            self._turn.release()
        if newer:
            raise Superseded("something newer was asked for")
        if found is not None:
            return found
        self._working = asyncio.ensure_future(self._do(key, work))
        self._working.add_done_callback(lambda done: done.cancelled() or done.exception())  # whoever asked may be gone
        return await asyncio.shield(self._working)

    async def _do(self, key: Hashable, work: Callable[[], bytes]) -> bytes:
        """Do the work, whether or not somebody still waits for it: no thread can be stopped, and there is one only."""
        try:
            found = await to_thread.run_sync(work)
            self._kept.put(key, found)
            return found
        finally:
            self._turn.release()
