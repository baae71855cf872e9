"""Where CUDA-Q's launches on the target ``photonlink`` arrive: a compiled kernel in, a result out."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from photonlink.cudaq.dual_rail.lowering import Lowered, lower
from photonlink.cudaq.observables import grouped, terms_of
from photonlink.cudaq.options import Options
from photonlink.cudaq.quake.circuit import Circuit, Measurement
from photonlink.cudaq.quake.reading import read
from photonlink.cudaq.quake.walker import walk
from photonlink.cudaq.results import EXPECTATIONS, sample_result
from photonlink.cudaq.runner import Runner

__all__ = ["Endpoint"]

_MAX_CIRCUITS = 256


class Endpoint:
    """Serves ``cudaq.sample``, ``cudaq.observe`` and ``cudaq.estimate``; CUDA-Q calls the methods of those names.

    Args:
        options: Arguments of the target.
    """

    # What CUDA-Q asks of an endpoint. A remote one would have to be polled, and a JIT would compile for a CPU.
    is_simulator = True
    is_remote = False
    is_emulated = False
    supports_jit = False

    def __init__(self, options: Options) -> None:
        self._runner = Runner(options)
        self._lock = threading.Lock()
        self._circuits: OrderedDict[str, tuple[Circuit, Lowered]] = OrderedDict()

    def sample(self, module: Any, _arguments: Any, *, shots_count: int, explicit_measurements: bool = False) -> Any:
        """Counts of `shots_count` successful events; without shots, what the optics would be."""
        circuit, lowered = self._circuit(module)
        if not shots_count:
            return sample_result({}, {}, self._runner.describe(lowered))
        measured = circuit.measurements or tuple(Measurement(qubit, "z", None) for qubit in range(circuit.qubits))
        setting = {circuit.placement[one.qubit]: one.basis for one in measured}
        outcomes = self._runner.run(lowered, [setting], shots_count)
        # CUDA-Q's order: of allocation, or with explicit_measurements of measurement.
        qubits = [one.qubit for one in measured] if explicit_measurements else sorted({one.qubit for one in measured})
        registers: dict[str, list[int]] = {}
        for one in measured:
            if one.register is not None:
                registers.setdefault(one.register, []).append(circuit.placement[one.qubit])
        return sample_result(
            outcomes.counts(0, [circuit.placement[qubit] for qubit in qubits]),
            {name: outcomes.counts(0, wires) for name, wires in registers.items()},
            outcomes.annotations() | {"settings": 1},
        )

    def observe(self, module: Any, _arguments: Any, *, spin_operator: Any, shots_count: int = 0) -> Any:
        """Expectation value: exact without shots, else from `shots_count` successful events per setting."""
        import cudaq

        circuit, lowered = self._circuit(module)
        terms = terms_of(spin_operator, circuit.qubits)
        groups = grouped(terms)
        settings = [{circuit.placement[qubit]: basis for qubit, basis in group.bases.items()} for group in groups]
        values: dict[str, float] = {}
        registers: dict[str, dict[str, int]] = {}
        annotations: dict[str, Any] = {}
        if groups:
            outcomes = self._runner.run(lowered, settings, shots_count or None)
            annotations = outcomes.annotations()
            for number, group in enumerate(groups):
                for term in group.terms:
                    wires = [circuit.placement[qubit] for qubit in sorted(term.paulis)]
                    values[term.name] = outcomes.expectation(number, wires)
                    if shots_count:
                        registers[term.name] = outcomes.counts(number, wires)
        total = sum(term.coefficient * values.get(term.name, 1.0) for term in terms)
        annotations |= {"settings": len(groups), EXPECTATIONS: values}
        return cudaq.ObserveResult(total, spin_operator, sample_result({}, registers, annotations))

    def estimate(self, module: Any, _arguments: Any, **_options: Any) -> Any:
        """Gates, as CUDA-Q has counted them, and removed from the module."""
        import cudaq

        return cudaq.EstimateResult(module.resource_counts)

    def release(self) -> None:
        """Give the processor back; called when another target is selected."""
        self._runner.release()

    def _circuit(self, module: Any) -> tuple[Circuit, Lowered]:
        """The circuit of a compiled kernel."""
        with self._lock:  # asynchronous launches come from a thread of their own
            return read(module, lambda mlir: self._known(mlir, module.name))

    def _known(self, mlir: Any, name: str) -> tuple[Circuit, Lowered]:
        """Remembered by the module's text, which contains the kernel's arguments, and is quick to print."""
        text = str(mlir)
        if text not in self._circuits:
            circuit = walk(mlir, name)
            self._circuits[text] = circuit, lower(circuit)
            if len(self._circuits) > _MAX_CIRCUITS:
                self._circuits.popitem(last=False)
        self._circuits.move_to_end(text)
        return self._circuits[text]
