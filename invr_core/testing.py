"""For the tests of anyone who writes a model or a task: the laws of a representation, and one that keeps them exactly.

`check_representation` tests the laws on any representation; `CHECKS` are the same, one by one, for
``pytest.mark.parametrize``, and `excused` leaves some of them out, with a reason. `ORACLES` are clips that need no fit.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from invr_core.checking import ROUNDING, check_all, excused, expect, expect_close, expect_equal, expect_refused
from invr_core.errors import OutOfSpan, Unsupported
from invr_core.oracle import ORACLES, Cut, MovingDisc, Occlusion, PanningTexture
from invr_core.query import Query, Region
from invr_core.representation import Motion, Representation
from invr_core.sampling import sample, target_grid
from invr_core.storage import load

__all__ = [
    "CHECKS",
    "ORACLES",
    "Check",
    "Cut",
    "MovingDisc",
    "Occlusion",
    "PanningTexture",
    "check_representation",
    "excused",
]

Check = Callable[[Representation], None]
"""Raises AssertionError, with what was expected and found, if a representation breaks one law."""


def check_representation(rep: Representation, exempt: Mapping[str, str] | None = None) -> None:
    """Test every law that a representation keeps.

    Args:
        rep: any; it is rendered some two hundred times, so let it be small.
        exempt: the names of checks it cannot pass, each with a reason. One that it passes nevertheless is an error,
            so that no exemption outlives its reason.

    Raises:
        AssertionError: if a law is broken; the message names all broken ones.

    Example:
        >>> check_representation(MovingDisc((12, 16)), MovingDisc.exempt)
    """
    check_all(rep, CHECKS, exempt)


# ------------------------------------------------------------------ what is shown
def shapes_and_ranges(rep: Representation) -> None:
    """(M, 3, H, W) float32 on `device`, finite, at the native size; "full" in [0, 1]."""
    times = _instants(rep)
    expect("full" in rep.parts, f"parts are {sorted(rep.parts)}; 'full' must be among them")
    for part in sorted(rep.parts):
        picture = _ask(rep, Query(times, part=part))
        expected = (len(times), 3, *rep.size)
        expect(tuple(picture.shape) == expected, f"{part}: shape {tuple(picture.shape)}, expected {expected}")
        expect(picture.dtype == torch.float32, f"{part}: {picture.dtype}, expected float32")
        expect(picture.device == rep.device, f"{part}: on {picture.device}, expected {rep.device}")
        expect(bool(torch.isfinite(picture).all()), f"{part}: not finite everywhere")
    full = _ask(rep, Query(times))
    low, high = float(full.min()), float(full.max())
    expect(low > -ROUNDING and high < 1 + ROUNDING, f"full reaches from {low:g} to {high:g}, expected [0, 1]")


def asking_again_gives_the_same(rep: Representation) -> None:
    """The same query twice: the same bits."""
    for part in sorted(rep.parts):
        query = Query(_instants(rep), part=part)
        expect_equal(_ask(rep, query), _ask(rep, query), f"{part}, asked twice")


def a_batch_equals_its_singles(rep: Representation) -> None:
    """Instants asked for together, in any order and repeated, look as they do alone, to the bit."""
    times = _instants(rep)[torch.tensor([3, 0, 3, 4, 1])]
    for part in sorted(rep.parts):
        singles = torch.cat([_ask(rep, Query(time, part=part)) for time in _singles(times)])
        expect_equal(_ask(rep, Query(times, part=part)), singles, f"{part}, in a batch and alone")


def a_region_equals_the_crop(rep: Representation) -> None:
    """A region shows what the crop of the whole frame shows, at the native size and at others."""
    height, width = rep.size
    for size in (rep.size, (height + 3, 2 * width)):
        query = Query(_instants(rep)[1:3], size)
        whole = _ask(rep, query)
        for region in (Region(0, 0, 1, 1), Region(0.25, 0.5, 0.5, 0.25), Region(0.6, 0.1, 0.4, 0.9)):
            rows, columns = region.slices(size)
            expect_close(_ask(rep, replace(query, region=region)), whole[:, :, rows, columns], f"{region} at {size}")


def another_size_shows_the_same(rep: Representation) -> None:
    """The native size asked for by name is the native picture; another size has its shape, and the same layout."""
    height, width = rep.size
    query = Query(_instants(rep)[1:3])
    native = _ask(rep, query)
    expect_equal(_ask(rep, replace(query, size=rep.size)), native, "the native size, named and not")
    grid = (min(4, height), min(4, width))
    for size in ((2 * height, 2 * width), (2 * height + 1, max(width // 2, 1))):
        other = _ask(rep, replace(query, size=size))
        expect(tuple(other.shape[2:]) == size, f"asked for {size}, got {tuple(other.shape[2:])}")
        if min(rep.size) < 16:
            continue  # too few pixels to have a layout
        gap = float((_layout(other, grid) - _layout(native, grid)).abs().max())
        expect(gap < 0.1, f"at {size} the picture's coarse layout is {gap:.2f} off that at {rep.size}")


def parts_add_up(rep: Representation) -> None:
    """Structured and residual are offered together, and add up to full."""
    offered = {"structured", "residual"} & rep.parts
    expect(len(offered) != 1, f"{sorted(offered)} is offered without its counterpart")
    if offered:
        times = _instants(rep)
        total = _ask(rep, Query(times, part="structured")) + _ask(rep, Query(times, part="residual"))
        expect_close(total, _ask(rep, Query(times)), "structured + residual and full")


def an_unknown_part_is_refused(rep: Representation) -> None:
    """A part that is not offered: Unsupported."""
    expect_refused(lambda: rep(Query(_instants(rep), part="no such part")), Unsupported, "an unknown part")


# --------------------------------------------------------------------------- time
def outside_the_span_is_refused(rep: Representation) -> None:
    """An instant outside the span, alone or among others, in pictures and in motion: OutOfSpan."""
    first, last = rep.span
    inside = _instants(rep)[:1]
    for outside in (first - 1e-3, last + 1e-3, first - 1e6):
        instant = torch.tensor([outside], dtype=torch.float64)
        times = torch.cat([inside, instant])
        expect_refused(partial(rep, Query(times)), OutOfSpan, f"a picture at {outside:g} s")
        if _motion(rep, inside, inside) is not None:
            for pair in ((instant, inside), (inside, instant)):
                expect_refused(partial(rep.motion, *pair), OutOfSpan, f"motion at {outside:g} s")


def time_is_continuous(rep: Representation) -> None:
    """As two instants approach, so do their pictures: halving the worst stretches again and again finds no jump."""
    times = torch.linspace(0, 1, 9, dtype=torch.float64) * (rep.span[1] - rep.span[0]) + rep.span[0]
    pictures = [_ask(rep, Query(time)) for time in _singles(times)]
    ends = zip(pairwise(times.tolist()), pairwise(pictures), strict=True)
    stretches = [(begin, end, before, after) for (begin, end), (before, after) in ends]
    for stretch in sorted(stretches, key=_change)[-3:]:
        for _ in range(24):
            if _change(stretch) < 1e-3:
                break
            begin, end, before, after = stretch
            middle = (begin + end) / 2
            picture = _ask(rep, Query(torch.tensor([middle], dtype=torch.float64)))
            stretch = max((begin, middle, before, picture), (middle, end, picture, after), key=_change)
        begin, end, _, _ = stretch
        jump = _change(stretch)
        expect(jump < 1e-3, f"within {end - begin:.1e} s of {begin:g} s a pixel jumps by {jump:.2g}")


def motion_is_sound(rep: Representation) -> None:
    """Where motion is offered: shapes and ranges hold, batches are as singles, nothing moves in no time."""
    times = _instants(rep)
    other = times.flip(0)
    motion = _motion(rep, times, other)
    if motion is None:
        return
    for name, value, channels in (("flow", motion.flow, 2), ("confidence", motion.confidence, 1)):
        expected = (len(times), channels, *rep.size)
        expect(tuple(value.shape) == expected, f"{name}: shape {tuple(value.shape)}, expected {expected}")
        expect(value.dtype == torch.float32, f"{name}: {value.dtype}, expected float32")
        expect(bool(torch.isfinite(value).all()), f"{name}: not finite everywhere")
    low, high = float(motion.confidence.min()), float(motion.confidence.max())
    expect(low >= 0 and high <= 1, f"confidence reaches from {low:g} to {high:g}, expected [0, 1]")
    singles = [rep.motion(a, b).flow for a, b in zip(_singles(times), _singles(other), strict=True)]
    expect_equal(motion.flow, torch.cat(singles), "flow, in a batch and alone")
    furthest = float(rep.motion(times, times).flow.abs().max())
    expect(furthest < ROUNDING, f"from an instant to itself, a pixel moves by {furthest:g} pixels")


def motion_carries_the_picture(rep: Representation) -> None:
    """Where motion is offered and trusted, and something moves: a picture that is carried along it is closer to the
    other instant's than one left as it is, one carried against it, or one carried with x and y exchanged.

    A model that has learnt no motion passes: nothing moves by more than half a pixel.
    """
    first, last = rep.span
    begin = first + torch.tensor([0.1, 0.3, 0.6, 0.9], dtype=torch.float64) * (last - first)
    wrong: dict[str, float] = {"along it": 0, "not at all": 0, "against it": 0, "with x and y exchanged": 0}
    for step in ((last - first) / 16, (first - last) / 16):
        motion = _motion(rep, begin, begin + step)
        if motion is None:
            return
        shown, other = _ask(rep, Query(begin)), _ask(rep, Query(begin + step))
        flow = motion.flow.to(other)
        trusted = motion.confidence * (flow.norm(dim=1, keepdim=True) > 0.5)
        for way, tried in zip(wrong, (flow, 0 * flow, -flow, flow.flip(1)), strict=True):
            wrong[way] += float((trusted * (sample(other, target_grid(tried))[0] - shown).abs()).sum())
    right = wrong.pop("along it")
    for way, error in wrong.items():
        expect(right <= error, f"carried along the motion, pictures are off by {right:.3g} in all; {way}, {error:.3g}")


# ------------------------------------------------------------------------- storage
def saving_is_exact(rep: Representation) -> None:
    """Saved and loaded: the same span, size, parts, and pictures to the bit; saved twice: the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder, "first.invr"), Path(folder, "second.invr")
        rep.save(first)
        rep.save(second)
        expect(first.read_bytes() == second.read_bytes(), "saved twice, the files differ")
        loaded = load(first, rep.device)
        kept = (loaded.span, loaded.size, loaded.parts)
        expect(kept == (rep.span, rep.size, rep.parts), f"loaded as {kept}")
        for part in sorted(rep.parts):
            query = Query(_instants(rep), part=part)
            expect_equal(_ask(loaded, query), _ask(rep, query), f"{part}, loaded and saved")
        loaded.save(second)
        expect(first.read_bytes() == second.read_bytes(), "loaded and saved again, the file differs")


