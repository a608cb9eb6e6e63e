"""A fit that was killed goes on from what it kept, and ends as if it had not been."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save as serialise
from torch import Tensor

from invr_core import checkpoint, fitting
from invr_core.checkpoint import Checkpoints
from invr_core.errors import BadFile, BadOutput
from invr_core.fitting import FitConfig, Progress, fit
from invr_core.loop import SNAPSHOT_EVERY
from invr_core.models.base import ModelConfig
from invr_core.models.cwrnn import CWRNN
from invr_core.models.hnerv import HNeRV
from invr_core.observation import Observation
from invr_core.video import Video

MODELS: dict[str, ModelConfig] = {"cwrnn": CWRNN(params=24_000), "hnerv": HNeRV(strides=(2, 2), width=8.0, encoder=8)}


class Killed(BaseException):
    """As far as the fit can tell, its process is gone."""


def dying(at: int, seen: list[int] | None = None) -> Callable[[Progress], None]:
    """Ends a fit after a step, and notes the steps before."""

    def on_step(progress: Progress) -> None:
        if seen is not None:
            seen.append(progress.step)
        if progress.step == at:
            raise Killed

    return on_step


def kept(path: Path, told: list[str] | None = None) -> Checkpoints:
    """A state after each step."""
    return Checkpoints(path / "fit.checkpoint", [].append if told is None else told.append, every=0)


def killed(observation: Observation, model: ModelConfig, config: FitConfig, at: int, path: Path) -> None:
    with pytest.raises(Killed):
        fit(observation, model, config, on_step=dying(at), keep=kept(path))


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_it_ends_with_the_same_bytes_and_no_step_is_done_twice(
    model: ModelConfig, disc_clip: Video, tmp_path: Path
) -> None:
    observation, config = Observation(disc_clip), FitConfig(steps=11, seed=3, device="cpu")
    fit(observation, model, config).save(tmp_path / "whole.invr")
    killed(observation, model, config, 4, tmp_path)
    killed(observation, model, config, 9, tmp_path)
    seen: list[int] = []
    rep = fit(observation, model, config, on_step=lambda p: seen.append(p.step), keep=kept(tmp_path))
    rep.save(tmp_path / "again.invr")
    assert seen == [10, 11]
    assert (tmp_path / "again.invr").read_bytes() == (tmp_path / "whole.invr").read_bytes()


def test_what_a_recovery_goes_back_to_is_kept_too(disc_clip: Video, tmp_path: Path) -> None:
    """The loss is not finite after the state: it goes back to one before it."""
    wrong, now = SNAPSHOT_EVERY + 4, [0]

    def prior(rep: Any, times: Tensor) -> Tensor:
        return torch.tensor(float("nan") if now[0] + 1 == wrong else 0.0)

    def whole(progress: Progress) -> None:
        now[0] = progress.step

    config, observation = FitConfig(steps=wrong + 3, device="cpu"), Observation(disc_clip)
    files = []
    for at in (None, wrong - 2, wrong):
        now[0] = 0
        folder = tmp_path / str(at)
        folder.mkdir()
        if at is not None:

            def on_step(progress: Progress, at: int = at) -> None:
                whole(progress)
                dying(at)(progress)

            with pytest.raises(Killed):
                fit(observation, MODELS["cwrnn"], config, prior=prior, on_step=on_step, keep=kept(folder))
        rep = fit(observation, MODELS["cwrnn"], config, prior=prior, on_step=whole, keep=kept(folder))
        rep.save(folder / "rep.invr")
        files.append((folder / "rep.invr").read_bytes())
    assert files[0] == files[1] == files[2]


def test_minutes_go_on_where_they_were(toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(fitting.time, "monotonic", lambda: now[0])

    def a_second(network: Any) -> None:
        now[0] += 1.0

    toy.before(a_second)
    killed(toy.clip(), toy.model, FitConfig(minutes=1.0, device="cpu"), 40, tmp_path)
    now[0] += 5000.0  # the night between
    begun = now[0]
    fit(toy.clip(), toy.model, FitConfig(minutes=1.0, device="cpu"), keep=kept(tmp_path))
    assert 18 <= now[0] - begun <= 20


def test_it_is_kept_now_and_then_only(toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])

    def a_second(network: Any) -> None:
        now[0] += 1.0

    toy.before(a_second)
    saved: list[int] = []
    keep = Checkpoints(tmp_path / "fit.checkpoint")
    monkeypatch.setattr(keep, "save", lambda loop: (saved.append(loop.count), setattr(keep, "_saved", now[0])))
    fit(toy.clip(), toy.model, FitConfig(steps=100, device="cpu"), keep=keep)
    assert saved == [45, 90]


def test_the_time_before_the_first_step_counts_too(toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    keep = Checkpoints(tmp_path / "fit.checkpoint")
    now[0] = 44.0  # of optical flow

    def a_second(network: Any) -> None:
        now[0] += 1.0

    toy.before(a_second)
    saved: list[int] = []
    save = keep.save
    monkeypatch.setattr(keep, "save", lambda loop: (saved.append(loop.count), save(loop)))
    fit(toy.clip(), toy.model, FitConfig(steps=50, device="cpu"), keep=keep)
    assert saved == [1, 46]
    now[0] += 44.0
    fit(toy.clip(), toy.model, FitConfig(steps=60, device="cpu"), keep=keep)
    assert saved == [1, 46]  # what it went on from is as new


# ------------------------------------------------------------------------------ what cannot be read
@pytest.fixture
def interrupted(disc_clip: Video, tmp_path: Path) -> Callable[[list[str]], tuple[list[int], bytes]]:
    """A fit of 8 steps that was killed after the fifth; returns what goes on with it."""
    observation, config = Observation(disc_clip), FitConfig(steps=8, device="cpu")
    killed(observation, MODELS["cwrnn"], config, 5, tmp_path)

    def go_on(told: list[str]) -> tuple[list[int], bytes]:
        seen: list[int] = []
        rep = fit(
            observation, MODELS["cwrnn"], config, on_step=lambda p: seen.append(p.step), keep=kept(tmp_path, told)
        )
        rep.save(tmp_path / "rep.invr")
        return seen, (tmp_path / "rep.invr").read_bytes()

    return go_on


@pytest.mark.parametrize("damage", ["cut short", "emptied", "a flipped bit", "another file"])
@pytest.mark.parametrize("both", [False, True])
def test_a_state_that_cannot_be_read_is_told_and_the_one_before_is_taken(
    interrupted: Any, disc_clip: Video, tmp_path: Path, damage: str, both: bool
) -> None:
    whole = fit(Observation(disc_clip), MODELS["cwrnn"], FitConfig(steps=8, device="cpu"))
    whole.save(tmp_path / "whole.invr")
    for name in ("fit.checkpoint", "fit.checkpoint.before")[: 1 + both]:
        data = bytearray((tmp_path / name).read_bytes())
        data[-9] ^= 1
        damaged = {"cut short": data[:-100], "emptied": b"", "a flipped bit": data, "another file": b"x" * 3000}[damage]
        (tmp_path / name).write_bytes(bytes(damaged))
    told: list[str] = []
    seen, written = interrupted(told)
    assert seen == list(range(1 if both else 5, 9))
    assert [line.count("is left out: ") for line in told[: 1 + both]] == [1] * (1 + both)
    assert written == (tmp_path / "whole.invr").read_bytes()


def test_a_state_of_another_fit_is_left_out(interrupted: Any, disc_clip: Video, tmp_path: Path) -> None:
    told: list[str] = []
    rep = fit(Observation(disc_clip), CWRNN(params=30_000), FitConfig(steps=2, device="cpu"), keep=kept(tmp_path, told))
    assert rep.info["steps"] == 2 and "it is of another fit" in told[0]


@pytest.mark.parametrize(("said", "form"), [({checkpoint.KEY: "2 abc"}, "2"), ({}, "unknown")])
def test_a_state_of_another_invr_is_told(toy: Any, tmp_path: Path, said: dict[str, str], form: str) -> None:
    (tmp_path / "fit.checkpoint").write_bytes(serialise({"x": torch.zeros(1)}, said))
    told: list[str] = []
    fit(toy.clip(), toy.model, FitConfig(steps=2, device="cpu"), keep=kept(tmp_path, told))
    assert f"made by another invr (format {form}; this one reads 1)" in told[0]


@pytest.mark.parametrize("change", ["missing", "strange", "shape", "type", "adam"])
def test_tensors_of_another_fit_change_nothing(toy: Any, tmp_path: Path, change: str) -> None:
    killed(toy.clip(), toy.model, FitConfig(steps=9, device="cpu"), 3, tmp_path)
    state = dict(checkpoint._read(tmp_path / "fit.checkpoint"))
    name = next(name for name in state if name.startswith("network."))
    if change == "missing":
        del state[name]
    elif change == "strange":
        state["adam.7.exp_avg"] = torch.zeros(1)
    else:
        name = next(name for name in state if name.startswith("adam.")) if change == "adam" else name
        state[name] = state[name].double() if change == "type" else torch.zeros(7)

    class Never(Checkpoints):
        def restore(self, loop: Any) -> None:
            before = loop.state()
            with pytest.raises(BadFile, match="it is of another fit"):
                loop.load_state(state)
            after = loop.state()
            assert all(torch.equal(after[key], before[key]) for key in before if key != "numbers")

    fit(toy.clip(), toy.model, FitConfig(steps=2, device="cpu"), keep=Never(tmp_path / "none"))


# ------------------------------------------------------------------------------ stopped, and full
def test_ctrl_c_keeps_the_state_of_the_last_step(disc_clip: Video, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    observation, config = Observation(disc_clip), FitConfig(steps=6, device="cpu")
    keep = Checkpoints(tmp_path / "fit.checkpoint")
    assert fit(observation, MODELS["cwrnn"], config, on_step=stop, keep=keep).info["interrupted"]
    seen: list[int] = []
    rep = fit(observation, MODELS["cwrnn"], config, on_step=lambda p: seen.append(p.step), keep=keep)
    assert seen == [4, 5, 6] and not rep.info["interrupted"]
    rep.save(tmp_path / "again.invr")
    fit(observation, MODELS["cwrnn"], config).save(tmp_path / "whole.invr")
    assert (tmp_path / "again.invr").read_bytes() == (tmp_path / "whole.invr").read_bytes()
    keep.clear()
    assert not list(tmp_path.glob("*checkpoint*"))


def test_a_full_disk_is_told_and_what_was_kept_stays(
    interrupted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        write(self, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(BadOutput, match="No space left on device"):
            interrupted([])
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert interrupted([])[0] == [6, 7, 8]
