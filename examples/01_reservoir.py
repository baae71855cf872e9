"""Photonic inference from NumPy: reserve a controller, send features, read observables."""

import numpy as np

import photonlink as phl

program = phl.Program.reservoir(modes=12, photons=3, features=12, seed=7, readout=phl.Readout.probs(space="unbunched"))
features = np.random.default_rng(0).uniform(0, np.pi, size=(5, 12))  # radians

with phl.reserve("sim", program, shots=1000, seed=0) as session:
    observables = session.infer(features)
    info, usage = session.info, session.usage

print(f"target {info.target!r}, simulated: {info.simulated}, processor {info.processor}, link {info.link}")
print(f"{usage.tokens} datapoints (tokens), {usage.kept_samples} kept samples")
print(
    f"on a chip: {usage.quantum_seconds:g} s (clock {info.clock!r}: modelled by preset {info.preset!r}, not waited for)"
)
print("observables:", observables.shape, "- probabilities, each row sums to", observables.sum(axis=1))
likeliest = observables[0].argmax()
print("likeliest state of the first row, photons per mode:", program.output_keys[likeliest], observables[0, likeliest])
