"""Feed-forward: a kernel counts the photons that leave a mode and chooses what it does with its qubit accordingly.

Two photons meet in a Mach-Zehnder interferometer. The kernel asks for one shot; if both photons left through mode 0 it
flips its qubit, if none did it puts it into superposition, and if they left apart it leaves it alone. A callback, a
Python function that the kernel calls, keeps a record.
"""
# ruff: noqa: F821 - gates are words of CUDA-Q's kernel language

import math
from collections import Counter

import cudaq
import numpy as np

import photonlink as phl
from photonlink.cudaq import device

SHOTS = 200
seen: Counter[int] = Counter()


@device.callback
def note(photons: int) -> None:
    seen[photons] += 1


@device.bind
@cudaq.kernel
def steer(phase: float) -> bool:
    qubit = cudaq.qubit()
    device.photonic_sample([phase])
    photons = device.photonic_photons(0)
    note(photons)
    if photons == 2:
        x(qubit)
    if photons == 0:
        h(qubit)
    return mz(qubit)


splitter = np.array([[1, 1j], [1j, 1]]) / math.sqrt(2)
program = (
    phl.Program.layered(modes=2, input_state=[1, 1])
    .interferometer(splitter)
    .phases(features=["phase"], modes=[0])
    .interferometer(splitter)
    .build(readout=phl.Readout.samples(space="fock"))
)

with phl.reserve("sim", program, shots=1, seed=3) as session, device.attach(session):
    print("phase   both in mode 0   apart   both in mode 1   qubit is 1   expected")
    for step in range(5):
        phase = step * math.pi / 8
        seen.clear()
        ones = sum(cudaq.run(steer, phase, shots_count=SHOTS)) / SHOTS
        both, apart, none = (seen[photons] / SHOTS for photons in (2, 1, 0))
        together = math.sin(phase) ** 2 / 2  # of each pair: the photons bunch as the phase says
        expected = together + together / 2
        print(f"{phase:5.3f}   {both:14.3f}   {apart:5.3f}   {none:14.3f}   {ones:10.3f}   {expected:8.3f}")
        assert abs(ones - expected) < 5 * math.sqrt(0.25 / SHOTS)
    print(f"{session.usage.tokens} tokens, each one shot; simulated: {session.info.simulated}")
