"""Photonic inference from NumPy: reserve a controller, send features, read observables."""

import numpy as np

import photonlink as phl

program = phl.Program.reservoir(modes=12, photons=3, features=12, seed=7, readout=phl.Readout.probs(space="unbunched"))
features = np.random.default_rng(0).uniform(0, np.pi, size=(5, 12))  # radians

with phl.reserve("sim", program, shots=1000, seed=0) as session:
    observables = session.infer(features)
    print(session.info)
    print(session.usage)

print("observables:", observables.shape, "each row sums to", observables.sum(axis=1))
print("first keys:", program.output_keys[:3])
