"""Everything here needs a GPU and the CUDA part of the package; elsewhere it is skipped with the reason.

Neither Perceval nor scikit-learn is needed.
"""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import photonlink as phl
from photonlink import _core
from photonlink._failures import Context
from photonlink.cuda._client import DeviceClient, Pace, Terms


def pytest_collection_modifyitems(items):
    usable, _, detail = phl.cuda.available()
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker("gpu")
            if not usable:
                item.add_marker(pytest.mark.skip(reason=detail))


def _torch():
    import torch

    return SimpleNamespace(
        name="torch",
        put=lambda host: torch.from_numpy(np.ascontiguousarray(host)).cuda(),
        get=lambda array: array.cpu().numpy(),
        statuses=lambda rows: torch.full((rows,), 99, dtype=torch.int32, device="cuda"),
        stream=torch.cuda.Stream,
        on=torch.cuda.stream,
        kind=torch.Tensor,
    )


def _cupy():
    import cupy

    return SimpleNamespace(
        name="cupy",
        put=cupy.asarray,
        get=lambda array: array.get(),
        statuses=lambda rows: cupy.full(rows, 99, cupy.uint32),
        stream=lambda: cupy.cuda.Stream(non_blocking=True),
        on=lambda stream: stream,
        kind=cupy.ndarray,
    )


@pytest.fixture(params=["torch", "cupy"])
def xp(request):
    """What the tests need of a framework, under one set of names."""
    _skip_without(request.param)
    return {"torch": _torch, "cupy": _cupy}[request.param]()


def _skip_without(framework):
    if importlib.util.find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")


@pytest.fixture
def torch():
    _skip_without("torch")
    import torch

    return torch


@pytest.fixture
def cupy():
    _skip_without("cupy")
    import cupy

    return cupy


@pytest.fixture(scope="session")
def program():
    """Six modes, three photons, 20 probabilities."""
    return phl.Program.reservoir(6, 3, features=6, seed=7, readout=phl.Readout.probs(space="unbunched"))


@pytest.fixture(scope="session")
def x():
    """200 datapoints for ``program``, radians."""
    return np.random.default_rng(3).uniform(0, np.pi, size=(200, 6))


@pytest.fixture
def remote():
    """Calls from a device through a session that another process offers: ``remote(address, program)``."""
    opened = []

    def connect(address, program, precision="float64", shots=0, modelled_seconds=0.0):
        session = _core.ShmSession(
            address,
            program.encoder,
            output_size=program.output_size,
            max_counts=shots,
            precision=precision,
            stall_limit=1.0,
        )
        client = DeviceClient(
            Terms(
                context=Context("shm", program.features, lambda: "the controller does not say"),
                output_size=program.output_size,
                precision=precision,
                pace=Pace(modelled_seconds, 1e-4, 30.0),
                timeout=None,
                open_port=lambda _slots: session.open_device_port(),
            )
        )
        opened.append(client)
        return client

    yield connect
    for client in opened:
        client.close()
