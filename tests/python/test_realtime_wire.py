"""Frames and payloads of CUDA-Q realtime, byte for byte, and what is refused.

The golden bytes were taken from NVIDIA's own compiler output and reference server, not from this package.
"""

import re
import struct
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
from numpy.typing import NDArray

from compiled_payloads import COMPILED, NINE, hexed
from photonlink.errors import ProgramError, ProtocolError
from photonlink.realtime import PHOTONLINK_FUNCTIONS, QEC_FUNCTIONS, Request, Response, Signature, fnv1a


def test_hash_of_nothing():
    assert fnv1a(b"") == 0x811C9DC5


def test_golden_increment():
    increment = Signature.parse("rpc_increment(u8[] data) -> u8[]", encoding="A")
    request = increment.request(b"\x00\xff\x41", request_id=7, ptp_timestamp=0x1122334455667788)
    assert request.encode() == hexed("52 51 55 43 22 63 1b 19 03 00 00 00 07 00 00 00 88 77 66 55 44 33 22 11 00 ff 41")
    answer = hexed("53 51 55 43 00 00 00 00 03 00 00 00 07 00 00 00 88 77 66 55 44 33 22 11 01 00 42")
    response = Response.decode(answer.ljust(256, b"\xee"))  # what follows is left over from other answers
    assert response == Response(0, 7, b"\x01\x00\x42", 0x1122334455667788)
    assert response.encode() == answer
    assert increment.decode_results(response.payload).tolist() == [1, 0, 66]


def test_golden_add_them():
    add = Signature.parse("addThem(i32, i32) -> i32")
    assert add.request(2, 40).encode() == hexed(
        "52 51 55 43 1e 90 6c 5a 08 00 00 00 01 00 00 00 00 00 00 00 00 00 00 00 02 00 00 00 28 00 00 00"
    )


def test_golden_syndromes():
    enqueue = QEC_FUNCTIONS[0]
    frame = enqueue.request(2, 5, 1, NINE, request_id=42).encode()
    assert frame == hexed(
        "52 51 55 43 82 be d8 7e 22 00 00 00 2a 00 00 00 00 00 00 00 00 00 00 00"
        "02 00 00 00 00 00 00 00 05 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 09 00 00 00 00 00 00 00 0d 01"
    )
    assert QEC_FUNCTIONS[1].encode_arguments(41, 9, 1) == hexed(
        "29 00 00 00 00 00 00 00 | 09 00 00 00 00 00 00 00 | 01"
    )


def test_holes_are_not_looked_at():
    """The compiler does not write them."""
    *_, (mix, arguments, payload) = COMPILED
    dirty = bytes.fromhex(payload.replace("|", " "))
    back = Signature.parse(mix).decode_arguments(dirty)
    assert back[:5] == arguments[:5]
    assert back[5].tolist() == NINE.tolist()
    assert back[7].tolist() == [0.5, 0.25]


def test_unused_bits_of_a_response_are_not_looked_at():
    get = Signature.parse("getc(i64, out bool[], bool)")
    bits = get.decode_results(b"\x05\x05", (41, 9, True))
    assert bits.tolist() == [True, False, True, False, False, False, False, False, True]
    assert get.encode_results(bits, (41, 9, True)) == b"\x05\x01"


def test_encoding_a_has_neither_holes_nor_counts():
    signature = Signature.parse("f(u8, f64, bool[9], i32[2], u8) -> (i32, f32[2])", encoding="A")
    payload = signature.encode_arguments(7, 1.5, NINE, [1, -1], 9)
    assert payload == hexed("07 | 00 00 00 00 00 00 f8 3f | 0d 01 | 01 00 00 00 ff ff ff ff | 09")
    assert signature.decode_arguments(payload)[:2] == (7, 1.5)
    number, array = signature.decode_results(signature.encode_results((5, [0.5, 2.0])))
    assert (number, array.tolist()) == (5, [0.5, 2.0])


def test_encodings_coincide_without_sequences_and_holes():
    for text, values in (("f(i32, i32, f32)", (1, -2, 0.5)), ("f(i64, f64)", (-1, 0.25))):
        a, b = (Signature.parse(text, encoding=encoding) for encoding in "AB")
        assert a.encode_arguments(*values) == b.encode_arguments(*values)


def test_schema():
    schema = Signature.parse("f(u8, bool[9], f64[3]) -> i32", encoding="A").schema()
    assert len(schema) == 148
    assert schema[:4] == bytes([3, 1, 0, 0])
    described = [struct.unpack_from("<B3xII", schema, 4 + 12 * index) for index in range(4)]
    assert described == [(0x10, 1, 1), (0x30, 2, 9), (0x23, 24, 3), (0, 0, 0)]
    assert struct.unpack_from("<B3xII", schema, 100) == (0x11, 4, 1)


