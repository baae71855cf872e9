"""Controller services to test against."""

import pytest

from photonlink.qsc.client import ControlClient
from photonlink.qsc.launching import ServiceProcess


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One service for the tests that leave it as they found it."""
    with ServiceProcess("--ledger", str(tmp_path_factory.mktemp("ledger") / "l.sqlite")) as service:
        yield service


@pytest.fixture
def client(shared):
    return ControlClient(shared.target)


@pytest.fixture
def ledger(tmp_path):
    return ["--ledger", str(tmp_path / "ledger.sqlite")]
