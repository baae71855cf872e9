"""What NVIDIA's own tests of CUDA-Q Realtime imply for every server (S1 to S15) and client (C1 to C10), item by item.

Servers are asked over a raw socket, in bytes written out here: the controller that ``photonlink qsc serve`` runs, and
the server of ``photonlink.realtime``. Clients talk to a raw socket: ``photonlink.realtime.Client``, and where the list
gives a status number, the library that compiled CUDA-Q kernels call.

Stated differences from NVIDIA's servers: S6, nothing is answered, and later requests get theirs at once; S7, an unknown
function gets a negative status; S15, the controller executes a datapoint that comes twice once, and answers it twice.
"""

import logging
import struct

import numpy as np
import pytest
from datagram_peer import TIME, Peer, counts
from service_calls import end, post, usage_of

from compiled_payloads import COMPILED, hexed
from kernel_calls import Kernel
from photonlink.errors import LinkTimeout, ProgramError, ProtocolError
from photonlink.qsc.client import ControlClient
from photonlink.qsc.launching import ServiceProcess
from photonlink.realtime import Client, ClientCounters, Refusal, Service, Signature, function_id
from scripted_peer import Script, answer, nothing, say

SLOT = 64
QSC_SLOT = 24 + 32 + 15 * 16  # the largest answer: a report with observables and standard errors
SLOTS = 8
UNKNOWN, BAD_LENGTH, BAD_KEY, NOT_SERVING, INVALID_PHASE = -1, -2, -3, -5, 104


# ---- servers


@pytest.fixture(scope="module")
def grant(shared, program):
    """A session over UDP."""
    control = ControlClient(shared.target)
    grant = post(control, program, transport="udp", slots=SLOTS)
    yield grant
    end(control, grant)


@pytest.fixture(scope="module")
def controller(grant):
    """``photonlink qsc serve``. One socket for all tests, since a session has places for a few clients only."""
    port = int(grant["transport"]["address"].split(":")[1])
    key = struct.pack("<Q", int(grant["transport"]["key"], 16))
    with Peer(port, slot=QSC_SLOT, slots=SLOTS, key=key, function=function_id("photonlink_echo")) as peer:
        yield peer


@pytest.fixture
def plain():
    """The functions of ``service``, with slots of 64 bytes."""
    plain = Service(slot_bytes=SLOT, encoding="A")
    plain.calls = []

    @plain.function("rpc_increment(u8[] data) -> u8[]")
    def increment(data):
        plain.calls.append(bytes(data))
        return data + np.uint8(1)

    @plain.function("refuse(i32 code)")
    def refuse(code):
        raise Refusal(code)

    @plain.function("fail()")
    def fail():
        raise ValueError("on purpose")

    return plain


@pytest.fixture
def service(plain):
    """The server of ``photonlink.realtime``."""
    increment = function_id("rpc_increment")
    with (
        plain.serve() as server,
        Peer(server.port, slot=SLOT, slots=SLOTS, key=b"", function=increment, added=1) as peer,
    ):
        yield peer


@pytest.fixture(params=["controller", "service"])
def peer(request):
    return request.getfixturevalue(request.param)


def infer(peer, phases, request_id):
    arguments = struct.pack("<Q6dQ", 6, *phases, 15)
    return peer.frame(arguments, request_id, function=function_id("photonlink_infer"))


def test_s1_golden_request_gets_golden_response(service):
    request = hexed("52515543 22631b19 03000000 07000000 8877665544332211 00ff41")
    response = hexed("53515543 00000000 03000000 07000000 8877665544332211 010042")
    for sent in (request, request.ljust(SLOT, b"\xee")):
        service.send(sent)
        assert service.socket.recv(65536) == response.ljust(SLOT, b"\0")


def test_s1_golden_echo_of_the_controller(controller):
    request = hexed("52515543 1dc05332 13000000 07000000 8877665544332211") + controller.key
    response = hexed("53515543 00000000 0b000000 07000000 8877665544332211 0300000000000000 00ff41")
    controller.send(request + hexed("0300000000000000 00ff41"))
    assert controller.socket.recv(65536) == response.ljust(controller.slot, b"\0")