@pytest.mark.parametrize(
    ("text", "encoding", "complaint"),
    [
        ("f", "B", "no signature"),
        ("f(i32", "B", "no signature"),
        ("f(i128)", "B", "is no type"),
        ("f(i32[x])", "B", "is no type"),
        ("f(,)", "B", "is no type"),
        ("f(out i32)", "B", "an output is a vector"),
        ("f(i64[])", "B", "no sequences of i64"),
        ("f(out i16[])", "B", "no sequences of i16"),
        ("f(out i32[], out i32[])", "B", "one result or one output"),
        ("f(out i32[]) -> i32", "B", "one result or one output"),
        ("f() -> (i32, i32)", "B", "one result or one output"),
        ("f() -> out i32[]", "B", "stands among the arguments"),
        ("f() -> bool[]", "B", "cannot be told from its bytes"),
        ("f(out i32[3])", "A", "has no out i32"),
        ("f(i16)", "A", "has no i16"),
        ("f(bool)", "A", "has no bool"),
        ("f(f32[], i32)", "A", "has no length"),
        ("f(bool[])", "A", "has no length"),
        ("f(i32, i32, i32, i32, i32, i32, i32, i32, i32)", "A", "8 at most"),
        ("f() -> (i32, i32, i32, i32, i32)", "A", "4 at most"),
        ("f()", "C", "expected one of 'A', 'B'"),
        ("caf\xe9()", "B", "ASCII"),
    ],
)
def test_signatures_that_are_refused(text, encoding, complaint):
    with pytest.raises(ProgramError, match=complaint):
        Signature.parse(text, encoding=encoding)


def test_signatures_from_annotations():
    def decode(
        decoder: int,
        weight: float,
        reset: bool,
        small: np.uint8,
        syndromes: list[bool],
        priors: NDArray[np.float32],
        rows: tuple[np.int32, ...],
        raw: bytes,
        size: Annotated[int, "out bool[]"],
        pair: Annotated[list[float], "f64[2]"],
    ) -> NDArray[np.bool_]: ...

    assert str(Signature.of(decode)) == (
        "decode(i64 decoder, f64 weight, bool reset, u8 small, bool[] syndromes, f32[] priors, i32[] rows, u8[] raw, "
        "out bool[] size, f64[2] pair)"
    )

    def several(x: np.int32) -> tuple[np.int32, float]: ...

    assert str(Signature.of(several, encoding="A")) == "several(i32 x) -> (i32, f64)"


def test_annotations_that_are_refused():
    def missing(x) -> int: ...

    def of_text(x: str) -> int: ...

    def of_wide_integers(x: list[int]) -> int: ...

    def any_number(*x: int) -> int: ...

    for function, complaint in (
        (missing, "'x' of missing"),
        (of_text, "no type on the wire"),
        (of_wide_integers, r"list\[np.int32\]"),
        (any_number, "must be positional"),
    ):
        with pytest.raises(ProgramError, match=complaint):
            Signature.of(function)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("i8", 128),
        ("u8", -1),
        ("i32", 2**31),
        ("i64", 2**63),
        ("i32", 1.0),
        ("i32", True),
        ("i32", "1"),
        ("f32", 1e39),
        ("f64", "1"),
        ("bool", 1),
        ("i32[]", [2**31]),
        ("i32[]", [0.5]),
        ("i32[]", [[1]]),
        ("i32[]", [[1], [1, 2]]),
        ("i32[]", 1),
        ("f32[]", [1e39]),
        ("f64[]", ["a"]),
        ("bool[]", [0, 1]),
        ("u8[2]", b"abc"),
        ("out i32[]", -1),
        ("out i32[]", True),
        ("out i32[4]", 3),
    ],
)
def test_values_that_do_not_fit_are_refused_with_their_place(type_, value):
    with pytest.raises(ProgramError, match=r"argument 1 \(.*\) of f"):
        Signature.parse(f"f(i64, {type_})").encode_arguments(0, value)


def test_results_that_are_not_what_was_promised():
    for text, value in (
        ("f() -> i32", None),
        ("f() -> i32", 0.5),
        ("f()", 1),
        ("f(out i32[])", [1, 2]),
        ("f() -> i32[2]", [1]),
    ):
        with pytest.raises(ProgramError, match="f"):
            Signature.parse(text).encode_results(value, (3,))


def test_payloads_that_are_not_the_arguments():
    signature = Signature.parse("f(i32, bool[], bool)")
    whole = signature.encode_arguments(1, NINE, True)
    for length in range(len(whole)):
        with pytest.raises(ProtocolError, match="does not match f"):
            signature.decode_arguments(whole[:length])
    with pytest.raises(ProtocolError, match="1 bytes are left over"):
        signature.decode_arguments(whole + b"\0")
    with pytest.raises(ProtocolError, match="expected 0 or 1"):
        signature.decode_arguments(whole[:-1] + b"\2")


