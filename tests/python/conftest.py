"""What every test runs under: nothing may be left behind."""

import os

import pytest
from tqdm import tqdm

import photonlink as phl

tqdm.monitor_interval = 0  # no thread that watches progress bars: it would stay
# Worker pools of libraries start at first use and stay; a leak check cannot tell them from a leak. So there are none:
# this is read when those libraries are imported, which photonlink itself does not do.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"


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
    import numpy as np

    return np.random.default_rng(3).uniform(0, np.pi, size=(40, 6))


@pytest.fixture
def exact_perceval():
    """Perceval keeps every event, however unlikely."""
    import perceval as pcvl

    before = pcvl.utils.global_params["min_p"]
    pcvl.utils.global_params["min_p"] = 1e-40
    yield
    pcvl.utils.global_params["min_p"] = before
