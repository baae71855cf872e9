"""Any bytes as a stored Program: either ``ProgramError``, or a program that is stored and read again unchanged.

Inputs are a byte, and then: 0, a file as it is; 1, the length of the metadata (u16), metadata and arrays, for which
this target supplies what a mutation would never find: header, checksum, and as many bytes of arrays as the metadata
asks for. Run by tests/fuzz/run.sh.
"""

import contextlib
import hashlib
import json
import struct
import sys

import atheris

with atheris.instrument_imports(include=["photonlink"]):
    from photonlink import _storage, unitary  # noqa: F401 - instrumented only if imported here
    from photonlink.errors import ProgramError
    from photonlink.program import Program

MOST_ARRAY_BYTES = 2**16


def array_bytes(meta):
    """Bytes of the arrays that the metadata asks for, if it does and they are few."""
    with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
        found = json.loads(meta)
        modes, layers, phases, terms = (int(found[name]) for name in ("modes", "interferometers", "phases", "terms"))
        size = 16 * layers * modes**2 + 4 * (2 * phases + phases + 1 + terms) + 8 * (terms + phases)
        if 0 <= size <= MOST_ARRAY_BYTES:
            return size
    return None


def sealed(data):
    """A file with the right header, length and checksum around what the input says."""
    length = int.from_bytes(data[:2], "little")
    meta, arrays = data[2 : 2 + length], data[2 + length :]
    wanted = array_bytes(meta)
    if wanted is not None:
        arrays = arrays[:wanted].ljust(wanted, b"\0")
    body = struct.pack("<8sII", b"PHLPROG\n", 2, len(meta)) + meta + arrays
    return body + hashlib.sha256(body).digest()


def check(data):
    """One input."""
    if not data:
        return
    stored = data[1:] if data[0] % 2 == 0 else sealed(data[1:])
    try:
        program = Program.from_bytes(stored)
    except ProgramError:
        return
    again = Program.from_bytes(program.to_bytes())
    assert again == program
    assert again.to_bytes() == program.to_bytes()


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
