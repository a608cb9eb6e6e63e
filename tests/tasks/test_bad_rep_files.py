"""`.invr` files that are not to be trusted, end to end: one line, exit code 2, nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from invr_core.fitted import Fitted
from invr_core.io import open_video
from invr_core.models.base import Geometry
from invr_core.models.cwrnn import CWRNN
from invr_core.observation import Observation
from invr_core.video import Video

Make = Callable[..., Video]
Refuses = Callable[..., str]


def rewritten(source: str, change: Callable[[dict[str, Any]], object]) -> str:
    """A file with another header."""
    with safe_open(source, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = json.loads(file.metadata()["invr"])
    change(header)
    save_file(tensors, "changed.invr", {"invr": json.dumps(header)})
    return "changed.invr"


def damaged(source: str, change: Callable[[bytes], bytes]) -> str:
    Path("damaged.invr").write_bytes(change(Path(source).read_bytes()))
    return "damaged.invr"


def pickled(source: str) -> str:
    torch.save({"network": torch.zeros(3)}, "pickle.invr")
    return "pickle.invr"


def unbuildable(source: str, span: tuple[float, float] = (0.0, 0.12), **sizes: object) -> str:
    """A file of ours in every respect, checksum included, but for numbers that no tensor stands for."""
    geometry = replace(Geometry.of(Observation(open_video("in.mkv"))), span=span)
    config = CWRNN().solve(geometry)
    network = config.build(geometry)
    for value in network.state_dict().values():
        value.zero_()
    Fitted(network, replace(config, **sizes), geometry, {}).save("sizes.invr")  # type: ignore[arg-type]
    return "sizes.invr"


FILES: dict[str, tuple[Callable[[str], str], str]] = {
    "missing": (lambda source: "gone.invr", "there is no such file"),
    "folder": (lambda source: "folder.invr", "this is a folder"),
    "empty": (lambda source: damaged(source, lambda data: b""), "the file is empty"),
    "a clip": (lambda source: "in.mkv", "not a .invr file"),
    "cut": (lambda source: damaged(source, lambda data: data[: len(data) // 2]), "cut short"),
    "flipped": (lambda source: damaged(source, lambda data: data[:-9] + b"\x40" + data[-8:]), "checksum"),
    "appended": (lambda source: damaged(source, lambda data: data + b"more"), "damaged"),
    "endless": (lambda source: damaged(source, lambda data: b"\xff" * 8 + data[8:]), "cut short"),
    "pickle": (pickled, "not a .invr file"),
    "newer": (lambda source: rewritten(source, lambda h: h.update(format=99)), "made by a newer invr (format 99"),
    "no model": (lambda source: rewritten(source, lambda h: h.update(model="os.system")), "no model 'os.system'"),
    "no options": (lambda source: rewritten(source, lambda h: h["config"].clear()), "lacks"),
    "another size": (
        lambda source: rewritten(source, lambda h: h["geometry"].update(size=[9, 9])),
        "its config asks for",
    ),
    "no pixels": (lambda source: rewritten(source, lambda h: h["geometry"].update(size=[0, 9])), "frame size"),
    "no state": (lambda source: unbuildable(source, coarse_size=(0, 3)), "sizes.invr"),
    "huge state": (lambda source: unbuildable(source, coarse_size=(10**6, 10**6)), "sizes.invr"),
}


@pytest.mark.parametrize("span", [(0.0, 1e12), (-1e12, 1e12)])
def test_a_file_that_claims_to_last_for_ever(refuses: Refuses, span: tuple[float, float]) -> None:
    assert "would be" in refuses("query", unbuildable("", span), "out.mkv", "--fps", "25")


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_not_to_be_trusted(refuses: Refuses, taken: None, fits: Any, stored: str, kind: str) -> None:
    make, message = FILES[kind]
    name = make(stored)
    for arguments in (
        ["query", name, "out.mkv", "--fps", "25"],
        ["run", "denoise", "in.mkv", "out.mkv", "--rep", name],
    ):
        line = refuses(*arguments)
        assert line.startswith(name) and message in line
    assert fits.calls == []


def test_what_was_fitted_for_another_task_is_refused(refuses: Refuses, stored: str) -> None:
    line = refuses("run", "upscale", "in.mkv", "out.mkv", "--rep", stored)
    assert "is of 24x16, the task Upscale needs 48x32 here" in line