@pytest.mark.parametrize("time", [0, 2**64 - 1])
@pytest.mark.parametrize("request_id", [0, 1, 2**32 - 1])
def test_s2_request_id_and_time_are_echoed(peer, request_id, time):
    assert peer.ask(peer.frame(b"a", request_id, time)) == (0, request_id, time, peer.expected(b"a"))


def test_s3_empty_payload(peer):
    assert peer.ask(peer.frame(b"", 3, TIME)) == (0, 3, TIME, b"")


def test_s4_largest_payload(peer):
    data = (2 * bytes(range(256)))[: peer.slot - 24 - len(peer.key)]
    assert len(peer.frame(data)) == peer.slot
    assert peer.ask(peer.frame(data, 4)) == (0, 4, 0, peer.expected(data))


@pytest.mark.parametrize("beyond", [1, 2**31, 2**32])
def test_s5_a_length_beyond_the_slot_is_refused_and_not_read(peer, beyond):
    length = min(peer.slot - 24 + beyond, 2**32 - 1)
    for datagram in (
        peer.frame(b"abc", 5, TIME, length=length),
        peer.frame(b"", 5, TIME, length=length).ljust(peer.slot),
    ):
        assert peer.ask(datagram) == (BAD_LENGTH, 5, TIME, b"")
    peer.serves(6)


def test_s5_a_length_beyond_the_datagram_is_never_filled_up(peer):
    """NVIDIA's server executes what was cut off with zeros. Here it is refused, or as good as lost."""
    cut = peer.frame(b"abcdef", 5, TIME)[:-1]
    if peer.slot == SLOT:
        assert peer.ask(cut) == (BAD_LENGTH, 5, TIME, b"")
    else:
        peer.send(cut)
    peer.serves(6)


def test_s6_a_wrong_magic_gets_nothing_and_later_requests_theirs(peer):
    good = peer.frame(b"abc", 1)
    wrong = [good[:k] + bytes([good[k] ^ 0x40]) + good[k + 1 :] for k in range(4)]
    wrong.append(b"SQUC" + good[4:])  # that of a response
    for request_id, datagram in enumerate(wrong):
        peer.send(datagram)
        peer.serves(request_id)
    for datagram in wrong * peer.slots:  # none of them keeps a slot
        peer.send(datagram)
    for request_id in range(2 * peer.slots):
        peer.serves(request_id)


@pytest.mark.parametrize("function", [0, 0xFFFFFFFF, function_id("unheard_of")])
def test_s7_an_unknown_function_gets_a_negative_status(peer, function):
    assert peer.ask(peer.frame(b"abc", 7, TIME, function=function)) == (UNKNOWN, 7, TIME, b"")
    peer.serves(8)


def test_s7_golden_refusal(controller):
    request = hexed("52515543 22631b19 03000000 07000000 8877665544332211 00ff41")
    response = hexed("53515543 ffffffff 00000000 07000000 8877665544332211")
    controller.send(request)
    assert controller.socket.recv(65536) == response.ljust(controller.slot, b"\0")


def test_s8_less_than_a_header_gets_nothing(peer):
    good = peer.frame(b"abc", 1)
    for length in range(24):
        peer.send(good[:length])
        peer.serves(length)


def test_s9_more_than_a_slot_is_ignored(peer):
    for size in (peer.slot + 1, 4096, 60_000):
        peer.send(peer.frame(b"abc", 1).ljust(size, b"\0"))
        peer.serves(size)


def test_s10_three_times_the_slots(peer):
    for request_id in range(3 * peer.slots):
        data = struct.pack("<I", request_id)
        assert peer.ask(peer.frame(data, request_id)) == (0, request_id, 0, peer.expected(data))


