"""Several batches in flight: the classical code works while the processor does."""

import numpy as np

import photonlink as phl

program = phl.Program.reservoir(modes=10, photons=3, features=10, seed=1, readout=phl.Readout.mode_expectations())
batches = np.random.default_rng(2).uniform(0, np.pi, size=(8, 16, 10))

with phl.reserve("sim", program, shots=500, token_budget=200) as session:
    pending = [session.infer_async(batch) for batch in batches]
    means = [future.result(timeout=30).mean(axis=0) for future in pending]
    print(f"tokens used: {session.usage.tokens} of 200, simulated: {session.info.simulated}")

print("mean photon numbers per mode:", np.round(np.mean(means, axis=0), 3))
