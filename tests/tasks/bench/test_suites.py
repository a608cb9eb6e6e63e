"""Suites and inputs as data: every clip, size and setting can be made, and gives the bytes of the protocol."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from invr_core.errors import BadInput
from invr_core.video import Video
from invr_tasks.bench.cases import KERNELS, OBJECT, SETTINGS, fingerprint, given_of, make_case, setting_of
from invr_tasks.bench.suites import Cell, cells, suites
from invr_tasks.operators import object_holes

# What the reference implementation of the protocol (version 1) gives to a method, for the clip below; of light and of
# mixed noise, which it has not, what a few lines of numpy give.
RECORDED = {
    ("interpolate", "x2"): "dda97ee56893301a89ab7afacbd78c52065a810c5099966e27d18187dad02722",
    ("interpolate", "x4"): "c378d83576f01c138969ced28c8c1c73fc873a4af027df1b17f823086b86a4ed",
    ("inpaint", "boxes"): "e0527a7cb838b115b4ebd902a4c25a93ef9456e5cc0245e15948908277acb2bc",
    ("inpaint", "static"): "d86b930467afdddb413659d64401b0f1ecab53738fd3f61f76c52751c65e2785",
    ("inpaint", "moving"): "3b4b957fd6ce658b53b33bdd890d8d51f788b9888e2399f2b8ec8df35ca64289",
    ("inpaint", "object:blob"): "5b8968626245618c4d02e20a8f11e19bc943337c63c8af6da3f569ccdde6aaa3",
    ("denoise", "gauss25"): "922373d1833fba75b7a76efa2aad0dcabc21172e5862efc2cc401e7091cccb68",
    ("denoise", "gauss50"): "b64e836941e5290ce54bba6a64be250590407da4083cb49c48b798c7958bf094",
    ("denoise", "sp10"): "e429be37f07bbbcee25359f6c1ae72a401e32024163649ec98c0b33d796e5a7f",
    ("denoise", "poisson30"): "cc60d00437ad9df65b51780ca44b4ef3f5d2a152c20ec420eb81f977ecc7edd2",
    ("denoise", "mixed25"): "d08345a03ed0720fecf408580a0dc34c6553d82403d069c8a198625a3238890e",
    ("upscale", "x2_area"): "53d3ac1084ced580e95c3c2d3bc991f278a5c50426536cba747278a544808c42",
    ("upscale", "x4_area"): "30a1e049b6165e5ac34fcdeed1345235494f4323f3542038cacba4587a73cbd1",
    ("upscale", "x2_bicubic"): "2ef68dd0bb3810d97058e18d783947f3d873f3888d86481a22166a0d2fbe21c6",
    ("upscale", "x4_bicubic"): "9d1b54107d9a1a98be0f30748f93b81d87b3334bbf633335bc2c201c8e657519",
}


def wide() -> Video:
    """9 frames of 1280x128: as wide as the sides of boxes are given for."""
    frames = np.random.default_rng(5).integers(0, 256, (9, 128, 1280, 3), dtype=np.uint8)
    return Video.of(torch.from_numpy(frames.transpose(0, 3, 1, 2)))


def blobs() -> Video:
    """Masks of 4 frames of 60x31, whose objects are anything but black."""
    y, x = np.mgrid[0:31, 0:60]
    frames = np.stack([(np.hypot(y - 14 - i, x - 20 - 6 * i) < 9) * np.uint8(1 + 80 * i) for i in range(4)])
    return Video.of(torch.from_numpy(np.repeat(frames[:, None], 3, 1).astype(np.uint8)))


@pytest.mark.parametrize(("task", "setting"), RECORDED)
def test_inputs_are_those_of_the_protocol(task: str, setting: str) -> None:
    case = make_case(task, setting, wide(), masks=blobs())
    given = given_of(case, (128, 1280))
    assert fingerprint(given) == RECORDED[task, setting]
    assert (given.holes is not None) == (task == "inpaint")
    if given.holes is not None:
        assert given.holes.any() and not given.pictures[given.holes].any()


def test_every_setting_has_recorded_bytes() -> None:
    named = {(task, "object:blob" if name == OBJECT else name) for task, names in SETTINGS.items() for name in names}
    assert named == set(RECORDED)


@pytest.mark.parametrize(("setting", "step"), [("x2", 2), ("x4", 4)])
def test_places_are_the_frames_that_are_judged(setting: str, step: int) -> None:
    clip = Video.of(torch.zeros(11, 3, 4, 4), fps=10)
    case = make_case("interpolate", setting, clip)
    given = given_of(case, (4, 4))
    times = [(before + share) * step / 10 for before, share in given.places]
    assert case.judged is not None and case.judged.times.tolist() == pytest.approx(times)
    assert bool((case.judged.frames() == 1).all()) and len(given.pictures) == 10 // step + 1


def test_objects_are_played_forth_and_back() -> None:
    clip = Video.of(torch.zeros(9, 3, 20, 40))
    mask = object_holes(clip, blobs()).frames()
    assert mask.shape == (9, 1, 20, 40)
    for one, same in ((6, 0), (7, 1), (4, 2), (5, 1)):
        assert torch.equal(mask[one], mask[same])
    assert not torch.equal(mask[0], mask[3])
    still = object_holes(clip, blobs()[[2]]).frames()
    assert torch.equal(still[0], still[8]) and bool(still.any())


def test_what_our_task_is_told() -> None:
    assert dict(setting_of("upscale", "x4_bicubic").options) == {"scale": 4, "kernel": "bicubic"}
    assert dict(setting_of("interpolate", "x4").options) == {"factor": 4}
    for task, setting in (("inpaint", "object:blob"), ("denoise", "gauss50"), ("denoise", "sp10")):
        assert not setting_of(task, setting).options
    assert KERNELS == ("area", "bicubic")


# ------------------------------------------------------------------------------ suites
def clips_of(suite: str, folder: Path) -> Path:
    """A folder in which every file of a suite is, empty."""
    known = suites()[suite]
    for path in [entry.path for entry in known.entries] + [path for _, path in known.masks]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return folder


@pytest.mark.parametrize("suite", suites())
def test_every_setting_of_a_suite_can_be_made(suite: str, tmp_path: Path) -> None:
    found = cells(suite, clips_of(suite, tmp_path))
    assert found
    for cell in found:
        height, width = cell.entry.size
        clip = Video.of(torch.zeros(5, 3, height, width, dtype=torch.uint8))
        masks = blobs() if cell.setting.startswith(OBJECT) else None
        assert (cell.masks is None) == (masks is None)
        made = make_case(cell.task, cell.setting, clip, masks=masks)
        assert made.source.video.read([0]).shape[0] == 1
        first, end = cell.entry.frames
        assert end is None or 0 <= first < end


def test_the_suite_of_development_has_the_rows_that_others_were_measured_on_and_two_kinds_of_noise(
    tmp_path: Path,
) -> None:
    found = cells("development", clips_of("development", tmp_path))
    assert len(found) == 58
    per = {(c.entry.name, c.entry.size): 0 for c in found}
    for cell in found:
        per[cell.entry.name, cell.entry.size] += 1
    assert per == {
        ("bunny", (160, 320)): 15,
        ("carphone", (144, 176)): 14,
        ("city", (288, 352)): 14,
        ("bunny", (320, 640)): 5,
        ("car-shadow", (320, 640)): 6,
        ("bikes", (272, 640)): 2,
        ("bikes-cuts", (272, 640)): 2,
    }
    assert [c.entry.frames for c in found if c.entry.name == "bikes"] == [(76, 137)] * 2  # one shot: 61 frames


def test_the_shipped_suite_needs_nothing() -> None:
    found = cells("shipped", None)
    assert len(found) == 14 and {cell.task for cell in found} == set(SETTINGS)
    assert all(cell.path.is_file() for cell in found)


def test_what_is_named_is_chosen(tmp_path: Path) -> None:
    folder = clips_of("development", tmp_path)

    def titles(**chosen: tuple[str, ...]) -> list[str]:
        return [cell.title() for cell in cells("development", folder, **chosen)]

    assert len(titles(clips=("bunny",))) == 20 and len(titles(clips=("bunny:640x320",))) == 5
    assert titles(tasks=("interpolate",), clips=("city",), settings=("x4",)) == ["city 352x288, interpolate x4"]


@pytest.mark.parametrize(
    ("suite", "chosen", "message"),
    [
        ("shiped", {}, "no suite 'shiped'. Did you mean 'shipped'"),
        ("development", {}, "brings no clips; name the folder"),
        ("shipped", {"tasks": ("inpant",)}, "--task: nothing in this suite is 'inpant'. Did you mean 'inpaint'"),
        ("shipped", {"clips": ("city",)}, "--clip: nothing in this suite is 'city'"),
        ("shipped", {"settings": ("x3",)}, "--setting: nothing in this suite is 'x3'"),
        ("shipped", {"tasks": ("denoise",), "settings": ("x2",)}, "has all that is asked for"),
    ],
)
def test_what_is_not_there_is_refused(suite: str, chosen: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)):
        cells(suite, None, **chosen)


def test_missing_clips_and_masks_are_named_before_the_work(tmp_path: Path) -> None:
    folder = clips_of("development", tmp_path)
    (folder / "city/city.mp4").unlink()
    (folder / "car-shadow/masks").unlink()
    with pytest.raises(BadInput, match=r"city\.mp4.*"):
        cells("development", folder)
    assert len(cells("development", folder, clips=("carphone",))) == 14
    with pytest.raises(BadInput, match=r"car-shadow/masks; put it there"):
        cells("development", folder, clips=("bunny",), settings=("object:car-shadow",))


def test_an_object_without_masks_is_refused() -> None:
    with pytest.raises(BadInput, match="need its masks"):
        make_case("inpaint", "object:blob", wide())


def test_a_title_says_clip_size_and_setting() -> None:
    cell: Cell = cells("shipped", None, settings=("gauss25",))[0]
    assert cell.title() == "bunny-shipped 320x160, denoise gauss25"