@pytest.mark.parametrize("count", [2**64 - 1, 2**61, 2**61 + 1, 2**32, 65])
@pytest.mark.parametrize("element", ["bool", "f64", "i8"])
def test_counts_beyond_the_payload_are_refused(element, count):
    with pytest.raises(ProtocolError):
        Signature.parse(f"f({element}[])").decode_arguments(struct.pack("<Q", count) + bytes(8))


def test_frames_that_are_refused():
    frame = Request(1, 2, b"abc").encode()
    with pytest.raises(ProtocolError, match="a header has 24"):
        Request.decode(frame[:23])
    with pytest.raises(ProtocolError, match="announces 3 payload bytes and 2") as cut:
        Request.decode(frame[:26])
    assert cut.value.request_id == 2
    with pytest.raises(ProtocolError, match="the magic of a request"):
        Response.decode(frame)
    with pytest.raises(ProtocolError, match="little-endian"):
        Request.decode(frame[3::-1] + frame[4:])
    for wrong in (Request(-1, 0), Request(2**32, 0), Request(0, 2**32), Request(0, 0, b"", 2**64), Response(2**31, 0)):
        with pytest.raises(ProgramError, match="cannot hold"):
            wrong.encode()


def test_identity_and_time_survive_at_their_limits():
    for request_id in (0, 1, 2**32 - 1):
        for time in (0, 2**64 - 1):
            for frame in (Request(5, request_id, b"x", time), Response(-(2**31), request_id, b"x", time)):
                assert type(frame).decode(frame.encode()) == frame


# What a random signature may hold, by encoding: scalars, and elements of sequences.
PARTS = {
    "A": (("u8", "i32", "i64", "f32", "f64"), ("u8", "i32", "f32", "f64", "bool"), 8),
    "B": (
        ("bool", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64"),
        ("bool", "i8", "u8", "i32", "u32", "f32", "f64"),
        12,
    ),
}


def random_value(random, element, shape):
    if element == "bool":
        return random.integers(0, 2, shape).astype(np.bool_)
    dtype = np.dtype(f"{element[0]}{int(element[1:]) // 8}")
    if dtype.kind == "f":
        return random.normal(0, 1e3, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def random_call(random, encoding):
    scalars, elements, most = PARTS[encoding]
    types, values = [], []
    for _ in range(random.integers(0, most + 1)):
        if random.random() < 0.5:
            types.append(random.choice(scalars))
            values.append(random_value(random, types[-1], ()).item())
            continue
        element, count = random.choice(elements), int(random.integers(0, 20))
        fixed = encoding == "A" or random.random() < 0.3
        types.append(f"{element}[{count if fixed else ''}]")
        values.append(random_value(random, element, count))
    return Signature.parse(f"f({', '.join(types)})", encoding=encoding), values


@pytest.mark.parametrize("encoding", ["A", "B"])
def test_random_calls_survive_the_round_trip(encoding):
    random = np.random.default_rng(ord(encoding))
    for _ in range(400):
        signature, values = random_call(random, encoding)
        assert Signature.parse(str(signature), encoding=encoding) == signature
        payload = signature.encode_arguments(*values)
        for value, back in zip(values, signature.decode_arguments(payload), strict=True):
            if isinstance(value, np.ndarray):
                assert back.dtype == value.dtype
            np.testing.assert_array_equal(back, value)
        for length in random.integers(0, len(payload), 3) if payload else ():
            with pytest.raises(ProtocolError):
                signature.decode_arguments(payload[:length])


def test_random_bytes_are_decoded_or_refused():
    random = np.random.default_rng(5)
    for _ in range(2000):
        signature, _ = random_call(random, "B")
        # Small numbers make plausible counts.
        data = bytes(random.integers(0, 9, random.integers(0, 80)) * (random.random() < 0.4))
        try:
            values = signature.decode_arguments(data)
        except ProtocolError:
            continue
        assert len(signature.encode_arguments(*values)) == len(data)


def test_the_bytes_on_the_page_about_the_service():
    page = (Path(__file__).parents[2] / "docs" / "service.md").read_text()
    request, answer = (
        bytes.fromhex(text) for text in re.search(r"```\nrequest(.*?)answer(.*?)```", page, re.DOTALL).groups()
    )
    samples = next(function for function in PHOTONLINK_FUNCTIONS if function.name == "photonlink_samples")
    arguments = (5, [0.5, 1.5], 12)
    assert samples.request(*arguments, request_id=7).encode() == request
    photons = samples.decode_results(Response.decode(answer).payload, arguments)
    assert photons.reshape(3, 4).tolist() == [[1, 0, 1, 0], [1, 0, 1, 0], [0, 1, 1, 0]]