def test_s11_bursts_of_all_slots(peer):
    for burst in range(5):
        for request_id in range(peer.slots):
            function = function_id("unheard_of") if request_id % 4 == 3 else None
            peer.send(peer.frame(bytes([request_id]), request_id, burst, function=function))
        answers = sorted(peer.receive() for _ in range(peer.slots))
        expected = [
            (UNKNOWN, k, burst, b"") if k % 4 == 3 else (0, k, burst, peer.expected(bytes([k])))
            for k in range(peer.slots)
        ]
        assert answers == sorted(expected)


def test_s12_an_answer_is_as_long_as_a_slot(peer):
    """The longest request that is taken says how long that is; receive() demands it of every answer, here and above."""
    longest = peer.slot - 24 - len(peer.key)
    assert peer.ask(peer.frame(bytes(longest), 1))[0] == 0
    peer.send(peer.frame(bytes(longest + 1), 2))  # ignored (S9)
    peer.serves(3)


def test_s12_without_a_session_a_slot_is_nvidias(ledger):
    with ServiceProcess(*ledger, "--transports", "udp") as idle:
        echo = function_id("photonlink_echo")
        with Peer(int(idle.udp.split(":")[1]), slot=256, slots=0, key=bytes(8), function=echo) as peer:
            assert peer.ask(peer.frame(b"abc", 12, TIME)) == (NOT_SERVING, 12, TIME, b"")


def test_s13_a_status_travels_without_a_payload(service, caplog):
    for code in (77, 2**31 - 1):
        request = service.frame(struct.pack("<i", code), 13, TIME, function=function_id("refuse"))
        assert service.ask(request) == (code, 13, TIME, b"")
    caplog.set_level(logging.CRITICAL)
    assert service.ask(service.frame(b"", 14, TIME, function=function_id("fail"))) == (1, 14, TIME, b"")


def test_s13_a_status_of_the_controller_travels_without_a_payload(controller):
    request = infer(controller, [0.1, 0.2, float("nan"), 0.4, 0.5, 0.6], 0x1300)
    assert controller.ask(request) == (INVALID_PHASE, 0x1300, 0, b"")
    stranger = controller.frame(b"abc", 13, TIME).replace(controller.key, b"\1" * 8)
    assert controller.ask(stranger) == (BAD_KEY, 13, TIME, b"")


def test_s14_counts_of_the_service(service, plain):
    for request_id in range(5):
        service.serves(request_id)
    service.ask(service.frame(function=function_id("unheard_of")))
    service.send(b"not a frame")
    service.serves(5)
    assert (plain.counters.executed, plain.counters.refused, plain.counters.dropped) == (6, 1, 1)


def test_s14_counts_of_the_controller(controller, shared, grant):
    before, tokens = counts(shared), usage_of(shared.target, grant["session"])["tokens"]
    for request_id in range(5):
        controller.serves(request_id)
    controller.ask(controller.frame(function=function_id("unheard_of")))
    controller.send(b"not a frame")
    for request_id in range(0x1400, 0x1403):
        assert controller.ask(infer(controller, [0.5] * 6, request_id))[0] == 0
    after = counts(shared)
    assert {outcome: after[outcome] - before[outcome] for outcome in after} == {
        "received": 10,
        "dropped": 1,
        "refused": 1,
        "repeated": 0,
    }
    assert usage_of(shared.target, grant["session"])["tokens"] == tokens + 3


def test_s15_a_duplicate_without_a_key_is_executed_twice(service, plain):
    """The wire has no duplicate suppression, and this service adds none."""
    for _ in range(2):
        assert service.ask(service.frame(b"twice", 15)) == (0, 15, 0, b"uxjdf")
    assert plain.calls == [b"twice", b"twice"]


