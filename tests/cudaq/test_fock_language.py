"""What a photonic kernel may say, and what happens to one that says something else; no target is needed for it."""

import math

import numpy as np
import pytest

from photonlink.cudaq import fock
from photonlink.cudaq.fock import beam_splitter, create, feature, interferometer, mz, phase_shift, plus, qudit
from photonlink.cudaq.fock.mesh import beam_splitter_matrix, mesh
from photonlink.cudaq.fock.recording import PhaseShift
from photonlink.errors import ProgramError
from photonlink.unitary import haar_unitary


def kernel_of(body, level=3, modes=2):
    """A kernel that prepares one photon, does what is to be tested, and measures."""

    def kernel():
        q = [qudit(level) for _ in range(modes)]
        create(q[0])
        body(q)

    return kernel


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (lambda q: create(q), "create.. acts on a qudit, got .*: call create.. for each"),
        (lambda _: plus(0), "plus.. acts on a qudit, got 0"),
        (lambda q: beam_splitter(q[0], q[0], 0.1), "two different qudits, got qudit 0 twice"),
        (lambda q: beam_splitter(q[0], q[1], math.nan), "theta of beam_splitter.. is nan"),
        (lambda q: beam_splitter(q[0], q[1], "0.1"), "theta of beam_splitter.. is '0.1'"),
        (lambda q: phase_shift(q[0], 1j), "phi of phase_shift.. is 1j"),
        (lambda q: (mz(q[0]), mz(q)), "qudit 0 is measured twice"),
        (lambda q: mz((q[0], q[1])), "mz.. acts on a qudit, got"),
        (lambda _: qudit(4), "all qudits must have the same level"),
        (lambda _: qudit(1), "level of a qudit is 1, expected an integer from 2 to 256"),
        (lambda _: qudit(2.5), "level of a qudit is 2.5"),
        (lambda q: interferometer(np.eye(3), q), r"shape \(3, 3\) for 2 qudits"),
        (lambda q: interferometer(np.ones((2, 2)), q), "not unitary"),
        (lambda q: interferometer(np.eye(2), [q[1], q[1]]), "different qudits"),
        (lambda q: phase_shift(q[0], math.cos(feature(0))), "no value here: angles are linear in features"),
        (lambda _: feature(-1), "feature index -1"),
    ],
)
def test_refusals(body, text):
    with pytest.raises(ProgramError, match=text):
        fock.distribution(kernel_of(body))


USES = [bool, int, float, lambda m: m == 1, lambda m: m + 1, lambda m: m < 2, lambda m: [0][m]]


@pytest.mark.parametrize("use", USES)
def test_a_measurement_has_no_value_inside_the_kernel(use):
    with pytest.raises(ProgramError, match="sampled after they have ended"):
        fock.distribution(kernel_of(lambda q: use(mz(q[0]))))


def test_words_outside_of_a_kernel():
    with pytest.raises(ProgramError, match="outside a photonic kernel"):
        qudit(2)
    with pytest.raises(ProgramError, match="outside a photonic kernel"):
        interferometer(np.eye(1), [None])


def test_qudits_do_not_leave_their_kernel():
    kept = []
    fock.distribution(kernel_of(kept.extend))
    with pytest.raises(ProgramError, match="another call of a kernel"):
        fock.distribution(kernel_of(lambda _: create(kept[0])))


def test_kernels_that_are_none():
    with pytest.raises(ProgramError, match="allocates no qudit"):
        fock.distribution(lambda: None)
    with pytest.raises(ProgramError, match="expected a function"):
        fock.program("kernel")


def test_an_exception_ends_the_recording():
    with pytest.raises(KeyError):
        fock.distribution(kernel_of(lambda _: {}["missing"]))
    with pytest.raises(ProgramError, match="outside a photonic kernel"):
        qudit(2)


def test_angles_are_linear_in_features():
    rng = np.random.default_rng(0)
    for x in rng.normal(size=(20, 3)):
        a, b = rng.normal(size=2)

        def angle(a=a, b=b):
            return 2 - (a * feature(0) - feature(2)) / 4 + b * (feature(1) + 3) - feature(0)

        unbound = angle()
        with fock.bound(x):
            value = angle()
        assert value == pytest.approx(unbound.offset + sum(w * x[i] for i, w in unbound.weights.items()))


def test_bound_values_end_with_their_block_and_are_checked():
    with fock.bound([0.5]), pytest.raises(ProgramError, match=r"feature\(1\) has no value: bound.. was given 1"):
        feature(1)
    assert isinstance(feature(0), fock.Angle)
    for wrong in ([[1.0]], [np.inf]):
        with pytest.raises(ProgramError, match="one datapoint"), fock.bound(wrong):
            pass


@pytest.mark.parametrize("size", range(1, 8))
def test_a_mesh_is_its_interferometer(size):
    for unitary in (haar_unitary(size, size), np.eye(size), np.eye(size)[::-1], -1j * np.eye(size)):
        product = np.eye(size, dtype=complex)
        for part in mesh(np.asarray(unitary, complex), range(size)):
            if isinstance(part, PhaseShift):
                product[part.mode] *= np.exp(1j * part.phase)
            else:
                rows = [part.first, part.second]
                product[rows] = beam_splitter_matrix(part.theta) @ product[rows]
        np.testing.assert_allclose(product, unitary, atol=1e-13)
