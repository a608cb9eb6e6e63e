"""What to be careful about: what a run itself gives reason to doubt."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from invr_tasks.confidence import HALF, Sureness
from invr_tasks.page.curve import Curve
from invr_tasks.page.gallery import Gallery
from invr_tasks.page.instants import Series

UNSURE = 0.15
"""The share of pixels with doubtful motion from which it is worth a word."""
RISING = 0.5
"""dB in the last quarter of a fit from which more time would be well spent."""
UNEVEN = 4.0
"""dB by which the worst frame lies below the median, from which it is worth a word."""


def cautions(
    interrupted: bool,
    series: Series,
    known: bool,
    shown: Gallery,
    curve: Curve | None,
    sureness: Sureness | None = None,
) -> list[str]:
    """Sentences, the weightiest first; there is always the last one.

    Args:
        interrupted: whether the fit was stopped before its end.
        series: PSNR over time that the instants were chosen by.
        known: whether that is against the truth.
        shown: the pictures.
        curve: that noted the fit, if one did.
        sureness: how sure the answer is, if that is known.
    """
    return [*_of_run(interrupted, series, shown, curve), *_of_sureness(sureness), _of_figures(known)]


def _of_run(interrupted: bool, series: Series, shown: Gallery, curve: Curve | None) -> Iterator[str]:
    if interrupted:
        yield "The fit was stopped before its end: this is what was fitted by then."
    if curve is not None and (curve.late_gain or 0) > RISING:
        yield (
            f"The fit was still getting better: {curve.late_gain:+.1f} dB in its last quarter. "
            "More minutes or steps would bring more."
        )
    if series.psnr:
        worst, middle = min(series.psnr), median(series.psnr)
        if middle - worst > UNEVEN:
            when = series.times[series.psnr.index(worst)]
            yield (
                f"The clip is uneven: at {when:.2f} s the PSNR is {middle - worst:.1f} dB below its median. "
                "Look there first; fast motion, something uncovered or a cut are the usual reasons."
            )
    if shown.unsure is not None and shown.unsure > UNSURE:
        yield (
            f'Motion is doubtful for {100 * shown.unsure:.0f} % of the pixels shown (black under "confidence"). '
            "There the network's own picture stands in, which is softer."
        )


def _of_sureness(sureness: Sureness | None) -> Iterator[str]:
    least = sureness.least() if sureness is not None else []
    if least:
        named = ", ".join(f"{time:.2f} s ({value:.2f})" for time, value in least)
        yield (
            f"The answer is least sure at {named}. A confidence of 0.5 stands for an expected error of "
            f"{255 * HALF:.0f} levels of 255 over the frame, 1 for none."
        )


def _of_figures(known: bool) -> str:
    if known:
        return (
            "Figures hold for this clip and for the frames that are judged. A sharp picture in the wrong place scores "
            "below a blurred one in the right place: look at the pictures, too."
        )
    return (
        "The truth is not known here. The PSNR says how well the fit explains the frames that were given; it says "
        "nothing about what lies between them, under a mask, or beyond their resolution."
    )
