"""Complex output amplitudes of noiseless programs: what a simulation knows and no detector shows."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photonlink import _checks, _core, _validate
from photonlink._memory import half_of_memory
from photonlink.errors import ProgramError
from photonlink.program import Precision, Program
from photonlink.readout import Readout, Space

__all__ = ["AmplitudeSimulator", "amplitudes"]

_DTYPES: dict[str, Any] = {"float32": np.complex64, "float64": np.complex128}


class AmplitudeSimulator:
    """Computes amplitudes of one program again and again; tables and scratch are built once.

    Threads may share it; they take turns.

    Args:
        program: Without noise, with interfering photons and detectors that count.
        space: States whose amplitudes are wanted; by default those of the program's readout.
        precision: ``"float64"`` gives complex128, ``"float32"`` complex64.
        memory_limit: Bytes for tables, scratch and the results of one call; by default half of the machine's memory.
        threads: At most so many; by default PHOTONLINK_THREADS, or one per usable CPU. Results do not depend on it.

    Raises:
        ProgramError: The program has no amplitudes, or nothing fits the limit.

    Attributes:
        program: The program, with a readout of the states whose amplitudes are computed.
        dtype: Of the amplitudes.
        memory_limit: In bytes.

    Examples:
        >>> import numpy as np
        >>> import photonlink as phl
        >>> program = phl.Program.reservoir(modes=6, photons=3, features=6)
        >>> simulator = phl.AmplitudeSimulator(program, space="fock", precision="float32")
        >>> psi = simulator(np.zeros((2, 6)))
        >>> psi.shape, psi.dtype, round(float((abs(psi[0]) ** 2).sum()), 5)
        ((2, 56), dtype('complex64'), 1.0)
    """

    def __init__(
        self,
        program: Program,
        *,
        space: Space | None = None,
        precision: Precision = "float64",
        memory_limit: int | None = None,
        threads: int | None = None,
    ) -> None:
        self.program = _in_space(program, space)
        self.dtype = np.dtype(_DTYPES[_validate.checked_precision(precision)])
        self.memory_limit = (
            half_of_memory() if memory_limit is None else _checks.integer("memory_limit", memory_limit, 0, 2**63)
        )
        count = 0 if threads is None else _checks.integer("threads", threads, 1, 1024)
        self._core = _core.AmplitudeSimulator(self.program.spec, precision, self.memory_limit, count)
        self._lock = threading.Lock()

    @staticmethod
    def predict_bytes(program: Program, *, space: Space | None = None, precision: Precision = "float64") -> int:
        """Memory that a simulator takes at least, results aside, predicted without allocating any of it.

        Args:
            program: As in the constructor.
            space: Likewise.
            precision: Likewise.

        Returns:
            Bytes: a smaller ``memory_limit`` is refused. With more, several datapoints and threads go side by side.
        """
        return int(
            _core.predict_amplitude_bytes(_in_space(program, space).spec, _validate.checked_precision(precision))
        )

    @property
    def basis_size(self) -> int:
        """States of the space."""
        return int(self._core.basis_size)

    @property
    def memory_bytes(self) -> int:
        """Tables and scratch of all threads, as predicted and bounded."""
        return int(self._core.memory_bytes)

    @property
    def rows(self) -> int:
        """Datapoints whose results fit the limit in one call."""
        return (self.memory_limit - self.memory_bytes) // (self.basis_size * int(self.dtype.itemsize))

    def __call__(self, x: ArrayLike) -> NDArray[Any]:
        """Amplitudes of datapoints; see :func:`amplitudes`."""
        rows = _checks.array("x", x, np.float64)
        phases = self.program.encode(rows)
        if len(phases) > self.rows:
            raise ProgramError(
                f"amplitudes of {len(phases)} datapoints in {self.basis_size} states take "
                f"{len(phases) * self.basis_size * self.dtype.itemsize + self.memory_bytes} bytes, but the limit is "
                f"{self.memory_limit}: pass at most {max(self.rows, 0)} datapoints at a time, or raise memory_limit"
            )
        with self._lock:
            values: NDArray[Any] = self._core.run(phases)
        return values if rows.ndim == 2 else values[0]


def amplitudes(
    program: Program,
    x: ArrayLike,
    *,
    space: Space | None = None,
    precision: Precision = "float64",
    memory_limit: int | None = None,
    threads: int | None = None,
) -> NDArray[Any]:
    """Complex amplitudes of the output states of a noiseless program, by strong simulation (arXiv 2206.10549).

    In the full Fock space a row has norm 1. In a post-selected space the amplitudes are the same numbers, of fewer
    states: they are not renormalised, and their squares add up to the probability that an event is kept. Global phases
    are kept, too, so that amplitudes of different datapoints may be compared and added.

    Builds its tables anew in every call; use a :class:`photonlink.AmplitudeSimulator` for repeated work.

    Args:
        program: Without noise, with interfering photons and detectors that count. Of its readout only the space counts.
        x: (B, F) or (F,) features.
        space: ``"fock"``, ``"unbunched"`` or ``"dual_rail"`` instead of the readout's.
        precision: ``"float64"`` gives complex128, ``"float32"`` complex64.
        memory_limit: Bytes for tables, scratch and result; by default half of the machine's memory.
        threads: At most so many; by default PHOTONLINK_THREADS, or one per usable CPU. Results do not depend on it.

    Returns:
        (B, states) or (states,) complex, in the order of ``Readout.probs(space).output_keys(modes, photons)``.

    Raises:
        ProgramError: The program has no amplitudes, x has a wrong shape or is not finite, or memory does not suffice.

    Examples:
        Two photons meet at a balanced beam splitter, and leave together (Hong, Ou, Mandel 1987):

        >>> import numpy as np
        >>> import photonlink as phl
        >>> program = phl.Program.layered(2, [1, 1]).mzi_mesh([np.pi / 2], [0.0]).build(phl.Readout.probs("fock"))
        >>> abs(phl.amplitudes(program, np.zeros(0))).round(6).tolist()
        [0.707107, 0.0, 0.707107]
    """
    simulator = AmplitudeSimulator(
        program, space=space, precision=precision, memory_limit=memory_limit, threads=threads
    )
    return simulator(x)


def _in_space(program: Program, space: Space | None) -> Program:
    if not isinstance(program, Program):
        raise ProgramError(f"program is a {type(program).__name__}, expected a photonlink.Program")
    return program if space is None else program.replace(readout=Readout.probs(space))
