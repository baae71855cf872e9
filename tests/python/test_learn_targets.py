"""Kernels and reservoirs on a controller service are those of target "sim"."""

import numpy as np
import pytest

from photonlink.learn import KernelTransformer, PhotonicReservoir, StreamingReservoir
from photonlink.qsc.launching import ServiceProcess


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with ServiceProcess("--ledger", str(tmp_path_factory.mktemp("ledger") / "ledger.sqlite")) as process:
        yield process


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(4).uniform(0, 1, size=(20, 4))


@pytest.mark.parametrize("shots", [None, 100])
@pytest.mark.parametrize("estimator", [PhotonicReservoir(2), KernelTransformer()], ids=["reservoir", "kernel"])
def test_estimators_on_a_service(service, x, estimator, shots):
    expected = estimator.set_params(target="sim", shots=shots).fit_transform(x)
    there = estimator.set_params(target=service.target)
    with there:
        found = there.fit_transform(x)
        assert there.info.target == service.target
        assert there.usage.tokens == (20 if isinstance(there, PhotonicReservoir) else 190)
    np.testing.assert_array_equal(found, expected)


def test_a_stream_on_a_service(service, x):
    runs = []
    for target in ("sim", service.target):
        with StreamingReservoir.random(inputs=4, modes=6, photons=2, seed=1, target=target, shots=50) as reservoir:
            runs.append(reservoir.run(x))
    np.testing.assert_array_equal(*runs)
