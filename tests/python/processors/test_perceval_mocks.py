"""Quandela's cloud as a processor, against the mock of the cloud that Perceval's own tests use.

That mock is in no package, only in Perceval's repository: ``PHOTONLINK_PERCEVAL_CHECKOUT`` names a checkout of it, of
the version that is installed (1.3 or later). It needs the library `responses`, which answers in place of the network.
The mock's jobs have one state from beginning to end and no counts for results: ``Cloud`` gives them several states, and
results of Perceval's.
"""

import copy
import importlib
import importlib.util
import itertools
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from cloud_double import platform_results
from perceval.runtime import RemoteJob
from perceval.serialization import serialize
from scipy.stats import chisquare

import photonlink as phl
from photonlink.errors import ProcessorError, SessionClosed
from photonlink.processors import QuandelaProcessor

VARIABLE = "PHOTONLINK_PERCEVAL_CHECKOUT"

if VARIABLE not in os.environ:
    pytest.skip(f"{VARIABLE} names no checkout of https://github.com/Quandela/Perceval", allow_module_level=True)

responses = importlib.import_module("responses")  # whoever names a checkout means it: nothing is skipped from here on
PLACE = Path(os.environ[VARIABLE], "tests/providers/quandela/_mock_rpc_handler.py")
NAME, URL, TOKEN = "sim:test", "https://test", "token-of-the-mocked-cloud-0123456789"
FOREVER = 240.0


def load_mock():
    assert PLACE.exists(), f"{VARIABLE} is set, but there is no {PLACE}: it names no checkout of Perceval 1.3 or later"
    spec = importlib.util.spec_from_file_location("perceval_mock", PLACE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


mock = load_mock()
Status = mock.RunningStatus


class Cloud(mock.RPCHandlerResponsesBuilder):
    """The mock, with jobs that Perceval executes on this machine, and that take their time to do so."""

    def __init__(self, platform=mock.DEFAULT_PLATFORM_INFO, *, new_address=False, states=(), end=Status.SUCCESS):
        handler = mock.RPCHandler(NAME, URL, TOKEN)
        super().__init__(handler, copy.deepcopy(platform), end, use_new_platform_details_url=new_address)
        self.states = itertools.cycle(states or [end])  # the mock prepares four answers for every job
        self.created = threading.Event()

    def get_job_status_response_body_from_job_status(self, _):
        self.created.set()
        return super().get_job_status_response_body_from_job_status(next(self.states))

    def get_job_result_response_body_from_job_status(self, _):
        return {"results": json.dumps(serialize(platform_results(self.last_payload["payload"])))}


@pytest.fixture(autouse=True)
def _answers_instead_of_the_network(monkeypatch):
    monkeypatch.setattr(RemoteJob, "STATUS_REFRESH_DELAY", 0)
    with responses.mock:
        yield


@pytest.fixture(scope="module")
def one_photon():
    """The mocked platform has a source for the first mode alone."""
    program = phl.Program.layered(3, [1, 0, 0]).haar(seed=1).phases(["a", "b"]).haar(seed=2)
    return program.build(phl.Readout.probs("fock"))


def processor():
    return QuandelaProcessor(NAME, token=TOKEN, url=URL)


def asked():
    """Every request so far: its method and its path."""
    return [(call.request.method, call.request.url.removeprefix(URL)) for call in responses.calls]


def jobs(kind):
    return [path.rpartition("/")[2] for _, path in asked() if path.startswith(f"/api/job/{kind}/")]


@pytest.mark.parametrize(
    ("platform", "new_address", "input_state"),
    [(mock.DEFAULT_PLATFORM_INFO, False, [1, 0, 0, 0]), (mock.ARCHITECTURE_PLATFORM_INFO, True, [1, 0, 1, 0])],
    ids=["old-address", "new-address"],
)
def test_a_job_is_sent_watched_and_fetched(platform, new_address, input_state):
    Cloud(platform, new_address=new_address, states=(Status.WAITING, Status.RUNNING, Status.SUCCESS, Status.SUCCESS))
    program = phl.Program.layered(4, input_state).haar(seed=1).phases(["a", "b"]).haar(seed=2)
    program = program.build(phl.Readout.probs("unbunched"))
    x = np.array([[0.3, 1.2], [2.0, 0.7]])
    with phl.reserve(processor(), program, shots=5000) as session:
        y, info = session.infer(x, return_info=True)
        assert session.info.simulated
        assert session.usage.tokens == 2
    for row in range(2):
        assert info.counts[row].count.sum() == 5000
        assert chisquare(y[row] * 5000, program.simulate(x[row]) * 5000).pvalue > 1e-4
    first, second = dict.fromkeys(jobs("status"))
    assert jobs("status") == [first] * 3 + [second] * 3
    assert jobs("result") == [first, second]
    details = [path for _, path in asked() if path.startswith("/api/platform")]
    assert details == ["/api/platforms/sim%3Atest/processor", "/api/platform/sim%3Atest"][: 2 - new_address]
    assert {call.request.headers["Authorization"] for call in responses.calls} == {f"Bearer {TOKEN}"}


def test_results_of_the_mock_itself_are_no_counts(one_photon):
    mock.RPCHandlerResponsesBuilder(mock.RPCHandler(NAME, URL, TOKEN))
    with phl.reserve(processor(), one_photon, shots=10) as session, pytest.raises(ProcessorError, match="no counts"):
        session.infer(np.zeros(2))


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (Status.ERROR, "ended as ERROR: the cloud does not say why"),
        (Status.CANCELED, "ended as CANCELED: Cancel requested from web interface"),
    ],
)
def test_a_job_that_fails_says_why(one_photon, end, words):
    Cloud(end=end)
    with phl.reserve(processor(), one_photon, shots=10) as session, pytest.raises(ProcessorError, match=words):
        session.infer(np.zeros(2))
    assert not jobs("cancel")


def test_a_job_that_is_refused_fails_its_datapoint_alone(one_photon):
    cloud = Cloud(end=None, states=(Status.SUCCESS,))
    with phl.reserve(processor(), one_photon, shots=10) as session:
        with pytest.raises(ProcessorError, match="answered 400"):
            session.infer(np.zeros(2))
        cloud.set_default_job_status(Status.SUCCESS)
        session.infer(np.zeros(2))
        assert session.usage.tokens == 2
    assert asked().count(("POST", "/api/job")) == 2


def test_closing_the_session_cancels_the_job(one_photon, monkeypatch):
    monkeypatch.setattr(RemoteJob, "STATUS_REFRESH_DELAY", FOREVER)
    cloud = Cloud(end=Status.WAITING)
    session = phl.reserve(processor(), one_photon, shots=10)
    future = session.infer_async(np.zeros(2))
    assert cloud.created.wait(FOREVER)
    session.close()
    with pytest.raises((SessionClosed, ProcessorError)):
        future.result(FOREVER)
    assert len(jobs("cancel")) == 1
    assert responses.calls[-1].response.status_code == 200


@pytest.mark.parametrize(
    ("states", "words"),
    [([Status.WAITING] * 4, "answered 404"), ([Status.UNKNOWN] * 4, "given up|answered 404")],
    ids=["lost", "unknown"],
)
def test_a_job_that_the_cloud_says_nothing_of_is_cancelled(one_photon, states, words):
    Cloud(end=Status.WAITING, states=states)
    with phl.reserve(processor(), one_photon, shots=10) as session, pytest.raises(ProcessorError, match=words):
        session.infer(np.zeros(2))
    assert jobs("cancel") == jobs("status")[:1]
