"""A service on a UDP port, asked over raw sockets, beyond what test_realtime_conformance.py asks of every server."""

import logging
import socket
import struct
import threading

import numpy as np
import pytest

from photonlink.errors import LinkTimeout, ProgramError, TargetUnavailable
from photonlink.realtime import (
    Client,
    MemoryTransport,
    Refusal,
    Request,
    Response,
    Service,
    function_id,
)

SLOT = 64
GOLDEN_REQUEST = bytes.fromhex("52515543 22631b19 03000000 07000000 8877665544332211 00ff41")
GOLDEN_RESPONSE = bytes.fromhex("53515543 00000000 03000000 07000000 8877665544332211 010042")


@pytest.fixture
def service():
    """Functions of all shapes, in slots of 64 bytes."""
    service = Service(slot_bytes=SLOT, encoding="A")

    @service.function("rpc_increment(u8[] data) -> u8[]")
    def increment(data):
        return data + np.uint8(1)

    @service.function("refuse(i32 code)")
    def refuse(code):
        raise Refusal(code)

    @service.function("fail()")
    def fail():
        raise ValueError("on purpose")

    @service.function("many(i32 count) -> u8[]")
    def many(count):
        return bytes(min(count, 1000))

    return service


@pytest.fixture
def server(service):
    with service.serve() as server:
        yield server


@pytest.fixture
def ask(server):
    """Sends a datagram over a socket and returns what comes back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
        raw.settimeout(5)
        raw.connect((server.host, server.port))

        def exchange(datagram, *, wait=True):
            raw.send(datagram)
            return raw.recv(65536) if wait else None

        yield exchange


def request(name, payload=b"", request_id=1, time=0):
    return Request(function_id(name), request_id, payload, time).encode()


def number(value):
    return struct.pack("<i", value)


def test_refusals_that_are_none_and_arguments_that_do_not_fit(ask, caplog):
    with caplog.at_level(logging.CRITICAL):
        assert Response.decode(ask(request("refuse", number(0)))) == Response(1, 1)
    assert Response.decode(ask(request("refuse", b"123"))) == Response(-2, 1)


def test_failures_are_logged_with_their_cause(ask, caplog):
    ask(request("fail"))
    assert "on purpose" in caplog.text
    assert "fail()" in caplog.text


def test_results_that_fit_no_slot(ask):
    assert Response.decode(ask(request("many", number(SLOT - 24)))).payload == bytes(SLOT - 24)
    assert Response.decode(ask(request("many", number(SLOT - 23)))) == Response(-4, 1)


def test_size_of_an_output_is_judged_before_the_function_runs():
    service, calls = Service(slot_bytes=SLOT), []

    @service.function("fill(out f64[] values)")
    def fill(count):
        calls.append(count)
        return np.ones(count)

    for count, status in ((5, 0), (6, -4), (2**64 - 1, -4)):
        answer = Response.decode(service.answer(request("fill", struct.pack("<Q", count))))
        assert answer.status == status
        assert len(answer.payload) == (40 if status == 0 else 0)
    assert calls == [5]


def test_bursts_are_answered_in_order_of_arrival(server):
    """Three times the slots of NVIDIA's default ring."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
        raw.settimeout(5)
        raw.connect((server.host, server.port))
        for request_id in range(24):
            name = "unheard_of" if request_id % 5 == 3 else "rpc_increment"
            raw.send(request(name, bytes([request_id]), request_id))
        answers = [Response.decode(raw.recv(65536)) for _ in range(24)]
    assert [answer.request_id for answer in answers] == list(range(24))
    assert [answer.status for answer in answers] == [-1 if k % 5 == 3 else 0 for k in range(24)]


def test_each_client_gets_its_own_answers(server):
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4)]
    for raw in sockets:
        raw.settimeout(5)
    for k, raw in enumerate(sockets):
        raw.sendto(request("rpc_increment", bytes([k]), 7), (server.host, server.port))
    for k, raw in enumerate(sockets):
        with raw:
            assert Response.decode(raw.recv(65536)).payload == bytes([k + 1])


def test_answer_may_be_held_to_the_size_of_its_request(service):
    """So that nobody on a network gets more bytes than they sent."""
    for size in range(27, SLOT + 1):
        answer = service.answer(GOLDEN_REQUEST.ljust(size, b"\0"), size)
        assert answer == GOLDEN_RESPONSE.ljust(size, b"\0")
    assert Response.decode(service.answer(request("many", number(40)), 28)) == Response(-4, 1)
    assert len(service.answer(request("unheard_of"), 24)) == 24


