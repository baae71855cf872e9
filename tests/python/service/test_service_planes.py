"""What the control plane has to do for a datapoint: nothing. Its requests are counted where they arrive, in its log."""

import re

import numpy as np
import pytest
from service_calls import FOREVER

import photonlink as phl
from photonlink.qsc.launching import ServiceProcess

ACCESS = re.compile(r'uvicorn\.access: \S* - "(\w+) /v1(/\w+)\S* HTTP/1\.1" (\d+)')


@pytest.fixture(scope="module")
def logging_service(tmp_path_factory):
    ledger = tmp_path_factory.mktemp("ledger") / "l.sqlite"
    with ServiceProcess("--ledger", str(ledger), "--log-level", "debug") as service:
        yield service


class Requests:
    """Those that arrived since this was made."""

    def __init__(self, service):
        self._service = service
        self._first = len(ACCESS.findall(service.said()))

    def __call__(self):
        return ACCESS.findall(self._service.said())[self._first :]


def names(requests):
    return [f"{method} {path}" for method, path, status in requests if status.startswith("20")]


@pytest.mark.parametrize("transport", ["shm", "udp"])
@pytest.mark.parametrize("datapoints", [0, 3, 3000])
def test_no_request_is_made_for_a_datapoint(logging_service, program, transport, datapoints):
    requests = Requests(logging_service)
    x = np.random.default_rng(datapoints).uniform(0, np.pi, size=(datapoints, 6))
    with phl.reserve(logging_service.target, program, shots=5, transport=transport) as session:
        before = requests()
        assert set(names(before)) == {"GET /status", "POST /sessions"}
        singles, futures, rest = np.split(x, [datapoints // 3, datapoints // 3 * 2])
        for row in singles:
            session.infer(row)
        for future in [session.infer_async(row) for row in futures]:
            future.result(FOREVER)
        if len(rest):
            session.infer(rest)
        assert requests() == before
    assert names(requests()[len(before) :]) == ["DELETE /sessions"]
    assert session.usage.tokens == datapoints


def test_every_request_is_counted(logging_service, program):
    with phl.reserve(logging_service.target, program) as session:
        requests = Requests(logging_service)
        for _ in range(3):
            assert session.usage.tokens == 0
        assert names(requests()) == ["GET /sessions"] * 3
