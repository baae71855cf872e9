"""Qubit kernels that several tests use."""

import cudaq
import numpy as np
from cudaq import spin


@cudaq.kernel
def bell():
    q = cudaq.qvector(2)
    h(q[0])
    x.ctrl(q[0], q[1])
    mz(q)


@cudaq.kernel
def ghz(count: int):
    q = cudaq.qvector(count)
    h(q[0])
    for i in range(count - 1):
        x.ctrl(q[i], q[i + 1])


@cudaq.kernel
def deuteron(theta: float):
    q = cudaq.qvector(2)
    x(q[0])
    ry(theta, q[1])
    x.ctrl(q[1], q[0])


DEUTERON = (
    5.907 - 2.1433 * spin.x(0) * spin.x(1) - 2.1433 * spin.y(0) * spin.y(1) + 0.21829 * spin.z(0) - 6.125 * spin.z(1)
)


def random_kernel(rng, qubits, entanglers):
    """A builder kernel: random rotations before, between and after `entanglers` CZ and CX gates."""
    kernel = cudaq.make_kernel()
    q = kernel.qalloc(qubits)

    def rotate():
        for k in range(qubits):
            kernel.ry(float(rng.uniform(0, 2 * np.pi)), q[k])
            kernel.rz(float(rng.uniform(0, 2 * np.pi)), q[k])

    for _ in range(entanglers):
        rotate()
        first, second = (int(k) for k in rng.choice(qubits, 2, replace=False))
        (kernel.cz if rng.random() < 0.5 else kernel.cx)(q[first], q[second])
    rotate()
    return kernel


def random_operator(rng, qubits, terms=5):
    """A sum of random Pauli products with random coefficients, the identity among them."""
    operator = float(rng.normal()) * spin.i(0)
    for _ in range(terms):
        product = float(rng.normal()) * spin.i(0)
        for k in range(qubits):
            product *= rng.choice([spin.i, spin.x, spin.y, spin.z])(k)
        operator += product
    return operator
