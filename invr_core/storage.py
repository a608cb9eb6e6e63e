"""The ``.invr`` file: a fitted clip as safetensors, with one JSON header. No pickle; nothing in a file is trusted.

A file is the safetensors format with one metadata key, ``invr``, that holds JSON (several keys would serialise in
varying order): format version, model name, solved config, geometry, info, library versions, and a checksum over all
of it and the tensors. A stranger's file can name an installed model and give it numbers; it can do nothing else. Every
shape is compared with what its config builds before anything of that size is allocated.

Format 1 holds the network's tensors as they are. Format 2 says ``bits`` in its header and holds one tensor, ``packed``:
see `invr_core.quantise`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from invr_core.atomic import atomic_file
from invr_core.device import resolve
from invr_core.errors import BadFile, BadOutput
from invr_core.fitted import Fitted
from invr_core.header import Header
from invr_core.models.base import Geometry, ModelConfig, Network
from invr_core.quantise import FULL_BITS, check_bits, pack, unpack

SUFFIX = ".invr"
KEY = "invr"
PACKED = "packed"
"""Name of the one tensor of a file of fewer than 32 bits."""
HEADER_LIMIT = 16 << 20
"""Bytes that the header of a file may have; a clip of 500,000 frames needs less."""


def save(rep: Fitted, path: str | Path, bits: int = FULL_BITS) -> None:
    """Write a fitted clip to one file, atomically: under the final name there is either all of it or what was there.

    The same representation gives the same bytes.

    Args:
        rep: what `invr_core.fitting.fit` or `load` returned, or what `Progress.live` showed of a running fit.
        path: ends in ``.invr``; its folder is made where it is missing, an older file of that name is replaced.
        bits: of each parameter. 32 is exact. 4 to 16 are quantised and packed (`invr_core.quantise`), and what is
            loaded is a little off. Of a fit of 64 frames of 320x160 with 350,000 parameters and 35.5 dB, 16 bits lost
            nothing that could be measured, 8 lost 0.03 dB of PSNR in a fifth of the bytes, 6 lost 0.5 dB in a seventh
            ("Size on disk" in docs/benchmarks). A rougher fit loses less, a better one more.

    Raises:
        BadInput: if there are no such bits.
        BadOutput: if the name ends otherwise, is taken by something that is no file, or cannot be written; or if the
            fit holds numbers that are not finite, which no file may.

    Example:
        ``save(rep, "clip.invr", bits=8)``
    """
    path = Path(path)
    check_bits(bits)
    if path.suffix != SUFFIX:
        raise BadOutput(
            f"{path}: a representation is saved to a name that ends in {SUFFIX}, for example {path.stem}{SUFFIX}"
        )
    rep.settle()
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in _state(rep.network).items()}
    if not _finite(tensors):
        raise BadOutput(f"{path}: what was fitted holds numbers that are not finite, and is of no use; fit it again")
    if bits != FULL_BITS:
        tensors = {PACKED: pack(tensors, bits)}
    versions = {name: _version(name) for name in ("invr", "safetensors", "torch")}
    header = Header.of(type(rep.config).name, asdict(rep.config), rep.geometry, rep.info, versions, bits)
    text = header.sealed(checksum(header.content, tensors))
    if len(text) > HEADER_LIMIT // 2:
        raise BadOutput(
            f"{path}: a clip of {len(rep.geometry.times):,} frames is too long for one file; fit it in pieces"
        )
    with atomic_file(path) as private:
        private.write_bytes(serialise(tensors, {KEY: text}))


def load(path: str | Path, device: str | torch.device = "cpu") -> Fitted:
    """Read a fitted clip that `save` wrote; at 32 bits it gives the same pictures to the bit.

    Args:
        path: of the file. It may come from a stranger: nothing in it is run, and it is checked before it is believed.
        device: where it shall answer; "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        BadFile: if it is missing, damaged, of a newer format, of a model that is not installed, or not such a file.
        DeviceUnavailable: if the device is not on this machine.
    """
    place = resolve(str(device))
    with _named(path):
        return _load(Path(path)).to(place)


def geometry_of(path: str | Path) -> Geometry:
    """The clip that a file says it was fitted to: its header alone is read, so that many files are soon looked through.

    Args:
        path: of the file. What it says is checked, but not compared with its numbers: `load` does that.

    Raises:
        BadFile: if it is missing, is not such a file, or says what cannot be.
    """
    with _named(path):
        _check_container(Path(path))
        with _opened(Path(path)) as file:
            return Header.parse((file.metadata() or {}).get(KEY)).geometry


@contextmanager
def _named(path: str | Path) -> Iterator[None]:
    """What is wrong with a file, with its name."""
    try:
        yield
    except BadFile as cause:
        raise BadFile(f"{path}: {cause}") from cause
    except RecursionError as cause:
        raise BadFile(f"{path}: its header is nested too deeply") from cause
    except OSError as cause:
        raise BadFile(f"{path}: cannot be read ({cause.strerror or cause})") from cause


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The container, to be read."""
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except SafetensorError as cause:
        raise BadFile(f"cut short, damaged, or not a {SUFFIX} file ({_said(cause)})") from cause


