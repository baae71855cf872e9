"""A client in another process: the same results over shared memory, and bounded ends when either side dies."""

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

import photonlink as phl
from photonlink import _core

CLIENT = """
import sys
import numpy as np
import photonlink as phl
from photonlink import _core

address, program_path, x_path, out_path, shots, precision, stay = sys.argv[1:]
program = phl.Program.load(program_path)
x = np.load(x_path)
session = _core.ShmSession(address, program.encoder, output_size=program.output_size, max_counts=int(shots),
                           precision=precision, stall_limit=1.0)
out = np.empty((len(x), program.output_size), dtype=precision)
result = session.infer(x, out, _core.CallLimits(timeout=30.0))
np.save(out_path, out)
print(result.status.name, flush=True)
if stay == "stay":
    sys.stdin.readline()
    again = session.infer(x, out, _core.CallLimits(timeout=20.0))
    print(again.status.name, flush=True)
"""


@pytest.fixture
def served(tmp_path):
    """A session offered over shared memory; yields a way to start clients of it."""
    program = phl.Program.reservoir(modes=7, photons=3, features=7, seed=5, readout=phl.Readout.probs(space="fock"))
    x = np.random.default_rng(8).uniform(0, 6, size=(150, 7))
    program.save(tmp_path / "program.phl")
    np.save(tmp_path / "x.npy", x)
    address = f"@photonlink-test-{os.getpid()}-{time.monotonic_ns()}"
    processes = []

    def start(shots, precision, stay=False):
        name = tmp_path / f"out{len(processes)}.npy"
        arguments = [address, tmp_path / "program.phl", tmp_path / "x.npy", name, shots, precision]
        process = subprocess.Popen(
            [sys.executable, "-c", CLIENT, *map(str, arguments), "stay" if stay else "leave"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process, name

    with phl.Controller() as controller:
        yield SimpleNamespace(program=program, x=x, address=address, start=start, controller=controller)
        for process in processes:
            process.kill()
            process.communicate(timeout=60)


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("shots", [0, 300])
def test_results_equal_direct_simulation_bit_for_bit(served, shots, precision):
    options = {"shots": shots or None, "seed": 11, "precision": precision, "controller": served.controller}
    with phl.reserve("sim", served.program, **options) as session:
        service = _core.ShmService(session._core_session, served.address)
        process, out = served.start(shots, precision)
        output, _ = process.communicate(timeout=240)
        assert output.strip() == "OK"
        assert session.usage.tokens == len(served.x)
        service.close()
    # The first client of a service draws its datapoint ids from the first range behind the in-process one.
    ids = np.arange(len(served.x), dtype=np.uint64) + np.uint64(1 << 40)
    expected = served.program.simulate(served.x, precision=precision, shots=shots or None, seed=11, ids=ids)
    assert np.array_equal(np.load(out), expected)


def test_two_clients_at_once(served):
    with phl.reserve("sim", served.program, controller=served.controller) as session:
        service = _core.ShmService(session._core_session, served.address)
        clients = [served.start(0, "float64") for _ in range(2)]
        assert [process.communicate(timeout=240)[0].strip() for process, _ in clients] == ["OK", "OK"]
        service.close()
        assert session.usage.tokens == 2 * len(served.x)
    expected = served.program.simulate(served.x)
    assert all(np.array_equal(np.load(out), expected) for _, out in clients)


def test_release_ends_a_waiting_client(served):
    with phl.reserve("sim", served.program, controller=served.controller) as session:
        service = _core.ShmService(session._core_session, served.address)
        process, _ = served.start(0, "float64", stay=True)
        assert process.stdout.readline().strip() == "OK"
        service.close()
    output, _ = process.communicate("go on\n", timeout=240)
    assert output.strip() in {"CLOSED", "PEER_LOST"}


def test_a_killed_client_harms_nobody(served):
    with phl.reserve("sim", served.program, controller=served.controller) as session:
        service = _core.ShmService(session._core_session, served.address)
        process, _ = served.start(0, "float64", stay=True)
        assert process.stdout.readline().strip() == "OK"
        process.kill()
        process.wait(60)
        assert np.array_equal(session.infer(served.x[:3]), served.program.simulate(served.x[:3]))
        service.close()


def test_nobody_listens(served):
    with pytest.raises(phl.errors.PhotonLinkError, match=r"photonlink-test"):
        _core.ShmSession(
            served.address,
            served.program.encoder,
            output_size=1,
            max_counts=0,
            precision="float64",
            connect_timeout=0.3,
        )
