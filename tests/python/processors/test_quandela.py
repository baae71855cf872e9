"""Quandela's cloud as a processor, against a stand-in that speaks its protocol and lets Perceval find the results."""

import logging
import socket
import threading

import numpy as np
import perceval as pcvl
import pytest
from cloud_double import TOKEN, CloudDouble
from perceval.serialization import deserialize
from scipy.stats import chisquare

import photonlink as phl
from photonlink.errors import (
    LinkClosed,
    PhotonLinkError,
    ProcessorError,
    ProgramError,
    SessionClosed,
    TargetUnavailable,
    Unavailable,
)
from photonlink.processors import QuandelaProcessor

FOREVER = 240.0


@pytest.fixture
def cloud():
    with CloudDouble() as double:
        yield double


@pytest.fixture(autouse=True)
def _only_this_cloud(monkeypatch):
    monkeypatch.delenv("PCVL_CLOUD_TOKEN", raising=False)


def processor(cloud, platform="sim:double", **options):
    return QuandelaProcessor(platform, token=TOKEN, url=cloud.url, **options)


# ---- results


def test_a_datapoint_is_a_job(cloud, program, x):
    with phl.reserve(processor(cloud), program, shots=20_000) as session:
        y, info = session.infer(x[:2], return_info=True)
        assert session.info.target == session.info.processor == "quandela:sim:double"
        assert session.info.simulated
        assert session.usage.tokens == 2
    assert [(job["command"], job["max_samples"]) for job in cloud.jobs.values()] == [("sample_count", 20_000)] * 2
    for row in range(2):
        assert info.counts[row].count.sum() == 20_000
        exact = program.simulate(x[row])
        assert chisquare(y[row] * 20_000, exact * 20_000).pvalue > 1e-4


@pytest.mark.parametrize("command", ["samples", "probs"])
def test_platforms_that_offer_other_commands(program, x, command):
    with CloudDouble(available_commands=[command]) as cloud:
        with phl.reserve(processor(cloud), program, shots=20_000) as session:
            y, info = session.infer(x[0], return_info=True)
        assert [job["command"] for job in cloud.jobs.values()] == [command]
    assert info.counts[0].count.sum() == 20_000
    assert chisquare(y * 20_000, program.simulate(x[0]) * 20_000).pvalue > 1e-4


def test_the_platform_is_asked_once_what_it_is(cloud, program, x):
    mine = processor(cloud)
    with phl.reserve(mine, program, shots=10) as session:
        session.infer(x[:2])
    assert cloud.requests.count("details") == 1
    assert cloud.requests.count("create") == 2


def test_noise_of_the_platform_shows_and_detectors_only_click(cloud, x):
    cloud.noise = pcvl.NoiseModel(transmittance=0.5, indistinguishability=0.8)
    program = phl.Program.reservoir(5, 2, features=5, readout=phl.Readout.probs("fock"), detectors="threshold")
    program = program.replace(min_detected_photons=1, noise=phl.Noise(transmittance=0.5, indistinguishability=0.8))
    exact = program.simulate(x[0, :5])
    with phl.reserve(processor(cloud), program.replace(noise=None), shots=20_000) as session:
        y = session.infer(x[0, :5])
        assert session.program.output_keys == program.output_keys
    assert chisquare(y * 20_000, exact * 20_000).pvalue > 1e-4


def test_dual_rail_is_selected_on_the_platform(cloud):
    program = phl.Program.layered(4, [1, 0, 0, 1]).haar(seed=4).phases(["a"]).haar(seed=5)
    program = program.build(phl.Readout.probs("dual_rail"))
    with phl.reserve(processor(cloud), program, shots=5000) as session:
        y = session.infer(np.ones(1))
    assert len(cloud.jobs) == 1
    assert chisquare(y * 5000, program.simulate(np.ones(1)) * 5000).pvalue > 1e-4


def test_phases_of_every_datapoint_arrive(cloud, program, x):
    with phl.reserve(processor(cloud), program, shots=5) as session:
        session.infer(x[:3])
    for job, row in zip(cloud.jobs.values(), x[:3], strict=True):
        unitary = np.asarray(deserialize(job["experiment"]).unitary_circuit().compute_unitary())
        first, last = program.interferometers
        phases = np.zeros(6)
        phases[program.phase_modes] = program.encode(row)[0]
        np.testing.assert_allclose(unitary, last @ np.diag(np.exp(1j * phases)) @ first, atol=1e-9)


def test_more_events_than_asked_for_are_no_harm(cloud, program, x):
    cloud.surplus = 700
    with phl.reserve(processor(cloud), program, shots=300) as session:
        _, info = session.infer(x[0], return_info=True)
    assert info.counts[0].count.sum() == 300
    assert len(cloud.jobs) == 1


