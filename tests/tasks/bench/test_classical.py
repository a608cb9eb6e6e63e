"""Classical methods: each does what it is for, on clips whose answer is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import cv2
import numpy as np
import pytest
import torch

from invr_core.errors import InvrError, Unsupported
from invr_core.oracle import MovingDisc, PanningTexture
from invr_core.query import Query
from invr_core.video import Video
from invr_tasks.bench.cases import fingerprint, given_of, make_case
from invr_tasks.bench.classical import METHODS, Given, Method, filters, of_setting
from invr_tasks.bench.classical.denoising import impulses, level
from invr_tasks.bench.classical.flow import farneback, fetch, inside, landing
from invr_tasks.bench.flows import dis_between
from invr_tasks.metrics import compare, psnr
from invr_tasks.pixels import Bytes, to_bytes

SIZE, FRAMES = (64, 96), 17
NAMES = [(task, method.name) for task, methods in METHODS.items() for method in methods]


def scene(kind: type, frames: int = FRAMES, span: float = 1.0) -> Video:
    """An oracle as a clip; ``span`` is how much of its motion is shown."""
    times = torch.linspace(0, span, frames, dtype=torch.float64)
    pictures = torch.cat([kind(SIZE)(Query(times[i : i + 1])) for i in range(frames)])
    return Video.of(
        (pictures.clamp(0, 1) * 255).round().to(torch.uint8), torch.arange(frames, dtype=torch.float64) / 25
    )


@pytest.fixture(scope="module")
def disc() -> Video:
    return scene(MovingDisc, 9)


def method(task: str, name: str) -> Method:
    return next(one for one in METHODS[task] if one.name == name)


def score(truth: Video, task: str, setting: str, name: str) -> float:
    """The PSNR that counts, of a method on a setting."""
    case = make_case(task, setting, truth)
    pictures = method(task, name).answer(given_of(case, truth.size))
    times = truth.times if case.judged is None else case.judged.times
    answer = Video.of(torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2), times)
    return compare(answer, truth, case.judged).psnr


# ------------------------------------------------------------------------------- all
@pytest.mark.parametrize(("task", "name"), NAMES)
def test_each_method_answers_with_pictures_and_leaves_its_input_alone(disc: Video, task: str, name: str) -> None:
    one = method(task, name)
    if one.missing():
        pytest.skip(one.missing())
    first = {"interpolate": "x2", "inpaint": "static", "denoise": "gauss25", "upscale": "x2_area"}[task]
    setting = first if one.settings is None else one.settings[0]
    case = make_case(task, setting, disc)
    given = given_of(case, disc.size)
    before = fingerprint(given)
    answer = one.answer(given)
    count = len(given.places) if task == "interpolate" else len(disc)
    assert answer.dtype == np.uint8 and answer.shape == (count, *SIZE, 3)
    assert fingerprint(given) == before
    if given.holes is not None:
        assert np.array_equal(answer[~given.holes], given.pictures[~given.holes])


def test_names_are_told_apart_and_each_task_has_a_naive_and_a_classical_answer() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for methods in METHODS.values():
        assert {one.family for one in methods} == {"naive", "classical"}
    assert "ffmpeg delogo" in [one.name for one in of_setting("inpaint", "static")]
    assert "ffmpeg delogo" not in [one.name for one in of_setting("inpaint", "boxes")]
    assert "median 3x3" not in [one.name for one in of_setting("denoise", "gauss25")]


# ----------------------------------------------------------------------- interpolation
@pytest.mark.parametrize(("setting", "span"), [("x2", 0.25), ("x4", 0.125)])  # 4 pixels between given frames
@pytest.mark.parametrize("name", ["DIS medium + warp", "Farneback + warp"])
def test_warping_is_far_above_blending_on_a_pan(name: str, setting: str, span: float) -> None:
    truth = scene(PanningTexture, span=span)
    assert score(truth, "interpolate", setting, name) > score(truth, "interpolate", setting, "blend") + 5


def test_minterpolate_is_above_repeating_on_a_pan() -> None:
    if filters.minterpolate_missing():
        pytest.skip(filters.minterpolate_missing())
    truth = scene(PanningTexture, span=0.25)
    ours = score(truth, "interpolate", "x2", "ffmpeg minterpolate")
    assert ours > score(truth, "interpolate", "x2", "repeat nearest") + 2


@pytest.mark.skipif(bool(filters.minterpolate_missing()), reason=filters.minterpolate_missing())
def test_minterpolate_shows_every_place_at_its_time() -> None:
    """A clip that grows brighter: what is shown at a place is as bright as it should be there."""
    pictures = np.stack([np.full((32, 48, 3), 40 + 20 * i, np.uint8) for i in range(5)])
    places = [(before, k / 4) for before in range(4) for k in (1, 2, 3)]
    shown = filters.minterpolate(pictures, places)
    wanted = [40 + 20 * (before + share) for before, share in places]
    assert np.abs(shown.mean((1, 2, 3)) - wanted).max() < 11
    assert bool((np.diff(shown.mean((1, 2, 3))) >= -1).all())


def test_blend_and_repeat_are_what_they_say() -> None:
    pictures = np.stack([np.full((4, 4, 3), value, np.uint8) for value in (0, 100)])
    given = Given(pictures, (4, 4), places=((0, 0.25), (0, 0.5), (0, 0.75)))
    blended, repeated = (method("interpolate", name).answer(given)[:, 0, 0, 0] for name in ("blend", "repeat nearest"))
    assert blended.tolist() == [25, 50, 75] and repeated.tolist() == [0, 100, 100]


# -------------------------------------------------------------------------------- flow
@pytest.mark.parametrize("flow", [dis_between, farneback])
def test_a_flow_says_where_pixels_go(flow: Callable[[Bytes, Bytes], np.ndarray]) -> None:
    old = to_bytes(scene(PanningTexture).read([0]))[0]
    new = np.roll(old, (2, -3), (0, 1))
    found = flow(old, new)[12:-12, 12:-12]
    assert np.abs(found - [-3, 2]).mean() < 0.5


def test_fetching_looks_where_it_is_told() -> None:
    picture = np.random.default_rng(0).random((8, 9, 3), dtype=np.float32)
    moved = np.full((8, 9, 2), (2.0, -1.0), np.float32)
    found, at = fetch(picture, landing(moved)), landing(moved)
    np.testing.assert_allclose(found[1:, :-2], picture[:-1, 2:], atol=1e-6)
    assert inside(at)[1:, :-2].all() and not inside(at)[0].any() and not inside(at)[:, -2:].any()


# --------------------------------------------------------------------------- inpainting
@pytest.mark.parametrize("name", ["telea r3", "navier-stokes r3", "biharmonic"])
def test_a_hole_is_continued_from_its_rim(disc: Video, name: str) -> None:
    assert score(disc, "inpaint", "static", name) > score(disc, "inpaint", "static", "none") + 8


def test_the_median_in_time_knows_what_a_still_clip_hides(disc: Video) -> None:
    still = disc[[0]]
    frozen = Video.of(still.frames().repeat(9, 1, 1, 1))
    assert score(frozen, "inpaint", "boxes", "temporal median r3 + telea") == 100.0


@pytest.mark.parametrize(
    "name", ["DIS propagation in two rounds + telea", "DIS propagation in two rounds + biharmonic"]
)
def test_propagation_carries_in_what_a_pan_has_shown(name: str) -> None:
    truth = scene(PanningTexture, span=0.25)
    others = ("temporal median r3 + telea", "telea r3", "biharmonic")
    found = score(truth, "inpaint", "boxes", name)
    assert found > max(score(truth, "inpaint", "boxes", other) for other in others) + 3


def test_what_is_never_seen_is_filled_from_the_picture_itself(disc: Video) -> None:
    frozen = Video.of(disc.read([0]).repeat(5, 1, 1, 1))
    given = given_of(make_case("inpaint", "static", frozen), SIZE)
    carried, alone = (
        method("inpaint", name).answer(given) for name in ("DIS propagation in two rounds + telea", "telea r3")
    )
    assert np.array_equal(carried, alone)


@pytest.mark.skipif(not filters.program(), reason=f"delogo was not tried: {filters.program_missing()}")
def test_delogo_fills_a_box_and_refuses_what_is_none(disc: Video) -> None:
    assert score(disc, "inpaint", "static", "ffmpeg delogo") > score(disc, "inpaint", "static", "none") + 8
    with pytest.raises(Unsupported, match="one box"):
        method("inpaint", "ffmpeg delogo").answer(given_of(make_case("inpaint", "moving", disc), SIZE))
    with pytest.raises(InvrError, match="ffmpeg could not run 'nonsense'"):
        filters.by_program(np.zeros((1, 8, 8, 3), np.uint8), "nonsense")


def test_without_the_program_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "program", lambda: None)
    assert "pip install imageio-ffmpeg" in filters.program_missing()
    with pytest.raises(Unsupported, match="imageio-ffmpeg"):
        filters.by_program(np.zeros((1, 8, 8, 3), np.uint8), "null")


def test_a_method_for_holes_refuses_a_clip_without(disc: Video) -> None:
    given = replace(given_of(make_case("inpaint", "static", disc), SIZE), holes=None)
    with pytest.raises(Unsupported, match="given none"):
        method("inpaint", "telea r3").answer(given)


# ---------------------------------------------------------------------------- denoising
@pytest.mark.parametrize(
    ("name", "setting"),
    [
        *product(["non-local means", "total variation", "non-local means in time"], ["gauss25", "gauss50"]),
        ("Anscombe + NLM", "poisson30"),
    ],
)
def test_noise_is_removed_at_its_own_level(disc: Video, name: str, setting: str) -> None:
    clip = disc[:3]
    assert score(clip, "denoise", setting, name) > score(clip, "denoise", setting, "none") + 4


def test_the_level_is_told_from_the_picture() -> None:
    noise = np.random.default_rng(0).normal(128, 20, (96, 96, 3))
    assert level(noise.clip(0, 255).astype(np.uint8)) == pytest.approx(20, rel=0.1)


@pytest.mark.parametrize(("name", "more"), [("median 3x3", 10), ("detect + telea", 15)])
def test_impulses_are_removed(disc: Video, name: str, more: float) -> None:
    clip = disc[:2]
    assert score(clip, "denoise", "sp10", name) > score(clip, "denoise", "sp10", "none") + more


def test_of_mixed_noise_both_kinds_are_removed(disc: Video) -> None:
    chain = ["none", "detect + telea", "detect + telea + NLM"]
    none, halfway, clean = (score(disc[:2], "denoise", "mixed25", name) for name in chain)
    assert none + 3 < halfway < clean - 4


def test_the_detector_finds_impulses_and_leaves_the_rest_alone(disc: Video) -> None:
    clean = to_bytes(disc.read([0]))[0]
    noisy = clean.copy()
    noisy[10, 20], noisy[30, 40] = 0, 255
    assert np.argwhere(impulses(noisy)).tolist() == [[10, 20], [30, 40]]
    filled = method("denoise", "detect + telea").answer(Given(noisy[None], SIZE))[0]
    assert psnr(filled, clean) > 50
    assert np.array_equal(
        np.delete(filled.reshape(-1, 3), [980, 2920], 0), np.delete(clean.reshape(-1, 3), [980, 2920], 0)
    )


def test_bm3d_is_an_option_that_says_what_its_licence_is() -> None:
    told = method("denoise", "BM3D").missing()
    assert told == "" or ("pip install bm3d" in told and "non-commercial" in told)


# -------------------------------------------------------------------- super-resolution
@pytest.mark.parametrize("name", [one.name for one in METHODS["upscale"]])
def test_kernels_are_above_repeated_pixels(disc: Video, name: str) -> None:
    case = make_case("upscale", "x2_area", disc)
    small = to_bytes(case.source.video.read([4]))[0]
    plain = psnr(
        np.asarray(cv2.resize(small, SIZE[::-1], interpolation=cv2.INTER_NEAREST)), to_bytes(disc.read([4]))[0]
    )
    large = method("upscale", name).answer(Given(small[None], SIZE))[0]
    assert psnr(large, to_bytes(disc.read([4]))[0]) > plain + 1
