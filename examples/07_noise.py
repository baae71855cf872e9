"""What a real source does to a photonic feature map: the same program, ideal and with the noise of a published chip."""

import numpy as np

import photonlink as phl

ideal = phl.Program.reservoir(modes=8, photons=3, features=8, seed=7, readout=phl.Readout.probs(space="fock"))
noise = phl.Noise.preset("ascella")  # every number with its source in phl.presets
noisy = ideal.replace(noise=noise, detectors="threshold")
print(noise)

x = np.random.default_rng(0).uniform(0, np.pi, size=(4, 8))  # features, radians
with phl.reserve("sim", noisy, shots=1000, preset="ascella") as session:
    y, info = session.infer(x, return_info=True)
    print("simulated by:", session.info.noise_method)
    print("an attempt of the sources is kept with probability", info.kept_fraction)
    print("so that 1000 samples take", info.quantum_seconds, "s (modelled)")

print("patterns of 3 to 6 clicks (g2 can add photons):", y.shape[1], "instead of", ideal.output_size, "states")

# Events with fewer photons come far more often, and say less.
for least in (1, 2, 3):
    program = noisy.replace(min_detected_photons=least)
    print(f"at least {least} clicks: {program.fit('ascella').kept_per_second:10.3g} kept samples per second (average)")

# How much interference is left: bunching is what distinguishable photons do less of.
for overlap in (1.0, noise.indistinguishability, 0.0):
    program = ideal.replace(noise=phl.Noise(indistinguishability=overlap))
    bunched = [key for key, state in enumerate(program.output_keys) if max(state) > 1]
    print(
        f"indistinguishability {overlap:.3f}: photons bunch with probability {program.simulate(x)[:, bunched].sum(1)}"
    )
