"""Tests of what photonlink adds to CUDA-Q. Without CUDA-Q every file here is skipped, and says so."""

import warnings

import numpy as np
import pytest

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


@pytest.fixture
def photonic(warmed_up, photonlink_leak_check):
    """The target is selected, with a fixed seed, and leaves nothing behind."""
    cudaq.set_target("photonlink")
    cudaq.set_random_seed(11)
    yield
    cudaq.reset_target()


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
