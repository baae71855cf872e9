"""Variational ground state of the deuteron (Dumitrescu et al., PRL 120, 210501) on a photonic processor.

All kernels of one shape run in one session: the processor is configured once, and then only phases travel.
"""

import cudaq
from cudaq import spin
from scipy.optimize import minimize_scalar

import photonlink as phl

hamiltonian = (
    5.907 - 2.1433 * spin.x(0) * spin.x(1) - 2.1433 * spin.y(0) * spin.y(1) + 0.21829 * spin.z(0) - 6.125 * spin.z(1)
)


@cudaq.kernel
def ansatz(theta: float):
    q = cudaq.qvector(2)
    x(q[0])
    ry(theta, q[1])
    x.ctrl(q[1], q[0])


cudaq.set_target("photonlink")
found = minimize_scalar(
    lambda theta: cudaq.observe(ansatz, hamiltonian, float(theta)).expectation(), bounds=(0, 1.5), method="bounded"
)
print(f"exact: {found.fun:.4f} MeV at theta = {found.x:.4f} after {found.nfev} energies; known: -1.7488 MeV")

cudaq.set_random_seed(1)
result = cudaq.observe(ansatz, hamiltonian, float(found.x), shots_count=20_000)
facts = result.counts().annotations
print(f"from 20000 successful events in each of {facts['settings']} settings: {result.expectation():.4f} MeV")
print(f"    one attempt in {1 / facts['success_probability']:.1f} succeeds; {facts['modelled_seconds']:.2f} s modelled")

for overlap in (1.0, 0.95, 0.9):
    cudaq.set_target("photonlink", noise=phl.Noise(indistinguishability=overlap))
    energy = cudaq.observe(ansatz, hamiltonian, float(found.x)).expectation()
    print(f"with photons that are equal to {overlap:.0%}: {energy:.4f} MeV")

cudaq.reset_target()
