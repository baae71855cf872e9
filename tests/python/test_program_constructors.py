"""Ways to make a program. Physics is in test_perceval_agreement."""

from __future__ import annotations

import numpy as np
import perceval as pcvl
import pytest

from photonlink.builder import haar_unitary
from photonlink.errors import ProcessorError, ProgramError
from photonlink.program import Program
from photonlink.readout import Readout


def test_haar_unitaries_are_unitary_to_the_last_bits_and_differ():
    for modes in (1, 2, 5, 24, 60):
        unitary = haar_unitary(modes, seed=modes)
        assert abs(unitary.conj().T @ unitary - np.eye(modes)).max() < 1e-14
    assert abs(haar_unitary(5, 1) - haar_unitary(5, 2)).max() > 0.1


def test_haar_unitaries_have_the_moments_of_the_haar_measure():
    """|U_ij|^2 has mean 1/m and variance (m-1)/(m^2(m+1)), the trace has mean 0 and mean square 1 (Diaconis)."""
    modes, draws = 4, 4000
    unitaries = np.array([haar_unitary(modes, seed) for seed in range(draws)])
    weights = abs(unitaries) ** 2
    expected_variance = (modes - 1) / (modes**2 * (modes + 1))
    assert abs(weights.mean(axis=0) - 1 / modes).max() < 5 * np.sqrt(expected_variance / draws)
    assert abs(weights.var(axis=0) / expected_variance - 1).max() < 0.2
    traces = np.trace(unitaries, axis1=1, axis2=2)
    assert abs(traces.mean()) < 5 / np.sqrt(draws)
    assert abs((abs(traces) ** 2).mean() - 1) < 5 / np.sqrt(draws)


def test_haar_is_the_unitary_factor_of_numpys_qr():
    real, imag = np.random.Generator(np.random.PCG64(9)).standard_normal((2, 7, 7))
    q, r = np.linalg.qr(real + 1j * imag)
    assert abs(haar_unitary(7, 9) - q * (np.diag(r) / abs(np.diag(r)))).max() < 1e-13


@pytest.mark.parametrize("bits", [1, 3, 8, 16, 32])
def test_converters_round_to_the_nearest_step(bits):
    """Against numpy: the phase that is nearest on the circle among the 2**bits multiples of a step."""
    x = np.random.default_rng(bits).uniform(-20, 20, size=(300, 3))
    step = 2 * np.pi / 2**bits
    phases = Program.reservoir(4, 2, 3, seed=1, scale=1.7, dac_bits=bits).encode(x)
    continuous = Program.reservoir(4, 2, 3, seed=1, scale=1.7).encode(x)
    np.testing.assert_allclose(phases, np.round(continuous / step) % 2**bits * step, rtol=0, atol=1e-12)
    assert (phases >= 0).all()
    assert (phases < 2 * np.pi).all()
    assert len(np.unique(phases)) <= 2**bits


def test_every_constructor_takes_a_resolution():
    circuit = pcvl.Circuit(2) // pcvl.BS() // (0, pcvl.PS(pcvl.P("px0"))) // pcvl.BS()
    rounded = Program.from_perceval(circuit, [1, 1], ["px"], dac_bits=2)
    assert rounded.encode([[1.0], [0.7]]).tolist() == [[np.pi / 2], [0.0]]
    built = Program.layered(2, [1, 0]).haar(1).phases(["a"]).haar(2).build(dac_bits=1)
    assert built.encode([[3.0], [1.5]]).tolist() == [[np.pi], [0.0]]


@pytest.mark.parametrize("bits", [-1, 33, 2.0, True, "8"])
def test_impossible_resolutions_are_refused(bits):
    with pytest.raises(ProgramError, match="dac_bits is"):
        Program.reservoir(4, 2, 3, dac_bits=bits)


