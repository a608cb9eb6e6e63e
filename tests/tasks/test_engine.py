"""Pieces of work by processes of this machine, and the commands that are made of them: the same bytes, each alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import waiting

from invr_core.errors import BadInput, NotEnoughMemory, Unsupported
from invr_core.io import open_video
from invr_tasks.cli import spread
from invr_tasks.cli.ahead import keep_part
from invr_tasks.cli.workers import EngineOptions
from invr_tasks.engine import Crew, Done, Piece, distribute, order, outcome
from invr_tasks.engine.piece import performed, versions

TWO = Crew("local", 2, 1)
FIT = ["--steps", "2", "--params", "20k", "--seed", "1"]


@pytest.fixture
def clips(invr: Any, bunny_path: Path) -> None:
    clip = open_video(bunny_path).map(lambda frames: frames[..., :32, :48])
    for index in range(2):
        clip[8 * index : 8 * index + 4].save(f"clips/{index}.mkv")
    clip[:30].save("long.mkv")


def work(function: str, *values: Any, crew: Crew = TWO) -> list[Done]:
    name = {"echo": "value", "fail": "how", "forever": "name"}[function]
    pieces = [Piece(str(value), {name: value}) for value in values]
    with closing(distribute(f"waiting:{function}", pieces, crew)) as done:
        return sorted(done, key=lambda one: one.index)


def contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


# ------------------------------------------------------------------ pieces
def test_each_piece_is_answered_by_a_worker_of_so_many_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = work("echo", "ä", 2, crew=Crew("local", 2, 2))
    assert [one.answer for one in done] == [[value, 2, 2, "2", str(tmp_path)] for value in ("ä", 2)]


def test_a_piece_that_fails_fails_alone_and_one_whose_worker_is_killed_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("invr_tasks.engine.local.RETRIES", 1)
    refused, bug, ended, lost_once, lost = work("fail", "refuse", "bug", "exit", "die once", "die")
    assert refused.failed is not None and bug.failed is not None and (refused.code, bug.code) == (1, 1)
    assert ended.failed == "its worker ended with 3; what it said is above"
    assert lost_once == Done(3)
    assert lost.failed is not None and lost.failed.startswith("its worker was ended by signal 9 each of 2 times")
    assert [name for name, *_ in waiting.marks()].count("always") == 2
    assert "[bug] ZeroDivisionError: one of ours" in capfd.readouterr().err


def test_whoever_stops_reading_ends_all_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pieces = [Piece("long", {"name": "long"}), *(Piece(str(i), {"name": str(i)}) for i in range(5))]
    done = distribute("waiting:forever", pieces, TWO)

    def stop() -> None:
        waiting.wait_for(lambda: len(waiting.marks()) == 2)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=stop).start()
    with pytest.raises(KeyboardInterrupt):
        next(done)
    for _, _, process in waiting.marks():
        waiting.wait_for(lambda process=process: not alive(process))
    assert len(waiting.marks()) == 2


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_worker_ends_with_the_one_who_asked_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = "import test_engine as t; list(t.distribute('waiting:forever', [t.Piece('a', {'name': 'a'})], t.TWO))"
    path = os.pathsep.join(entry for entry in sys.path if entry)
    asking = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path})
    ((_, _, process),) = waiting.wait_for(waiting.marks)
    asking.kill()
    asking.wait()
    waiting.wait_for(lambda: not alive(process))


def test_a_worker_that_is_not_like_the_others_refuses() -> None:
    told = {"function": "waiting:echo", "arguments": {"value": 1}, "threads": 1, "place": os.getcwd()}
    other = json.loads(performed(json.dumps({**told, "versions": {**versions(), "torch": "1.0"}})))
    assert other["code"] == 2 and "torch 1.0" in other["failed"]
    gone = json.loads(performed(json.dumps({**told, "versions": versions(), "place": "/gone"})))
    assert gone["code"] == 2 and "has no folder /gone" in gone["failed"]


# ------------------------------------------------------------------ who does it
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--address", "auto"], "--address auto is of a Ray cluster; give --engine ray"),
        (["--workers", "0"], "--workers must be at least 1"),
        (["--threads", "0"], "--threads must be at least 1"),
        (["--engine", "dask"], "invalid choice 'dask'"),
        (["--engine", "ray", "--device", "cuda:1"], "--device cuda:1 is one GPU for all workers"),
        (["--workers", "2", "--device", "cuda:1"], "cuda:1"),
    ],
)
def test_what_cannot_be_is_refused(refuses: Callable[..., str], fits: Any, options: list[str], message: str) -> None:
    assert message in refuses("batch", "fakeslow", "in.mkv", "--into", "out", *options)
    assert fits.calls == []


def test_a_run_needs_a_folder_that_its_workers_share(refuses: Callable[..., str], stored: str) -> None:
    assert "give --keep RUN" in refuses("run", "fakeslow", "in.mkv", "out.mp4", "--workers", "2")
    assert "leave --rep out" in refuses("run", "fakeslow", "in.mkv", "out.mp4", "--workers", "2", "--rep", stored)


def test_without_ray_it_is_said_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(Unsupported, match=r"pip install 'invr\[ray\]'"):
        work("echo", 1, crew=Crew("ray", None, 1))


def test_where_nothing_is_to_be_done_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert work("echo", crew=Crew("ray", None, 1)) == work("echo") == []


@pytest.mark.parametrize(
    ("options", "cards", "crew"),
    [
        (EngineOptions(), 0, None),
        (EngineOptions(), 1, None),
        (EngineOptions(), 2, Crew("local", 2, 4, True)),
        (EngineOptions(workers=1), 0, Crew("local", 1, 8)),
        (EngineOptions(workers=3), 0, Crew("local", 3, 2)),
        (EngineOptions(workers=16), 0, Crew("local", 16, 1)),
        (EngineOptions(threads=2), 0, Crew("local", 1, 2)),
        (EngineOptions("ray"), 0, Crew("ray", None, 1, None)),
        (EngineOptions("ray", "auto", 5, 2), 2, Crew("ray", 5, 2, None, "auto")),
    ],
)
def test_a_machine_is_shared_out_and_not_overbooked(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: EngineOptions,
    cards: int,
    crew: Crew | None,
) -> None:
    monkeypatch.setattr("invr_tasks.cli.workers._cards", lambda device: range(cards))
    monkeypatch.setattr("invr_tasks.cli.workers._cores", lambda: 8)
    assert options.crew("auto", 10) == crew
    too_many = "invr: warning: 16 workers of 1 threads each share 8 cores; fewer would be as fast\n"
    assert capsys.readouterr().err == (too_many if options.workers == 16 else "")


def test_no_two_workers_share_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invr_tasks.cli.workers._cards", lambda device: range(2))
    with pytest.raises(BadInput, match="--workers 3: there are 2 GPUs"):
        EngineOptions(workers=3).crew("cuda", 10)
    seen: list[Any] = []

    def asked(module: str, question: Any, environment: Any, *rest: Any) -> tuple[int, str]:
        seen.append(environment["CUDA_VISIBLE_DEVICES"])
        return 0, '{"answer": 1}'

    monkeypatch.setattr("invr_tasks.engine.local.ask", asked)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    assert len(work("echo", 1, 2, 3, 4, crew=Crew("local", 2, 1, True))) == 4
    assert set(seen) <= {"5", "7"}


# ------------------------------------------------------------------ the commands
def test_a_batch_by_two_workers_has_the_bytes_of_one(invr: Any, clips: None) -> None:
    Path("clips/5.mkv").write_text("no video")
    assert invr("batch", "denoise", "clips/?.mkv", "--into", "one", *FIT, "--quiet")[0] == 2
    code, out, err = invr("batch", "denoise", "clips/?.mkv", "--into", "two", *FIT, "--workers", "2", "--threads", "1")
    assert code == 2 and out.splitlines()[-1] == "3 clips: 2 written, 1 failed"
    assert "[clips/0.mkv] fitting: 100 %" in err and "invr: error: clips/5.mkv: clips/5.mkv" in err
    assert contents("one") == contents("two") and len(contents("two")) == 2
    code, out, _ = invr("batch", "denoise", "clips/[01].mkv", "--into", "two", *FIT, "--workers", "2")
    assert code == 0 and out.splitlines()[-1].startswith("2 clips: 2 there already")


def test_a_batch_that_is_stopped_says_what_is_done(
    invr: Any, clips: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def stopped(*arguments: Any) -> Iterator[Done]:
        yield Done(1, answer=2.0)
        raise KeyboardInterrupt

    monkeypatch.setattr(spread, "distribute", stopped)
    code, out, _ = invr("batch", "denoise", "clips", "--into", "out", *FIT, "--workers", "2")
    assert code == 130 and out.splitlines()[-1] == "2 clips: 1 not done, 1 written"


def test_a_long_clip_by_two_workers_has_the_bytes_of_one(invr: Any, clips: None) -> None:
    options = [*FIT, "--piece", "12", "--no-shots", "--quiet"]
    assert invr("run", "denoise", "long.mkv", "one.mp4", *options)[0] == 0
    shared = ["--keep", "RUN", "--workers", "2", "--threads", "1"]
    assert invr("run", "denoise", "long.mkv", "two.mp4", *options, *shared)[0] == 0
    assert Path("one.mp4").read_bytes() == Path("two.mp4").read_bytes()
    parts = contents("RUN")
    assert {name for name in parts if name.endswith(".invr")} == {f"part-000{i}.invr" for i in range(1, 4)}
    Path("RUN/part-0003.invr").unlink()
    Path("two.mp4").unlink()
    assert invr("resume", "RUN", "--quiet")[0] == 0
    assert contents("RUN") == parts and Path("one.mp4").read_bytes() == Path("two.mp4").read_bytes()


def test_a_part_that_is_kept_is_not_fitted_again_by_the_one_who_is_given_it_anew(
    invr: Any, clips: None, fits: Any
) -> None:
    words = ["fakeslow", "long.mkv", "out.mkv", *FIT, "--piece", "12", "--no-shots", "--quiet"]
    assert invr("run", *words, "--keep", "RUN")[0] == 0
    parts, done = contents("RUN"), len(fits.calls)
    Path("RUN/part-0002.invr").unlink()
    for which in range(3):
        keep_part(words, "RUN", [], which)
    assert contents("RUN") == parts and len(fits.calls) == done + 1


# ------------------------------------------------------------------ what workers refuse, and what is a bug of theirs
@pytest.mark.parametrize(("codes", "code"), [((2, 2), 2), ((2, 1), 1)])
def test_a_bug_of_a_worker_is_told_apart_by_the_exit_code(
    invr: Any, clips: None, monkeypatch: pytest.MonkeyPatch, codes: tuple[int, int], code: int
) -> None:
    def fails(function: str, pieces: Any, crew: Crew) -> Iterator[Done]:
        yield from (Done(index, failed="it fell over", code=one) for index, one in enumerate(codes[: len(pieces)]))

    for module in ("invr_tasks.cli.bench_spread", "invr_tasks.engine"):  # the one that imports it from the other first
        monkeypatch.setattr(f"{module}.distribute", fails)
    words = ["denoise", "long.mkv", "out.mp4", *FIT, "--piece", "20", "--no-shots", "--keep", "RUN", "--workers", "2"]
    found, _, err = invr("run", *words)
    assert found == code and "2 of 2 parts could not be fitted" in err.splitlines()[-1] and "Traceback" not in err

    words = ["--clip", "long.mkv", "--params", "30800", "--steps", "2", "--models", "cwrnn,hnerv", "--out", "m.jsonl"]
    found, _, err = invr("bench", "model", *words, "--device", "cpu", "--workers", "2")
    assert found == code and err.splitlines()[-1] == "invr: error: 2 of the fits failed; their records say why"

    words = [
        "--suite",
        "shipped",
        "--frames",
        "3",
        "--task",
        "denoise",
        "--setting",
        "gauss25,sp10",
        "--out",
        "t.jsonl",
    ]
    found, _, err = invr("bench", "tasks", *words, "--device", "cpu", "--workers", "2")
    assert found == code and err.splitlines()[-1] == "invr: error: 2 of the fits failed; their records say why"


def test_a_gpu_is_asked_for_where_the_part_is_fitted(
    invr: Any, clips: None, monkeypatch: pytest.MonkeyPatch, refuses: Callable[..., str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    replaced = {"cuda": "cuda"}

    def here(function: str, pieces: Any, crew: Crew) -> Iterator[Done]:
        assert crew.engine == "ray" and crew.gpus
        for index, piece in enumerate(pieces):
            words = [replaced.get(word, word) for word in piece.arguments["words"]]
            yield outcome(index, performed(order(function, {**piece.arguments, "words": words}, 1)))

    monkeypatch.setattr("invr_tasks.engine.distribute", here)
    words = ["run", "denoise", "clips/0.mkv", "out.mp4", *FIT, "--device", "cuda", "--engine", "ray", "--quiet"]
    code, _, err = invr(*words, "--keep", "REFUSED")
    told = [line for line in err.splitlines() if line.startswith("invr: error: ")]
    assert code == 2 and len(told) == 2 and "Traceback" not in err
    assert told[0] == (
        "invr: error: the clip: cuda was asked for, but torch sees no CUDA device here; use --device cpu or auto"
    )
    replaced["cuda"] = "cpu"  # a worker that has what is asked for
    code, _, err = invr(*words, "--keep", "RUN")
    assert code == 0, err
    assert len(open_video("out.mp4")) == 4


def test_the_memory_of_this_machine_says_nothing_of_workers(
    invr: Any, clips: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_little(*arguments: Any) -> None:
        raise NotEnoughMemory("too little here")

    def told(function: str, pieces: Any, crew: Crew) -> Iterator[Done]:
        yield from (Done(index, failed="asked", code=2) for index in range(len(pieces)))

    monkeypatch.setattr("invr_tasks.part_fits.check_fit", too_little)
    monkeypatch.setattr("invr_tasks.engine.distribute", told)
    words = ["run", "denoise", "clips/0.mkv", "out.mp4", *FIT, "--keep", "RUN"]
    assert "too little here" in invr(*words)[2]
    assert "the clip: asked" in invr(*words, "--engine", "ray")[2]
