"""Writes the seeds of the fuzz targets: small inputs that pass, from which mutations start.

Usage: python tests/fuzz/make_corpus.py
"""

import struct
from pathlib import Path

import photonlink as phl

CORPUS = Path(__file__).parent / "corpus"


def function_id(name: str) -> int:
    """FNV-1a of the name."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = (value ^ byte) * 0x01000193 % 2**32
    return value


def request(name: str, payload: bytes) -> bytes:
    """A request frame."""
    return struct.pack("<IIIIQ", 0x43555152, function_id(name), len(payload), 7, 99) + payload


def frames() -> dict[str, bytes]:
    """Frames behind the shape of the program that they are for."""
    shape = bytes([2, 3])
    infer = request("photonlink_infer", struct.pack("<QQddQ", 5, 2, 0.5, 1.5, 3))
    single = request("photonlink_infer_f32", struct.pack("<QQffQ", 5, 2, 0.5, 1.5, 3))
    mixed = request("photonlink_infer_mixed", struct.pack("<QQddQ", 5, 2, 0.5, 1.5, 3))
    rows = request("photonlink_infer_rows", struct.pack("<QQ4dQ", 5, 4, 0.5, 1.5, 2.5, 3.5, 6))
    report = request("photonlink_report", struct.pack("<QQdd", 5, 2, 0.5, 1.5))
    samples = request("photonlink_samples", struct.pack("<QQddQ", 5, 2, 0.5, 1.5, 3))
    join = request("photonlink_join", struct.pack("<QQQ", 1, 2, 3))
    increment = bytes.fromhex("5251554322631b1903000000070000008877665544332211") + b"\x00\xffA"
    answer = bytes.fromhex("535155430000000003000000070000008877665544332211") + b"\x01\x00B"
    found = (infer, single, mixed, rows, report, samples, join, increment, answer)
    names = ("infer", "infer_f32", "infer_mixed", "infer_rows", "report", "samples", "join", "increment", "answer")
    return {name: shape + frame for name, frame in zip(names, found, strict=True)}


def payloads() -> dict[str, bytes]:
    """Payloads that CUDA-Q's own compiler has made, behind their types."""
    return {
        "add_them": bytes([2, 4, 4]) + struct.pack("<qq", 41, 1),
        "enqueue": bytes([2, 4, 11]) + struct.pack("<qQ", 41, 9) + b"\x0d\x01",
        "get": bytes([3, 4, 12, 0]) + struct.pack("<qQB", 41, 9, 1),
        "mix": bytes([8, 1, 3, 0, 6, 2, 11, 5, 10])
        + bytes.fromhex("070000002c0100000100000000000000000000000000f83f01020000000000000900000000000000")
        + bytes.fromhex("0d010000000000400200000000000000000000000000e03f000000000000d03f"),
        "sequences": bytes([3, 7, 8, 9])
        + struct.pack("<Q3b5xQ2i", 3, 1, 2, 3, 2, 4, 5)
        + struct.pack("<Q2f", 2, 1.0, 2.0),
    }


def programs() -> dict[str, bytes]:
    """Stored programs, as they are and without header and checksum."""
    made = {
        "reservoir": phl.Program.reservoir(3, 1, features=2, seed=1),
        "noisy": phl.Program.reservoir(
            2, 1, features=1, seed=2, readout=phl.Readout.samples(space="fock"), noise=phl.Noise(brightness=0.9)
        ),
    }
    found = {}
    for name, program in made.items():
        stored = program.to_bytes()
        length = struct.unpack_from("<I", stored, 12)[0]
        found[name] = b"\0" + stored
        found[f"{name}_sealed"] = b"\1" + length.to_bytes(2, "little") + stored[16:-32]
    return found


def main() -> None:
    """Writes them all."""
    for target, seeds in (("frame", frames()), ("codec", payloads()), ("program", programs())):
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds.items():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
