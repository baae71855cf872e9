"""Sessions on a controller service over UDP: results, counts and ends as over shared memory."""

import signal
import socket
import struct

import numpy as np
import pytest
from service_calls import FOREVER, TOKEN, end, executed, idle, post, session_number, usage_of
from test_service_ends import freeze

import photonlink as phl
from photonlink.bench.network import BadNetwork
from photonlink.errors import (
    LinkClosed,
    LinkTimeout,
    ProgramError,
    ServiceError,
    SessionClosed,
    TargetUnavailable,
    Unavailable,
)
from photonlink.qsc import remote
from photonlink.qsc.client import ControlClient
from photonlink.qsc.config import ServiceConfig
from photonlink.qsc.launching import ServiceProcess
from photonlink.qsc.links import connect
from photonlink.qsc.opening import Wish


def over_udp(service, program, **options):
    return phl.reserve(service.target, program, transport="udp", **options)


# ---- the same as in process


def test_results_counts_and_reports_are_those_of_the_simulator(shared, program, x):
    with over_udp(shared, program, shots=37, seed=4, slots=8) as session:
        assert session.info.link == "UDP"
        y, info = session.infer(x, return_info=True)
        futures = [session.infer_async(x[:3]) for _ in range(5)]
        later = [future.result(FOREVER) for future in futures]
        assert session.echo_latency(50).shape == (50,)
    assert np.array_equal(y, program.simulate(x, shots=37, seed=4))
    for call, result in enumerate(later):
        ids = [40 + 3 * call + row for row in range(3)]
        assert np.array_equal(result, program.simulate(x[:3], shots=37, seed=4, ids=ids))
    assert info.standard_errors.shape == (40, 15)
    assert (session.usage.tokens, session.usage.shots) == (55, 55 * 37)


def test_exact_and_single_precision_results(shared, program, x):
    with over_udp(shared, program) as session:
        assert np.array_equal(session.infer(x), program.simulate(x))
    with over_udp(shared, program, precision="float32") as session:
        assert np.array_equal(session.infer(x), program.simulate(x, precision="float32"))


def test_results_larger_than_a_datagram_are_fetched(shared):
    program = phl.Program.reservoir(12, 5, features=12, seed=3, readout=phl.Readout.probs(space="fock"))
    x = np.random.default_rng(5).uniform(0, 6, (8, 12))
    assert program.output_size * 8 > 16_000
    with over_udp(shared, program, slots=3) as session:
        assert np.array_equal(session.infer(x), program.simulate(x))
        y, _ = session.infer(x, return_info=True)
        assert np.array_equal(y, program.simulate(x))
        assert session.usage.tokens == 16


def test_samples(shared, x):
    program = phl.Program.reservoir(6, 2, features=6, seed=7, readout=phl.Readout.samples(space="fock"))
    with over_udp(shared, program, shots=9, seed=2) as remote:
        samples = remote.infer(x[:4])
    with phl.reserve("sim", program, shots=9, seed=2) as local:
        assert np.array_equal(samples, local.infer(x[:4]))


# ---- a bad network


@pytest.mark.parametrize(
    "faults", [{"lost": 0.05}, {"lost": 0.2}, {"doubled": 0.2}, {"delayed": 0.2}, {"lost": 0.1, "doubled": 0.1}]
)
def test_every_datapoint_counts_once_over_a_bad_network(shared, program, faults):
    x = np.random.default_rng(1).uniform(0, 6, (300, 6))
    wish = Wish(shots=20, seed=3, slots=16, transport="udp")
    with BadNetwork(shared.udp, seed=11, **faults) as network:

        def through_it(grant, *program_and_host):
            there = {**grant, "transport": {**grant["transport"], "address": network.address}}
            return connect(there, *program_and_host, stall_limit=FOREVER)

        there = {"token": None, "asked": None, "timeout": None, "connector": through_it}
        with remote.reserve(shared.target, program, wish, **there) as session:
            y = session.infer(x, timeout=FOREVER)
        assert network.disturbed > 0
    assert np.array_equal(y, program.simulate(x, shots=20, seed=3))
    assert session.usage.tokens == 300


# ---- a client of another make