def _load(path: Path) -> Fitted:
    _check_container(path)
    with _opened(path) as file:
        header = Header.parse((file.metadata() or {}).get(KEY))
        config = header.solved_config()
        expected = _expected(config, header.geometry)
        declared = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        if header.bits == FULL_BITS:
            _check_shapes(declared, expected)
        else:
            _check_packed(declared)
        tensors = {name: file.get_tensor(name) for name in declared}
    if header.checksum != checksum(header.content, tensors):
        raise BadFile("damaged: its checksum does not match what it holds; copy or fit it again")
    if header.bits != FULL_BITS:
        tensors = unpack(tensors[PACKED], expected, header.bits)
    if not _finite(tensors):
        raise BadFile("it holds numbers that are not finite; fit it again")
    network = _build(config, header.geometry)
    network.load_state_dict(tensors)
    network.eval().requires_grad_(False)
    return Fitted(network, config, header.geometry, header.info)


def _check_container(path: Path) -> None:
    """Refuse what cannot be a safetensors file of ours, before a library is handed it."""
    if path.is_dir():
        raise BadFile(f"this is a folder; give a {SUFFIX} file")
    if not path.exists():
        raise BadFile("there is no such file")
    if not path.is_file():
        raise BadFile(f"this is not a regular file; give a {SUFFIX} file")
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if size == 0:
        raise BadFile("the file is empty")
    if size < 8 or length > min(size - 8, HEADER_LIMIT):
        raise BadFile(f"cut short, or not a {SUFFIX} file")


def _expected(config: ModelConfig, geometry: Geometry) -> dict[str, Tensor]:
    """The tensors that a config builds, on the ``meta`` device: nothing of their size is allocated."""
    try:
        with torch.device("meta"):
            return _state(_build(config, geometry))
    except Exception as cause:  # whatever a model's own code makes of a stranger's numbers
        raise BadFile(f"its config builds no {type(config).name} network ({_said(cause)})") from cause


def _said(cause: Exception) -> str:
    """The beginning of what an error says: it may quote a stranger's file at length."""
    return next(iter(str(cause).splitlines()), type(cause).__name__)[:200]


def _check_shapes(declared: Mapping[str, Any], expected: Mapping[str, Tensor]) -> None:
    """Compare the tensors a file declares with those its config builds."""
    if declared.keys() != expected.keys():
        first = min(declared.keys() ^ expected.keys())
        fault = "is missing" if first in expected else "does not belong there"
        raise BadFile(f"the tensor {first[:80]!r} {fault}")
    for name, value in expected.items():
        shape, kind = tuple(declared[name].get_shape()), declared[name].get_dtype()
        if shape != tuple(value.shape) or kind != _KINDS.get(value.dtype):
            raise BadFile(
                f"the tensor {name!r} is {kind} {shape}; its config asks for {value.dtype} {tuple(value.shape)}"
            )


def _check_packed(declared: Mapping[str, Any]) -> None:
    """A file of fewer than 32 bits declares one row of bytes, and nothing else."""
    if declared.keys() != {PACKED}:
        raise BadFile(f"it should hold one tensor, {PACKED!r}, and nothing else; it has {len(declared)}")
    shape, kind = tuple(declared[PACKED].get_shape()), declared[PACKED].get_dtype()
    if len(shape) != 1 or kind != _KINDS[torch.uint8]:
        raise BadFile(f"the tensor {PACKED!r} is {kind} {shape}; it should be one row of bytes")


def _finite(tensors: Mapping[str, Tensor]) -> bool:
    return all(bool(torch.isfinite(value).all()) for value in tensors.values())


_KINDS = {
    torch.float32: "F32",
    torch.float64: "F64",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""What safetensors calls a type."""


def _build(config: ModelConfig, geometry: Geometry) -> Network:
    """An unfitted network; the global random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        return config.build(geometry)


def _state(network: Network) -> dict[str, Tensor]:
    return {name: value for name, value in network.state_dict().items() if isinstance(value, Tensor)}


def checksum(content: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over a header's content and all tensors, by name: hexadecimal."""
    digest = hashlib.sha256(content.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
