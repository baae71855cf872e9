"""The client against a server that does, datagram by datagram, what a test says.

service/test_realtime_conformance.py has what NVIDIA's own tests imply for every client.
"""

import contextlib
import fcntl
import resource
import socket
import threading
import time

import numpy as np
import pytest

from photonlink.errors import LinkClosed, LinkTimeout, ProgramError, ProtocolError, ServiceError
from photonlink.realtime import QEC_FUNCTIONS, Client, ClientCounters, MemoryTransport, Request, Response, Service
from photonlink.realtime.transport import sent_within
from scripted_peer import Script, answer, nothing, say

SLOT = 64
ADD = "addThem(i32, i32) -> i32"


def connected(script, **options):
    options = {"slot_bytes": SLOT, "timeout": 5, **options}
    return Client(script.address, **options)


def test_requests_are_whole_zero_padded_slots():
    with Script(say(42)) as script, connected(script) as client:
        assert client.function(ADD)(2, 40) == 42
    golden = "52 51 55 43 1e 90 6c 5a 08 00 00 00 01 00 00 00 00 00 00 00 00 00 00 00 02 00 00 00 28 00 00 00"
    assert script.requests == [bytes.fromhex(golden).ljust(SLOT, b"\0")]


def test_requests_may_be_sent_short():
    with Script(say(42)) as script, connected(script, pad=False) as client:
        assert client.function(ADD)(2, 40) == 42
    assert len(script.requests[0]) == 32


def test_timestamps_are_sent_and_must_come_back():
    wrong = lambda request: [answer(request, 1, time=5), answer(request, 2)]  # noqa: E731
    with Script(wrong) as script, connected(script, timestamps=True) as client:
        before = time.time_ns()
        assert client.function(ADD)(0, 0) == 2
        assert before <= Request.decode(script.requests[0]).ptp_timestamp <= time.time_ns()
        assert client.counters.stale == 1


def test_a_late_answer_may_still_be_waited_for():
    gate = threading.Event()

    def slow(request):
        gate.wait(60)
        return [answer(request, 7)]

    with Script(slow) as script, connected(script) as client:
        call = client.function(ADD).submit(0, 0)
        with pytest.raises(LinkTimeout):
            call.result(timeout=0.02)
        assert not call.done()
        gate.set()
        assert call.result() == 7
        assert call.done()


@pytest.mark.parametrize("junk", [b"", b"x", bytes(23), bytes(64), b"\xff" * 60000])
def test_datagrams_that_name_no_call_are_dropped(junk):
    with Script(lambda request: [junk, answer(request, 5)]) as script, connected(script) as client:
        assert client.function(ADD)(0, 0) == 5
        assert client.counters.malformed == 1


@pytest.mark.parametrize(("payload", "bytes_"), [(b"", 0), (b"abc", 3), (b"abcde", 5)])
def test_results_of_the_wrong_size(payload, bytes_):
    wrong = lambda request: [Response(0, request.request_id, payload).encode()]  # noqa: E731
    with (
        Script(wrong) as script,
        connected(script) as client,
        pytest.raises(ProtocolError, match=f"a payload of {bytes_} bytes does not match addThem"),
    ):
        client.function(ADD)(0, 0)


def test_statuses_are_named_with_their_layer():
    def refuse(status):
        return lambda request: [answer(request, 1, status=status)]

    with Script(refuse(5), refuse(5), refuse(-1), refuse(-99)) as script, connected(script) as client:
        with pytest.raises(ServiceError, match=r"QEC decoder status 5 \(BUSY\)"):
            client.function(QEC_FUNCTIONS[2])(0)
        with pytest.raises(ServiceError, match=r"handler status 5$") as error:
            client.function(ADD)(0, 0)
        assert error.value.status == "handler status 5"
        with pytest.raises(ProtocolError, match=r"protocol status -1 \(unknown function\)"):
            client.function(ADD)(0, 0)
        with pytest.raises(ProtocolError, match="protocol status -99"):
            client.function(ADD)(0, 0)


def test_calls_in_flight_are_limited():
    with Script(nothing, nothing, lambda request: say(3)(request)) as script, connected(script, in_flight=2) as client:
        call = client.function(ADD)
        kept = [call.submit(0, 0) for _ in range(2)]
        with pytest.raises(LinkTimeout, match="in_flight="):
            call.submit(0, 0, timeout=0.02)
        kept.pop()  # a call that is dropped makes room
        assert call(0, 0) == 3


def test_an_answer_makes_room():
    with Script(*[say(1)] * 20) as script, connected(script, in_flight=1) as client:
        assert sum(call.result() for call in [client.function(ADD).submit(0, 0) for _ in range(20)]) == 20


def test_strict_order_takes_answers_in_order():
    with Script(*[say(1)] * 10) as script, connected(script, order="strict") as client:
        assert sum(call.result() for call in [client.function(ADD).submit(0, 0) for _ in range(10)]) == 10


def _out_of_order():
    held = []

    def hold(request):
        held.append(request)
        return []

    return hold, lambda request: [answer(request, 2), answer(held[0], 1)]


