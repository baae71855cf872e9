"""The one serialisation of a Program: what is saved, what crosses processes, and what the digest is taken of.

Layout, little endian: magic (8 bytes), version (u32), length of the metadata (u32), metadata (canonical ASCII JSON
without floating-point numbers), the arrays in fixed order, SHA-256 of everything before it (32 bytes). Every size
follows from the metadata and is compared with the number of bytes at hand before an array is read, so that a file
cannot ask for more memory than its own length. No pickle, no compression.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from photonlink import _checks
from photonlink.encoding import Encoding
from photonlink.errors import ProgramError
from photonlink.noise import Noise
from photonlink.readout import GROUPINGS, Readout

if TYPE_CHECKING:  # which is made of these functions
    from photonlink._description import Description

__all__ = ["MAX_BYTES", "digest_of", "pack", "read_limited", "unpack"]

Built = TypeVar("Built")

MAX_BYTES = 256 * 2**20

_MAGIC = b"PHLPROG\n"
# Format 2 has what format 1 cannot say. A program without any of that is written as format 1, so that its bytes and its
# digest are those it always had.
_VERSIONS = (1, 2)
_SINCE_2: dict[str, Any] = {  # metadata, with what its absence means
    "dac_bits": 0,
    "noise": None,
    "detectors": "pnr",
    "min_detected_photons": None,
    "phase_errors": [],
}
_HEADER = struct.Struct("<8sII")
_CHECKSUM_BYTES = 32
_MAX_META_BYTES = 16 * 2**20
_MAX_COUNT = 2**24  # modes, layers, phases or terms; far beyond any program that can be simulated


@dataclass(frozen=True)
class _Arrays:
    """Arrays of a Program: L+1 interferometers (m x m), P phase sites, and the encoding's rows and T terms."""

    interferometers: NDArray[np.complex128]
    phase_layers: NDArray[np.uint32]
    phase_modes: NDArray[np.uint32]
    row_begin: NDArray[np.uint32]
    term_feature: NDArray[np.uint32]
    term_weight: NDArray[np.float64]
    offset: NDArray[np.float64]


def pack(program: Description) -> bytes:
    """Canonical bytes of a Program; equal programs give equal bytes in every process and on every platform."""
    encoding, readout = program.encoding, program.readout
    meta = {
        "modes": program.modes,
        "input_state": list(program.input_state),
        "features": list(program.features),
        "wrap": encoding.wrap,
        "kind": readout.kind,
        "space": readout.space,
        "grouping": readout.grouping_name,
        "groups": readout.groups,
        "interference": bool(program.interference),
        "dac_bits": encoding.dac_bits,
        "noise": _noise_text(program.noise),
        "detectors": program.detectors,
        "min_detected_photons": program.min_detected_photons,
        "phase_errors": [error.hex() for error in program.phase_errors.tolist()] if program.phase_errors.any() else [],
    }
    for name, default in _SINCE_2.items():
        if meta[name] == default:
            del meta[name]
    arrays = _Arrays(
        interferometers=program.interferometers,
        phase_layers=program.phase_layers,
        phase_modes=program.phase_modes,
        row_begin=encoding.row_begin,
        term_feature=encoding.term_feature,
        term_weight=encoding.term_weight,
        offset=encoding.offset,
    )
    return _pack(meta, arrays)


def digest_of(data: bytes) -> str:
    """The program's digest: its checksum, as 64 hexadecimal digits."""
    return data[-_CHECKSUM_BYTES:].hex()


def unpack(data: bytes, make: Callable[..., Built]) -> Built:
    """What ``make``, the constructor of Program, makes of the bytes of :func:`pack`.

    Raises:
        ProgramError: If the bytes are not a program, are damaged, of another version, or of the wrong length, or
            describe no valid program.
    """
    meta, arrays = _unpack(data)
    meta = {**_SINCE_2, **meta}
    try:
        name = meta["grouping"]
        grouping = None if name == "none" else GROUPINGS[name](meta["groups"])
        return make(
            modes=meta["modes"],
            input_state=tuple(meta["input_state"]),
            features=tuple(meta["features"]),
            interferometers=arrays.interferometers,
            phase_layers=arrays.phase_layers,
            phase_modes=arrays.phase_modes,
            encoding=Encoding(
                arrays.row_begin,
                arrays.term_feature,
                arrays.term_weight,
                arrays.offset,
                meta["wrap"],
                meta["dac_bits"],
            ),
            readout=Readout(meta["kind"], meta["space"], grouping),
            interference=meta["interference"],
            noise=_noise_of(meta["noise"]),
            detectors=meta["detectors"],
            min_detected_photons=meta["min_detected_photons"],
            phase_errors=[float.fromhex(error) for error in meta["phase_errors"]] or np.zeros(arrays.phase_layers.size),
        )
    except ProgramError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ProgramError(f"damaged program: bad metadata ({error!r})") from None


def _noise_text(noise: Noise | None) -> dict[str, Any] | None:
    """Fields of a noise; floating-point numbers as hexadecimal text, which is exact."""
    if noise is None:
        return None
    return {name: value.hex() if isinstance(value, float) else value for name, value in asdict(noise).items()}


