"""What the viewer opens, where it listens, and how it ends."""

from __future__ import annotations

import io
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from invr_core.errors import BadFile, BadInput, Unsupported

pytest.importorskip("starlette", reason="the viewer's libraries come with the extra `view`")
pytest.importorskip("httpx2", reason="the client comes with the extra `test`")

import httpx2 as httpx

from invr_tasks.view import serve
from invr_tasks.view.found import Found, find
from invr_tasks.view.opened import open_all


def test_a_run_is_a_folder_with_one_fitted_clip(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"holds one \.invr file, this folder holds none"):
        find(tmp_path)
    (tmp_path / "fitted.invr").touch()
    assert find(tmp_path) == Found("fitted.invr", (tmp_path / "fitted.invr",))
    (tmp_path / "given.mp4").touch()
    assert find(tmp_path).clip == tmp_path / "given.mp4"
    assert find(tmp_path, "other.mp4").clip == Path("other.mp4")
    (tmp_path / "other.invr").touch()
    with pytest.raises(BadFile, match=r"fitted\.invr, other\.invr"):
        find(tmp_path)


def test_a_stored_fit_is_opened_with_its_frames(invr: Any, stored: str, clip: str) -> None:
    opened = open_all(stored, clip, "cpu")
    assert opened.frames == pytest.approx([0, 0.04, 0.08, 0.12]) and opened.step == pytest.approx(0.04)
    assert "source" in opened.names and len(opened.png(opened.read({"t": "0.05"}))) > 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.invr"], "nothing.invr: there is no such file"),
        (["in.mkv"], "in.mkv: cut short, or not a .invr file"),
        (["clip.invr", "--source", "nothing.mkv"], "nothing.mkv"),
        (["clip.invr", "--port", "70000"], "--port must be 0 to 65535, got 70000"),
        (["clip.invr", "--port", "-1"], "--port must be 0 to 65535, got -1"),
        (["clip.invr", "--device", "tpu"], "unknown device 'tpu'"),
    ],
)
def test_what_cannot_be_viewed_is_one_line(invr: Any, stored: str, arguments: list[str], message: str) -> None:
    assert message in invr.refuses("view", *arguments)


def test_a_port_that_is_taken_is_one_line(invr: Any, stored: str) -> None:
    with serve.listen(0) as held:
        port = held.getsockname()[1]
        assert f"--port {port} cannot be had" in invr.refuses("view", stored, "--port", str(port))
    with pytest.raises(BadInput):
        serve.listen(1 << 20)


def test_without_the_libraries_the_line_that_installs_them_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(Unsupported, match=r"needs uvicorn: pip install 'invr\[view\]'"):
        serve.require()


def test_it_listens_on_this_machine_alone_and_ends_with_ctrl_c(invr: Any, stored: str, clip: str) -> None:
    command = [sys.executable, "-c", "import sys; from invr_tasks.cli import main; sys.exit(main())"]
    command += ["view", stored, "--source", clip, "--no-browser", "--device", "cpu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"clip\.invr is shown at http://127\.0\.0\.1:(\d+)/", line)
            assert found, line
            answer = httpx.get(f"http://127.0.0.1:{found[1]}/frame", params={"t": "0.05"}, trust_env=False)
            assert np.asarray(Image.open(io.BytesIO(answer.content))).shape == (16, 24, 3)
            assert httpx.get(f"http://localhost:{found[1]}/facts", trust_env=False).status_code == 200
            for other in _addresses():
                with pytest.raises(OSError), socket.create_connection((other, int(found[1])), 2):
                    pass
        finally:
            process.send_signal(2)
            _, err = process.communicate(timeout=60)
    assert "Traceback" not in err, err


def test_a_browser_that_is_waited_for_gets_its_page(invr: Any, stored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those in a terminal are."""
    Path("look.py").write_text(
        "import sys, urllib.request, pathlib\n"
        "page = urllib.request.urlopen(sys.argv[1], timeout=50).read()\n"
        "pathlib.Path('seen.part').write_bytes(page)\n"
        "pathlib.Path('seen.part').rename('seen')\n"
    )
    monkeypatch.setenv("BROWSER", f"{sys.executable} look.py %s")
    command = [sys.executable, "-c", "import sys; from invr_tasks.cli import main; sys.exit(main())"]
    with subprocess.Popen([*command, "view", stored, "--device", "cpu"], stderr=subprocess.PIPE, text=True) as process:
        try:
            until = time.monotonic() + 60
            while not Path("seen").exists() and time.monotonic() < until:
                time.sleep(0.05)
        finally:
            process.send_signal(2)
            _, err = process.communicate(timeout=60)
    assert "<html" in Path("seen").read_text(), err


def _addresses() -> list[str]:
    """Other addresses of this machine."""
    try:
        found = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
    except OSError:
        return ["127.0.0.2"]
    return ["127.0.0.2", *{str(entry[4][0]) for entry in found} - {"127.0.0.1"}]
