"""One text, every target: ``pytest tests/conformance --conformance-target NAME`` runs it on one of them."""

import pytest
from routes import ROUTES


def pytest_addoption(parser):
    parser.addoption("--conformance-target", action="append", help="run on this target only; may be repeated")


@pytest.fixture(autouse=True)
def _nothing_left_behind(request):
    """Every test: no thread, memory file or socket outlives it. But CUDA starts threads of its own when it likes."""
    params = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    if "route" not in params or not ROUTES[params["route"]].on_device:
        request.getfixturevalue("photonlink_leak_check")
