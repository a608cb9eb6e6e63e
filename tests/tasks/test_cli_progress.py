from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable

import torch
from rich.console import Console

from invr_core.fitting import Progress
from invr_core.video import Video
from invr_tasks.cli.progress import Reporter


def console(terminal: bool) -> tuple[Console, io.StringIO]:
    said = io.StringIO()
    return Console(file=said, force_terminal=terminal, width=120, color_system=None), said


def at(step: int, seconds: float, steps: int | None = 10, note: str = "") -> Progress:
    return Progress(step, steps, seconds, 20.0 - seconds, 30.0 + step, 0.1, note)


def test_plain_lines_come_every_five_seconds_and_at_the_end() -> None:
    target, said = console(False)
    with Reporter(console=target) as reporter:
        for step in range(1, 11):
            reporter.on_step(at(step, 2.0 * step))
    lines = said.getvalue().splitlines()
    assert [re.findall(r"step (\d+)/10", line)[0] for line in lines] == ["1", "4", "7", "10"]
    assert lines[1] == "fitting:  40 %  step 4/10  PSNR 34.00 dB  0:08 elapsed, 0:12 left"


def test_a_bound_in_minutes_counts_by_time() -> None:
    target, said = console(False)
    with Reporter(console=target) as reporter:
        reporter.on_step(at(3, 5.0, steps=None))
    assert said.getvalue() == "fitting:  25 %  step 3  PSNR 33.00 dB  0:05 elapsed, 0:15 left\n"


def test_notes_are_always_told_once() -> None:
    target, said = console(False)
    with Reporter(console=target) as reporter:
        reporter.on_step(at(1, 0.0))
        reporter.on_step(at(2, 0.1, note="went [back]"))
    assert said.getvalue().splitlines()[1:] == ["invr: went [back]"]


def test_quiet_tells_nothing(make_video: Callable[..., Video]) -> None:
    for terminal in (False, True):
        target, said = console(terminal)
        with Reporter(quiet=True, console=target) as reporter:
            reporter.on_step(at(1, 9.0, note="recovered"))
            reporter.watched(make_video()).frames()
        assert said.getvalue() == ""


def test_a_terminal_gets_a_bar_with_the_state() -> None:
    target, said = console(True)
    with Reporter(console=target) as reporter:
        reporter.on_step(at(4, 8.0))
        reporter.on_step(at(10, 20.0))
    last = next(line for line in reversed(said.getvalue().splitlines()) if "fitting" in line)
    assert "━" in last and "step 10/10  PSNR 40.00 dB  0:20 elapsed, 0:00 left" in last


def test_watching_changes_no_frame_and_tells_how_far_it_is(make_video: Callable[..., Video]) -> None:
    video = make_video(frames=5)
    target, said = console(False)
    now = iter([0.0, 0.5, 1.0, 6.0, 6.5, 7.0])
    with Reporter(console=target, clock=lambda: next(now)) as reporter:
        watched = reporter.watched(video)
        parts = [watched.read(indices) for indices in ([0, 1], [2], [3, 4])]
    assert torch.equal(torch.cat(parts), video.frames())
    assert said.getvalue().splitlines() == [
        "rendering:  20 %  frame 1/5  0:02 left",
        "rendering:  60 %  frame 3/5  0:04 left",
        "rendering: 100 %  frame 5/5  0:00 left",
    ]


def test_help_is_shown_where_stdout_lacks_characters() -> None:
    code = "import sys; from invr_tasks.cli import main; sys.exit(main(['--help']))"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: invr COMMAND ?" in done.stdout
