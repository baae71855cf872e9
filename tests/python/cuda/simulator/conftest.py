"""A session on "sim:cuda" around a stand-in for the simulator there."""

import pytest

import photonlink as phl


@pytest.fixture(autouse=True)
def _on_the_double(double):
    """Every test: the device is a stand-in."""


@pytest.fixture
def session(double, program):
    with phl.reserve("sim:cuda", program, shots=50, seed=5) as opened:
        yield opened
    assert double.simulators[0].closed