def test_missing_events_are_asked_for_again(cloud, program, x):
    keys = [pcvl.BasicState(list(key)) for key in program.output_keys]
    cloud.results = pcvl.BSCount({keys[0]: 40, keys[3]: 20, pcvl.BasicState([2, 0, 0, 0, 0, 0]): 5})
    with phl.reserve(processor(cloud), program, shots=120) as session:
        y, info = session.infer(x[0], return_info=True)
    assert [job["max_samples"] for job in cloud.jobs.values()][:2] == [120, 60]
    assert (info.counts[0].count.sum(), y[0] + y[3]) == (120, pytest.approx(1.0))


def test_the_target_by_name(cloud, program, x, monkeypatch):
    monkeypatch.setattr("photonlink.processors.cloud.default_url", lambda: cloud.url)
    with phl.reserve("quandela:sim:double", program, shots=10, token=TOKEN) as session:
        session.infer(x[0])
        assert session.info.clock == "none"
        assert session.usage.quantum_seconds is None
    monkeypatch.setenv("PCVL_CLOUD_TOKEN", TOKEN)
    with phl.reserve("quandela:qpu:double", program, shots=10) as session:
        session.infer(x[0])
    with pytest.raises(ProgramError, match="no exact results"):
        phl.reserve("quandela:sim:double", program)
    with pytest.raises(ProgramError, match="wait and token"):
        phl.reserve("perceval:slos", program, token=TOKEN)


# ---- what is refused before anything is sent


def test_without_a_token():
    with pytest.raises(TargetUnavailable, match="PCVL_CLOUD_TOKEN") as refused:
        QuandelaProcessor("sim:double")
    assert refused.value.reason is Unavailable.NO_TOKEN


def test_a_wrong_token_and_an_unknown_platform(cloud):
    with pytest.raises(TargetUnavailable, match="refuses the token") as refused:
        QuandelaProcessor("sim:double", token="another-token", url=cloud.url)
    assert refused.value.reason is Unavailable.NO_TOKEN
    with pytest.raises(TargetUnavailable, match="no platform") as refused:
        processor(cloud, "sim:nothing")
    assert refused.value.reason is Unavailable.UNKNOWN


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(TargetUnavailable, match="cannot be reached") as refused:
        QuandelaProcessor("sim:double", token=TOKEN, url=f"http://127.0.0.1:{port}", request_timeout=1.0)
    assert refused.value.reason is Unavailable.UNREACHABLE


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"{}", b'{"specs": 3}'])
def test_something_else_answers(cloud, answer):
    cloud.faults["details"] = [answer] * 3
    with pytest.raises(TargetUnavailable) as refused:
        processor(cloud)
    assert refused.value.reason in (Unavailable.UNSUPPORTED, Unavailable.UNREACHABLE, Unavailable.UNKNOWN)


@pytest.mark.parametrize(
    ("specs", "change", "words"),
    [
        ({"constraints": {"max_mode_count": 5}}, {}, "0 to 5 modes, and the program has 6"),
        ({"constraints": {"min_mode_count": 7}}, {}, "at least 7 modes"),
        ({"constraints": {"max_photon_count": 1}}, {}, "0 to 1 photons, and the program has 2"),
        ({"connected_input_modes": [0, 2]}, {}, "into modes"),
        ({"detector": "threshold"}, {"readout": phl.Readout.probs("fock")}, "threshold detectors"),
        ({}, {"noise": phl.Noise(transmittance=0.5)}, "imperfections of its own"),
        ({}, {"interference": False}, "imperfections of its own"),
    ],
)
def test_programs_that_the_platform_cannot_run(program, specs, change, words):
    with CloudDouble(kind="physical", **specs) as cloud:
        with pytest.raises(ProgramError, match=words):
            phl.reserve(processor(cloud), program.replace(**change), shots=10)
        assert not cloud.jobs


def test_two_photons_in_one_mode():
    program = phl.Program.layered(3, [2, 0, 0]).haar(seed=1).build()
    limits = {"support_multi_photon": False}
    with CloudDouble(constraints=limits) as cloud, pytest.raises(ProgramError, match="one photon per input mode"):
        phl.reserve(processor(cloud), program, shots=10)


def test_hardware_is_not_called_simulated(program, x):
    with (
        CloudDouble(kind="physical", detector="threshold", connected_input_modes=[0, 3]) as cloud,
        phl.reserve(processor(cloud, "qpu:double"), program, shots=10) as session,
    ):
        session.infer(x[0])
        assert not session.info.simulated


# ---- trouble on the way


def test_questions_are_repeated_when_the_cloud_stumbles(cloud, program, x):
    cloud.faults["details"] = [500, 502]
    cloud.faults["status"] = [503, "drop"]
    cloud.faults["result"] = [504]
    with phl.reserve(processor(cloud), program, shots=10) as session:
        session.infer(x[0])
    assert len(cloud.jobs) == 1


def test_a_job_that_was_refused_is_sent_again(cloud, program, x):
    cloud.faults["create"] = [429, 503]
    with phl.reserve(processor(cloud), program, shots=10) as session:
        session.infer(x[0])
    assert cloud.requests.count("create") == 3
    assert len(cloud.jobs) == 1


