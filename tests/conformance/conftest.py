"""One text, every target: ``pytest tests/conformance --conformance-target NAME`` runs it on one of them."""

import pytest


def pytest_addoption(parser):
    parser.addoption("--conformance-target", action="append", help="run on this target only; may be repeated")


@pytest.fixture(autouse=True)
def _nothing_left_behind(photonlink_leak_check):
    """Every test: no thread, memory file or socket outlives it."""
