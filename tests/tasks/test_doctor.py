"""`invr doctor`: what is wrong is found, named with what mends it, and keeps nothing else from being looked at."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest
import torch

from invr_tasks import doctor, loading, registry
from invr_tasks.doctor import Finding, diagnose


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plugins are loaded here, which is quicker, but where a test is about the process that loads them."""
    monkeypatch.setattr(doctor, "tried", lambda offers: [loading.fault(*each) for each in offers])


def found(name: str) -> list[Finding]:
    """What is said of one thing."""
    return [finding for finding in diagnose() if finding.name == name]


def only(name: str) -> Finding:
    (finding,) = found(name)
    return finding


def test_where_nothing_is_wrong_it_says_so(invr: Any) -> None:
    code, out, err = invr("doctor")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "all is well" and "WRONG" not in out
    lines = {" ".join(line.split()[:3]) for line in out.splitlines()}
    assert {"ok task fakeslow", "ok model cwrnn", "ok model hnerv", "ok codec libx264", "ok codec ffv1"} <= lines


def test_what_is_wrong_is_counted_and_the_rest_is_still_looked_at(invr: Any, install: Callable[..., Path]) -> None:
    install("bad-dist", {"fakebroken": "broken_tasks:T"}, {"broken_tasks": "raise RuntimeError('no')"})
    code, out, _ = invr("doctor")
    lines = {" ".join(line.split()[:3]): line for line in out.splitlines()}
    assert code == 1
    assert "RuntimeError: no" in lines["WRONG task fakebroken"]
    assert "pip uninstall bad-dist" in lines["WRONG task fakebroken"]
    assert "fake-tasks 1.0 (fake_tasks:Slow)" in lines["ok task fakeslow"]
    assert out.splitlines()[-1] == "1 wrong: task fakebroken"


@pytest.mark.parametrize("look", ["_environment", "_libraries", "_devices", "_codecs", "_lpips", "_plugins"])
def test_a_look_that_fails_is_one_finding(monkeypatch: pytest.MonkeyPatch, look: str) -> None:
    whole = {finding.name for finding in diagnose()}

    def fail() -> Any:
        raise RuntimeError("never seen before")

    monkeypatch.setattr(doctor, look, fail)
    findings = diagnose()
    wrong = [finding for finding in findings if "RuntimeError: never seen before" in finding.detail]
    assert [finding.mark for finding in wrong] == ["WRONG"]
    assert len(whole & {finding.name for finding in findings}) > len(whole) / 3


# ------------------------------------------------------------------ the machine
def test_the_environment_and_the_devices_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "virtual environment" in only("python").detail
    assert [finding.detail.split()[0] for finding in found("device")] == ["cpu,", "no"]
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "built for CUDA 13.0, but finds no driver" in found("device")[-1].detail


def test_a_gpu_that_does_not_answer_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)

    def too_old(index: int) -> Any:
        raise RuntimeError("the NVIDIA driver on your system is too old")

    monkeypatch.setattr(torch.cuda, "mem_get_info", too_old)
    last = found("device")[-1]
    assert last.mark == "WRONG" and "driver on your system is too old" in last.detail


def test_little_space_is_a_note_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert only("disk").mark in ("ok", "note")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1 << 20))
    monkeypatch.setattr("invr_core.memory.available", lambda device: 1 << 20)
    assert only("disk").mark == "note" and "TMPDIR" in only("disk").detail
    assert only("memory").mark == "note" and "fewer frames" in only("memory").detail


# ------------------------------------------------------------------ libraries
def test_each_library_that_invr_asks_for_is_told_with_its_version() -> None:
    assert only("torch") == Finding("torch", version("torch"))
    assert only("invr").ok and only("tyro").ok


@pytest.mark.parametrize(
    ("installed", "message"),
    [(None, "torch is not installed; pip install 'torch"), ("1.0.1", "torch is 1.0.1, but torch")],
)
def test_a_library_that_does_not_fit_is_wrong(
    monkeypatch: pytest.MonkeyPatch, installed: str | None, message: str
) -> None:
    def other(name: str) -> str:
        if name != "torch":
            return version(name)
        if installed is None:
            raise PackageNotFoundError(name)
        return installed

    monkeypatch.setattr(doctor, "version", other)
    finding = only("torch")
    assert finding.mark == "WRONG" and finding.detail.startswith(message)
    assert "pip install 'torch<2.14,>=2.11'" in finding.detail


def test_a_checkout_that_is_not_installed_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "version", missing)
    assert only("invr").mark == "WRONG" and "pip install -e ." in only("invr").detail