@pytest.mark.parametrize("answer", [b"", b'{"error": "no credits left"}'])
def test_a_job_that_is_refused_says_why(cloud, program, x, answer):
    cloud.faults["create"] = [(400, answer)]
    with phl.reserve(processor(cloud), program, shots=10) as session:
        with pytest.raises(ProcessorError, match="answered 400 Bad Request: " + answer.decode()):
            session.infer(x[0])
        session.infer(x[0])
    assert cloud.requests.count("create") == 2


@pytest.mark.parametrize("fault", [500, 502, "drop", "silence", b"", b"{}", b"[]", b"<html>", 400])
def test_a_job_that_may_have_been_taken_in_is_not_sent_twice(cloud, program, x, fault):
    cloud.faults["create"] = [fault]
    with phl.reserve(processor(cloud, request_timeout=3.0), program, shots=10) as session:
        with pytest.raises(ProcessorError, match="quandela:sim:double"):
            session.infer(x[0])
        assert cloud.requests.count("create") == 1
        session.infer(x[0])  # the session goes on
        assert session.usage.tokens == 2


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("status", b"[]"),
        ("status", b'{"status": 3}'),
        ("status", 404),
        ("result", b"{}"),
        ("result", b'{"results": "nonsense"}'),
        ("result", b'{"results": "{}"}'),
        ("result", b'{"results": "[1, 2]"}'),
        ("result", b"\xff\xfe"),
        ("result", 404),
    ],
)
def test_answers_that_are_none(cloud, program, x, what, answer):
    cloud.faults[what] = [answer] * 20
    with phl.reserve(processor(cloud), program, shots=10) as session, pytest.raises(ProcessorError):
        session.infer(x[0])
    assert cloud.cancelled == (["job-0"] if what == "status" else [])  # nobody knows that it does not run


@pytest.mark.parametrize(
    "results", ["text", {}, 7, pcvl.BSCount({pcvl.BasicState([1, 1]): 3}), pcvl.BSCount(), {"a": "b"}]
)
def test_results_that_are_none(cloud, program, x, results):
    cloud.results = results
    with phl.reserve(processor(cloud), program, shots=10) as session, pytest.raises(ProcessorError):
        session.infer(x[0])


def test_probabilities_are_not_taken_for_counts(cloud, program, x):
    cloud.results = pcvl.BSDistribution(pcvl.BasicState(list(program.output_keys[0])))  # with probability 1
    with (
        phl.reserve(processor(cloud), program, shots=10) as session,
        pytest.raises(ProcessorError, match="no counts, but BSDistribution"),
    ):
        session.infer(x[0])


@pytest.mark.parametrize("end", ["error", "canceled"])
def test_jobs_that_fail_say_why(cloud, program, x, end):
    cloud.end = end
    with (
        phl.reserve(processor(cloud), program, shots=10) as session,
        pytest.raises(ProcessorError, match="as told"),
    ):
        session.infer(x[0])


def test_a_slow_queue_is_waited_for(cloud, program, x):
    cloud.waits = 1
    with phl.reserve(processor(cloud), program, shots=10) as session:
        session.infer(x[0])
    assert cloud.looks["job-0"] == 2


def test_a_job_that_takes_too_long_is_cancelled(cloud, program, x):
    cloud.waits = None
    with (
        phl.reserve(processor(cloud, timeout=5), program, shots=10) as session,
        pytest.raises(LinkClosed, match="no answer within its limit"),
    ):
        session.infer(x[0])
    assert cloud.cancelled == ["job-0"]


def test_closing_the_session_cancels_the_job(cloud, program, x):
    cloud.waits = None
    session = phl.reserve(processor(cloud), program, shots=10)
    future = session.infer_async(x[0])
    assert cloud.created.wait(FOREVER)
    session.close()
    assert cloud.cancelled == ["job-0"]
    with pytest.raises((SessionClosed, ProcessorError)):
        future.result(FOREVER)


# ---- the token


def test_the_token_is_nowhere_to_be_seen(cloud, program, x, caplog):
    said = []
    pcvl.utils.logging.get_logger()
    with caplog.at_level(logging.DEBUG):
        mine = processor(cloud, request_timeout=3.0)
        said += [repr(mine), str(mine), repr(mine._handler), repr(vars(mine).get("name"))]
        cloud.faults["create"] = [500, b"{}", TOKEN.encode(), "silence"]
        with phl.reserve(mine, program, shots=10) as session:
            said.append(repr(session) + repr(session.info))
            for _ in range(4):
                with pytest.raises(PhotonLinkError) as failed:
                    session.infer(x[0])
                said.append(repr(failed.value))
    said.append(caplog.text)
    assert "quandela:sim:double" in said[0]
    assert not [text for text in said if TOKEN in text]


def test_no_thread_of_http_is_left(cloud, program, x):
    before = set(threading.enumerate())
    with phl.reserve(processor(cloud), program, shots=10) as session:
        session.infer(x[0])
    assert set(threading.enumerate()) - before <= {t for t in threading.enumerate() if "process_request" in t.name}
