"""Light in time bins, delayed by one bin in each of two loops: one kernel, many settings of the second loop's phase.

Modes are time bins, as in time-bin boson samplers. In each bin a beam splitter lets light into a loop and out of it,
and what stays in the loop meets the light of the next bin. After two loops there are several ways to each bin, and they
interfere. The phase between them is a feature: the kernel becomes one program, which is configured once, and only
phases travel to the processor afterwards.
"""

import math

import cudaq
import numpy as np

import photonlink as phl
from photonlink.cudaq import fock
from photonlink.cudaq.fock import beam_splitter, create, feature, mz, phase_shift, qudit

BINS, PHOTONS, SPLIT = 6, 3, math.pi / 4


@cudaq.kernel
def loops(bins: int, photons: int, theta: float):
    light = [qudit(photons + 1) for _ in range(bins)]
    for time in range(photons):
        create(light[time])
    for time in range(bins - 1):  # light[time + 1] takes over what stays in the loop
        beam_splitter(light[time], light[time + 1], theta)
    for time in range(bins - 1):
        phase_shift(light[time], feature(0))
        beam_splitter(light[time], light[time + 1], theta)
    mz(light)


# Shot by shot, as any CUDA-Q kernel.
cudaq.set_target("photonlink-fock", strict=True)
cudaq.set_random_seed(2)
with fock.bound([0.0]):
    result = cudaq.sample(loops, BINS, PHOTONS, SPLIT, shots_count=2000)
print("simulated:", result.annotations["simulated"])
print("most frequent arrivals:", sorted(dict(result.items()).items(), key=lambda item: -item[1])[:4])
print(f"{result.annotations['method']}, {result.annotations['modelled_seconds']} s of quantum time (modelled)\n")

# Datapoint by datapoint: one program, one session.
program = fock.program(loops, BINS, PHOTONS, SPLIT, readout=phl.Readout.correlators(space="fock"))
phases = np.linspace(0, 2 * np.pi, 9)
with phl.reserve("sim", program, shots=2000, seed=3) as session:
    correlations = session.infer(phases[:, None])
    used = session.usage
    print(f"{used.tokens} phases, {used.quantum_seconds:.2f} s of quantum time (modelled)")

exact = program.simulate(phases[:, None])
print("\nphase   <n0 n1>  exact   <n1 n2>  exact")
pairs = [program.output_keys.index(pair) for pair in ((0, 1), (1, 2))]
for phase, sampled, true in zip(phases, correlations[:, pairs], exact[:, pairs], strict=True):
    print(f"{phase:5.2f}   {sampled[0]:7.3f}  {true[0]:5.3f}   {sampled[1]:7.3f}  {true[1]:5.3f}")