def test_a_codec_that_ffmpeg_lacks_is_wrong_to_write_and_a_note_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    real = av.Codec

    def poor(name: str, mode: Any) -> Any:
        if name in ("libx264", "prores"):
            raise ValueError(name)
        return real(name, mode)

    monkeypatch.setattr(av, "Codec", poor)
    marks = {finding.detail.split(";")[0].split(") ")[-1]: finding.mark for finding in found("codec")}
    assert marks[f"FFmpeg in av {av.__version__} cannot encode libx264"] == "WRONG"
    assert marks[f"FFmpeg in av {av.__version__} cannot read prores"] == "note"


def test_lpips_without_weights_is_a_note_that_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    finding = only("lpips weights")
    assert finding.mark == "note" and "to get them once" in finding.detail
    weights = tmp_path / "checkpoints" / "alexnet-owt-7be5be79.pth"
    weights.parent.mkdir()
    weights.write_bytes(b"damaged")
    assert only("lpips weights").mark == "note" and "download it again" in only("lpips weights").detail
    monkeypatch.setattr("invr_tasks.perceptual.Lpips", lambda path: None)
    assert only("lpips weights") == Finding("lpips weights", f"ready (AlexNet from {weights})")


# ------------------------------------------------------------------ plugins
def test_two_of_one_name_are_notes_that_say_what_to_type(tasks: Path, install: Callable[..., Path]) -> None:
    install("a-rival", {"fakeslow": "fake_tasks:Slow"})
    details = {finding.detail: finding.mark for finding in found("task fakeslow")}
    assert len(details) == 2 and set(details.values()) == {"note"}
    assert any("also offered by fake-tasks: ask for a-rival/fakeslow" in detail for detail in details)


def test_a_task_whose_options_hide_ours_is_wrong(tasks: Path, install: Callable[..., Path]) -> None:
    code = (
        "from fake_tasks import *\n@dataclass(frozen=True)\nclass Mine:\n    seed: int = 3\n"
        "class New(Slow):\n    Config = Mine\n"
    )
    install("new-dist", {"fakenew": "new_tasks:New"}, {"new_tasks": code})
    assert only("task fakenew").mark == "WRONG" and "--seed" in only("task fakenew").detail


def test_a_plugin_that_loads_but_lacks_what_it_asks_for_is_a_note(tasks: Path, install: Callable[..., Path]) -> None:
    metadata = tasks / "fake_tasks-1.0.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text() + "Requires-Dist: torch>=99\nRequires-Dist: never; extra == 'more'\n")
    finding = only("task fakeslow")
    assert finding.mark == "note"
    assert "but torch>=99 is needed; pip install 'torch>=99'" in finding.detail and "never" not in finding.detail


def test_a_broken_model_is_wrong(install: Callable[..., Path]) -> None:
    install("model-dist", {"fakemodel": "model_code:thing"}, {"model_code": "thing = 3"}, group="invr.models")
    assert only("model fakemodel").mark == "WRONG" and "is not a ModelConfig" in only("model fakemodel").detail


def test_a_distribution_that_cannot_be_read_is_a_note(tasks: Path, install: Callable[..., Path]) -> None:
    install("stranger", "[invr.tasks]\nfoo\n")
    finding = only("discovery")
    assert finding.mark == "note" and "'stranger'" in finding.detail and "reinstall or remove it" in finding.detail
    assert only("task fakeslow").ok


def test_without_any_task_it_says_how_to_install_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invr_tasks.registry.installed", lambda: [])
    assert only("task").mark == "WRONG" and "./plugins/*/" in only("task").detail


def test_a_plugin_that_ends_crashes_or_holds_up_its_process_is_named_and_the_next_one_is_loaded(
    tasks: Path, install: Callable[..., Path]
) -> None:
    ends = {
        "leaves": "import os; os._exit(3)",
        "crashes": "import ctypes; ctypes.string_at(0)",
        "hangs": "import time\nwhile True:\n    time.sleep(1)",
        "prints": "print('\"nothing\"')\nraise RuntimeError('after all')",
    }
    for name, code in ends.items():
        install(f"{name}-dist", {f"fake{name}": f"{name}_code:T"}, {f"{name}_code": code})
    wanted = [f"fake{name}" for name in ends] + ["fakeslow"]
    offers = {offer.name: offer for offer in registry.installed()}
    said = loading.tried([("task", offers[name]) for name in wanted], seconds=15)
    assert [text.partition(")")[0] for text in said[:3]] == [
        f"the task 'fake{name}' of {name}-dist 1.0 ({name}_code:T" for name in list(ends)[:3]
    ]
    assert "ends the process that loads it (exit code 3" in said[0] and "(signal 11" in said[1]
    assert said[2].endswith("is not loaded after 15 s") and "RuntimeError: after all" in said[3] and said[4] == ""
