"""Amplitudes against Perceval's SLOS backend, and what is refused."""

import numpy as np
import perceval as pcvl
import pytest
from perceval.backends import SLOSBackend

import photonlink as phl
from photonlink.errors import ProgramError
from photonlink.unitary import haar_unitary

STATES = [[1, 0, 1, 0, 1], [2, 0, 1, 0], [1, 1, 0, 0, 1, 1], [0, 3]]


def circuit(modes, seed):
    """Random unitaries around one phase per mode, twice."""
    generator = np.random.default_rng(seed)
    built = pcvl.Circuit(modes)
    for layer in range(2):
        built.add(0, pcvl.Unitary(pcvl.Matrix(haar_unitary(modes, int(generator.integers(1000))))))
        for mode in range(modes):
            built.add(mode, pcvl.PS(pcvl.P(f"px{layer}_{mode}")))
    return built.add(0, pcvl.Unitary(pcvl.Matrix(haar_unitary(modes, int(generator.integers(1000))))))


def perceval_amplitudes(built, program, x, keys):
    for name, value in zip(program.features, x, strict=True):
        built.param(name).set_value(value)
    backend = SLOSBackend()
    backend.set_circuit(pcvl.Unitary(pcvl.Matrix(np.array(built.compute_unitary()))))
    backend.set_input_state(pcvl.BasicState(list(program.input_state)))
    return np.array([backend.prob_amplitude(pcvl.BasicState(list(key))) for key in keys])


@pytest.mark.parametrize("state", STATES, ids=str)
def test_amplitudes_are_those_of_perceval(state):
    built = circuit(len(state), seed=sum(state))
    program = phl.Program.from_perceval(built, state, ["px"], phl.Readout.probs(space="fock"))
    x = np.random.default_rng(2).uniform(-4, 4, size=(3, len(program.features)))
    found = phl.amplitudes(program, x)
    rounded = phl.amplitudes(program, x, precision="float32")
    assert (found.dtype, rounded.dtype) == (np.complex128, np.complex64)
    for row, values in zip(found, x, strict=True):
        expected = perceval_amplitudes(built, program, values, program.output_keys)
        np.testing.assert_allclose(row, expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(rounded, found, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(phl.amplitudes(program, x[1]), found[1])


@pytest.mark.parametrize("space", ["unbunched", "dual_rail"])
def test_smaller_spaces_hold_the_same_amplitudes_of_fewer_states(space):
    program = phl.Program.reservoir(6, 3, features=6, seed=4, readout=phl.Readout.probs(space=space))
    x = np.random.default_rng(5).uniform(0, 3, size=(4, 6))
    all_states = phl.Readout.probs("fock").output_keys(6, 3)
    columns = [all_states.index(key) for key in program.output_keys]
    found = phl.amplitudes(program, x)
    np.testing.assert_allclose(found, phl.amplitudes(program, x, space="fock")[:, columns], rtol=0, atol=1e-14)
    kept = (abs(found) ** 2).sum(1, keepdims=True)
    assert (kept < 0.9).all()  # not renormalised
    np.testing.assert_allclose(abs(found) ** 2 / kept, program.simulate(x), rtol=0, atol=1e-14)


def test_memory_is_bounded_and_the_message_says_how_many_rows_fit():
    program = phl.Program.reservoir(8, 4, features=8, seed=1)
    simulator = phl.AmplitudeSimulator(program, space="fock", threads=1)
    x = np.random.default_rng(0).uniform(0, 3, size=(40, 8))
    limit = simulator.memory_bytes + 16 * 330 * 12
    tight = phl.AmplitudeSimulator(program, space="fock", threads=1, memory_limit=limit)
    assert tight.rows == 12
    np.testing.assert_array_equal(tight(x[:12]), simulator(x)[:12])
    with pytest.raises(ProgramError, match="at most 12 datapoints"):
        tight(x[:13])
    least = phl.AmplitudeSimulator.predict_bytes(program, space="fock")
    assert phl.AmplitudeSimulator(program, space="fock", memory_limit=least).memory_bytes <= least
    with pytest.raises(ProgramError, match=rf"need {least} bytes .* but the limit is {least - 1} bytes"):
        phl.AmplitudeSimulator(program, space="fock", memory_limit=least - 1)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_leave_every_bit_alone(threads):
    program = phl.Program.reservoir(8, 4, features=8, seed=1)
    x = np.random.default_rng(0).uniform(0, 3, size=(300, 8))
    np.testing.assert_array_equal(
        phl.amplitudes(program, x, threads=threads), phl.amplitudes(program, x, threads=1, memory_limit=1 << 26)
    )


def test_refusals():
    program = phl.Program.reservoir(4, 2, features=4)
    x = np.zeros((1, 4))
    for other, words in [
        (program.replace(noise=phl.Noise(indistinguishability=0.9)), "no pure output state"),
        (program.replace(detectors="threshold"), "no pure output state"),
        (program.replace(interference=False), "no amplitudes"),
    ]:
        with pytest.raises(ProgramError, match=words):
            phl.amplitudes(other, x)
    with pytest.raises(ProgramError, match="expected datapoints of 4 features"):
        phl.amplitudes(program, np.zeros((1, 3)))
    with pytest.raises(ProgramError, match="is nan"):
        phl.amplitudes(program, np.full((1, 4), np.nan))
    with pytest.raises(ProgramError, match="precision"):
        phl.amplitudes(program, x, precision="float16")
    with pytest.raises(ProgramError, match=r"expected a photonlink\.Program"):
        phl.amplitudes("program", x)