def test_beyond_loopback_no_answer_is_longer_than_its_request(service):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
        try:
            raw.connect(("192.0.2.1", 9))  # sends nothing; tells this machine's own address
        except OSError:
            pytest.skip("this machine has no other address than loopback")
        own = raw.getsockname()[0]
    with service.serve(own) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
        raw.settimeout(5)
        for size in (27, 50, SLOT):
            raw.sendto(GOLDEN_REQUEST.ljust(size, b"\0"), (server.host, server.port))
            assert raw.recv(65536) == GOLDEN_RESPONSE.ljust(size, b"\0")


def random_datagram(random, ids):
    """Often with a magic, a function and a length that get it past the first checks."""
    data = bytearray(random.bytes(random.integers(0, SLOT + 10)))
    if random.random() < 0.8:
        data[:8] = b"RQUC" + ids[random.integers(len(ids))]
    if random.random() < 0.6:
        data[8:12] = struct.pack("<I", random.integers(0, SLOT))
    return bytes(data)


def test_random_datagrams_never_stop_it(server, service, caplog):
    caplog.set_level(logging.CRITICAL)
    random = np.random.default_rng(6)
    ids = [struct.pack("<I", signature.function_id) for signature in service.functions]
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw,
        Client(server.address, slot_bytes=SLOT, encoding="A", timeout=60) as client,
    ):
        for _ in range(60):
            for _ in range(50):  # few enough for its socket, which may drop what it cannot hold
                raw.sendto(random_datagram(random, ids), (server.host, server.port))
            assert client.function("rpc_increment(u8[]) -> u8[]")(b"abc").tobytes() == b"bcd"
    counters = service.counters
    assert counters.executed + counters.refused + counters.dropped == 60 * 51


def test_counters_of_random_datagrams_are_whole(service):
    random = np.random.default_rng(7)
    answered = 0
    for _ in range(500):
        data = (b"RQUC" if random.random() < 0.7 else b"") + random.bytes(random.integers(0, SLOT))
        answered += service.answer(data) is not None
    counters = service.counters
    assert counters.executed + counters.refused == answered
    assert counters.dropped == 500 - answered


def test_closing_is_idempotent_and_frees_the_port(service):
    server = service.serve()
    server.close()
    server.close()
    with service.serve(port=server.port) as again:
        assert again.port == server.port


def test_close_waits_for_the_running_function_for_a_bounded_time():
    service, entered, leave = Service(), threading.Event(), threading.Event()

    @service.function
    def stay() -> bool:
        entered.set()
        return leave.wait(60)

    server = service.serve()
    with Client(server.address, timeout=60) as client:
        call = client.function(stay).submit()
        assert entered.wait(60)
        with pytest.raises(LinkTimeout, match="still runs"):
            server.close(timeout=0.05)
        leave.set()
        server.close()
        assert call.result() is True  # what was accepted is answered


def test_addresses_that_cannot_be_served(service, server):
    for host, port in (("127.0.0.1", server.port), ("203.0.113.1", 0), ("127.0.0.1", 65536), ("not a host", 0)):
        with pytest.raises(TargetUnavailable, match="cannot listen on"):
            service.serve(host, port)


def test_names_with_one_id_are_refused():
    service = Service()
    service.function("costarring()")(print)
    with pytest.raises(ProgramError, match="rename one"):
        service.function("liquid()")(print)  # the same FNV-1a hash
    with pytest.raises(ProgramError, match="no function"):
        service.function("f()")(5)


@pytest.mark.parametrize("slot_bytes", [23, 65508, 256.0, True])
def test_slots_of_impossible_size_are_refused(slot_bytes):
    with pytest.raises(ProgramError, match="slot_bytes"):
        Service(slot_bytes=slot_bytes)


def test_memory_answers_as_udp_does(service, server):
    datagrams = [GOLDEN_REQUEST, request("unheard_of"), request("many", number(50)), request("refuse", number(5))]
    memory = MemoryTransport(service)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
        raw.settimeout(5)
        raw.connect((server.host, server.port))
        for datagram in datagrams:
            memory.send(datagram)
            raw.send(datagram)
            assert memory.receive(0) == raw.recv(65536)
    memory.send(b"nothing")
    assert memory.receive(0) is None
