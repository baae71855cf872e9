"""One session at a time: who gets the controller, in which order, and for how long."""

import asyncio
import json
import socket
import threading
import time

import pytest
from service_calls import FOREVER, end, post, raw

from photonlink.errors import (
    ProgramError,
    SessionBusy,
    SessionClosed,
)
from photonlink.qsc.client import ControlClient
from photonlink.qsc.launching import ServiceProcess


def test_busy_says_when_to_retry_and_leases_are_secret(shared, client, program):
    grant = post(client, program, max_duration=50)
    code, headers, body = raw(shared, "POST", "/v1/sessions", program.to_bytes())
    assert code == 409
    assert 1 <= int(headers["retry-after"]) <= 50
    assert json.loads(body)["error"]["type"] == "SessionBusy"
    path = f"/sessions/{grant['session']}"
    for lease in ("guess", "\x7f" * 32, grant["lease"][:-1] + "x"):
        with pytest.raises((SessionClosed, ProgramError)):
            client.call("DELETE", path, lease=lease)
        with pytest.raises((SessionClosed, ProgramError)):
            client.call("POST", f"{path}/renew", lease=lease)
    with pytest.raises(ProgramError, match="Lease"):
        client.call("DELETE", path)
    assert client.call("POST", f"{path}/renew", lease=grant["lease"]) is None
    assert client.call("GET", path)["end"] is None
    assert end(client, grant)["end"] == "released"
    assert end(client, grant)["end"] == "released"  # may be repeated
    with pytest.raises(SessionClosed, match="ended"):
        client.call("POST", f"{path}/renew", lease=grant["lease"])
    with pytest.raises(SessionClosed, match="never was"):
        client.call("GET", "/sessions/123456789")


def test_the_queue_is_served_in_order_of_arrival(client, program):
    grant = post(client, program)
    order, threads = [], []

    def wait_and_leave(number):
        mine = post(client, program, wait=FOREVER)
        order.append(number)
        end(client, mine)

    for number in range(5):
        threads.append(threading.Thread(target=wait_and_leave, args=(number,)))
        threads[-1].start()
        deadline = time.monotonic() + FOREVER
        while client.call("GET", "/status")["waiting"] != number + 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    end(client, grant)
    for thread in threads:
        thread.join(FOREVER)
    assert order == [0, 1, 2, 3, 4]


def test_a_wait_is_bounded_and_a_client_that_left_the_queue_is_forgotten(shared, client, program):
    grant = post(client, program)
    with pytest.raises(SessionBusy, match=r"0\.2 s"):
        post(client, program, wait=0.2)
    host, port = shared.target.removeprefix("qsc://").split(":")
    data = program.to_bytes()
    with socket.create_connection((host, int(port)), timeout=FOREVER) as leaver:
        head = f"POST /v1/sessions?wait=50 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
        leaver.sendall(head.encode() + data)
        deadline = time.monotonic() + FOREVER
        while client.call("GET", "/status")["waiting"] != 1:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    while client.call("GET", "/status")["waiting"] != 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    end(client, grant)
    end(client, post(client, program))


def test_a_full_queue_refuses(program, ledger):
    with ServiceProcess(*ledger, "--queue", "0") as service:
        client = ControlClient(service.target)
        grant = post(client, program)
        with pytest.raises(SessionBusy, match="places in its queue"):
            post(client, program, wait=5)
        end(client, grant)


def test_of_a_thousand_reservations_at_once_one_wins(shared, client, program):
    host, port = shared.target.removeprefix("qsc://").split(":")
    data = program.to_bytes()
    head = f"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(data)}\r\n\r\n"

    async def attempt(gate):
        reader, writer = await asyncio.open_connection(host, int(port))
        await gate.wait()
        writer.write(head.encode() + data)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    async def storm():
        gate = asyncio.Event()
        attempts = [asyncio.create_task(attempt(gate)) for _ in range(1000)]
        await asyncio.sleep(0.5)
        gate.set()
        return await asyncio.wait_for(asyncio.gather(*attempts), FOREVER)

    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        answers = asyncio.run(storm())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    codes = [int(answer.split()[1]) for answer in answers]
    assert sorted(set(codes)) == [201, 409]
    assert codes.count(201) == 1
    winner = json.loads(answers[codes.index(201)].split(b"\r\n\r\n", 1)[1])
    assert client.call("GET", "/status")["session"]["session"] == winner["session"]
    end(client, winner)


def test_a_session_that_nobody_connects_to_is_released(ledger, program):
    with ServiceProcess(*ledger, "--idle-timeout", "0.5") as service:
        client = ControlClient(service.target)
        grant = post(client, program)
        assert grant["idle_timeout"] == 0.5
        later = post(client, program, wait=FOREVER)
        assert later["session"] == grant["session"] + 1
        assert client.call("GET", f"/sessions/{grant['session']}")["end"] == "idle timeout"
        assert client.call("GET", "/status")["last_end"] == "idle timeout"
        end(client, later)
