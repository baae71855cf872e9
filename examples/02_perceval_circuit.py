"""A Perceval circuit over the link: Hong-Ou-Mandel interference behind an input-dependent phase."""

import numpy as np
import perceval as pcvl

import photonlink as phl

circuit = pcvl.Circuit(2) // pcvl.BS() // (0, pcvl.PS(pcvl.P("px0"))) // pcvl.BS()
program = phl.Program.from_perceval(
    circuit, input_state=[1, 1], input_parameters=["px"], readout=phl.Readout.probs(space="fock")
)
angles = np.linspace(0, np.pi, 7)[:, None]

with phl.reserve("sim", program) as session:
    probabilities, info = session.infer(angles, return_info=True)

print("keys:", program.output_keys, "| simulated:", info.simulated, "| clock:", info.clock)
for angle, row in zip(angles[:, 0], probabilities, strict=True):
    print(f"phase {angle:5.3f} rad:", np.round(row, 4))