@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        (_out_of_order(), "before an earlier one"),
        ((nothing, lambda request: [answer(request, 1, request_id=77)]), "which is not in flight"),
        ((nothing, lambda _request: [b"junk"]), "a header has 24"),
    ],
)
def test_strict_order_fails_for_good_at_the_first_disorder(steps, complaint):
    with Script(*steps) as script, connected(script, order="strict") as client:
        call = client.function(ADD)
        calls = [call.submit(0, 0) for _ in range(2)]
        for pending in calls:
            with pytest.raises(ProtocolError, match=complaint):
                pending.result()
        with pytest.raises(LinkClosed, match="open a new client"):
            call(0, 0)


def test_strict_order_does_not_survive_a_lost_answer():
    with Script(nothing) as script, connected(script, order="strict") as client:
        with pytest.raises(LinkTimeout):
            client.function(ADD)(0, 0, timeout=0.02)
        with pytest.raises(LinkClosed, match="given up"):
            client.function(ADD)(0, 0)


def test_nobody_listens():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
        elsewhere.bind(("127.0.0.1", 0))  # so that nobody else gets this port
        elsewhere.connect(("127.0.0.1", 1))  # and for any other sender nobody listens there
        address = f"127.0.0.1:{elsewhere.getsockname()[1]}"
        with Client(address, timeout=60) as client, pytest.raises(LinkClosed, match="is the service running"):
            client.function(ADD)(0, 0)


def test_close_wakes_who_waits():
    with Script(nothing) as script:
        client = connected(script, timeout=20)
        call = client.function(ADD).submit(0, 0)
        timer = threading.Timer(0.1, client.close)
        timer.start()
        with pytest.raises(LinkClosed, match="is closed"):
            call.result()
        timer.join()
        client.close()
        with pytest.raises(LinkClosed, match="is closed"):
            client.function(ADD)(0, 0)


def test_threads_share_a_client():
    service = Service(slot_bytes=SLOT)
    service.function("addThem(i32, i32) -> i32")(lambda a, b: a + b)
    wrong = []

    def work(client, base):
        call = client.function(ADD)
        for k in range(100):
            pending = [call.submit(base, k), call.submit(k, base)]
            wrong.extend(one for one in pending if one.result() != base + k)

    with service.serve() as server, Client(server.address, slot_bytes=SLOT, timeout=20, in_flight=16) as client:
        threads = [threading.Thread(target=work, args=(client, 1000 * k)) for k in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not wrong
        assert client.counters == ClientCounters(sent=1200, answered=1200)


def test_random_loss_duplicates_and_order():
    """Every call gives its own result or a timeout."""
    random = np.random.default_rng(8)
    waiting = []

    def shuffle(request):
        waiting.extend([answer(request, request.request_id)] * random.choice([0, 1, 1, 1, 2]))
        random.shuffle(waiting)
        count = int(random.integers(0, len(waiting) + 1))
        ready, waiting[:] = waiting[:count], waiting[count:]
        return ready

    outcomes = []
    with Script(*[shuffle] * 60) as script, connected(script, in_flight=64) as client:
        calls = [client.function(ADD).submit(0, 0) for _ in range(60)]
        script.finish()  # what comes is there
        for call in calls:
            try:
                outcomes.append(call.result(timeout=0.01))
                assert outcomes[-1] == call.request_id
            except LinkTimeout:
                call.abandon()
    assert len(outcomes) > 20


def test_request_ids_wrap_and_skip_those_in_flight():
    service = Service()
    service.function("f()")(lambda: None)
    with Client(MemoryTransport(service), in_flight=4) as client:
        call = client.function("f()")
        kept = call.submit()
        client._exchange._next_id = 2**32 - 1
        assert [call.submit().request_id for _ in range(3)] == [2**32 - 1, 0, 2]
        assert kept.result() is None


def test_a_function_in_memory_may_call_through_its_own_client():
    service = Service()
    client = Client(MemoryTransport(service))
    factorial = client.function("factorial(i64 n) -> i64")

    @service.function(factorial.signature)
    def _(n):
        return n * factorial(n - 1) if n else 1

    with client:
        assert factorial(6) == 720


@pytest.fixture(params=[0, 1024], ids=["low", "high"])
def full(request):
    """A socket with a full send buffer whose descriptor is at least so high, and its other end."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] <= 1100:
        pytest.skip(f"at most {before[1]} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 1100), before[1]))
    end, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with end, other, socket.socket(fileno=fcntl.fcntl(end, fcntl.F_DUPFD, request.param)) as sender:
        sender.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                sender.send(b"fill")
        yield sender, other
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_full_socket_is_waited_for_whatever_its_descriptor(full):
    sender, other = full
    assert not sent_within(0.05, sender, lambda: sender.send(b"late"))
    other.setblocking(False)

    def drain():
        with contextlib.suppress(BlockingIOError):
            while True:
                other.recv(16)

    later = threading.Timer(0.05, drain)
    later.start()
    assert sent_within(10, sender, lambda: sender.send(b"late"))
    later.join()
    other.close()
    with pytest.raises(ConnectionRefusedError):
        sent_within(10, sender, lambda: sender.send(b"to nobody"))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:0", "127.0.0.1:x", ":5", "127.0.0.1:65536", ""])
def test_addresses_that_are_none(address):
    with pytest.raises(ProgramError, match="host:port"):
        Client(address)


def test_options_that_are_none():
    memory = MemoryTransport(Service())
    for options in ({"timeout": -1}, {"timeout": float("inf")}, {"in_flight": 0}, {"order": "some"}, {"timeout": "1"}):
        with pytest.raises(ProgramError, match=next(iter(options))):
            Client(memory, **options)