def test_s15_a_duplicate_with_a_key_is_executed_once_and_answered_twice(controller, shared, grant):
    tokens, repeated = usage_of(shared.target, grant["session"])["tokens"], counts(shared)["repeated"]
    request = infer(controller, [0.25] * 6, 0x1500)
    first, again = controller.ask(request), controller.ask(request)
    assert first == again
    assert np.frombuffer(first[3]).sum() == pytest.approx(1.0, abs=1e-12)
    assert usage_of(shared.target, grant["session"])["tokens"] == tokens + 1
    assert counts(shared)["repeated"] == repeated + 1
    # What executes no datapoint has no identity: every echo is one, and every stranger hears every time.
    assert [controller.ask(controller.frame(b"abc", 15))[0] for _ in range(2)] == [0, 0]
    stranger = controller.frame(b"abc", 15).replace(controller.key, b"\1" * 8)
    assert [controller.ask(stranger)[0] for _ in range(2)] == [BAD_KEY, BAD_KEY]


# ---- clients

ADD = "addThem(i32, i32) -> i32"
TIMEOUT, RESPONSE_TOO_LARGE, REMOTE_ERROR = 4, 5, 6  # of CUDA-Q's own runtime


def connected(script, **options):
    return Client(script.address, **{"slot_bytes": SLOT, "timeout": 10, **options})


@pytest.mark.parametrize(("text", "arguments", "payload"), COMPILED)
def test_c1_payloads_of_the_compiler_byte_for_byte_with_holes_of_zeros(text, arguments, payload):
    with Script(nothing) as script, connected(script, slot_bytes=256) as client:
        call = client.function(text).submit(*arguments)
        script.finish()
        call.abandon()
    assert Signature.parse(text).encode_arguments(*arguments) == hexed(payload)
    (datagram,) = script.requests
    assert datagram[24:] == hexed(payload).ljust(256 - 24, b"\0")


def test_c2_answers_out_of_order_and_late_ones_find_their_calls():
    held = []

    def hold(request):
        held.append(request)
        return []

    def release(request):
        held.append(request)
        return [answer(one, 10 * one.request_id) for one in reversed(held)]

    with Script(hold, hold, hold, release) as script, connected(script) as client:
        calls = [client.function(ADD).submit(0, 0) for _ in range(3)]
        with pytest.raises(LinkTimeout):
            calls[0].result(timeout=0.02)  # it may be asked for again
        calls.append(client.function(ADD).submit(0, 0))
        assert [call.result() for call in calls] == [10, 20, 30, 40]
        assert calls[0].result() == 10  # again
        assert client.counters == ClientCounters(sent=4, answered=4)


def test_c3_stale_answers_of_an_abandoned_id_are_ignored():
    first = []

    def late(request):
        first.append(request)
        return []

    def second(request):
        foreign = answer(request, 6, request_id=999)
        return [answer(first[0], 1), foreign, answer(request, 2), answer(request, 3)]

    with Script(late, second, say(4)) as script, connected(script) as client:
        call = client.function(ADD)
        with pytest.raises(LinkTimeout):
            call(0, 0, timeout=0.05)
        assert call(0, 0) == 2
        assert call(0, 0) == 4
        assert client.counters == ClientCounters(sent=3, answered=2, stale=3)


def test_c4_no_answer_is_a_timeout():
    with Script(nothing) as script, connected(script) as client:
        with pytest.raises(LinkTimeout, match=r"addThem \(request 1\)") as timeout:
            client.function(ADD)(0, 0, timeout=0.05)
        assert timeout.value.request_id == 1
        assert timeout.value.elapsed >= 0.05
    with Script(nothing) as script, Kernel(script.port, seconds=0.05) as kernel:
        assert kernel.call("addThem", 8, 4) == TIMEOUT