def _noise_of(text: dict[str, Any] | None) -> Noise | None:
    if text is None:
        return None
    fields: dict[str, Any] = {name: float.fromhex(v) if isinstance(v, str) else v for name, v in text.items()}
    return Noise(**fields)


def read_limited(path: str | Path) -> bytes:
    """Bytes of a file that may hold a program; its length is checked before it is read."""
    path = _checks.path("path", path)
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ProgramError(f"{path} has {size} bytes, more than a stored program may have ({MAX_BYTES})")
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _pack(meta: dict[str, Any], arrays: _Arrays) -> bytes:
    counts = {
        "interferometers": int(arrays.interferometers.shape[0]),
        "phases": int(arrays.phase_layers.size),
        "terms": int(arrays.term_feature.size),
    }
    text = json.dumps({**meta, **counts}, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    version = 2 if _SINCE_2.keys() & meta.keys() else 1
    parts = [_HEADER.pack(_MAGIC, version, len(text)), text]
    for name, dtype, _ in _layout(meta["modes"], **counts):
        values = np.asarray(getattr(arrays, name))
        # Adding zero turns -0.0 into 0.0, which is the same program and must have the same digest.
        parts.append(np.ascontiguousarray(values + values.dtype.type(0), dtype=dtype).tobytes())
    body = b"".join(parts)
    data = body + hashlib.sha256(body).digest()
    if len(data) > MAX_BYTES:
        raise ProgramError(f"the program takes {len(data)} bytes, more than the limit of {MAX_BYTES}")
    return data


def _unpack(data: bytes) -> tuple[dict[str, Any], _Arrays]:
    if len(data) > MAX_BYTES:
        raise ProgramError(f"{len(data)} bytes are more than a stored program may have ({MAX_BYTES})")
    if len(data) < _HEADER.size + _CHECKSUM_BYTES:
        raise ProgramError(f"not a photonlink program: {len(data)} bytes are less than its header")
    magic, version, meta_bytes = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise ProgramError(f"not a photonlink program: it starts with {magic!r}, expected {_MAGIC!r}")
    if version not in _VERSIONS:
        known = " and ".join(map(str, _VERSIONS))
        raise ProgramError(f"program format {version} is not known to this photonlink, which reads formats {known}")
    if meta_bytes > min(_MAX_META_BYTES, len(data) - _HEADER.size - _CHECKSUM_BYTES):
        raise ProgramError(f"damaged program: {meta_bytes} bytes of metadata announced in a file of {len(data)}")
    meta = _parse_meta(data[_HEADER.size : _HEADER.size + meta_bytes])
    arrays = _read_arrays(data, _HEADER.size + meta_bytes, meta)
    if hashlib.sha256(data[:-_CHECKSUM_BYTES]).digest() != data[-_CHECKSUM_BYTES:]:
        raise ProgramError("damaged program: its checksum does not match, save it again")
    return meta, arrays


def _layout(
    modes: int, interferometers: int, phases: int, terms: int
) -> list[tuple[str, np.dtype[Any], tuple[int, ...]]]:
    """Name, dtype and shape of each array, in the order in which they are stored."""
    u32, f64, c128 = np.dtype("<u4"), np.dtype("<f8"), np.dtype("<c16")
    return [
        ("interferometers", c128, (interferometers, modes, modes)),
        ("phase_layers", u32, (phases,)),
        ("phase_modes", u32, (phases,)),
        ("row_begin", u32, (phases + 1,)),
        ("term_feature", u32, (terms,)),
        ("term_weight", f64, (terms,)),
        ("offset", f64, (phases,)),
    ]


def _parse_meta(text: bytes) -> dict[str, Any]:
    try:
        meta = json.loads(text.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise ProgramError(f"damaged program: its metadata cannot be read ({error})") from None
    if not isinstance(meta, dict):
        raise ProgramError("damaged program: its metadata is not an object")
    for name in ("modes", "interferometers", "phases", "terms"):
        count = meta.get(name)
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= _MAX_COUNT:
            raise ProgramError(f"damaged program: {name} is {count!r}, expected an integer from 0 to {_MAX_COUNT}")
    return meta


def _read_arrays(data: bytes, begin: int, meta: dict[str, Any]) -> _Arrays:
    layout = _layout(meta["modes"], meta.pop("interferometers"), meta.pop("phases"), meta.pop("terms"))
    sizes = [dtype.itemsize * _product(shape) for _, dtype, shape in layout]
    expected = begin + sum(sizes) + _CHECKSUM_BYTES  # Python integers: no overflow to hide behind
    if expected != len(data):
        raise ProgramError(f"damaged program: {expected} bytes announced, {len(data)} received")
    arrays: dict[str, NDArray[Any]] = {}
    for (name, dtype, shape), size in zip(layout, sizes, strict=True):
        native = dtype.newbyteorder("=")
        arrays[name] = np.frombuffer(data, dtype, _product(shape), begin).astype(native).reshape(shape)
        begin += size
    return _Arrays(**arrays)


def _product(shape: tuple[int, ...]) -> int:
    product = 1
    for extent in shape:
        product *= extent
    return product
