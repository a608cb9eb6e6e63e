"""Who draws when: one picture at a time, the newest of each who asks, and what is kept of them."""

from __future__ import annotations

import asyncio
import threading

import pytest

pytest.importorskip("anyio", reason="the viewer's libraries come with the extra `view`")

from invr_tasks.view.turns import Kept, Superseded, Turns


def test_of_those_who_wait_in_a_lane_only_the_newest_is_drawn() -> None:
    async def scrub() -> tuple[list[object], list[int]]:
        turns, drawn, go = Turns(), [], threading.Event()

        def work(number: int) -> bytes:
            go.wait(10)
            drawn.append(number)
            return b"%d" % number

        asked = [asyncio.create_task(turns.take("left", n, lambda n=n: work(n))) for n in range(6)]  # type: ignore[misc]
        asked.append(asyncio.create_task(turns.take("right", 9, lambda: work(9))))
        await asyncio.sleep(0.05)
        go.set()
        return await asyncio.gather(*asked, return_exceptions=True), drawn

    answers, drawn = asyncio.run(scrub())
    assert drawn == [0, 5, 9]  # the one that was being drawn, the newest, and that of somebody else
    assert answers[0] == b"0" and answers[5] == b"5" and answers[6] == b"9"
    assert all(isinstance(answer, Superseded) for answer in answers[1:5])


def test_work_is_done_one_at_a_time_and_what_is_kept_is_not_done_again() -> None:
    busy, most, count = 0, 0, 0

    def work() -> bytes:
        nonlocal busy, most, count
        busy, count = busy + 1, count + 1
        most = max(most, busy)
        threading.Event().wait(0.01)
        busy -= 1
        return b"x"

    async def ask() -> None:
        turns = Turns()
        await asyncio.gather(*(turns.take(str(n), n % 3, work) for n in range(9)))
        await turns.take("a", 1, work)

    asyncio.run(ask())
    assert most == 1 and count == 3


def test_work_that_nobody_waits_for_any_more_still_has_its_turn_to_itself() -> None:
    busy, most = 0, 0
    go = threading.Event()

    def work() -> bytes:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        go.wait(10)
        busy -= 1
        return b"x"

    async def ask() -> bytes:
        turns = Turns()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await turns.take("a", 1, work)
        other = asyncio.create_task(turns.take("b", 2, work))
        await asyncio.sleep(0.05)
        go.set()
        await other
        return await turns.take("a", 1, lambda: b"not kept")

    assert asyncio.run(ask()) == b"x" and most == 1


def test_what_is_kept_is_bounded_in_bytes() -> None:
    kept = Kept(10)
    for number in range(100):
        kept.put(number, b"abc")
        kept.put(number, b"abcd")
    assert kept.used == 8 and kept.get(99) == b"abcd" and kept.get(97) is None
    kept.put("large", b"x" * 11)
    assert kept.get("large") is None and kept.used == 8
