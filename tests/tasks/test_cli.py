"""The commands but `run`, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from invr_core.errors import BadInput, NotEnoughMemory
from invr_core.io import open_video
from invr_core.storage import load


# ------------------------------------------------------------------ the commands
def test_help_names_every_command(invr: Any) -> None:
    code, out, err = invr("--help")
    assert (code, err) == (0, "")
    for command in ("demo", "run", "fit", "query", "tasks", "models", "doctor", "--version"):
        assert command in out


@pytest.mark.parametrize("command", ["demo", "fit", "query", "tasks", "models", "doctor"])
def test_every_command_has_a_help(invr: Any, command: str) -> None:
    code, out, err = invr(command, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: invr {command}")


def test_without_a_command_the_help_goes_to_stderr(invr: Any) -> None:
    code, out, err = invr()
    assert (code, out) == (2, "")
    assert err.startswith("usage: invr COMMAND")


def test_an_unknown_command_suggests_a_close_one(invr: Any) -> None:
    assert "no command 'querry'. Did you mean 'query'?" in invr.refuses("querry")


def test_version(invr: Any) -> None:
    code, out, _ = invr("--version")
    assert code == 0 and out.startswith("invr ")


def test_tasks_lists_each_with_its_distribution(invr: Any) -> None:
    code, out, _ = invr("tasks")
    rows = [line.split() for line in out.splitlines()]
    assert code == 0
    assert rows[0] == ["name", "distribution", "version", "summary"]
    assert ["fakeslow", "fake-tasks", "1.0", "Tasks", "[for]", "tests"] in rows


def test_tasks_shows_what_to_type_for_a_name_that_is_claimed_twice(invr: Any, install: Callable[..., Path]) -> None:
    install("a-rival", {"fakeslow": "nowhere:Slow"})
    _, out, _ = invr("tasks")
    names = [line.split()[0] for line in out.splitlines()]
    assert "a-rival/fakeslow" in names and "fake-tasks/fakeslow" in names and "fakefill" in names


def test_a_model_says_what_it_is_itself_and_is_not_imported(invr: Any, install: Callable[..., Path]) -> None:
    code = '"""Waves on a grid.\n\nMore."""\nraise RuntimeError("imported")'
    offered = {"fakewaves": "waves_code:Waves", "fakelost": "nowhere.at_all:Lost"}
    install("waves-dist", offered, {"waves_code": code}, summary="Two models", group="invr.models")
    said = {line.split()[0]: line.rstrip() for line in invr("models")[1].splitlines()}
    assert said["fakewaves"].endswith(" Waves on a grid.") and said["fakelost"].endswith(" Two models")
    assert "Coupled WarpRNN" in said["cwrnn"] and "HNeRV" in said["hnerv"]


def test_a_malformed_stranger_is_one_warning_line(invr: Any, install: Callable[..., Path]) -> None:
    install("stranger", "[invr.tasks]\nfoo\n")
    code, out, err = invr("tasks")
    assert code == 0 and "fakeslow" in out
    assert err.startswith("invr: warning: ") and "'stranger'" in err and len(err.splitlines()) == 1


# ------------------------------------------------------------------ how it ends
@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (NotEnoughMemory("too large;\n64x32 would fit"), 2, "invr: error: too large;; 64x32 would fit"),
        (OSError(28, "No space left on device", "out.mkv"), 2, "invr: error: No space left on device: out.mkv"),
        (BadInput("a.png\x1b[2J\x07 is odd"), 2, r"invr: error: a.png\x1b[2J\x07 is odd"),
        (KeyboardInterrupt(), 130, "invr: error: stopped"),
        (MemoryError(), 2, "invr: error: this does not fit in memory; give a smaller clip"),
        (torch.OutOfMemoryError("CUDA"), 2, "invr: error: this does not fit in memory; give a smaller clip"),
        (RuntimeError("oops"), 1, "RuntimeError: oops\ninvr: error: this is a bug"),
        (FileNotFoundError(2, "No such file", "inner"), 1, "invr: error: this is a bug"),
    ],
)
def test_exit_codes(invr: Any, fits: Any, clip: str, error: BaseException, code: int, message: str) -> None:
    fits.error = error
    got, out, err = invr("run", "fakeslow", clip, "out.mkv")
    assert (got, out) == (code, "")
    assert message in err
    assert ("Traceback" in err) == (code == 1)
    assert not Path("out.mkv").exists()


# ------------------------------------------------------------------ fit and query
def test_fit_writes_one_file(invr: Any, fits: Any, clip: str) -> None:
    code, out, _ = invr("fit", clip, "a.invr", "--steps", "3")
    assert code == 0 and out.startswith("wrote a.invr: 4 frames of 24x16, 0 to 0.12 s, in ")
    assert load("a.invr").span == pytest.approx((0.0, 0.12))
    assert fits.calls[0][2].steps == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in.mkv", "a.mkv"], "a.mkv: what is fitted is saved to a name that ends in .invr"),
        (["gone.mkv", "a.invr"], "gone.mkv"),
        (["in.mkv", "a.invr", "--params", "1e9999999"], "'1e9999999' is not a positive count"),
        (["in.mkv", "a.invr", "--params", "1e99999"], "'1e99999' is not a positive count"),
        (["in.mkv", "a.invr", "--steps", "-3"], "--steps must be at least 1"),
    ],
)
def test_fit_refuses(invr: Any, fits: Any, clip: str, arguments: list[str], message: str) -> None:
    assert message in invr.refuses("fit", *arguments)
    assert fits.calls == []


def test_query_by_rate_and_by_times(invr: Any, stored: str) -> None:
    code, out, _ = invr("query", stored, "a.mkv", "--fps", "50")
    assert code == 0 and out.startswith("wrote a.mkv: 7 frames of 24x16, in ")
    assert invr("query", stored, "b.mkv", "--times", "0.02,0.1", "--quiet") == (0, "", "")
    assert open_video("b.mkv").times.tolist() == pytest.approx([0.02, 0.1])


def test_query_size_and_region(invr: Any, stored: str) -> None:
    invr("query", stored, "a.mkv", "--times", "0.1", "--size", "48x32")
    assert open_video("a.mkv").size == (32, 48)
    invr("query", stored, "b.mkv", "--times", "0.1", "--size", "48x32", "--region", "0.5,0.25,0.5,0.25")
    assert open_video("b.mkv").size == (16, 12)
    assert torch.equal(open_video("b.mkv").frames(), open_video("a.mkv").frames()[:, :, 16:, 12:24])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["clip.invr", "a.mkv"], "say which instants: --fps 120 or --times 0.1,0.25"),
        (["clip.invr", "a.mkv", "--fps", "5", "--times", "0.1"], "say which instants"),
        (["clip.invr", "a.mkv", "--fps", "0"], "fps must be a positive number"),
        (["clip.invr", "a.mkv", "--fps", "nan"], "fps must be a positive number"),
        (["clip.invr", "a.mkv", "--times", "0.1,0.5"], "0.5 s lies outside clip.invr, which spans 0 to 0.12 s"),
        (["clip.invr", "a.mkv", "--times", "0.1,0.05"], "--times must increase"),
        (["clip.invr", "a.mkv", "--times", "nan"], "finite seconds"),
        (["clip.invr", "a.mkv", "--fps", "5", "--part", "blue"], "clip.invr has no part 'blue'; it has full"),
        (["clip.invr", "a.mkv", "--fps", "5", "--size", "48"], "'48' is not a width and height such as 640x360"),
        (["clip.invr", "a.mkv", "--fps", "5", "--size", "1x" + "9" * 5000], "is not a width and height"),
        (["clip.invr", "a.mkv", "--fps", "5", "--size", "0x3"], "'0x3' is not a width and height"),
        (["clip.invr", "a.mkv", "--fps", "5", "--size", "9000000x9000000"], "would fit"),
        (["clip.invr", "a.mkv", "--fps", "5", "--region", "0,0,2,1"], "leaves the frame"),
        (["clip.invr", "a.mkv", "--fps", "5", "--region", "0,0"], "'0,0' is not a rectangle"),
        (["clip.invr", "clip.invr", "--fps", "5"], "clip.invr"),
        (["gone.invr", "a.mkv", "--fps", "5"], "gone.invr"),
        (["in.mkv", "a.mkv", "--fps", "5"], "in.mkv"),
    ],
)
def test_query_refuses(invr: Any, stored: str, arguments: list[str], message: str) -> None:
    before = Path(stored).read_bytes()
    assert message in invr.refuses("query", *arguments)
    assert not Path("a.mkv").exists() and Path(stored).read_bytes() == before


# ------------------------------------------------------------------ demo, and the real fit
def test_demo_passes_its_options_on(invr: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[Path, bool]] = []
    monkeypatch.setattr("invr_tasks.demo.run_demo", lambda out, quiet: called.append((out, quiet)))
    assert invr("demo")[0] == 0
    assert invr("demo", "--out", "there", "--quiet")[0] == 0
    assert called == [(Path("invr-demo"), False), (Path("there"), True)]


def test_the_whole_way_with_a_real_fit(invr: Any, clip: str) -> None:
    code, _, err = invr("fit", clip, "real.invr", "--steps", "2", "--model", "hnerv")
    assert code == 0 and "step 2/2" in err
    assert invr("query", "real.invr", "out.mkv", "--fps", "50", "--quiet") == (0, "", "")
    assert len(open_video("out.mkv")) == 7
    assert invr("run", "fakeslow", clip, "slow.mkv", "--rep", "real.invr", "--quiet") == (0, "", "")
    assert torch.equal(open_video("slow.mkv").frames(), open_video("out.mkv").frames())
