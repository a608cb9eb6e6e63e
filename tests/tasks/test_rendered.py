"""What a run that is kept has rendered is not rendered again, and the answer has the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from invr_core.video import Video
from invr_tasks import rendered
from invr_tasks.cli.progress import Reporter
from invr_tasks.keeping import Kept
from invr_tasks.rendered import Rendered

COMMAND = ("interpolate", "in.mkv", "out.mkv", "--steps", "6", "--piece", "10", "--no-shots", "--device", "cpu")
"""Three pieces, and 47 frames."""
ALL = ("--confidence", "sure/", "--report", "at.html", "--save-rep", "a.invr")
KILLED = """
import os, signal, sys
from invr_tasks import rendered
from invr_tasks.cli import main
from invr_tasks.cli.progress import Reporter
rendered.EVERY = 0.0
before = Reporter._tell
def tell(self, what, fraction, *rest):
    if what == "rendering" and fraction > 40 / 47:
        os.kill(os.getpid(), signal.SIGKILL)
    before(self, what, fraction, *rest)
Reporter._tell = tell
sys.exit(main(["run", *sys.argv[1:]]))
"""


class Seen(NamedTuple):
    """Which frames are rendered, and which parts loaded."""

    frames: list[int]
    parts: list[int]


@pytest.fixture
def source(invr: Any, make_video: Callable[..., Video]) -> None:
    """The input of the command."""
    make_video(frames=24, smooth=True).save("in.mkv")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """What is done from here on."""
    found, add, fitted = Seen([], []), Rendered._add, Kept.fitted

    def note(self: Rendered, index: int, frame: Tensor, noted: Any) -> Tensor:
        found.frames.append(index)
        return add(self, index, frame, noted)

    def load(self: Kept, part: int, device: str) -> Any:
        found.parts.extend([part] if self.holds(part) else [])
        return fitted(self, part, device)

    monkeypatch.setattr(Rendered, "_add", note)
    monkeypatch.setattr(Kept, "fitted", load)
    return found


@pytest.fixture
def stopped(invr: Any, source: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Does the command until 41 frames are rendered, and stops it by Ctrl-C."""

    def stop(*options: str, command: tuple[str, ...] = COMMAND, at: float = 40 / 47) -> None:
        with monkeypatch.context() as patch:
            before = Reporter._tell

            def tell(self: Reporter, what: str, fraction: float, *rest: Any) -> None:
                before(self, what, fraction, *rest)
                if what == "rendering" and fraction > at:
                    os.kill(os.getpid(), signal.SIGINT)

            patch.setattr(Reporter, "_tell", tell)
            code, _, err = invr("run", *command, *options, "--keep", "RUN", "--quiet")
        assert code == 130 and "goes on from here" in err

    return stop


WHOLE: dict[tuple[str, ...], bytes] = {}


@pytest.fixture
def whole(invr: Any, source: None) -> Callable[..., bytes]:
    """What a command writes if it is not kept, nor stopped; found out once."""

    def answer(command: tuple[str, ...] = COMMAND) -> bytes:
        if command not in WHOLE:
            assert invr("run", *command, "--quiet") == (0, "", "")
            WHOLE[command] = Path("out.mkv").read_bytes()
            Path("out.mkv").unlink()
        return WHOLE[command]

    return answer


def held() -> list[str]:
    return sorted(path.name for path in Path("RUN").iterdir())


# ------------------------------------------------------------------------------ not again
def test_after_kill_only_the_rest_is_rendered_and_only_its_parts_loaded(
    invr: Any, whole: Callable[..., bytes], seen: Seen
) -> None:
    expected = whole()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    words = [sys.executable, "-c", KILLED, *COMMAND, "--keep", "RUN"]
    assert subprocess.run(words, env=environment, capture_output=True).returncode == -signal.SIGKILL
    assert not Path("out.mkv").exists()
    assert invr("resume", "RUN", "--quiet") == (0, "", "")
    assert seen == Seen(list(range(41, 47)), [2])
    assert Path("out.mkv").read_bytes() == expected
    assert held() == ["part-0001.invr", "part-0002.invr", "part-0003.invr", "run.json"]


