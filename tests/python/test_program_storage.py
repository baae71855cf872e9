"""Programs on disk and on the wire: what comes back, and which files are refused."""

from __future__ import annotations

import copy
import pickle
import struct
from hashlib import sha256

import numpy as np
import pytest

from photonlink import _storage
from photonlink.errors import ProgramError
from photonlink.program import Program
from programs import exact_program, variants


@pytest.mark.parametrize("program", list(variants()), ids=lambda program: program.digest[:6])
def test_round_trip(program, tmp_path):
    path = tmp_path / "program.phl"
    program.save(path)
    for again in (Program.load(path), Program.from_bytes(program.to_bytes()), pickle.loads(pickle.dumps(program))):
        assert again == program
        assert again.digest == program.digest
        assert again.features == program.features
        assert again.readout == program.readout
        assert again.encode(np.ones(3)).tobytes() == program.encode(np.ones(3)).tobytes()
    assert copy.deepcopy(program) == program


def test_programs_without_news_keep_their_format_and_digest():
    """Bytes 8 to 11 are the format; a converter's resolution needs the second one, its absence keeps the first."""
    continuous, rounded = (Program.reservoir(4, 2, 3, seed=1, dac_bits=bits) for bits in (0, 6))
    assert continuous.to_bytes()[8:12] == b"\x01\0\0\0"
    assert b"dac_bits" not in continuous.to_bytes()
    assert rounded.to_bytes()[8:12] == b"\x02\0\0\0"
    assert Program.from_bytes(rounded.to_bytes()).encoding.dac_bits == 6


def test_every_damaged_byte_is_noticed():
    data = exact_program().to_bytes()
    rng = np.random.default_rng(0)
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= int(rng.integers(1, 256))
        with pytest.raises(ProgramError):
            Program.from_bytes(bytes(damaged))


def test_every_truncation_is_noticed():
    data = exact_program().to_bytes()
    for length in range(len(data)):
        with pytest.raises(ProgramError):
            Program.from_bytes(data[:length])
    with pytest.raises(ProgramError, match="announced"):
        Program.from_bytes(data + b"\0")


def signed(meta: bytes, rest: bytes = b"") -> bytes:
    """Bytes with a correct checksum around chosen metadata: what a hostile sender can make."""
    body = struct.pack("<8sII", b"PHLPROG\n", 1, len(meta)) + meta + rest
    return body + sha256(body).digest()


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        (b'{"modes":16777216,"interferometers":16777216,"phases":0,"terms":0}', "announced"),
        (b'{"modes":1e9,"interferometers":1,"phases":0,"terms":0}', "modes is"),
        (b'{"modes":-1,"interferometers":1,"phases":0,"terms":0}', "modes is -1"),
        (b'{"modes":true,"interferometers":1,"phases":0,"terms":0}', "modes is True"),
        (b'{"modes":2,"interferometers":1,"phases":99999999999,"terms":0}', "phases is"),
        (b"[1, 2]", "not an object"),
        (b"[" * 100_000, "cannot be read"),
        (b"\xff", "cannot be read"),
        (b"{}", "modes is None"),
    ],
)
def test_announced_sizes_are_not_believed(meta, words):
    with pytest.raises(ProgramError, match=words):
        Program.from_bytes(signed(meta))


def test_well_formed_bytes_of_an_impossible_program_are_refused():
    one_mode = np.ones(1, "<c16").tobytes() + np.zeros(1, "<u4").tobytes()
    frame = '{{"modes":1,"interferometers":1,"phases":0,"terms":0{}}}'
    full = (
        ',"input_state":{},"features":[],"wrap":false,"kind":"{}","space":"fock"'
        ',"grouping":{},"groups":0,"interference":true'
    )
    good = frame.format(full.format("[1]", "probabilities", '"none"')).encode()
    assert Program.from_bytes(signed(good, one_mode)).modes == 1
    for extra, words in [
        ("", "bad metadata"),
        (full.format('["x"]', "probabilities", '"none"'), "number of photons .* is 'x'"),
        (full.format("[0]", "probabilities", '"none"'), "no photon"),
        (full.format("[1]", "secrets", '"none"'), "kind of a readout is 'secrets'"),
        (full.format("[1]", "probabilities", '"evil"'), "bad metadata"),
        (full.format("[1]", "probabilities", '"lex"'), "output_size of a grouping is 0"),
    ]:
        with pytest.raises(ProgramError, match=words):
            Program.from_bytes(signed(frame.format(extra).encode(), one_mode))


def test_oversized_files_and_bytes_are_refused_unread(tmp_path, monkeypatch):
    path = tmp_path / "big.phl"
    with path.open("wb") as file:
        file.truncate(_storage.MAX_BYTES + 1)  # sparse: takes no disk
    with pytest.raises(ProgramError, match="more than a stored program may have"):
        Program.load(path)
    monkeypatch.setattr(_storage, "MAX_BYTES", 1000)
    program = Program.reservoir(8, 2, 3)
    with pytest.raises(ProgramError, match="more than the limit of 1000"):
        program.to_bytes()
    with pytest.raises(ProgramError, match="more than a stored program may have"):
        Program.from_bytes(bytes(1001))


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, a=np.zeros(100))
    with pytest.raises(ProgramError, match="not a photonlink program"):
        Program.load(path)
    data = bytearray(exact_program().to_bytes())
    data[8] = 9
    with pytest.raises(ProgramError, match="format 9 is not known"):
        Program.from_bytes(bytes(data))
    with pytest.raises(FileNotFoundError):
        Program.load(tmp_path / "absent")
