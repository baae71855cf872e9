"""The qubit target on a controller service in another process."""

import cudaq
import pytest
from kernels import DEUTERON, deuteron, ghz

import photonlink as phl
from photonlink.qsc.launching import ServiceProcess


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    ledger = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    with ServiceProcess("--ledger", str(ledger), "--idle-timeout", "3") as running:
        yield running


@pytest.fixture(autouse=True)
def _reset():
    yield
    cudaq.reset_target()


def test_same_results_as_in_this_process(service):
    results = []
    for qsc in ("sim", service.target):
        cudaq.set_target("photonlink", qsc=qsc, seed=4)
        energy = cudaq.observe(deuteron, DEUTERON, 0.59)
        counts = cudaq.sample(ghz, 3, shots_count=300)
        assert counts.annotations["qsc"] == qsc
        results.append((energy.expectation(), dict(counts.items())))
    assert results[0] == results[1]


def test_the_processor_is_held_while_the_target_is_selected(service):
    cudaq.set_target("photonlink", qsc=service.target)
    program = phl.Program.reservoir(4, 2, features=4)
    cudaq.observe(deuteron, DEUTERON, 0.59)
    with pytest.raises(phl.errors.SessionBusy):
        phl.reserve(service.target, program)
    cudaq.set_target("qpp-cpu")
    phl.reserve(service.target, program).close()


def test_a_session_that_the_service_has_ended_is_reserved_again(service):
    cudaq.set_target("photonlink", qsc=service.target)
    before = cudaq.observe(deuteron, DEUTERON, 0.59).expectation()
    phl.reserve(service.target, phl.Program.reservoir(4, 2, features=4), wait=60).close()  # until it has been idle
    assert cudaq.observe(deuteron, DEUTERON, 0.59).expectation() == before
