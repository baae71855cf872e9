"""Which bits a sample shows, in which order, and in which basis: as on qpp-cpu."""

import cudaq
import pytest

pytestmark = pytest.mark.usefixtures("photonic")


@cudaq.kernel
def some():
    q = cudaq.qvector(3)
    x(q[0])
    mz(q[1])
    mz(q[0])


@cudaq.kernel
def named():
    q = cudaq.qvector(3)
    x(q[2])
    a = mz(q[1])  # noqa: F841  # its name is what is tested
    b = mz(q[2])  # noqa: F841


@cudaq.kernel
def two_registers():
    first = cudaq.qubit()
    q = cudaq.qvector(2)
    x(first)
    mz(q)
    mz(first)


@cudaq.kernel
def none():
    q = cudaq.qvector(2)
    r = cudaq.qubit()
    x(r)
    swap(q[0], r)


@cudaq.kernel
def bases():
    q = cudaq.qvector(2)
    h(q[0])
    rx(-1.5707963267948966, q[1])
    mx(q[0])
    my(q[1])


def _registers(result):
    return {name: dict(result.get_register_counts(name).items()) for name in result.register_names}


@pytest.mark.parametrize("kernel", [some, named, two_registers, none, bases], ids=lambda kernel: kernel.name)
def test_registers(kernel, compare):
    ours, theirs = compare(lambda: _registers(cudaq.sample(kernel, shots_count=50)))
    assert ours == theirs


def test_explicit_measurements(compare):
    ours, theirs = compare(lambda: dict(cudaq.sample(some, shots_count=50, explicit_measurements=True).items()))
    assert ours == theirs == {"01": 50}
