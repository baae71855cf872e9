"""The link's benchmarks at sizes that take no time: what they compare is what they say, and all of it is reported."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from photonlink import _core
from photonlink.bench import link, link_clock, link_service, link_udp
from photonlink.bench.pinning import pinned, two_cpus
from photonlink.cli import main
from photonlink.errors import ProgramError, ProtocolError, ServiceError
from photonlink.realtime import Response


def test_every_row_is_measured_and_compared_with_its_bare_limit():
    report = link.run(100)
    for kind in ("bare", "in_process", "cross_process", "udp_bare", "udp"):
        assert 0 < report[kind]["p50_ns"] <= report[kind]["p99_ns"] <= report[kind]["max_ns"]
    for kind, bare in (("in_process", "bare"), ("cross_process", "bare"), ("udp", "udp_bare")):
        assert report[kind]["ratio"] == report[kind]["p50_ns"] / report[bare]["p50_ns"]
    assert "ratio" not in report["udp_bare"]
    assert report["datagram_bytes"] > 24 + report["payload_bytes"]
    text = link.render(report)
    assert text.count("bare") == 3
    assert f"datagrams of {report['datagram_bytes']} bytes" in text


def test_an_answer_that_is_no_echo_is_not_measured():
    link_udp._require_echo(Response(0, 1, bytes(8) + link_udp.DATA).encode())
    for wrong in (Response(101, 1, b""), Response(0, 1, b"something else")):
        with pytest.raises(ProtocolError, match="not measured"):
            link_udp._require_echo(wrong.encode())


def test_the_bare_echo_sends_back_what_came():
    echo = _core.UdpEcho(64)
    try:
        round_trips, answer = _core.udp_ping_pong("127.0.0.1", echo.port, bytes(range(64)), 3)
    finally:
        echo.close()
        echo.close()
    assert round_trips.shape == (3,)
    assert answer == bytes(range(12)) + b"\3\0\0\0" + bytes(range(16, 64))


def test_threads_stay_where_they_are_put():
    before = os.sched_getaffinity(0)
    cpus = two_cpus()
    assert len(cpus) == (2 if len(before) > 1 else 0)
    with pinned({min(before)}):
        assert os.sched_getaffinity(0) == {min(before)}
    with pinned(set()):
        assert os.sched_getaffinity(0) == before
    assert os.sched_getaffinity(0) == before
    with pytest.raises(ProgramError, match="CPUs"), pinned({1023}):
        pass


def test_the_realtime_clock_never_ends_early(capsys):
    assert main(["bench", "link", "--clock", "--datapoints", "5", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["datapoints"] == 5
    assert report["below"] == 0
    assert report["modelled_s"] == pytest.approx(5 * 0.030)  # 20 ms for phases, 1000 samples at 100 kHz
    assert report["measured_s"] >= report["modelled_s"]
    assert report["excess"] == pytest.approx(report["measured_s"] / report["modelled_s"] - 1, abs=1e-9)
    assert 0 <= report["overhead_us"]["p50"] <= report["overhead_us"]["p99"] <= report["overhead_us"]["max"]
    assert "less than modelled: 0" in link_clock.render(report)


def test_the_clock_is_only_measured_on_the_simulators_results(monkeypatch):
    real = link_clock.reference

    def other(work):
        found = real(work)
        np.copyto(found.results, 0.0)
        return found

    monkeypatch.setattr(link_clock, "reference", other)
    with pytest.raises(Exception, match="not the simulator's"):
        link_clock.run(1)


def test_a_service_is_measured_beside_a_controller_alone():
    report = link_service.run(50, 200.0, turn_seconds=0.1)
    for kind in ("without", "idle", "polled"):
        assert 0 < report[kind]["p50_ns"] <= report[kind]["p99_ns"] <= report[kind]["max_ns"]
        assert report[kind]["rounds"] >= 50
    for kind in ("idle", "polled"):
        assert report[kind]["ratio"] == report[kind]["p50_ns"] / report["without"]["p50_ns"]
    assert "ratio" not in report["without"]
    assert 0 < report["polls_per_second"] <= 400  # one at once, and then as often as asked
    assert link_service.render(report).count("qsc serve") == 2
    for polls in (0.0, -1.0, 1e9, float("nan")):
        with pytest.raises(ProgramError, match="requests per second"):
            link_service.run(50, polls)


def test_a_control_plane_that_refuses_is_not_a_polled_one(capfd):
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            with (
                pytest.raises(ServiceError, match="status 501"),
                link_service._polling(f"127.0.0.1:{server.server_port}", 1000.0, []),
            ):
                pass
        finally:
            server.shutdown()
            serving.join()
    assert "GET /v1/" in capfd.readouterr().err


def test_options_belong_to_what_they_change(capsys):
    assert main(["bench", "link", "--polls", "5"]) == 1
    assert "--service" in capsys.readouterr().err
    for options in (["--datapoints", "5"], ["--dispatcher-cpus", "0"]):
        assert main(["bench", "link", *options]) == 1
        assert "--clock" in capsys.readouterr().err