def test_c5_a_result_that_is_too_large():
    def longer(*slots):
        return [lambda request, slot=slot: [answer(request, 1, slot=slot)] for slot in slots]

    with Script(*longer(SLOT + 1, 60_000), say(2)) as script, connected(script) as client:
        with pytest.raises(ProtocolError, match="sent 65 bytes into a slot of 64"):
            client.function(ADD)(0, 0)
        with pytest.raises(ProtocolError, match="slot_bytes=60000"):
            client.function(ADD)(0, 0)
        assert client.function(ADD)(0, 0) == 2

    def of_eight_bytes(request):
        return [answer(request, 1)[:8] + b"\x08\0\0\0" + answer(request, 1)[12:]]

    with Script(of_eight_bytes, of_eight_bytes) as script:
        with connected(script) as client, pytest.raises(ProtocolError, match="a payload of 8 bytes does not match"):
            client.function(ADD)(0, 0)
        with Kernel(script.port, seconds=10) as kernel:
            assert kernel.call("addThem", 8, 4) == RESPONSE_TOO_LARGE


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda frame: b"\0" + frame[1:], "magic"),
        (lambda frame: b"RQUC" + frame[4:], "the magic of a request"),
        (lambda frame: frame[:26], "announces 4 payload bytes and 2"),
        (lambda frame: frame[:8] + b"\xff\xff\xff\xff" + frame[12:], "announces 4294967295"),
    ],
)
def test_c6_a_response_with_a_wrong_magic_or_length_fails_its_call_and_no_other(spoil, complaint):
    def spoiled(request):
        return [spoil(answer(request, 1))]

    with Script(spoiled, say(2), spoiled) as script:
        with connected(script) as client:
            call = client.function(ADD)
            with pytest.raises(ProtocolError, match=complaint) as error:
                call(0, 0)
            assert error.value.request_id == 1
            assert error.value.target == script.address
            assert call(0, 0) == 2
            assert client.counters.malformed == 1
        with Kernel(script.port, seconds=10) as kernel:
            assert kernel.call("addThem", 8, 4) == REMOTE_ERROR


def test_c6_a_response_with_a_wrong_id_is_not_taken():
    def foreign(request):
        return [answer(request, 1, request_id=request.request_id + 1)]

    with Script(foreign) as script, connected(script) as client:
        with pytest.raises(LinkTimeout):
            client.function(ADD)(0, 0, timeout=0.05)
        assert client.counters.stale == 1
    strict = {"order": "strict"}
    with Script(foreign) as script, connected(script, **strict) as client, pytest.raises(ProtocolError, match="flight"):
        client.function(ADD)(0, 0)


@pytest.mark.parametrize("garbage", [b"\xee", b"\x53\x51\x55\x43", bytes(range(36))])
def test_c7_garbage_behind_an_answer_is_tolerated(garbage):
    def trailing(request):
        return [answer(request, 42, slot=28) + garbage]

    with Script(trailing) as script, connected(script) as client:
        assert client.function(ADD)(2, 40) == 42


def test_c8_what_fits_no_slot_or_schema_is_refused_before_anything_is_sent():
    with Script(say(1)) as script, connected(script) as client:
        with pytest.raises(ProgramError, match=r"a frame of 65 bytes does not fit a slot of 64"):
            client.function("f(i8[])")(np.zeros(33, np.int8))
        with pytest.raises(ProgramError, match="argument 1"):
            client.function(ADD)(0, 2**31)
        with pytest.raises(ProgramError, match="8 at most"):
            Signature.parse("f(i32, i32, i32, i32, i32, i32, i32, i32, i32)", encoding="A")
        assert client.counters.sent == 0
        assert client.function(ADD)(0, 0) == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a", 0xE40C292C),
        ("foobar", 0xBF9CF968),
        ("rpc_increment", 0x191B6322),
        ("addThem", 0x5A6C901E),
        ("enqueue_syndromes", 0x7ED8BE82),
        ("get_corrections", 0x882D5BA1),
        ("reset_decoder", 0x977A59CF),
        ("mock_decode", 0x6C45A6D6),
        ("enq", 0x778E8A21),
        ("getc", 0x83EB36DC),
        ("mix", 0xD78F5B61),
    ],
)
def test_c9_function_ids(name, expected):
    assert function_id(name) == expected
    assert Signature.parse(f"{name}()").function_id == expected


@pytest.mark.parametrize("name", ["é", "", "two words", "tab\t", "\x7f"])
def test_c10_names_that_hash_differently_elsewhere_are_refused(name):
    with pytest.raises(ProgramError, match="ASCII"):
        function_id(name)