def test_ctrl_c_keeps_what_was_rendered_until_then(
    invr: Any, whole: Callable[..., bytes], stopped: Callable[..., None], seen: Seen
) -> None:
    expected = whole()
    stopped()
    assert [name for name in held() if name.startswith("rendered")] == ["rendered-0000000.json", "rendered-0000000.mkv"]
    seen.frames.clear()
    assert invr("resume", "RUN", "--quiet") == (0, "", "")
    assert seen.frames == list(range(41, 47)) and Path("out.mkv").read_bytes() == expected


def test_stopped_again_and_again_it_ends_with_the_same_bytes(
    invr: Any, whole: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, seen: Seen
) -> None:
    expected, before, count = whole(), Rendered._add, [0]

    def add(self: Rendered, index: int, frame: Tensor, noted: Any) -> Tensor:
        count[0] += 1
        if count[0] % 9 == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return before(self, index, frame, noted)

    monkeypatch.setattr(Rendered, "_add", add)
    words, codes = ["run", *COMMAND, "--keep", "RUN"], []
    while not codes or codes[-1]:
        codes.append(invr(*words, "--quiet")[0])
        words = ["resume", "RUN"]
    assert codes == [130] * 5 + [0]
    assert sorted(set(seen.frames)) == list(range(47)) and len(seen.frames) < 47 + len(codes)
    assert Path("out.mkv").read_bytes() == expected


def test_what_else_is_written_is_as_without_the_stop(
    invr: Any, stopped: Callable[..., None], seen: Seen, tmp_path: Path
) -> None:
    stopped(*ALL)
    for file in Path().glob("a-*.invr"):
        file.unlink()
    code, out, _ = invr("resume", "RUN")
    assert code == 0
    assert [file.name for file in sorted(Path().glob("a-*"))] == ["a-1.invr", "a-2.invr", "a-3.invr"]
    assert "a-1.invr to a-3.invr (3 files)" in out
    assert "3, of which 3 are fitted" in Path("at.html").read_text(encoding="utf-8")
    pictures = [file.read_bytes() for file in sorted(Path("sure").iterdir())]
    least = out.splitlines()[-1]
    shutil.rmtree("sure")
    seen.frames.clear()
    code, out, _ = invr("run", *COMMAND, *ALL, "--keep", "OTHER")
    assert seen.frames == list(range(47))
    assert [file.read_bytes() for file in sorted(Path("sure").iterdir())] == pictures and len(pictures) == 47
    assert least.startswith("least sure") and out.splitlines()[-1] == least


def test_a_deep_clip_is_kept_deep(
    invr: Any, source: None, make_video: Callable[..., Video], stopped: Callable[..., None], seen: Seen
) -> None:
    clip = make_video(frames=24, smooth=True)
    Video.of(clip.frames(), depth=10).save("in.mkv")
    assert invr("run", *COMMAND, "--keep", "OTHER", "--quiet")[0] == 0
    expected = Path("out.mkv").read_bytes()
    Path("out.mkv").unlink()
    stopped()
    seen.frames.clear()
    assert invr("resume", "RUN", "--quiet") == (0, "", "") and seen.frames == list(range(41, 47))
    assert Path("out.mkv").read_bytes() == expected


# ------------------------------------------------------------------------------ damaged, foreign, full
def _cut() -> None:
    path = Path("RUN/rendered-0000020.mkv")
    path.write_bytes(path.read_bytes()[:200])


