"""The dearest ``.invr`` files that a stranger can write: small on disk, made to take memory. And what one takes.

    python tests/core/heavy_invr.py NAME FOLDER

writes one, loads and shows it, and prints a JSON line: what became of it, and by how many bytes the process grew.
"""

from __future__ import annotations

import json
import lzma
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from strange_invr import outcome, parts, raw, sealed, small, sound

from invr_core.models.base import Geometry
from invr_core.quantise import _FILTERS
from invr_core.storage import HEADER_LIMIT
from invr_tasks.bench import rss

FIXED, OF_HEADER, OF_NUMBERS = 64 << 20, 48, 24
"""The cap, in bytes: in any case, for each byte of the header, and for each number that the header promises."""
NUMBERS = 16 << 20
"""How many numbers a small file may promise: one byte each, `invr_core.quantise.FREE` of them."""
ROOM = 4 << 30
"""Bytes of address space that a measured process may ask for beyond what it has before."""


def cap(header: int, numbers: int) -> int:
    """Bytes by which a process may grow for a file."""
    return FIXED + OF_HEADER * header + OF_NUMBERS * numbers


def _stated(**changes: Any) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    header, tensors = parts(sound()["hnerv", 32])
    return {**header, **changes}, tensors


def _long_header(piece: str) -> bytes:
    header, tensors = _stated(info={"x": "@"})
    inside = json.dumps(header).replace(
        '"@"', "[" + ",".join([piece] * ((HEADER_LIMIT - 8192) // (len(piece) + 1))) + "]"
    )
    content = sealed(header, tensors)
    end = 8 + int.from_bytes(content[:8], "little")
    table = json.loads(content[8:end])
    table["__metadata__"]["invr"] = inside
    return raw(json.dumps(table).encode(), content[end:])


def _packed(geometry: Geometry, size: int, **options: Any) -> bytes:
    """Zeros, promised by a config that asks for as many as may be."""
    config = replace(small("hnerv").config, **options)
    header, _ = parts(sound()["hnerv", 8])
    header["config"] = asdict(config)
    header["geometry"] = {"times": geometry.times, "span": geometry.span, "size": geometry.size}
    with torch.device("meta"):
        shapes = config.build(geometry).state_dict()
    from invr_core.quantise import _Layout

    plain = bytes(_Layout(shapes, 8).size)
    assert len(plain) <= size, len(plain)
    payload = lzma.compress(plain, lzma.FORMAT_RAW, filters=_FILTERS)
    return sealed(header, {"packed": torch.frombuffer(bytearray(payload), dtype=torch.uint8)})


def _many_instants() -> bytes:
    times = tuple(float(i) for i in range(1_000_000))
    return _packed(Geometry(times, (0.0, 1e6), (1, 1)), NUMBERS, embedding=4, strides=(1,), width=1.0, lower_width=1)


def _many_numbers() -> bytes:
    times = tuple(float(i) for i in range(16))
    options = {"embedding": 16, "strides": (1,), "width": 1.0, "lower_width": 1}
    return _packed(Geometry(times, (0.0, 15.0), (250, 250)), NUMBERS, **options)


def _huge_frame() -> bytes:
    options = {"embedding": 1, "strides": (16, 16, 16), "width": 1.0, "lower_width": 1}
    return _packed(Geometry((0.0,), (0.0, 0.0), (1 << 14, 1 << 14)), NUMBERS, **options)


def _wide() -> bytes:
    header, tensors = _stated()
    header["config"].update(width=65536.0, embedding=65536, strides=[16] * 8)
    return sealed(header, tensors)


def _bomb() -> bytes:
    header, _ = parts(sound()["hnerv", 8])
    payload = lzma.compress(bytes(1 << 30), lzma.FORMAT_RAW, filters=_FILTERS)
    return sealed(header, {"packed": torch.frombuffer(bytearray(payload), dtype=torch.uint8)})


def _table() -> bytes:
    entry = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
    return raw(json.dumps({f"{i:x}": entry for i in range(200_000)}).encode())


def _claims() -> bytes:
    header, _ = _stated()
    claim = {"x": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}}
    return raw(json.dumps({"__metadata__": {"invr": json.dumps(header)}, **claim}).encode(), bytes(16))


def _doubled() -> bytes:
    return raw(
        json.dumps({"__metadata__": {"invr": "{" + ",".join(f'"{i}":0' for i in range(900_000)) + ',"7":1}'}}).encode()
    )


HEAVY: dict[str, Callable[[], bytes]] = {
    "a header of nothing but lists": lambda: _long_header("[[]]"),
    "a header of nothing but objects": lambda: _long_header("{}"),
    "a header of nothing but numbers": lambda: _long_header("1.5"),
    "a million names": _doubled,
    "a table of 200,000 tensors": _table,
    "a claim of terabytes": _claims,
    "the widest network": _wide,
    "a gigabyte of zeros, packed": _bomb,
    "a million instants": _many_instants,
    "sixteen million numbers": _many_numbers,
    "the largest frame": _huge_frame,
}


def peak() -> int:
    """The most bytes that this process has held."""
    return round(rss.peak() * 2**20)


def measured(name: str, folder: Path) -> dict[str, Any]:
    """What one takes, in this process, which should be a fresh one with the file already written."""
    path = folder / "heavy.invr"
    warm = folder / "warm.invr"
    warm.write_bytes(sound()["hnerv", 8])
    assert outcome(warm) == "shown"
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, size + ROOM))
    before, began = peak(), time.perf_counter()
    found = outcome(path)
    seconds = time.perf_counter() - began
    with path.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
    numbers = NUMBERS if name in ("a million instants", "sixteen million numbers") else 0
    return {
        "file": name,
        "bytes": path.stat().st_size,
        "outcome": found,
        "grew": peak() - before,
        "cap": cap(header, numbers),
        "seconds": round(seconds, 2),
    }


def main() -> None:
    """Write the file in a process of its own, then load it in this one."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    if not (folder / "heavy.invr").exists():
        (folder / "heavy.invr").write_bytes(HEAVY[name]())
        return
    torch.set_num_threads(1)
    print(json.dumps(measured(name, folder)))


if __name__ == "__main__":
    main()
