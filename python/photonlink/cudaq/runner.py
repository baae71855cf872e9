"""Runs settings of a circuit through a session of the link, on photons, or on the qubits' state vector.

A session stays reserved while kernels come with the same sequence of CZ gates and the same shots: then only phases
travel. It ends when the kernel's shape, the shots, the seed or the target change.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink import reserve
from photonlink.controller import Controller
from photonlink.cudaq import hooks
from photonlink.cudaq.dual_rail import statevector
from photonlink.cudaq.dual_rail.entanglers import Kind
from photonlink.cudaq.dual_rail.lowering import Lowered
from photonlink.cudaq.dual_rail.optics import Layout, Optics
from photonlink.cudaq.options import Options
from photonlink.cudaq.outcomes import Outcomes
from photonlink.cudaq.quake.circuit import Basis, Matrix
from photonlink.cudaq.reach import MAX_SAMPLES, method
from photonlink.errors import ProcessorError, SessionClosed
from photonlink.session import Session
from photonlink.targets import overridden

__all__ = ["Runner"]

_PORTIONS = 8  # kept samples are asked for in about so many portions, so that few more are drawn than needed
_MAX_PORTION = 2**24
_MAX_PROGRAMS = 16

Setting = dict[int, Basis]  # bases by wire; Z where none is given


class Runner:
    """Holds what one selection of the target keeps: programs, and at most one session.

    Args:
        options: Arguments of the target.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._programs: OrderedDict[Layout, Optics] = OrderedDict()
        self._controller: Controller | None = None
        self._session: Session | None = None
        self._key: tuple[Any, ...] = ()
        self._seed_changes = hooks.seed.changes
        self._drawn = 0

    def run(self, lowered: Lowered, settings: Sequence[Setting], shots: int | None) -> Outcomes:
        """Run every setting, exactly or until each has `shots` successful samples.

        Raises:
            ProgramError: The circuit is out of reach; the message says of what.
            PhotonLinkError: The session failed.
        """
        layout = Layout(lowered.wires, lowered.entanglers)
        chosen = method(layout, self._options, shots)
        blocks = [lowered.measured_in(setting) for setting in settings]
        with self._lock:  # asynchronous launches come from a thread of their own
            self._follow_seed()
            if chosen == "dual_rail_vector":
                return self._on_qubits(layout, blocks, shots)
            optics = self._optics(layout)
            rows = np.stack([optics.datapoint(one) for one in blocks])
            try:
                return self._on_photons(optics, rows, shots)
            except SessionClosed:  # a service may end sessions that were idle; what it refused, it did not execute
                self._end_session()
                return self._on_photons(optics, rows, shots)

    def describe(self, lowered: Lowered) -> dict[str, Any]:
        """What the optics of a circuit would be, and how probably an attempt would succeed."""
        layout = Layout(lowered.wires, lowered.entanglers)
        return _facts(layout) | {"success_probability": self._success_probability(layout)}

    def release(self) -> None:
        """End the session and its controller."""
        with self._lock:
            self._end_session()
            if self._controller is not None:
                self._controller.close()
                self._controller = None

    # ---- photons

    def _on_photons(self, optics: Optics, rows: NDArray[np.float64], shots: int | None) -> Outcomes:
        portion = None if shots is None else _portion(optics.layout, shots)
        session = self._reserved(optics, portion)
        facts = _facts(optics.layout) | {
            "method": "fock",
            "clock": session.info.clock,
            "simulated": session.info.simulated,
            "qsc": session.info.target,
            "noise_method": session.info.noise_method,
        }
        if shots is None:
            values, info = session.infer(rows, return_info=True)
            successes = optics.split(values)
            share = successes.sum(axis=1)
            success = float((share * info.kept_fraction).mean())
            _require_success(bool((share > 0).all()))
            return Outcomes(successes / share[:, None], success, None, None, facts)
        counted = [self._count(session, optics, row, shots) for row in rows]
        seconds = [one.modelled_seconds for one in counted if one.modelled_seconds is not None]
        return Outcomes(
            values=np.concatenate([one.values for one in counted]),
            success_probability=float(np.mean([one.success_probability for one in counted])),
            modelled_seconds=sum(seconds) if seconds else None,
            samples=sum(one.samples or 0 for one in counted),
            facts=facts,
        )

    def _count(self, session: Session, optics: Optics, row: NDArray[np.float64], shots: int) -> Outcomes:
        """Sample one setting until `shots` events were successful, and keep as many of them, at random."""
        counts = np.zeros(2**optics.layout.wires, np.int64)
        kept, seconds, samples = [], 0.0, 0
        while counts.sum() < shots:
            _require_success(samples <= MAX_SAMPLES)
            _, info = session.infer(row[None], return_info=True)
            found = np.zeros(session.program.output_size, np.int64)
            found[info.counts[0].index] = info.counts[0].count
            counts += found[optics.successes]
            kept.append(info.kept_fraction[0])
            samples += int(found.sum())
            seconds += 0.0 if info.quantum_seconds is None else float(info.quantum_seconds[0])
        success = float(np.mean(kept)) * int(counts.sum()) / samples
        values = self._generator().multivariate_hypergeometric(counts, shots, method="marginals")
        timed = session.info.clock != "none"
        return Outcomes(values[None], success, seconds if timed else None, samples, {})

    def _optics(self, layout: Layout) -> Optics:
        if layout not in self._programs:
            self._programs[layout] = Optics(layout, self._options.noise, self._options.detectors)
            if len(self._programs) > _MAX_PROGRAMS:
                self._programs.popitem(last=False)
        self._programs.move_to_end(layout)
        return self._programs[layout]

    def _reserved(self, optics: Optics, shots: int | None) -> Session:
        options = self._options
        key = (optics.layout, shots)
        if self._session is None or self._session.closed or self._key != key:
            self._end_session()
            self._session = reserve(
                options.qsc,
                optics.program,
                shots=shots,
                seed=int(self._generator().integers(2**63)),
                clock=options.clock,
                preset=options.preset,
                precision=options.precision,
                controller=self._own_controller(),
            )
            self._key = key
        return self._session

    def _own_controller(self) -> Controller | None:
        """A private one in this process, since this session would keep users out of the shared one."""
        if overridden(self._options.qsc)[0] != "sim":
            return None
        if self._controller is None:
            self._controller = Controller()
        return self._controller

    def _end_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    # ---- qubits

    def _on_qubits(self, layout: Layout, blocks: Sequence[Sequence[Sequence[Matrix]]], shots: int | None) -> Outcomes:
        values: NDArray[Any] = np.stack(
            [statevector.probabilities(layout.wires, layout.entanglers, one) for one in blocks]
        )
        values /= values.sum(axis=1, keepdims=True)
        if shots is not None:
            values = np.stack([self._generator().multinomial(shots, row) for row in values])
        success = self._success_probability(layout)
        facts = _facts(layout) | {"method": "dual_rail_vector", "clock": "none", "simulated": True, "qsc": None}
        return Outcomes(values, success, None, None, facts)

    def _success_probability(self, layout: Layout) -> float:
        """That all gates succeed and all photons arrive."""
        return layout.success_probability * statevector.photon_survival(self._options.noise) ** layout.photons

    def _follow_seed(self) -> None:
        """Start over when cudaq.set_random_seed() was called."""
        if self._seed_changes != hooks.seed.changes:
            self._seed_changes, self._drawn = hooks.seed.changes, 0
            self._end_session()

    def _generator(self) -> np.random.Generator:
        """A new one for every purpose, so that results after cudaq.set_random_seed() repeat themselves."""
        self._drawn += 1
        return np.random.Generator(np.random.Philox(np.random.SeedSequence([hooks.seed.value, self._drawn])))


def _portion(layout: Layout, shots: int) -> int:
    """Kept samples per datapoint: without gates all of them are successful, else only a few."""
    if not layout.entanglers:
        return shots
    return min(math.ceil(shots / (_PORTIONS * layout.success_probability)), _MAX_PORTION)


def _facts(layout: Layout) -> dict[str, Any]:
    """What the optics of a circuit consist of, for annotations."""
    return {
        "photons": layout.photons,
        "modes": layout.modes,
        "heralds": layout.heralds,
        "heralded_gates": layout.kinds.count(Kind.HERALDED),
        "post_selected_gates": layout.kinds.count(Kind.POST_SELECTED),
    }


def _require_success(successful: bool) -> None:
    if not successful:
        raise ProcessorError(
            "no event of this kernel was successful: with this noise, photons do not reach the detectors as expected"
        )
