"""Hong-Ou-Mandel interference in CUDA-Q's photonic language: two photons that meet in a beam splitter leave together.

The kernel also runs on CUDA-Q's own simulator of photonic kernels, unchanged, and the counts are compared.
"""

import math

import cudaq

# Both targets would put these words into the module by themselves; importing them pleases linters.
from photonlink.cudaq.fock import beam_splitter, create, mz, qudit

SHOTS = 10_000


@cudaq.kernel
def two_photons(theta: float):
    q = [qudit(3) for _ in range(2)]  # level 3: up to two photons in a mode
    create(q[0])
    create(q[1])
    beam_splitter(q[0], q[1], theta)
    mz(q)


def coincidences(target: str) -> list[float]:
    """Share of shots with one photon in each mode, for transmittances from 1 to 0."""
    cudaq.set_target(target)
    cudaq.set_random_seed(1)
    results = [cudaq.sample(two_photons, step * math.pi / 16, shots_count=SHOTS) for step in range(9)]
    if target == "photonlink-fock":
        said = results[-1].annotations
        print(
            f"{said['method']}, {said['photons']} photons in {said['modes']} modes, {said['modelled_seconds']:.3f} s "
            f"of quantum time per angle (clock {said['clock']!r}, simulated: {said['simulated']})\n"
        )
    return [result.count("11") / SHOTS for result in results]


ours, theirs = coincidences("photonlink-fock"), coincidences("orca-photonics")
print("transmittance  photonlink-fock  orca-photonics  cos^2(2 theta)")
for step, (here, there) in enumerate(zip(ours, theirs, strict=True)):
    theta = step * math.pi / 16
    print(f"{math.cos(theta) ** 2:13.3f}  {here:15.3f}  {there:14.3f}  {math.cos(2 * theta) ** 2:14.3f}")
