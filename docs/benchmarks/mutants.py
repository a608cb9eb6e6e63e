"""Mutants of `invr_core`: one small fault at a time is put into a module, and its tests have to notice.

    pip install 'cosmic-ray==8.7.*'
    nice python docs/benchmarks/mutants.py >> docs/benchmarks/mutants.jsonl
    nice python docs/benchmarks/mutants.py --module query --most 1000

The faults are cosmic-ray's. It starts a process for each, and importing torch alone takes seconds; here one process
that has imported the libraries forks for each. (mutmut forks, too, but leaves out decorated functions: properties,
context managers, what is cached.) All happens in a copy of the checkout, so that processes which tests start find
the fault as well. One JSON line for each module, with the mutants that survived.

Left alone are annotations, the stars of signatures, and constants of modules, which are tuned: one more or less is no
fault. Of the faults of one place only the nearest is taken: ``<`` becomes ``<=``, ``+`` becomes ``-``. Of a module
with more than ``--most`` a sample is taken, by ``--seed``. Hypothesis draws the same cases each time.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code, use_mutation

from invr_tasks.provenance import provenance, version_of

ROOT = Path(__file__).resolve().parents[2]
TESTS = {
    "query": "core/test_query",
    "video": "core/test_video",
    "observation": "core/test_observation",
    "masks": "core/test_masks",
    "sampling": "core/test_sampling",
    "quantise": "core/test_storage_bits",
    "header": "core/test_storage_refused core/test_storage_bits core/test_fuzz_invr",
    "storage": "core/test_storage_refused core/test_storage_bits core/test_storage",
    "checkpoint": "core/test_checkpoint",
    "anscombe": "core/test_anscombe",
    "atomic": "core/test_atomic",
    "checking": "core/test_checking",
    "kriging": "core/test_kriging",
    "noise": "core/test_noise",
    "fill": "core/test_fill",
    "shots": "core/test_shots",
    "matching": "core/test_matching",
    "transport": "core/test_transport",
    "errors": "core/test_query",
    "memory": "core/test_memory",
    "device": "core/test_device",
    "discovery": "tasks/test_registry",
    "interrupt": "core/test_fitting_recovery",
    "representation": "core/test_fitted core/test_oracle",
    "threads": "core/test_threads",
    "fitted": "core/test_fitted",
    "loop": "core/test_fitting_recovery core/test_fitting core/test_fitting_observation core/test_checkpoint",
    "fitting": "core/test_fitting core/test_fitting_observation",
    "oracle/base": "core/test_oracle",
    "oracle/scenes": "core/test_oracle",
    "oracle/cut": "core/test_oracle",
    "io/bounds": "core/test_fuzz_media core/test_io_pictures core/test_io_bad_clips",
    "io/pictures": "core/test_io_pictures core/test_io_deep",
    "io/clock": "core/test_io_clock",
    "io/masks": "core/test_io_masks",
    "io/opening": "core/test_io_pictures core/test_io_decode",
    "io/graph": "core/test_io_graph core/test_io_decode",
    "io/colours": "core/test_io_colours",
    "io/light": "core/test_io_deep",
    "io/hevc": "core/test_io_deep",
    "io/decode": "core/test_io_decode core/test_io_bad_clips",
    "io/encode": "core/test_io_deep core/test_io_save",
    "io/gif": "core/test_io_save",
    "io/saving": "core/test_io_save",
    "io/scratch": "core/test_io_scratch",
    "io/targets": "core/test_io_targets",
    "io/beside": "core/test_io_beside core/test_io_beside_more",
    "io/matroska": "core/test_io_deep",
    "io/to_rgb": "core/test_io_decode core/test_io_deep",
    "io/from_rgb": "core/test_io_deep core/test_io_save",
    "io/declared": "core/test_io_claims",
    "io/index": "core/test_io_claims",
    "io/probe": "core/test_io_claims core/test_io_beside",
    "io/reading": "core/test_io_endless",
    "io/whole": "core/test_io_decode",
    "models/base": "core/models/test_base",
    "models/registry": "tasks/test_registry",
    "models/cwrnn/config": "core/models/test_cwrnn_sizes",
    "models/cwrnn/grid": "core/models/test_cwrnn_parts",
    "models/cwrnn/layers": "core/models/test_cwrnn_parts",
    "models/cwrnn/recurrence": "core/models/test_cwrnn_parts",
    "models/cwrnn/compensation": "core/models/test_cwrnn_parts core/models/test_cwrnn",
    "models/cwrnn/network": "core/models/test_cwrnn_motion core/models/test_cwrnn",
    "models/cwrnn/start": "core/models/test_cwrnn_motion core/models/test_cwrnn",
    "models/hnerv/config": "core/models/test_hnerv_sizes",
    "models/hnerv/decoder": "core/models/test_hnerv",
    "models/hnerv/encoder": "core/models/test_hnerv",
    "models/hnerv/network": "core/models/test_hnerv",
}
"""The test files of a module, in ``tests``; its doctests are run, too."""
LIBRARIES = (
    "torch numpy cv2 kornia.filters skimage.metrics av safetensors.torch hypothesis.extra.numpy pytest PIL.Image"
)
"""Imported once, before there is a fault."""
PAIRS = {
    *("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Mul", "Mod_Mul", "Pow_Mul"),
    *("LShift_RShift", "RShift_LShift", "BitAnd_BitOr", "BitOr_BitAnd"),
    *("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is"),
    *("Delete_Not", "Delete_USub", "Delete_Invert"),
}
"""What an operator is replaced by."""
ROOM = 4 << 30
"""Bytes of address space beyond what the libraries take: a fault may ask for any."""


@dataclass(frozen=True)
class Mutant:
    """One fault: an operator of cosmic-ray, applied at the place of that number."""

    operator: str
    occurrence: int


def untouched(tree: ast.Module) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """From where to where (line, column) lie annotations, and constants of the module."""
    nodes: list[ast.AST | None] = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    for node in ast.walk(tree):
        nodes += [getattr(node, "annotation", None), getattr(node, "returns", None)]
    for node in nodes:
        if isinstance(node, ast.stmt | ast.expr):
            yield (node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)


def mutants(source: str) -> list[Mutant]:
    """All that are made of a module."""
    kept, nodes, found = list(untouched(ast.parse(source))), list(ast_nodes(get_ast(source))), []
    for name in sorted(cosmic_ray.plugins.operator_names()):
        operator = cosmic_ray.plugins.get_operator(name)
        if operator.arguments() or (name.count("_") == 2 and name.partition("_")[2] not in PAIRS):
            continue
        places = [(node, place) for node in nodes for place, _ in operator().mutation_positions(node)]
        for occurrence, (node, place) in enumerate(places):
            star = node.type == "operator" and node.parent.type in ("parameters", "param")
            if not star and not any(first <= place < last for first, last in kept):
                found.append(Mutant(name, occurrence))
    return found


def verdict(folder: Path, tests: list[str], seconds: float | None) -> tuple[str, float]:
    """Run tests in a process forked off this one.

    Args:
        folder: of the copy.
        tests: files in it.
        seconds: of the processor, after which it is stopped; None for the run without a fault.

    Returns:
        "survived", "killed" or "timed out"; and what it took, in seconds of the processor.
    """
    child = os.fork()
    if not child:
        os.setsid()
        os.chdir(folder)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nowhere, stream)
        if seconds is not None:
            sys.dont_write_bytecode = True
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
            whole = round(seconds) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (whole, whole + 1))
            size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, size + ROOM))
        import pytest

        options = ["-x", f"--basetemp={folder}/tmp", "-m", "not slow and not gpu"]
        options += ["-p", "no:cacheprovider", "-p", "no:anyio"]
        os._exit(pytest.main([*options, *tests]))
    until = time.monotonic() + (1e9 if seconds is None else 60 + 5 * seconds)
    ended, status, used = os.wait4(child, os.WNOHANG)
    while not ended and time.monotonic() < until:
        time.sleep(0.02)
        ended, status, used = os.wait4(child, os.WNOHANG)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # itself if it is late, and what its tests have started and not ended
    if not ended:
        _, status, used = os.wait4(child, 0)
    late = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
    return "timed out" if late else "killed" if status else "survived", used.ru_utime + used.ru_stime


def measured(folder: Path, module: str, most: int, seed: int) -> dict[str, Any]:
    """A module's mutants, each against its tests."""
    path = folder / "invr_core" / f"{module}.py"
    source, began = path.read_text(), time.monotonic()
    tests = [f"tests/{name}.py" for name in TESTS[module].split()]
    tests.append(str(path.relative_to(folder)))  # the last: doctests import it anew, so that nothing is patched in it
    sound, usual = verdict(folder, tests, None)
    if sound != "survived":
        sys.exit(f"{module}: its tests fail without a fault: pytest {' '.join(tests)}")
    found = mutants(source)
    some = sorted(random.Random(seed).sample(range(len(found)), min(most, len(found))))
    counts, survivors = Counter[str](), []
    for number in some:
        mutant = found[number]
        operator = cosmic_ray.plugins.get_operator(mutant.operator)()
        Path(cache_from_source(str(path))).unlink(missing_ok=True)
        with use_mutation(path, operator, mutant.occurrence):
            result, _ = verdict(folder, tests, 3 * usual + 10)
        counts[result] += 1
        if result == "survived":
            survivors.append(told(source, mutate_code(source, operator, mutant.occurrence)))
            print(f"  {module} {survivors[-1]}", file=sys.stderr, flush=True)
    print(f"{module}: {dict(counts)} of {len(found)}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return {
        "module": module,
        "tests": tests,
        "mutants": len(found),
        "run": len(some),
        **{key.replace(" ", "_"): counts[key] for key in ("killed", "survived", "timed out")},
        "survivors": survivors,
        "processor_seconds_without_fault": round(usual, 1),
        "seconds": round(time.monotonic() - began),
    }


