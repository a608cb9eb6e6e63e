"""Pieces of work on a real Ray cluster of two nodes, one of which is lost; on one that is started for the while."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import waiting

from invr_core.errors import BadInput
from invr_core.io import open_video
from invr_tasks.bench import tasks
from invr_tasks.bench.processes import here
from invr_tasks.bench.records import Record, read
from invr_tasks.cli import spread
from invr_tasks.engine import Crew, Piece, distribute

ray = pytest.importorskip("ray", reason="NOT TESTED ON A CLUSTER: there is no Ray; pip install 'invr[ray]'")
FIT = ["--steps", "2", "--params", "20k", "--seed", "1"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two nodes of one processor each; the workers find what tests import."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(waiting.__file__).parent), prepend=os.pathsep)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # else workers starve where all processors are busy
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))  # Ray keeps its token there
        node = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80 << 20, "include_dashboard": False}
        made = Cluster(initialize_head=True, head_node_args=node)
        made.add_node(**node)
        yield made
        made.shutdown()


def test_a_clip_in_pieces_and_a_benchmark_on_two_nodes_are_as_by_this_process(
    cluster: Any, invr: Any, bunny_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_video(bunny_path)[:14].map(lambda frames: frames[..., :32, :48]).save("long.mkv")
    clip = ["denoise", "long.mkv", "--piece", "12", "--no-shots", *FIT]
    bench = ["--suite", "shipped", "--frames", "3", "--setting", "sp10", "--methods", "ours", "--steps", "2"]
    bench += ["--seed", "0,1"]
    monkeypatch.setattr(tasks, "alone", here)
    for name, options in (("local", []), ("ray", ["--address", cluster.address])):
        options = ["--engine", name, *options]
        code, _, err = invr("run", *clip, f"{name}.mp4", "--keep", name, *options)
        assert code == 0, err
        code, _, err = invr("bench", "tasks", *bench, "--out", f"{name}.jsonl", *options)
        assert code == 0, err
    assert Path("ray.mp4").read_bytes() == Path("local.mp4").read_bytes()
    parts = [{path.name: path.read_bytes() for path in Path(name).glob("part-*.invr")} for name in ("local", "ray")]
    assert parts[0] == parts[1] and len(parts[1]) == 2
    one, other = ([steady(record) for record in read(Path(f"{name}.jsonl"))] for name in ("local", "ray"))
    assert one == sorted(other, key=lambda record: record["seed"]) and [record["seed"] for record in one] == [0, 1]


def steady(record: Record) -> Record:
    """What a clock, a machine and its load do not change."""
    changing = ("memory", "provenance")
    return {name: found for name, found in record.items() if "seconds" not in name and name not in changing}


def test_a_batch_on_two_nodes_loses_one_and_has_the_bytes_of_this_process(
    cluster: Any, invr: Any, bunny_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = open_video(bunny_path).map(lambda frames: frames[..., :32, :48])
    for index in range(3):
        clip[8 * index : 8 * index + 4].save(f"clips/{index}.mkv")
    Path("clips/5.mkv").write_text("no video")
    assert invr("batch", "denoise", "clips", "--into", "alone", *FIT, "--quiet")[0] == 2

    (second,) = cluster.worker_nodes
    lost: list[str] = []

    def lose() -> None:
        waiting.wait_for(lambda: any(node == second.node_id for _, node, _ in waiting.marks()))
        lost.extend(name for name, node, _ in waiting.marks() if node == second.node_id)
        cluster.remove_node(second, allow_graceful=False)
        Path("gate").touch()

    monkeypatch.setattr(spread, "CLIP", "waiting:answer_clip")
    loser = threading.Thread(target=lose)
    loser.start()
    options = ["--engine", "ray", "--address", cluster.address]
    code, out, err = invr("batch", "denoise", "clips", "--into", "spread", *FIT, *options)
    loser.join()

    assert code == 2 and out.splitlines()[-1] == "4 clips: 3 written, 1 failed"
    assert "invr: error: clips/5.mkv: clips/5.mkv" in err and "4/4" not in out
    assert re.search(r"^\(clips/[012]\.mkv pid=\d+.*\) fitting: 100 %", err, re.MULTILINE)  # a worker's own line
    assert len(lost) == 1
    nodes = [node for name, node, _ in waiting.marks() if name == lost[0]]
    assert nodes[0] == second.node_id and nodes[-1] != second.node_id  # begun anew, elsewhere
    answers = [{path.name: path.read_bytes() for path in Path(name).iterdir()} for name in ("alone", "spread")]
    assert answers[0] == answers[1] and len(answers[1]) == 3

    begun = len(waiting.marks())
    code, out, _ = invr("batch", "denoise", "clips/[012].mkv", "--into", "spread", *FIT, *options)
    assert code == 0 and len(waiting.marks()) == begun and "3 there already" in out


def test_ctrl_c_frees_the_cluster(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pieces = [Piece(str(index), {"name": str(index)}) for index in range(3)]

    def stop() -> None:
        waiting.wait_for(waiting.marks)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=stop).start()
    with (
        closing(distribute("waiting:forever", pieces, Crew("ray", None, 1, None, cluster.address))) as done,
        pytest.raises(KeyboardInterrupt),
    ):
        next(done)
    assert not ray.is_initialized()
    ((_, _, process),) = waiting.marks()
    waiting.wait_for(lambda: not Path(f"/proc/{process}").exists())
    (after,) = distribute("waiting:echo", [Piece("after", {"value": 1})], Crew("ray", 1, 1, None, cluster.address))
    assert after.answer[0] == 1


def test_what_the_cluster_cannot_do_is_refused_at_once(cluster: Any, tmp_path: Path) -> None:
    for crew, message in (
        (Crew("ray", None, 1000, None, cluster.address), "no node of the cluster has 1000 CPUs for a worker"),
        (Crew("ray", None, 1, True, cluster.address), "has 1 CPUs and a GPU"),
        (Crew("ray", None, 1, None, "127.0.0.1:1"), "no Ray cluster answers at 127.0.0.1:1: .* refused"),
        (Crew("ray", None, 1, None, "10.0.0.1"), "--address 10.0.0.1 is not HOST:PORT"),
    ):
        with pytest.raises(BadInput, match=message):
            list(distribute("waiting:echo", [Piece("x", {"value": 1})], crew))
        assert not ray.is_initialized()
