"""A session whose native part is a stand-in that writes down what it is told.

Kernels are tested in tests/cpp/device and tests/gpu.
"""

import sys
import types

import numpy as np
import pytest
from device_arrays import DlpackArray, place, stand_in
from simulator_double import simulating

import photonlink as phl
from photonlink.cuda import _part


@pytest.fixture(autouse=True)
def _forget_the_part():
    yield
    _part.part.cache_clear()


@pytest.fixture
def native(monkeypatch):
    return place(monkeypatch, stand_in())


@pytest.fixture
def session(native, program):
    assert native.links == []
    with phl.reserve("sim", program, slots=16) as opened:
        yield opened


@pytest.fixture
def double(monkeypatch):
    """A device whose simulator is that of the CPU."""
    return place(monkeypatch, simulating())


class _Context:
    def __init__(self, log, name):
        self._log, self._name = log, name

    def __enter__(self):
        self._log.append(self._name)
        return self

    def __exit__(self, *_):
        self._log.append(f"end of {self._name}")


@pytest.fixture
def cupy(monkeypatch):
    """A framework with a current stream 33, whose arrays are numpy's."""
    module = types.ModuleType("cupy")
    module.log, module.capturing = [], False
    stream = types.SimpleNamespace(ptr=33, is_capturing=lambda: module.capturing)
    module.cuda = types.SimpleNamespace(
        get_current_stream=lambda _device=0: stream,
        Device=lambda device=0: _Context(module.log, f"device {device}"),
        ExternalStream=lambda handle, device: _Context(module.log, f"stream {handle} of {device}"),
        Stream=types.SimpleNamespace(null=_Context(module.log, "null stream")),
    )

    class Array(DlpackArray):
        __module__ = "cupy._core"

    def empty(shape, dtype):
        module.log.append("empty")
        return Array(np.empty(shape, dtype))

    module.empty, module.Array = empty, Array
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module
