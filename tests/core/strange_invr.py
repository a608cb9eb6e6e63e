"""Files that a stranger might call ``.invr``: strategies that make them, and the law that every one of them keeps."""

from __future__ import annotations

import json
import lzma
import math
import struct
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from hypothesis import strategies as st
from safetensors.torch import load as deserialise
from safetensors.torch import save as serialise
from strange import damage
from torch import Tensor

from invr_core import quantise
from invr_core.errors import InvrError, Unsupported
from invr_core.fitted import Fitted
from invr_core.models import registry
from invr_core.models.base import Geometry, ModelConfig
from invr_core.quantise import _FILTERS, pack
from invr_core.query import Query
from invr_core.storage import checksum, load, save

Case = tuple[str, bytes]
"""What kind of strangeness, and the file."""
RENDERED, WALKED = 1 << 12, 64
"""Pixels up to which a frame that loads is rendered, and instants up to which its motion is asked for."""
GEOMETRY = Geometry((0.0, 0.1, 1 / 3), (0.0, 0.5), (9, 14))
QUICK = [{**_FILTERS[0], "preset": 0}]
"""What any reader of ours unpacks, packed sooner."""
EXTREMES = (math.nan, math.inf, -math.inf, 0.0, -0.0, 1e-45, 1e-30, 1.0, -1.0, 1e4, 1e19, -1e30, 3.4e38, -3.4e38)


# ---------------------------------------------------------------------------- the law
def outcomes(path: Path) -> list[str]:
    """What becomes of a file in all of its uses, which is one."""
    return [outcome(path)]


def outcome(path: Path) -> str:
    """What becomes of a file: ``refused``, ``shown``, ``not shown`` (in one line, too), ``large`` (not tried here).

    Raises:
        AssertionError: if it is neither refused as it should be, nor shows a finite picture.
    """
    try:
        rep = load(path)
    except InvrError as refusal:
        return _in_one_line(refusal, "refused")
    if math.prod(rep.size) > RENDERED:
        return "large"
    first, last = rep.span
    instants = torch.tensor([first, (first + last) / 2, last], dtype=torch.float64)
    try:
        picture = rep(Query(instants))
        assert tuple(picture.shape) == (3, 3, *rep.size) and bool(torch.isfinite(picture).all()), "no finite picture"
        if len(rep.geometry.times) <= WALKED:
            motion = rep.motion(instants[:1], instants[2:])
            assert bool(torch.isfinite(motion.flow).all() and torch.isfinite(motion.confidence).all()), "no motion"
    except Unsupported:
        return "shown"
    except InvrError as refusal:
        return _in_one_line(refusal, "not shown")
    return "shown"


def _in_one_line(refusal: InvrError, found: str) -> str:
    text = str(refusal)
    assert "\n" not in text and len(text) < 1000, f"not one line: {text[:2000]!r}"
    text.encode()  # it can be printed
    return found


# ----------------------------------------------------------------------- sound files
@cache
def small(model: str) -> Fitted:
    """A network of a few hundred numbers."""
    options: dict[str, dict[str, Any]] = {
        "hnerv": {"strides": (2, 2), "width": 6.5, "lower_width": 4, "embedding": 4},
        "cwrnn": {"params": 6000, "channels": 2, "width": 2, "depth": 1},
    }
    config = registry.get(model)(**options[model]).solve(GEOMETRY)
    network = config.build(GEOMETRY).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(1)
    for value in network.state_dict().values():
        value.uniform_(-0.3, 0.3, generator=generator)
    return Fitted(network, config, GEOMETRY, {"seed": 3, "psnr": 31.25, "nested": {"list": [1, None, True, "ü"]}})


@cache
def sound() -> dict[tuple[str, int], bytes]:
    """Files as we write them, by model and bits."""
    with tempfile.TemporaryDirectory() as folder:
        path, found = Path(folder) / "sound.invr", {}
        for model in ("hnerv", "cwrnn"):
            for bits in (32, 8, 11):
                save(small(model), path, bits)
                found[model, bits] = path.read_bytes()
    return found


