"""Writes fixtures/*.npz: programs, features, and what Perceval says of them. Run where Perceval is installed.

Machines with a GPU need not have Perceval; the tests there read these files.
"""

from pathlib import Path

import numpy as np
import perceval as pcvl
from perceval.backends import SLOSBackend

import photonlink as phl

FOLDER = Path(__file__).parent / "fixtures"
ROWS = 24


def circuit(modes: int, seed: int) -> pcvl.Circuit:
    """Random interferometer, one driven phase per mode, beam splitters with a driven angle, random interferometer."""
    pcvl.random_seed(seed)
    made = pcvl.Circuit(modes)
    made.add(0, pcvl.Unitary(pcvl.Matrix.random_unitary(modes)))
    parameters = [pcvl.P(f"px{k}") for k in range(modes)]
    for mode, parameter in enumerate(parameters):
        made.add(mode, pcvl.PS(0.7 * parameter + 0.2))
    for mode in range(0, modes - 1, 2):
        made.add(mode, pcvl.BS(theta=parameters[mode]))
    made.add(0, pcvl.Unitary(pcvl.Matrix.random_unitary(modes)))
    return made


def expected(made: pcvl.Circuit, state: list[int], program: phl.Program, row: np.ndarray) -> np.ndarray:
    """Perceval's probabilities of the program's outputs, renormalised over them."""
    values = dict(zip(program.features, row, strict=True))
    for parameter in made.get_parameters():
        parameter.set_value(values[parameter.name])
    backend = SLOSBackend()
    backend.set_circuit(made)
    backend.set_input_state(pcvl.BasicState(state))
    found = {tuple(output): probability for output, probability in backend.prob_distribution().items()}
    kept = np.array([found.get(key, 0.0) for key in program.output_keys])
    return kept / kept.sum()


def main() -> None:
    """One file per case."""
    FOLDER.mkdir(exist_ok=True)
    for name, state, space in [
        ("unbunched_6", [1, 0, 1, 0, 1, 0], "unbunched"),
        ("fock_5", [2, 0, 1, 0, 0], "fock"),
        ("dual_rail_6", [1, 0, 1, 0, 0, 1], "dual_rail"),
    ]:
        made = circuit(len(state), seed=len(name))
        program = phl.Program.from_perceval(made, state, ["px"], phl.Readout.probs(space=space))
        x = np.random.default_rng(len(name)).uniform(-3, 3, (ROWS, len(program.features)))
        np.savez_compressed(
            FOLDER / f"{name}.npz",
            program=np.frombuffer(program.to_bytes(), np.uint8),
            x=x,
            expected=np.stack([expected(made, state, program, row) for row in x]),
        )


if __name__ == "__main__":
    main()