def _forge(**entries: Any) -> Callable[[], None]:
    def forge() -> None:
        path = Path("RUN/rendered-0000020.json")
        path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))

    return forge


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_cut, "rendered again from frame 20 on"),
        (lambda: Path("RUN/rendered-0000020.mkv").unlink(), "does not exist; give a video file or a folder of images"),
        (lambda: Path("RUN/rendered-0000020.json").write_text("{"), None),
        (lambda: Path("RUN/rendered-0000020.json").write_text("[1]"), None),
        (lambda: Path("RUN/rendered-0000020.json").write_text(" " * (1 << 20) + "{}"), None),
        (_forge(size=[4000, 4]), "rendered-0000020.json is not of this answer; rendered again from frame 20 on"),
        (_forge(depth=10), "rendered-0000020.json is not of this answer"),
        (_forge(sure=[0.5] * 10), "rendered-0000020.json is not of this answer"),
        (_forge(sure=[float("nan")] * 10), None),
        (_forge(sure=[0.5] * 3), None),
        (_forge(pictured=True), None),
        (_forge(frames=1 << 40), "rendered-0000020.json does not say what is kept beside it"),
        (_forge(frames=0), None),
        (_forge(first=0), None),
        (_forge(first=float("inf")), None),
    ],
)
def test_what_is_damaged_is_rendered_again(
    invr: Any,
    whole: Callable[..., bytes],
    stopped: Callable[..., None],
    seen: Seen,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[], None],
    told: str | None,
) -> None:
    expected = whole()
    monkeypatch.setattr(rendered, "MOST_FRAMES", 10)
    stopped()
    damage()
    seen.frames.clear()
    code, _, err = invr("resume", "RUN")
    assert code == 0 and (told or "") in err and ("again" in err) == (told is not None)
    assert seen.frames == list(range(20, 47)) and Path("out.mkv").read_bytes() == expected


@pytest.mark.parametrize("entry", [{"size": [4000, 4]}, {"sure": [0.5] * 10}])
def test_a_first_record_of_something_else_is_not_believed(
    invr: Any,
    whole: Callable[..., bytes],
    stopped: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    entry: dict[str, Any],
) -> None:
    expected = whole()
    monkeypatch.setattr(rendered, "MOST_FRAMES", 10)
    stopped()
    path = Path("RUN/rendered-0000000.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **entry}))
    assert invr("resume", "RUN", "--quiet")[0] == 0 and Path("out.mkv").read_bytes() == expected


def test_where_there_is_no_room_for_them_the_answer_is_written_all_the_same(
    invr: Any, whole: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = whole()
    monkeypatch.setattr(rendered, "EVERY", 0.0)
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(rendered.shutil, "disk_usage", lambda path: usage._replace(free=rendered.SPARE))
    code, _, err = invr("run", *COMMAND, "--keep", "RUN")
    assert code == 0 and Path("out.mkv").read_bytes() == expected
    assert err.count("frames that are rendered from here on are not kept, and would be again: ") == 1
    assert "has 1.0 GiB free, and 1 GiB are left alone" in err
    assert not [name for name in held() if name.startswith("rendered")]


# ------------------------------------------------------------------------------ by itself
def test_files_hold_few_frames_and_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = torch.rand(10, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(rendered, "MOST", 4 * 3 * 5 * 7)
    with Rendered(tmp_path) as kept:
        shown = kept.through(Video.of(frames)).frames()
        assert {path.name for path in tmp_path.glob("*.json")} == {f"rendered-000000{first}.json" for first in (0, 4)}
    assert torch.equal(shown, (frames * 255).round() / 255)
    again = Rendered(tmp_path)
    assert again.form is not None and (again.form.frames, again.form.size) == (4, (5, 7))
    unread = Video(Video.of(frames).times, (5, 7), pytest.fail)
    assert torch.equal(again.through(unread).frames(), shown)
    again.clear()
    assert not list(tmp_path.iterdir()) and Rendered(tmp_path).form is None


def test_frames_out_of_order_are_shown_and_not_kept(tmp_path: Path) -> None:
    frames = torch.rand(4, 1, 2, 3, generator=torch.Generator().manual_seed(0))
    with Rendered(tmp_path) as kept:
        shown = kept.through(Video.of(frames))
        assert shown.read([3, 0, 2]).shape == (3, 1, 2, 3)
    form = Rendered(tmp_path).form
    assert form is not None and form.frames == 1
    assert Rendered(tmp_path).through(Video.of(frames)).frames().shape == (4, 1, 2, 3)
