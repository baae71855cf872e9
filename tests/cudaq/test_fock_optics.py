"""Photonic kernels against Perceval, and against closed forms."""

import math

import numpy as np
import perceval as pcvl
import pytest

import photonlink as phl
from photonlink.cudaq import fock
from photonlink.cudaq.fock import (
    beam_splitter,
    create,
    feature,
    interferometer,
    mz,
    phase_shift,
    plus,
    qudit,
)
from photonlink.errors import ProgramError
from photonlink.unitary import haar_unitary


def perceval_distribution(unitary, state):
    backend = pcvl.SLOSBackend()
    backend.set_circuit(pcvl.Unitary(pcvl.Matrix(unitary)))
    backend.set_input_state(pcvl.BasicState(state))
    return {"".join(map(str, key)): p for key, p in backend.prob_distribution().items()}


def assert_same(ours, theirs):
    for text in ours.keys() | theirs.keys():
        assert ours.get(text, 0.0) == pytest.approx(theirs.get(text, 0.0), abs=1e-10), text


@pytest.mark.parametrize("seed", range(6))
def test_interferometers_as_in_perceval(seed):
    rng = np.random.default_rng(seed)
    modes = int(rng.integers(2, 6))
    state = rng.integers(0, 3, size=modes)
    state[0] += 1
    unitary, order = haar_unitary(modes, seed), rng.permutation(modes)

    def kernel():
        q = [qudit(int(state.sum()) + 1) for _ in range(modes)]
        for mode, photons in enumerate(state):
            for _ in range(photons):
                create(q[mode])
        interferometer(unitary, [q[mode] for mode in order])
        mz(q)

    inverse = np.argsort(order)
    theirs = perceval_distribution(unitary[np.ix_(inverse, inverse)], state.tolist())
    assert_same(fock.distribution(kernel), theirs)
    squares = abs(fock.state(kernel)) ** 2  # beam splitters one by one, instead of SLOS
    assert_same({"".join(map(str, key)): p for key, p in np.ndenumerate(squares)}, theirs)


@pytest.mark.parametrize("seed", range(4))
def test_features_as_in_perceval(seed):
    rng = np.random.default_rng(seed)
    first, second = haar_unitary(4, seed), haar_unitary(4, 100 + seed)
    scale, offset = rng.normal(size=2)

    def kernel():
        q = [qudit(3) for _ in range(4)]
        create(q[0])
        create(q[2])
        interferometer(first, q)
        phase_shift(q[1], scale * feature(0) + offset)
        beam_splitter(q[1], q[3], feature(1) - 2 * feature(0))
        interferometer(second, q)
        mz(q)

    program = fock.program(kernel)
    assert program.features == ("x0", "x1")
    x = rng.uniform(-3, 3, size=(5, 2))
    with phl.reserve("sim", program) as session:
        rows = session.infer(x)
    for (a, b), row in zip(x, rows, strict=True):
        cos, sin = math.cos(b - 2 * a), math.sin(b - 2 * a)
        middle = np.eye(4, dtype=complex)
        middle[np.ix_([1, 3], [1, 3])] = [[cos, sin], [-sin, cos]]
        unitary = second @ middle @ np.diag([1, np.exp(1j * (scale * a + offset)), 1, 1]) @ first
        theirs = perceval_distribution(unitary, [1, 0, 1, 0])
        assert_same({"".join(map(str, key)): p for key, p in zip(program.output_keys, row, strict=True)}, theirs)
        with fock.bound([a, b]):
            assert_same(fock.distribution(kernel), theirs)


def test_time_bins_as_in_perceval():
    """Two loops that delay by one bin, the second with a phase: a chain of beam splitters per loop."""
    bins, photons = 5, 3

    def kernel():
        light = [qudit(photons + 1) for _ in range(bins)]
        for time in range(photons):
            create(light[time])
        for time in range(bins - 1):
            beam_splitter(light[time], light[time + 1], 0.6)
        for time in range(bins - 1):
            phase_shift(light[time], feature(0))
            beam_splitter(light[time], light[time + 1], 1.1)
        mz(light)

    program = fock.program(kernel)
    for phase in (0.0, 0.8, 2.9):
        circuit = pcvl.Circuit(bins)
        for angle, turn in ((0.6, 0.0), (1.1, phase)):
            for time in range(bins - 1):
                circuit.add(time, pcvl.PS(turn))
                # Perceval's Ry beam splitter is [[cos, -sin], [sin, cos]] of half the angle.
                circuit.add(time, pcvl.BS.Ry(-2 * angle))
        theirs = perceval_distribution(np.array(circuit.compute_unitary()), [1] * photons + [0] * (bins - photons))
        keys = ["".join(map(str, key)) for key in program.output_keys]
        assert_same(dict(zip(keys, program.simulate([phase]), strict=True)), theirs)


def test_hong_ou_mandel():
    def kernel(theta):
        q = [qudit(3) for _ in range(2)]
        create(q[0])
        create(q[1])
        beam_splitter(q[0], q[1], theta)
        mz(q)

    for theta in np.linspace(0, np.pi, 13):
        both = math.sin(2 * theta) ** 2 / 2
        assert_same(fock.distribution(kernel, theta), {"11": math.cos(2 * theta) ** 2, "20": both, "02": both})


def test_a_datapoint_has_a_column_for_every_index_up_to_the_highest():
    def kernel():
        q = [qudit(2) for _ in range(2)]
        create(q[0])
        phase_shift(q[1], 0 * feature(1))
        beam_splitter(q[0], q[1], 0.4)
        mz(q)

    program = fock.program(kernel)
    assert program.features == ("x0", "x1")
    np.testing.assert_allclose(program.simulate([1.0, 2.0]), [math.cos(0.4) ** 2, math.sin(0.4) ** 2], atol=1e-12)


def test_measured_modes_come_in_order_of_measurement():
    def kernel():
        q = [qudit(5) for _ in range(3)]
        for _ in range(3):
            plus(q[2])
        create(q[0])
        mz(q[2])
        mz([q[0]])

    assert fock.distribution(kernel) == {"31": 1.0}


def test_light_that_meets_no_other_light_needs_no_basis():
    def kernel():
        q = [qudit(5) for _ in range(40)]
        for mode in q:
            create(mode)
            create(mode)
            phase_shift(mode, 0.3)
        beam_splitter(q[3], q[4], np.pi / 4)
        mz(q[1:4])

    assert_same(fock.distribution(kernel), {"220": 3 / 8, "222": 1 / 4, "224": 3 / 8})


def test_programs_refuse_what_is_not_linear_optics():
    def late():
        q = [qudit(4) for _ in range(2)]
        create(q[0])
        beam_splitter(q[0], q[1], 0.3)
        create(q[1])

    def crowded():
        q = [qudit(2) for _ in range(2)]
        create(q[0])
        create(q[1])
        beam_splitter(q[0], q[1], 0.3)

    def dark():
        q = [qudit(2) for _ in range(2)]
        beam_splitter(q[0], q[1], 0.3)

    for kernel, text in [(late, "after its light has met"), (crowded, "2 photons can meet"), (dark, "no photon")]:
        with pytest.raises(ProgramError, match=text):
            fock.program(kernel)


def test_vacuum_mixes_with_vacuum_without_consequences():
    def kernel():
        q = [qudit(2) for _ in range(3)]
        beam_splitter(q[0], q[1], 0.3)
        create(q[0])
        mz(q)

    assert fock.distribution(kernel) == {"100": 1.0}
    assert fock.program(kernel).input_state == (1, 0, 0)