def told(source: str, changed: str) -> str:
    """Line, what stood there, what stands there now."""
    head, *lines = list(difflib.unified_diff(source.splitlines(), changed.splitlines(), n=0, lineterm=""))[2:]
    old, new = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return f"{head.split()[1].strip('-').partition(',')[0]}: {old}  ->  {new or 'nothing'}"


def copied(folder: Path) -> None:
    """What git knows of the checkout, as it is now."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def main() -> None:
    """Measure one module or all; print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--module", choices=TESTS, action="append", help="only this one; may be given again")
    parser.add_argument("--most", type=int, default=60, help="mutants of a module")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", PYTHONHASHSEED="0")
    for name in LIBRARIES.split():
        importlib.import_module(name)
    from hypothesis import HealthCheck, Phase, settings

    settings.register_profile(
        "mutants",
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutants")
    origin = {
        "seed": asked.seed,
        "versions": {name: version_of(name) for name in ("cosmic-ray", "pytest", "hypothesis")},
        "provenance": provenance(asked.seed),
    }
    for name in [name for name in sys.modules if name.partition(".")[0] in ("invr_core", "invr_tasks")]:
        del sys.modules[name]  # each fork imports them anew, with a fault
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        copied(folder)
        sys.path.insert(0, made)
        os.environ["PYTHONPATH"] = made
        for module in asked.module or TESTS:
            print(json.dumps({**measured(folder, module, asked.most, asked.seed), **origin}), flush=True)


if __name__ == "__main__":
    main()