def test_reservoir_is_u_phases_u():
    program = Program.reservoir(6, 3, 4, seed=5, scale=0.5)
    assert program.features == ("px1", "px2", "px3", "px4")
    assert program.layers == 1
    assert program.phases_per_datapoint == 4
    assert program.phase_modes.tolist() == [0, 1, 2, 3]
    assert (program.interferometers[0] == program.interferometers[1]).all()
    assert program.encode([1.0, 2.0, 3.0, 4.0]).tolist() == [[0.5, 1.0, 1.5, 2.0]]
    assert program.output_size == 20
    assert len(program.output_keys) == 20


def test_layers_may_repeat_features_and_share_modes():
    program = (
        Program.layered(4, [2, 0, 1, 0])
        .haar(1)
        .phases(["a", 3])
        .phases(["a"], modes=[0], scale=2.0, offset=1.0)
        .haar(2)
        .phases([3, "a"], modes=[1, 3], scale=[1.0, -1.0])
        .haar(3)
        .build(wrap=True)
    )
    assert program.features == ("a", "x3")
    assert program.layers == 2
    assert program.phase_layers.tolist() == [0, 0, 1, 1]
    assert program.phase_modes.tolist() == [0, 1, 1, 3]
    expected = [[(1 + 3 * 0.5) % (2 * np.pi), 7.0 % (2 * np.pi), 7.0 % (2 * np.pi), -0.5 % (2 * np.pi)]]
    assert np.allclose(program.encode([0.5, 7.0]), expected, rtol=0, atol=1e-15)


def test_phases_compose_with_interferometers_in_order():
    """One photon: the distribution is a column of the product of all layers, computed here with plain matrices."""
    u = [haar_unitary(4, seed) for seed in range(3)]
    program = (
        Program.layered(4, [0, 1, 0, 0])
        .interferometer(u[0])
        .phases(["a", "b"], modes=[3, 1])
        .interferometer(u[1])
        .phases(["b", "c"], modes=[0, 2])
        .interferometer(u[2])
        .build(Readout.probs("fock"))
    )
    a, b, c = 0.3, 1.9, -2.2
    first = np.diag(np.exp(1j * np.array([0, b, 0, a])))
    second = np.diag(np.exp(1j * np.array([b, 0, c, 0])))
    column = (u[2] @ second @ u[1] @ first @ u[0])[:, 1]
    assert abs(program.simulate([a, b, c]) - abs(column) ** 2).max() < 1e-14


def test_simulate_takes_one_or_many_datapoints_and_shots():
    program = Program.reservoir(5, 2, 3, seed=2)
    x = np.random.default_rng(0).uniform(0, 6, (7, 3))
    many = program.simulate(x)
    assert many.shape == (7, 10)
    assert program.simulate(x[4]).shape == (10,)
    assert program.simulate(x[4]).tobytes() == many[4].tobytes()
    sampled = program.simulate(x, shots=500, seed=3)
    assert np.allclose(sampled * 500, np.round(sampled * 500), atol=1e-9)
    assert (sampled == program.simulate(x, shots=500, seed=3)).all()
    assert (sampled != program.simulate(x, shots=500, seed=4)).any()
    alone = program.simulate(x[5], shots=500, seed=3, ids=[5])
    assert (alone == sampled[5]).all()


def test_a_datapoint_that_post_selection_discards_whole():
    """Two photons that leave together are never unbunched: exact results are zero, samples do not exist."""
    program = Program.layered(2, [2, 0]).phases(["a"]).build()
    assert program.simulate([0.3]).tolist() == [0.0]
    with pytest.raises(ProcessorError):
        program.simulate([0.3], shots=10)


def test_constant_programs_have_no_features():
    circuit = pcvl.Circuit(2).add(0, pcvl.BS())
    program = Program.from_perceval(circuit, [1, 1], [], Readout.probs("fock"))
    assert program.features == ()
    assert np.allclose(program.simulate(np.zeros((2, 0))), [[0.5, 0, 0.5]] * 2)
