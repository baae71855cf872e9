"""What every test runs under: nothing may be left behind."""

import numpy as np
import pytest

import photonlink as phl

# Worker pools of libraries start at first use and stay: they must not count as left behind by a test.
_ = np.ones((64, 64)) @ np.ones((64, 64))


@pytest.fixture(autouse=True)
def _nothing_left_behind(photonlink_leak_check):
    """Every test: no thread, memory file or socket outlives it."""


@pytest.fixture(scope="session")
def program():
    """Six modes, two photons, 15 probabilities."""
    return phl.Program.reservoir(6, 2, features=6, seed=7, readout=phl.Readout.probs(space="unbunched"))


@pytest.fixture(scope="session")
def x():
    """40 datapoints for ``program``, radians."""
    return np.random.default_rng(3).uniform(0, np.pi, size=(40, 6))
