"""What is kept of a clip of several parts: a file of each, and one page on which all of them are seen."""

from __future__ import annotations

import gc
import re
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from standins import Own

from invr_core.oracle import MovingDisc
from invr_core.storage import load
from invr_core.video import Video
from invr_tasks.page.joined import MOST_MOMENTS, Sections
from invr_tasks.shots import run_shots
from invr_tasks.task import Source


@pytest.fixture
def cut_clip(invr: Any) -> str:
    """Three shots of 16x24, from 0 s, 0.6 s and 1.1 s on."""
    noise = torch.rand(15, 3, 16, 24, generator=torch.Generator().manual_seed(0)) / 8
    greys = torch.tensor([0.1] * 6 + [0.5] * 5 + [0.8] * 4)[:, None, None, None]
    Video.of(noise + greys, fps=10).save("cut.mkv")
    return "cut.mkv"


CUTS = ("--cuts", "0.6,1.1")


def shown(page: str) -> list[float]:
    """The instants of the pictures of a page."""
    return [float(time) for time in re.findall(r"<h3>([0-9.]+) s", page)]


def test_each_part_is_saved_by_itself(invr: Any, fits: Any, cut_clip: str) -> None:
    code, out, err = invr("run", "fakeslow", cut_clip, "out.mkv", *CUTS, "--save-rep", "fitted.invr", "--bits", "8")
    assert code == 0, err
    assert "each part is saved by itself: fitted-1.invr to fitted-3.invr" in err
    assert "and fitted-1.invr to fitted-3.invr (3 files)" in out
    assert sorted(path.name for path in Path().glob("*.invr")) == ["fitted-1.invr", "fitted-2.invr", "fitted-3.invr"]
    spans = [load(f"fitted-{number}.invr").span for number in (1, 2, 3)]
    assert [span for pair in spans for span in pair] == pytest.approx([0, 0.5, 0.6, 1.0, 1.1, 1.4])
    assert len(fits.calls) == 3


def test_a_part_that_is_not_fitted_is_not_saved(invr: Any, fits: Any, cut_clip: str) -> None:
    code, out, _ = invr("run", "fakeslow", cut_clip, "out.mkv", "--cuts", "0.6,0.7", "--save-rep", "a.invr")
    assert code == 0 and "and a-1.invr and a-3.invr, in" in out
    assert sorted(path.name for path in Path().glob("*.invr")) == ["a-1.invr", "a-3.invr"]


def test_a_file_of_a_part_that_cannot_be_is_refused_before_the_fit(invr: Any, fits: Any, cut_clip: str) -> None:
    Path("a-2.invr").mkdir()
    code, out, err = invr("run", "fakeslow", cut_clip, "out.mkv", *CUTS, "--save-rep", "a.invr")
    assert code == 2 and out == "" and "error: a-2.invr exists and is not a file" in err
    assert fits.calls == [] and not Path("out.mkv").exists() and not Path("a-1.invr").exists()


def test_one_page_shows_all_parts(invr: Any, fits: Any, cut_clip: str) -> None:
    code, out, err = invr("run", "fakeslow", cut_clip, "out.mkv", *CUTS, "--report", "page.html")
    assert code == 0, err
    assert "and page.html, in" in out
    page = Path("page.html").read_text(encoding="utf-8")
    times = shown(page)
    assert times == sorted(times) and len(times) == 6
    for first, last in ((0.0, 0.55), (0.55, 1.05), (1.05, 1.4)):  # a worst and a typical one of each shot
        assert sum(first <= time <= last for time in times) == 2
    assert "3, of which 3 are fitted, each by itself" in page and "shot 1/3" in page
    assert "given 15 frames" in re.sub(r"<[^>]*>", " ", page).replace("  ", " ")
    curve = next(points for points in re.findall(r'<polyline class="line0" points="([^"]+)"', page))
    assert len(curve.split()) == 15
    fits_of_parts = page.partition("The fits of the parts, one after the other: PSNR of recent batches")[2]
    assert len(re.findall(r'<polyline class="line0"', fits_of_parts)) == 3 and "seconds of the fits" in fits_of_parts
    assert 'class="line1"' not in fits_of_parts and 'class="name' not in fits_of_parts  # all three are one curve


def test_the_page_holds_nothing_that_was_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[weakref.ref[MovingDisc]] = []

    def fit(*arguments: Any, **options: Any) -> MovingDisc:
        rep = MovingDisc((16, 24))
        fitted.append(weakref.ref(rep))
        return rep

    monkeypatch.setattr("invr_tasks.run.fit", fit)
    source, sections = Source(Video.of(torch.rand(16, 3, 16, 24), fps=20)), Sections()
    joined = run_shots(Own(), source, (4, 8, 12), on_done=sections.add)
    joined.video.read([15])
    joined.video.read([10])
    gc.collect()
    assert [ref() is not None for ref in fitted] == [False, True, True]  # first made; the last two are held


def test_a_part_that_was_fitted_before_has_no_curve_and_takes_none_of_another(
    invr: Any, fits: Any, cut_clip: str
) -> None:
    command = ("run", "fakeslow", cut_clip, "out.mkv", *CUTS, "--keep", "RUN", "--report", "page.html")
    assert invr(*command)[0] == 0
    Path("RUN/part-0001.invr").unlink()  # the first is fitted again, the two others are only loaded
    assert invr("resume", "RUN")[0] == 0
    page = Path("page.html").read_text(encoding="utf-8")
    assert "The fits of the parts" not in page
    assert len(re.findall(r"<polyline", page.partition("The fit: PSNR of recent batches")[2])) == 1


def test_pieces_too_and_a_page_does_not_grow_with_them(invr: Any, fits: Any) -> None:
    noise = torch.rand(100, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    Video.of(noise, fps=10).save("long.mkv")
    options = ["--no-shots", "--piece", "10", "--report", "page.html", "--save-rep", "a.invr", "--quiet"]
    assert invr("run", "fakeslow", "long.mkv", "out.mkv", *options) == (0, "", "")
    assert len(fits.calls) > MOST_MOMENTS + 3
    times = shown(Path("page.html").read_text(encoding="utf-8"))
    assert len(times) == 2 * MOST_MOMENTS and times == sorted(times) and times[0] < 2 and times[-1] > 8
    assert Path("a-01.invr").exists() and len(list(Path().glob("a-*.invr"))) == len(fits.calls)


def test_where_nothing_was_fitted_there_is_nothing_to_report(invr: Any, fits: Any, cut_clip: str) -> None:
    instants = [f"0.{number}" for number in range(1, 10)] + ["1.0", "1.1", "1.2", "1.3", "1.4"]
    code, _, err = invr("run", "fakeslow", cut_clip, "out.mkv", "--cuts", ",".join(instants), "--report", "page.html")
    assert code == 2 and "no part of cut.mkv has the 2 frames that this task needs" in err
    assert not Path("page.html").exists() and not Path("out.mkv").exists()
