"""Photonic kernels: CUDA-Q's own photonic language on a photonic processor.

``cudaq.set_target("photonlink-fock")`` runs the kernels that run on CUDA-Q's ``orca-photonics`` simulator, with the
same results, and many that are too large for it. Kernels that prepare Fock states and apply linear optics go over the
link to a processor; what only a state vector can do (``create`` in the middle of a circuit, photons beyond the level)
is simulated as ``orca-photonics`` simulates it. ``result.annotations`` says which, and what it took.

Two words more: :func:`interferometer` applies a unitary to several qudits, and :func:`feature` is an angle without a
value yet. :func:`program` makes a :class:`photonlink.Program` of a kernel with features, which a session runs for many
datapoints; :func:`bound` gives them values for a ``cudaq.sample``.

Kernels can be used without CUDA-Q, too:

Examples:
    >>> import numpy as np
    >>> from photonlink.cudaq import fock
    >>> from photonlink.cudaq.fock import beam_splitter, create, mz, qudit
    >>> def hong_ou_mandel():
    ...     q = [qudit(3) for _ in range(2)]
    ...     create(q[0])
    ...     create(q[1])
    ...     beam_splitter(q[0], q[1], np.pi / 4)
    ...     mz(q)
    >>> sorted(text for text, p in fock.distribution(hong_ou_mandel).items() if p > 1e-12)
    ['02', '20']
"""

from __future__ import annotations

from photonlink.cudaq.fock.angle import Angle, bound, feature
from photonlink.cudaq.fock.kernels import distribution, program, state
from photonlink.cudaq.fock.language import (
    Outcome,
    Qudit,
    annihilate,
    beam_splitter,
    create,
    interferometer,
    mz,
    phase_shift,
    plus,
    qudit,
)

__all__ = [
    "Angle",
    "Outcome",
    "Qudit",
    "annihilate",
    "beam_splitter",
    "bound",
    "create",
    "distribution",
    "feature",
    "interferometer",
    "mz",
    "phase_shift",
    "plus",
    "program",
    "qudit",
    "state",
]