CHECKS: tuple[Check, ...] = (
    shapes_and_ranges,
    asking_again_gives_the_same,
    a_batch_equals_its_singles,
    a_region_equals_the_crop,
    another_size_shows_the_same,
    parts_add_up,
    an_unknown_part_is_refused,
    outside_the_span_is_refused,
    time_is_continuous,
    motion_is_sound,
    motion_carries_the_picture,
    saving_is_exact,
)
"""Every law, as a function of a representation."""


# --------------------------------------------------------------------------- tools
def _instants(rep: Representation) -> Tensor:
    """Five instants, both ends and three odd ones between: (5,) float64 seconds."""
    first, last = rep.span
    return first + torch.tensor([0, 0.2137, 0.5, 0.8391, 1], dtype=torch.float64) * (last - first)


def _singles(times: Tensor) -> list[Tensor]:
    return [times[i : i + 1] for i in range(len(times))]


def _ask(rep: Representation, query: Query) -> Tensor:
    with torch.no_grad():
        return rep(query)


def _motion(rep: Representation, t0: Tensor, t1: Tensor) -> Motion | None:
    """The motion, or None where the model knows none."""
    try:
        with torch.no_grad():
            return rep.motion(t0, t1)
    except Unsupported:
        return None


def _change(stretch: tuple[float, float, Tensor, Tensor]) -> float:
    return float((stretch[2] - stretch[3]).abs().max())


def _layout(picture: Tensor, grid: tuple[int, int]) -> Tensor:
    return torch.nn.functional.adaptive_avg_pool2d(picture, grid)