def parts(content: bytes) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The header of a sound file, and its tensors."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["invr"]), deserialise(content)


def sealed(header: dict[str, Any], tensors: dict[str, Tensor]) -> bytes:
    """A file of ours as far as its checksum goes."""
    content = json.dumps({key: value for key, value in header.items() if key != "checksum"}, sort_keys=True)
    whole = {**header, "checksum": checksum(content, tensors)} if "checksum" in header else header
    return serialise(tensors, {"invr": json.dumps(whole)})


def raw(header: bytes, data: bytes = b"") -> bytes:
    """A safetensors file of these bytes."""
    return struct.pack("<Q", len(header)) + header + data


# ------------------------------------------------------------------------ strategies
files = st.sampled_from(sorted([(model, bits) for model in ("hnerv", "cwrnn") for bits in (32, 8, 11)]))
numbers = (
    st.integers(-3, 70)
    | st.sampled_from([2**16, 2**31, 2**31 - 1, 2**53, 2**63, 2**64, -(2**63), 10**30, 10**400])
    | st.floats()
    | st.sampled_from([1e-9, 5e-324, 1e15, 1e300, -1e308, 1.7e308])
)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=6) | st.sampled_from(["\ud800", "\n\r", "x" * 2000, "warp"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def edited(draw: st.DrawFn) -> Case:
    """The header says something else, under a checksum that fits."""
    header, tensors = parts(sound()[draw(files)])
    for _ in range(draw(st.integers(1, 3))):
        place: Any = header
        while True:
            keys = sorted(place) if isinstance(place, dict) else range(len(place))
            key = draw(st.sampled_from(keys))
            inner = place[key]
            if not (isinstance(inner, dict | list) and inner and draw(st.booleans())):
                break
            place = inner
        if draw(st.integers(0, 4)) or isinstance(place, list):
            place[key] = draw(numbers if draw(st.booleans()) else json_values)
        else:
            del place[key]
        if not header:
            break
    return "edited header", sealed(header, tensors)


@st.composite
def flipped(draw: st.DrawFn) -> Case:
    """Bytes changed, cut off, put in, moved; most of them in the header."""
    content = bytearray(sound()[draw(files)])
    head = 8 + int.from_bytes(content[:8], "little")
    damage(draw, content, head, ("flip", "flip", "cut", "put in", "take out", "move"))
    return "damaged bytes", bytes(content)


@st.composite
def declared(draw: st.DrawFn) -> Case:
    """The container's own table of tensors: kinds, shapes and offsets that are wrong, huge, negative or doubled."""
    content = sound()[draw(files)]
    head = 8 + int.from_bytes(content[:8], "little")
    table = json.loads(content[8:head])
    names = sorted(table.keys() - {"__metadata__"})
    for _ in range(draw(st.integers(1, 3))):
        entry = table[draw(st.sampled_from(names))]
        match draw(st.sampled_from(["kind", "shape", "offsets", "entry"])):
            case "kind":
                entry["dtype"] = draw(st.sampled_from(["F64", "F16", "BF16", "I8", "F8_E4M3", "BOOL", "C64", "X", ""]))
            case "shape":
                entry["shape"] = draw(st.lists(st.sampled_from([0, 1, 2, 3, 14, 2**31, 2**62, 2**64, -1]), max_size=5))
            case "offsets":
                entry["data_offsets"] = draw(st.lists(st.integers(-8, len(content)) | numbers, min_size=1, max_size=3))
            case "entry":
                entry[draw(st.sampled_from(["dtype", "shape", "data_offsets", "more"]))] = draw(json_values)
    text = json.dumps(table)
    if draw(st.booleans()):
        text = text[:-1] + "," + json.dumps({names[0]: table[names[0]]})[1:]  # the same name twice
    return "wrong table", raw(text.encode(), content[head:])


@st.composite
def written(draw: st.DrawFn) -> Case:
    """Header texts that no writer of JSON would write: deep, doubled, endless, not of this alphabet, of the future."""
    header, tensors = parts(sound()[draw(files)])
    text = json.dumps(header)
    depth = draw(st.integers(1, 30_000))
    names = st.sampled_from(sorted(header))
    match draw(st.sampled_from(["deep", "doubled", "long number", "future", "not finite", "cut", "any", "spaced"])):
        case "deep":
            opening, closing = draw(st.sampled_from([("[", "]"), ('{"a":', "}")]))
            inside = opening * depth + "1" + closing * depth
            header[draw(names)] = "@"
            text = json.dumps(header).replace('"@"', inside)
        case "doubled":
            name = draw(names)
            text = text[:-1] + "," + json.dumps({name: draw(st.just(header[name]) | json_values)})[1:]
        case "long number":
            header[draw(names)] = 0
            text = json.dumps(header).replace(": 0", ": " + "9" * draw(st.integers(300, 6000)), 1)
        case "future":
            header["format"] = draw(st.integers(-3, 12) | st.sampled_from([10**20, 10**4000]))
            text = json.dumps({**header, **draw(st.dictionaries(st.text(max_size=5), json_values, max_size=2))})
        case "not finite":
            word = draw(st.sampled_from(["NaN", "Infinity", "-Infinity", "1e999", "1E400", "-0"]))
            header["info"]["seed"] = "@"
            text = json.dumps(header).replace('"@"', word)
        case "cut":
            text = text[: draw(st.integers(0, len(text)))]
        case "any":
            text = draw(st.text(max_size=60))
        case "spaced":
            text = text.replace(" ", draw(st.sampled_from(["\t", "\x00", "\u2003", "\n" * 50])))
    kept = {"invr": text, **draw(st.sampled_from([{}, {"format": "pt"}, {"invr2": "{}"}]))}
    return "written header", serialise(tensors, {k: v.encode("utf-8", "replace").decode() for k, v in kept.items()})


@st.composite
def packed(draw: st.DrawFn) -> Case:
    """A payload that unpacks to something else than promised, or to far more."""
    header, tensors = parts(sound()[draw(st.sampled_from([("hnerv", 8), ("cwrnn", 11), ("cwrnn", 8)]))])
    content = tensors["packed"].numpy().tobytes()
    match draw(st.sampled_from(["damaged", "expands", "other numbers", "bits", "stub", "two"])):
        case "damaged":
            place = draw(st.integers(0, len(content) - 1))
            content = content[:place] + draw(st.binary(min_size=1, max_size=4)) + content[place + 1 :]
        case "expands":
            content = _bomb(draw(st.sampled_from([1 << 20, 1 << 24])))
        case "other numbers":
            plain = lzma.decompress(content, lzma.FORMAT_RAW, filters=_FILTERS)
            spans = st.tuples(st.integers(0, len(plain)), st.sampled_from([b"\xff" * 16, b"\x7f\x80" * 8, bytes(16)]))
            at, piece = draw(spans)
            plain = plain[:at] + piece + plain[at + len(piece) :]
            plain = plain[: draw(st.just(len(plain)) | st.integers(0, len(plain)))]
            content = lzma.compress(plain, lzma.FORMAT_RAW, filters=QUICK)
        case "bits":
            header["bits"] = draw(st.integers(-1, 33))
        case "stub":
            content = content[: draw(st.integers(0, 40))]
        case "two":
            content += content
    payload = torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else torch.zeros(0, dtype=torch.uint8)
    return "packed part", sealed(header, {"packed": payload})


@cache
def _bomb(size: int) -> bytes:
    return lzma.compress(bytes(size), lzma.FORMAT_RAW, filters=_FILTERS)


@st.composite
def forged(draw: st.DrawFn) -> Case:
    """All is sound but the numbers: sizes that no fit would choose, tensors of any value, under a right checksum."""
    model = draw(st.sampled_from(["hnerv", "cwrnn"]))
    config, geometry = small(model).config, _geometry(draw)
    changes = CHANGES[model]
    for name in draw(st.lists(st.sampled_from(sorted(changes)), max_size=4, unique=True)):
        config = replace(config, **{name: draw(changes[name])})
    tensors = _filled(config, geometry, lambda: draw(st.sampled_from(EXTREMES) | st.floats(-2, 2)))
    bits = draw(st.sampled_from([32, 32, 8, 12]))
    header, _ = parts(sound()[model, 8 if bits != 32 else 32])
    header["config"] = asdict(config)
    header["geometry"] = {"times": geometry.times, "span": geometry.span, "size": geometry.size}
    if bits != 32:
        header["bits"] = bits
        if any(not bool(torch.isfinite(value).all()) for value in tensors.values()):
            tensors = {name: value.nan_to_num() for name, value in tensors.items()}
        with patch.object(quantise, "_FILTERS", QUICK):
            tensors = {"packed": pack(tensors, bits)}
    return "forged numbers", sealed(header, tensors)


def _geometry(draw: st.DrawFn) -> Geometry:
    scale = draw(st.sampled_from([1.0, 1.0, 1.0, 1e-300, 1e-12, 1e6, 1e9, 1e300]))
    start = draw(st.sampled_from([0.0, 0.0, -5.0, 1.7e9, -1e308]))
    times = tuple(sorted({start + scale * t for t in draw(st.lists(st.floats(0, 10), min_size=1, max_size=6))}))
    span = draw(
        st.just((times[0], times[-1])) | st.just((times[0] - scale, times[-1] + scale)) | st.just((-1e308, 1e308))
    )
    size = draw(st.tuples(st.integers(1, 24), st.integers(1, 24)) | st.sampled_from([(1, 60_000), (4096, 16)]))
    return draw(st.just(GEOMETRY) | st.just(Geometry(times, span, size)))


sides = st.integers(1, 9)
CHANGES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "hnerv": {
        "strides": st.lists(st.integers(1, 5), min_size=1, max_size=5).map(tuple),
        "width": st.floats(1, 40),
        "embedding": st.integers(1, 9),
        "encoder": st.sampled_from([1, 65536]),
        "reduction": st.floats(1, 4),
        "lower_width": st.integers(1, 40),
        "params": numbers,
    },
    "cwrnn": {
        "channels": st.integers(1, 9),
        "width": st.integers(1, 40),
        "depth": st.integers(1, 8),
        "without": st.sampled_from(["", "warp", "coupling", "grid", "refinement", "recurrence", "backward", "all"]),
        "segments": st.integers(1, 5),
        "rounds": st.integers(1, 60) | st.sampled_from([500, 100_000]),
        "stride": st.integers(1, 9),
        "anchor_size": st.tuples(sides, sides),
        "motion_size": st.tuples(sides, sides),
        "coarse_size": st.tuples(sides, sides),
        "levels": st.lists(st.tuples(sides, sides, sides, sides), min_size=3, max_size=3).map(tuple),
        "params": numbers,
    },
}


def _filled(config: ModelConfig, geometry: Geometry, value: Callable[[], float]) -> dict[str, Tensor]:
    """Tensors as the config asks for where it builds anything of a moderate size, each of one drawn value or noise."""
    try:
        with torch.device("meta"):
            shapes = {name: tuple(held.shape) for name, held in config.build(geometry).state_dict().items()}
    except Exception:  # a strange config builds nothing, for whatever reason; the file is strange enough then
        shapes = {"luma": (1,)}
    if sum(map(math.prod, shapes.values())) > 1 << 20:
        shapes = {"luma": (1,)}
    generator = torch.Generator().manual_seed(0)
    noise = {name: torch.rand(shape, generator=generator) - 0.5 for name, shape in shapes.items()}
    wild = value()
    return {name: held * wild if i % 3 else held for i, (name, held) in enumerate(sorted(noise.items()))}


cases = st.one_of(edited(), edited(), flipped(), declared(), written(), packed(), forged(), forged())


class Place:
    """Where the cases of a run are put, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "strange.invr"

    def put(self, case: Case) -> Path:
        """The file of a case."""
        self.path.write_bytes(case[1])
        return self.path


def kept(case: Case, folder: Path, name: str) -> None:
    """Keep a file that breaks the law."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.invr").write_bytes(case[1])
