"""Captures into words, held against captures of tcpdump and Wireshark and what tshark says of them."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from photonlink.cli import main
from photonlink.errors import ProgramError
from photonlink.realtime import (
    QEC_FUNCTIONS,
    Capture,
    Datagram,
    Decoder,
    Request,
    Response,
    Signature,
    read_capture,
    read_hex,
    table,
)

CAPTURES = Path(__file__).parent / "captures"
ADD = Signature.parse("addThem(i32 a, i32 b) -> i32")
TEXTS = [
    "addThem(a=2, b=40)",
    "-> 42",
    "function 0xb88718c6 00000000 0000e03f",
    "-> protocol status -1 (unknown function)",
    "addThem(a=-1, b=1)",
    "-> 0",
    "5 bytes",
]


def of_tshark():
    for line in (CAPTURES / "tshark.txt").read_text().splitlines():
        time, source, source_port, destination, destination_port, payload = line.split("\t")
        seconds, fraction = time.split(".")
        time_ns = int(seconds) * 10**9 + int(fraction)
        yield Datagram(bytes.fromhex(payload), time_ns, f"{source}:{source_port}", f"{destination}:{destination_port}")


@pytest.mark.parametrize(
    ("name", "resolution"), [("any_nanoseconds.pcap", 1), ("loopback.pcap", 1000), ("loopback.pcapng", 1000)]
)
def test_captures_hold_what_tshark_finds_in_them(name, resolution):
    capture = read_capture((CAPTURES / name).read_bytes())
    assert capture.left_out == 0
    for found, expected in zip(capture.datagrams, of_tshark(), strict=True):
        assert abs(found.time_ns - expected.time_ns) < resolution
        assert (found.data, found.source, found.destination, found.missing) == (
            expected.data,
            expected.source,
            expected.destination,
            0,
        )


def test_captures_in_words():
    capture = read_capture((CAPTURES / "any_nanoseconds.pcap").read_bytes())
    frames = Decoder([ADD]).decode(capture)
    assert [frame.text for frame in frames] == TEXTS
    assert [frame.request for frame in frames] == [None, 0, None, 2, None, 4, None]
    assert [frame.latency_ns for frame in frames if frame.kind == "response"] == [210021, 42873, 70043]
    assert "5 bytes are no request" in frames[-1].problem
    assert frames[1].values == 42
    assert "3 requests; 3 responses; 0 unanswered; 1 problems; latency median 70 us, worst 210 us" in table(frames)


def test_command(capsys):
    path = str(CAPTURES / "loopback.pcap")
    assert main(["decode", path, "--signature", str(ADD), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [frame["text"] for frame in report["frames"]] == TEXTS[:-1]
    assert (report["requests"], report["left_out"]) == (3, 1)
    assert report["frames"][0]["values"] == [2, 40]
    assert main(["decode", path, "--port", "45620"]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 10
    assert "127.0.0.1:45620" in out
    assert main(["decode", "--port", "4562", path]) == 0
    assert "0 requests" in capsys.readouterr().out


def test_command_says_what_is_wrong(capsys, tmp_path):
    nonsense = tmp_path / "nonsense.txt"
    nonsense.write_text("52 51 xx")
    for arguments, complaint in (
        (["no such file"], "cannot read no such file"),
        ([str(nonsense)], "line 1 is '52 51 xx'"),
        ([str(CAPTURES / "loopback.pcap"), "--signature", "add"], "no signature"),
    ):
        assert main(["decode", *arguments]) == 1
        assert complaint in capsys.readouterr().err


def test_hexadecimal_text():
    first, second = ADD.request(2, 40).encode(), Response(0, 1, bytes(4)).encode()
    text = f"# two frames\n{first[:24].hex(' ')}\n  {first[24:].hex(' ', 4)}  # arguments\n{second.hex()}\n\n00 01\n"
    assert [datagram.data for datagram in read_hex(text).datagrams] == [first, second, b"\x00\x01"]
    assert read_capture(text.encode()) == read_hex(text)
    assert [frame.text for frame in Decoder([ADD]).decode(read_hex(text))] == ["addThem(a=2, b=40)", "-> 0", "2 bytes"]


# A writer of captures, from the formats' documents, for what the tools above do not make here.


def pcap(*packets, order="<", link=1, fraction=1000, magic=0xA1B2C3D4):
    data = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for number, packet in enumerate(packets):
        data += struct.pack(f"{order}IIII", 5, number * fraction, len(packet), len(packet)) + packet
    return data


def block(kind, body, order="<"):
    body += bytes(-len(body) % 4)
    size = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + size + body + size


def section(order="<"):
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(order="<", link=1, options=b"", snap=0):
    return block(1, struct.pack(f"{order}HHI", link, 0, snap) + options, order)


def ipv4(payload, source=4000, destination=5000, *, protocol=17, fragment=0, options=b"", length=None):
    length = 8 + len(payload) if length is None else length
    header = struct.pack(">BBHHHBBH", 0x45 + len(options) // 4, 0, 28 + len(payload), 0, fragment, 64, protocol, 0)
    addresses = bytes([10, 0, 0, 1, 10, 0, 0, 2])
    return header + addresses + options + struct.pack(">HHHH", source, destination, length, 0) + payload


def ethernet(packet, *, kind=0x0800, tags=b""):
    return bytes(12) + tags + kind.to_bytes(2, "big") + packet


FRAME = ADD.request(2, 40).encode()


@pytest.mark.parametrize(
    ("link", "packet"),
    [
        (0, struct.pack("<I", 2) + ipv4(FRAME)),
        (1, ethernet(ipv4(FRAME)) + bytes(6)),  # a trailer
        (1, ethernet(ipv4(FRAME), tags=bytes.fromhex("8100 0005"))),
        (1, ethernet(ipv4(FRAME), tags=bytes.fromhex("88a8 0005 8100 0006"))),
        (1, ethernet(ipv4(FRAME, options=bytes(8)))),
        (101, ipv4(FRAME)),
        (113, bytes(14) + b"\x08\x00" + ipv4(FRAME)),
        (228, ipv4(FRAME)),
        (276, b"\x08\x00" + bytes(18) + ipv4(FRAME)),
    ],
)
def test_link_layers(link, packet):
    for order in "<>":
        capture = read_capture(pcap(packet, link=link, order=order))
        assert capture == Capture((Datagram(FRAME, 5 * 10**9, "10.0.0.1:4000", "10.0.0.2:5000"),))


def roce(opcode, headers, payload):
    pad = -len(payload) % 4
    base = struct.pack(">BBHII", opcode, pad << 4, 0xFFFF, 18, 7)
    return base + bytes(headers) + payload + bytes(pad) + b"\xee" * 4


@pytest.mark.parametrize(
    ("opcode", "headers"),
    [(0x24, 0), (0x25, 4), (0x2A, 16), (0x2B, 20), (0x04, 0), (0x05, 4), (0x0A, 16), (0x0B, 20)],
)
def test_messages_over_roce(opcode, headers):
    for payload in (FRAME, FRAME + b"abc"):
        packet = ethernet(ipv4(roce(opcode, headers, payload), 50000, 4791))
        assert read_capture(pcap(packet)) == Capture((Datagram(payload, 5 * 10**9, "10.0.0.1", "10.0.0.2"),))
        (cut,) = read_capture(pcap(packet[:-9])).datagrams
        assert cut.data == payload[: len(payload) - cut.missing]


def test_calls_over_roce_are_paired():
    """As CUDA-Q's CPU RoCE transport has it: written with the slot's number, answered by a send."""
    back = ipv4(roce(0x24, 0, Response(0, 1, b"*\0\0\0").encode()), 50001, 4791)
    back = back[:12] + back[16:20] + back[12:16] + back[20:]
    capture = read_capture(pcap(ethernet(ipv4(roce(0x2B, 20, FRAME), 50000, 4791)), ethernet(back)))
    frames = Decoder([ADD]).decode(capture)
    assert [frame.text for frame in frames] == ["addThem(a=2, b=40)", "-> 42"]
    assert frames[1].request == 0


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        bytes(11),
        roce(0x26, 16, FRAME),  # the first of several
        roce(0x11, 4, b""),  # an acknowledgement
        roce(0x2A, 16, b"")[:-8],
    ],
)
def test_other_packets_of_roce_are_left_out(packet):
    assert read_capture(pcap(ethernet(ipv4(packet, 50000, 4791)))) == Capture((), 1)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        ethernet(b"", kind=0x0806),
        ethernet(ipv4(FRAME), kind=0x86DD),
        ethernet(ipv4(FRAME, protocol=6)),
        ethernet(ipv4(FRAME, fragment=0x2000)),
        ethernet(ipv4(FRAME, fragment=1)),
        ethernet(ipv4(FRAME, length=7)),
        ethernet(ipv4(FRAME)[:25]),
        ethernet(b"\x41" + ipv4(FRAME)[1:]),
        ethernet(ipv4(FRAME), tags=bytes.fromhex("8100")),
    ],
)
def test_other_packets_are_counted_and_left_out(packet):
    assert read_capture(pcap(packet)) == Capture((), 1)


def test_pcapng_of_several_sections_interfaces_and_resolutions():
    def option(code, value):
        return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)

    def packet(number, ticks, data, order="<"):
        head = struct.pack(f"{order}IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
        return block(6, head + data, order)

    nanoseconds = option(2, b"lo") + option(9, b"\x09") + option(14, struct.pack("<q", 100)) + bytes(4)
    halves = option(9, b"\x81")  # two ticks per second
    simple = ethernet(ipv4(b"yz"))
    data = section() + interface(options=nanoseconds, snap=len(simple) - 1) + interface(link=101, options=halves)
    data += packet(0, 7_000_000_003, ethernet(ipv4(FRAME))) + packet(1, 5, ipv4(b"x"))
    data += block(5, bytes(12)) + block(3, struct.pack("<I", len(simple)) + simple[:-1])
    data += section(">") + interface(">") + packet(0, 5, ethernet(ipv4(b"z")), ">")
    found = [(one.time_ns, one.data, one.missing) for one in read_capture(data).datagrams]
    assert found == [(107_000_000_003, FRAME, 0), (2_500_000_000, b"x", 0), (None, b"y", 1), (5_000, b"z", 0)]


@pytest.mark.parametrize("name", ["loopback.pcap", "loopback.pcapng"])
def test_files_that_were_cut_or_damaged_never_fail_otherwise(name):
    whole = (CAPTURES / name).read_bytes()
    for length in range(4, len(whole), 7):
        try:
            found = len(read_capture(whole[:length]).datagrams)
        except ProgramError:
            continue
        assert found < 7
    random = np.random.default_rng(10)
    for _ in range(400):
        data = bytearray(whole)
        for at in random.integers(4, len(data), 3):
            data[at] = random.integers(256)
        try:
            Decoder().decode(read_capture(bytes(data)))
        except ProgramError:
            continue


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (pcap(ipv4(FRAME), link=105), "link type 105"),
        (pcap()[:4] + b"\x02\x00\x05\x00" + pcap()[8:], "version 2.5"),
        (pcap(FRAME)[:-1], "ends within a record"),
        (pcap()[:24] + struct.pack("<IIII", 0, 0, 1 << 19, 0), "a packet of 524288 bytes"),
        (section() + block(6, bytes(20)), "interface 0 and describes 0"),
        (section() + interface() + block(6, bytes(8)), "without its header"),
        (section()[:-4] + bytes(4), "two lengths differ"),
        (section()[:4] + struct.pack("<I", 13) + section()[8:], "a block of 13 bytes"),
        (section()[:8] + bytes(20), "byte order"),
        (b"\xff\xfe\x00\x01", "neither pcap nor pcapng"),
    ],
)
def test_files_that_are_refused(data, complaint):
    with pytest.raises(ProgramError, match=complaint):
        read_capture(data)


def test_frames_that_the_capture_did_not_keep_whole():
    packet = ethernet(ipv4(FRAME))[:-3]
    (frame,) = Decoder([ADD]).decode(read_capture(pcap(packet)))
    assert frame.kind == "request"
    assert "did not keep its last 3 bytes" in frame.problem


def hexed(*frames):
    return read_hex("\n".join(frame.encode().hex() for frame in frames))


def test_responses_are_read_by_the_signature_of_their_request():
    get = QEC_FUNCTIONS[1]
    frames = Decoder().decode(
        hexed(
            get.request(3, 9, 0, request_id=8),
            ADD.request(1, 2, request_id=9),
            Response(0, 8, b"\x05\x01"),
            Response(0, 9, b"\x03\0\0\0"),
        )
    )
    assert [frame.text for frame in frames] == [
        "get_corrections(decoder=3, corrections=9, reset=0)",
        "function 0x5a6c901e 01000000 02000000",
        "-> 101000001",
        "-> 03000000",
    ]
    assert frames[2].values.tolist() == [True, False, True, False, False, False, False, False, True]


def test_duplicates_unanswered_and_foreign_responses_are_told():
    request = ADD.request(1, 2, request_id=1)
    response = Response(0, 1, b"\x03\0\0\0")
    frames = Decoder([ADD]).decode(
        hexed(request, request, response, response, Response(0, 2), ADD.request(0, 0, request_id=3))
    )
    assert [frame.request for frame in frames] == [None, None, 1, None, None, None]
    assert [frame.answered for frame in frames] == [False, True, False, False, False, False]
    assert ["still open" in (frame.problem or "") for frame in frames] == [False, False, False, True, True, False]
    assert table(frames).endswith("3 requests; 3 responses; 2 unanswered; 2 problems")


def test_payloads_that_do_not_match_are_shown_raw():
    frames = Decoder([ADD]).decode(
        hexed(
            Request(ADD.function_id, 1, b"abc"), Response(2, 1), ADD.request(1, 2, request_id=4), Response(0, 4, b"x")
        )
    )
    assert [frame.text for frame in frames] == [
        "addThem 616263",
        "-> handler status 2",
        "addThem(a=1, b=2)",
        "-> 78",
    ]
    assert "3 bytes does not match addThem" in frames[0].problem
    assert "1 bytes does not match addThem" in frames[3].problem


def test_everything_is_json():
    echo = Signature.parse("f(f64[] x, bool[] y, f32 z) -> f64")
    frames = Decoder([echo]).decode(
        hexed(
            echo.request([np.inf, 0.5, *range(20)], [True] * 100, 0.25, request_id=1),
            Response(0, 1, struct.pack("<d", np.nan)),
        )
    )
    report = json.loads(json.dumps([frame.as_dict() for frame in frames], allow_nan=False))
    assert report[0]["values"][0][:2] == ["inf", 0.5]
    assert report[1]["values"] == "nan"
    assert frames[0].text.startswith("f(x=[inf 0.5 0 1 2 3 4 5 ... (22)], y=11111")
    assert "... (100 bits), z=0.25)" in frames[0].text
