"""Tests of what photonlink adds to CUDA-Q. Without CUDA-Q every file here is skipped, and says so."""

import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import photonlink as phl

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # importing CUDA-Q 0.16 announces changes of its next release
    try:
        import cudaq
    except ImportError:
        cudaq = None


class _Skipped(pytest.Module):
    def collect(self):
        pytest.skip("CUDA-Q is not installed: pip install 'photonlink[cu13]' (or cu12)", allow_module_level=True)


def pytest_pycollect_makemodule(module_path, parent):
    return None if cudaq is not None else _Skipped.from_parent(parent, path=module_path)


@pytest.fixture(scope="session")
def warmed_up():
    """CUDA-Q's own threads start with its first launches and stay; a leak check must not see them start."""
    kernel = cudaq.make_kernel()
    kernel.h(kernel.qalloc(2))
    for name in ("qpp-cpu", "photonlink"):
        cudaq.set_target(name)
        cudaq.sample(kernel)
    cudaq.reset_target()


def held():
    """Threads and open files of this process. Only numbers: CUDA-Q replaces a thread of its own at every selection."""
    return {name: len(list(Path("/proc/self", name).iterdir())) for name in ("task", "fd")}


@pytest.fixture
def photonic(warmed_up):  # noqa: ARG001  # only has to have happened
    """The target is selected, with a fixed seed, and leaves nothing behind."""
    before = held()
    cudaq.set_target("photonlink")
    cudaq.set_random_seed(11)
    yield
    cudaq.reset_target()
    deadline = time.monotonic() + 60.0  # ended threads leave /proc a moment after they were joined
    while held() != before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert held() == before


@pytest.fixture(scope="module")
def program():
    """What device functions call: six features, six modes, two photons."""
    return phl.Program.reservoir(6, 2, features=6, seed=7, readout=phl.Readout.probs(space="unbunched"))


@pytest.fixture
def session(program):
    """A session of it, attached as device 0."""
    from photonlink.cudaq import device  # which needs CUDA-Q

    with phl.reserve("sim", program) as session, device.attach(session):
        yield session


@pytest.fixture
def compare():
    """``compare(function)``: what it returns on target photonlink, and on qpp-cpu."""

    def both(function):
        cudaq.set_target("photonlink")
        ours = function()
        cudaq.set_target("qpp-cpu")
        theirs = function()
        cudaq.set_target("photonlink")
        return ours, theirs

    return both


@pytest.fixture
def probabilities():
    """``probabilities(kernel, *arguments)`` on qpp-cpu: {bits: probability}, qubit 0 first."""

    def of(kernel, *arguments):
        cudaq.set_target("qpp-cpu")
        amplitudes = np.array(cudaq.get_state(kernel, *arguments))
        cudaq.set_target("photonlink")
        qubits = len(amplitudes).bit_length() - 1
        return {f"{place:0{qubits}b}"[::-1]: abs(one) ** 2 for place, one in enumerate(amplitudes)}

    return of