def test_a_client_without_this_package(shared, program):
    """Frames written from their description, sent with a socket of the standard library."""
    control = ControlClient(shared.target)
    grant = post(control, program, transport="udp")
    try:
        host, port = grant["transport"]["address"].split(":")
        key = int(grant["transport"]["key"], 16)
        phases = [0.5] * 6
        arguments = struct.pack("<QQ6dQ", key, len(phases), *phases, grant["output_size"])
        name = 0x811C9DC5
        for byte in b"photonlink_infer":
            name = (name ^ byte) * 0x01000193 % 2**32
        frame = struct.pack("<IIIIQ", 0x43555152, name, len(arguments), 0, 99) + arguments
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
            raw.settimeout(FOREVER)
            for _ in range(3):
                raw.sendto(frame, (host, int(port)))
                answer = raw.recv(65536)
                magic, status, length, identity, stamp = struct.unpack_from("<IiIIQ", answer)
                assert (magic, status, identity, stamp) == (0x43555153, 0, 0, 99)
                assert len(answer) == grant["transport"]["slot_bytes"]
                y = np.frombuffer(answer, np.float64, length // 8, offset=24)
                assert y.shape == (grant["output_size"],)
                assert y.sum() == pytest.approx(1.0, abs=1e-12)
        assert usage_of(shared.target, grant["session"])["tokens"] == 1
    finally:
        end(control, grant)


# ---- ends


def test_a_frozen_service_is_lost(ledger, program, x):
    with ServiceProcess(*ledger) as service, over_udp(service, program) as session:
        session.infer(x)
        freeze(service.process)
        try:
            with pytest.raises((LinkTimeout, LinkClosed)):
                session.infer(x, timeout=FOREVER)
        finally:
            service.process.send_signal(signal.SIGCONT)


def test_idle_budget_and_release(shared, program, x):
    with over_udp(shared, program, idle_timeout=2) as session:
        session.infer(x)
        idle(shared.target)
        with pytest.raises(SessionClosed, match="idle"):
            session.infer(x)
    with over_udp(shared, program, token_budget=5) as session:
        with pytest.raises(SessionClosed, match="budget"):
            session.infer(x)
        assert session.close().tokens == 5
    with pytest.raises(SessionClosed):
        session.infer(x)


def test_sigterm_finishes_what_was_accepted(ledger, program):
    rows = np.ones((10_000, 6)) * np.arange(10_000)[:, None]
    with ServiceProcess(*ledger) as service:
        session = over_udp(service, program, shots=10, clock="realtime", slots=4)
        number = session_number(session)
        future = session.infer_async(rows, timeout=FOREVER)
        executed(service.target, number, 5)
        assert service.stop() == 0
        ended = future.exception(FOREVER)
        assert isinstance(ended, (SessionClosed, LinkClosed))
        with pytest.raises(LinkClosed):
            session.close()
    with ServiceProcess(*ledger) as service:
        used = usage_of(service.target, number)
    assert used["end"] == "controller stopped"
    assert 0 < ended.row <= used["tokens"] <= ended.row + 4, "answers on their way are lost with the service"


# ---- which transport


def test_the_best_transport_that_leads_there_is_taken(shared, program, x, monkeypatch):
    with phl.reserve(shared.target, program) as session:
        assert session.info.link == "shared memory"
    monkeypatch.setattr("photonlink.qsc.protocol.user", lambda: 4_000_000)
    with phl.reserve(shared.target, program) as session:
        assert session.info.link == "UDP"
        assert np.array_equal(session.infer(x), program.simulate(x))


def test_transports_that_are_not_there_are_refused(shared, ledger, program):
    with pytest.raises(ProgramError, match="pigeon"):
        phl.reserve(shared.target, program, transport="pigeon")
    for only, other in (("udp", "shm"), ("shm", "udp")):
        with ServiceProcess(*ledger, "--transports", only) as service:
            assert (service.udp is not None) == (only == "udp")
            with pytest.raises(TargetUnavailable, match=f"{other}: it is not offered") as missing:
                phl.reserve(service.target, program, transport=other)
            assert missing.value.reason is Unavailable.UNSUPPORTED
            with pytest.raises(ProgramError, match="offers"):
                post(ControlClient(service.target), program, transport=other)
            with phl.reserve(service.target, program) as session:
                assert session.info.link == {"udp": "UDP", "shm": "shared memory"}[only]
    with pytest.raises(ProgramError, match="transport"):
        phl.reserve("sim", program, transport="udp")


def test_udp_beyond_loopback_has_tags(tmp_path):
    def config(**options):
        return ServiceConfig(ledger=tmp_path / "l.sqlite", **options)

    assert config(host="192.0.2.1", token=TOKEN).offered == ("shm", "udp")
    assert config(host="192.0.2.1", token=TOKEN).tagged
    assert not config().tagged
    assert config(udp_tags=True).tagged
    for host in ("fd00::2", "laboratory"):
        assert config(host=host, token=TOKEN).offered == ("shm",)
        with pytest.raises(ServiceError, match="IPv4 address in numbers"):
            config(host=host, token=TOKEN, transports=("shm", "udp"))
    assert config().offered == ("shm", "udp")
    assert [config(host=host).udp_host for host in ("127.0.0.2", "localhost", "::1")] == [
        "127.0.0.2",
        "127.0.0.1",
        "127.0.0.1",
    ]
    for options in ({"host": "fd00::2", "token": TOKEN}, {"transports": ("shm",)}):
        with pytest.raises(ServiceError, match="udp_port is 7118"):
            config(udp_port=7118, **options)
        with pytest.raises(ServiceError, match="udp_tags is True"):
            config(udp_tags=True, **options)
    for wrong in ((), ("tcp",), ("udp", "udp")):
        with pytest.raises(ServiceError, match="transport"):
            config(transports=wrong)


def test_a_taken_port_is_named(shared, ledger):
    port = shared.udp.split(":")[1]
    with pytest.raises(ServiceError, match=f"{port}.*--udp-port"):
        ServiceProcess(*ledger, "--udp-port", port)
