"""Suites as data: which clips, of which size, with which settings of which tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from invr_core.errors import BadInput, did_you_mean
from invr_tasks.bench.cases import OBJECT
from invr_tasks.demo_clip import demo_clip_path

INTERPOLATE = ("interpolate x2", "interpolate x4")
HOLES = ("inpaint boxes", "inpaint static", "inpaint moving")
NOISE = ("denoise gauss25", "denoise gauss50", "denoise sp10", "denoise poisson30", "denoise mixed25")
SMALL = ("upscale x2_area", "upscale x4_area", "upscale x2_bicubic", "upscale x4_bicubic")
OBJECTS = f"inpaint {OBJECT}car-shadow"


@dataclass(frozen=True)
class Entry:
    """One clip at one size, and what is asked of it.

    Args:
        name: of the clip, in records.
        path: of a video or a folder of images, under the folder of clips.
        size: (H, W), see `invr_tasks.operators.crop_to`.
        settings: each as ``task setting``.
        frames: the first, and the one behind the last; None for all.
    """

    name: str
    path: str
    size: tuple[int, int]
    settings: tuple[str, ...]
    frames: tuple[int, int | None] = (0, None)


@dataclass(frozen=True)
class Suite:
    """Clips to measure on.

    Args:
        entries: the clips.
        folder: where the clips are; None if it has to be named.
        masks: masks of objects, by the name that settings give them, under the same folder.
    """

    entries: tuple[Entry, ...]
    folder: Path | None = None
    masks: tuple[tuple[str, str], ...] = ()


_BUNNY, _CARPHONE, _CITY = "bunny/bigbuckbunny.mp4", "carphone/carphone_pristine.mp4", "city/city.mp4"
_CAR, _BIKES = "car-shadow/frames", "bikes/bikes.mp4"


def suites() -> dict[str, Suite]:
    """All suites by name.

    "shipped" is small and needs no file but that of the demo. "development" has the sizes and settings of the table
    that the tasks are held against, and noise of light and mixed noise; of ``bikes``, which has cuts, the shot of
    frames 76 to 136, and as ``bikes-cuts`` the first 100, with the cuts at 30 and 76.
    """
    shipped = demo_clip_path()
    return {
        "shipped": Suite(
            (Entry("bunny-shipped", shipped.name, (160, 320), (*INTERPOLATE, *HOLES, *NOISE, *SMALL), (0, 33)),),
            shipped.parent,
        ),
        "development": Suite(
            (
                Entry("bunny", _BUNNY, (160, 320), (*INTERPOLATE, *HOLES, OBJECTS, *NOISE, *SMALL)),
                Entry("carphone", _CARPHONE, (144, 176), (*INTERPOLATE, *HOLES, *NOISE, *SMALL)),
                Entry("city", _CITY, (288, 352), (*INTERPOLATE, *HOLES, *NOISE, *SMALL)),
                Entry("bunny", _BUNNY, (320, 640), (*INTERPOLATE, *HOLES)),
                Entry("car-shadow", _CAR, (320, 640), (*INTERPOLATE, *HOLES, OBJECTS)),
                Entry("bikes", _BIKES, (272, 640), INTERPOLATE, (76, 137)),
                Entry("bikes-cuts", _BIKES, (272, 640), INTERPOLATE, (0, 100)),
            ),
            masks=(("car-shadow", "car-shadow/masks"),),
        ),
    }


@dataclass(frozen=True)
class Cell:
    """One setting of one clip: what every method is asked for.

    Args:
        entry: the clip.
        path: where it is.
        task, setting: what is asked.
        masks: where the objects' masks are; None if it needs none.
        seed: of the input and of the fit.
    """

    entry: Entry
    path: Path
    task: str
    setting: str
    masks: Path | None = None
    seed: int = 0

    def title(self) -> str:
        """In a few words; nothing is said of seed 0."""
        seed = f", seed {self.seed}" if self.seed else ""
        return f"{self.entry.name} {self.entry.size[1]}x{self.entry.size[0]}, {self.task} {self.setting}{seed}"


def cells(
    name: str, folder: Path | None, tasks: Sequence[str] = (), clips: Sequence[str] = (), settings: Sequence[str] = ()
) -> list[Cell]:
    """What a suite asks for, all of it or what is named.

    Args:
        name: of the suite.
        folder: where its clips are; None for those that ship with it.
        tasks: only these; none for all.
        clips: only these, as ``bunny`` or, of one size, ``bunny:320x160``; none for all.
        settings: only these; none for all.

    Raises:
        BadInput: naming what is unknown, or which clips are missing.
    """
    known = suites()
    if name not in known:
        hint = did_you_mean(name, known)
        raise BadInput(f"there is no suite {name!r}. {hint}There are: {', '.join(known)} (--suite)")
    suite = known[name]
    place = folder or suite.folder
    if place is None:
        raise BadInput(f"the suite {name!r} brings no clips; name the folder that holds them (--clips)")
    masks = dict(suite.masks)
    every = []
    for entry in suite.entries:
        for text in entry.settings:
            task, setting = text.split(" ", 1)
            mask = place / masks[setting.removeprefix(OBJECT)] if setting.startswith(OBJECT) else None
            every.append(Cell(entry, place / entry.path, task, setting, mask))
    _known("--task", tasks, {cell.task for cell in every})
    _known("--clip", clips, {label for cell in every for label in _labels(cell)})
    _known("--setting", settings, {cell.setting for cell in every})
    chosen = [
        cell
        for cell in every
        if (not tasks or cell.task in tasks)
        and (not clips or set(clips) & set(_labels(cell)))
        and (not settings or cell.setting in settings)
    ]
    if not chosen:
        raise BadInput(
            f"nothing in the suite {name!r} has all that is asked for; name fewer of --task, --clip, --setting"
        )
    needed = dict.fromkeys(path for cell in chosen for path in (cell.path, cell.masks) if path is not None)
    missing = [str(path) for path in needed if not path.exists()]
    if missing:
        raise BadInput(f"the suite {name!r} needs {', '.join(missing)}; put it there, or name another folder (--clips)")
    return chosen


def _labels(cell: Cell) -> tuple[str, str]:
    height, width = cell.entry.size
    return cell.entry.name, f"{cell.entry.name}:{width}x{height}"


def _known(option: str, given: Sequence[str], there: set[str]) -> None:
    for one in given:
        if one not in there:
            hint = did_you_mean(one, sorted(there))
            raise BadInput(f"{option}: nothing in this suite is {one!r}. {hint}There are: {', '.join(sorted(there))}")
