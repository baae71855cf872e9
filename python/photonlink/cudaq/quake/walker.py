"""Walks the compiled module of a kernel: straight-line Quake becomes a :class:`Circuit`.

The pipeline has unrolled loops, inlined calls, taken adjoints and controls apart, and put the arguments in; what is
left are gates on single qubits, controlled Z, swaps, and measurements. Everything else is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NoReturn

from photonlink.cudaq.quake import constants, gates, memory
from photonlink.cudaq.quake.circuit import CZ, Basis, Circuit, Gate, Measurement
from photonlink.errors import ProgramError

__all__ = ["PIPELINE", "walk"]

PIPELINE = (
    "unitary-synthesis,apply-op-specialization,aggressive-inlining,"
    "func.func(constant-propagation,canonicalize,cc-loop-unroll,canonicalize),"
    "decomposition{basis=h,rx,ry,rz,x,y,z,z(1),swap},func.func(canonicalize,cse)"
)

_IGNORED = {"quake.dealloc", "quake.phase", "func.return"}  # phase: a global one

# What a kernel may contain that dual-rail optics cannot do, in the words of the kernel's author.
_REFUSED: Mapping[str, str] = {
    "quake.reset": "a reset: photons are absorbed when they are measured and cannot be put back",
    "quake.init_state": "a cudaq.State, or amplitudes known at run time only: prepare the state with gates, or capture "
    "a list of amplitudes",
    "quake.get_number_of_qubits": "a cudaq.State argument: prepare the state with gates, or from a list of amplitudes",
    "quake.discriminate": "a measurement result that the kernel itself uses (feed-forward)",
    "cc.if": "a branch on a value that is not known before the kernel runs, such as a measurement result",
    "cc.loop": "a loop whose number of rounds is not known before the kernel runs",
    "cf.cond_br": "a branch on a value that is not known before the kernel runs, such as a measurement result",
    "quake.apply_noise": "cudaq.apply_noise: noise belongs to the target, set_target(..., noise=photonlink.Noise(...))",
    "cc.device_call": "a device call",
}


def walk(module: Any, name: str) -> Circuit:
    """The circuit of a compiled kernel.

    Args:
        module: The MLIR module, after :data:`PIPELINE`, specialised for its arguments.
        name: Name of the kernel, for messages.

    Raises:
        ProgramError: The kernel contains something that the target cannot do; the message names it.
    """
    name = name.partition("..0x")[0]  # CUDA-Q appends an address to make names unique
    function = next((op for op in module.body.operations if "cudaq-entrypoint" in op.operation.attributes), None)
    if function is None:
        raise ProgramError(f"kernel {name!r} has no entry point in its compiled module")
    blocks = list(function.regions[0].blocks)
    if len(blocks) != 1:
        raise ProgramError(f"kernel {name!r} contains {_REFUSED['cf.cond_br']}")
    walker = _Walker(name)
    for operation in blocks[0].operations:
        walker.visit(operation)
    return walker.circuit()


def _is_classical(operation: Any, name: str) -> bool:
    """Whether an operation can only compute or store values: what uses them says so if it needs them."""
    return name.startswith(("arith.", "math.", "complex.", "cc.")) and not (operation.regions or "call" in name)


class _Walker:
    def __init__(self, name: str) -> None:
        self._name = name
        self._values: dict[Any, Any] = {}  # MLIR value -> number, or what holds numbers
        self._qubits: dict[Any, list[int]] = {}  # MLIR value -> qubits it stands for
        self._wires: list[int] = []  # where each qubit lies now
        self._own: set[int] = set()
        self._operations: list[Gate | CZ] = []
        self._measured: dict[int, Basis] = {}  # by wire
        self._measurements: list[Measurement] = []

    def visit(self, view: Any) -> None:
        operation = view.operation
        name = str(operation.name)
        if name in _VISITORS:
            _VISITORS[name](self, view)
        elif name.startswith("quake.") and name[6:] in gates.names():
            self._gate(view, name[6:])
        elif name in _REFUSED:
            self._refuse(_REFUSED[name])
        elif constants.is_foldable(name):
            self._know(operation, constants.fold(operation, self._values))
        elif name in memory.NAMES:
            self._know(operation, memory.evaluate(view, self._values))
        elif name not in _IGNORED and not _is_classical(operation, name):
            self._refuse(f"the operation {name}")

    def _know(self, operation: Any, value: Any) -> None:
        if value is not None:
            self._values[operation.result] = value

    def circuit(self) -> Circuit:
        """The circuit, in which only qubits of the kernel itself are numbered, without the compiler's work qubits."""
        own = sorted(self._own) or list(range(len(self._wires)))
        if not own:
            raise ProgramError(f"kernel {self._name!r} has no qubits")
        number = {qubit: k for k, qubit in enumerate(own)}
        return Circuit(
            wires=len(self._wires),
            placement=tuple(self._wires[qubit] for qubit in own),
            operations=tuple(self._operations),
            measurements=tuple(replace(one, qubit=number[one.qubit]) for one in self._measurements),
        )

    # ---- qubits

    def _allocate(self, view: Any) -> None:
        kind = str(view.result.type)
        if kind == "!quake.ref":
            size = 1
        elif view.operands:
            size = self._number(view.operands[0], "the size of a qvector")
        else:
            size = int(kind.removeprefix("!quake.veq<").removesuffix(">"))
        first = len(self._wires)
        self._wires.extend(range(first, first + size))
        self._qubits[view.result] = list(range(first, first + size))

    def _extract(self, view: Any) -> None:
        qubits = self._of(view.operands[0])
        index = view.operation.attributes["rawIndex"].value
        if len(view.operands) > 1:
            index = self._number(view.operands[1], "the index of a qubit")
        if not 0 <= index < len(qubits):
            raise ProgramError(f"kernel {self._name!r} uses qubit {index} of a register of {len(qubits)}")
        self._qubits[view.result] = [qubits[index]]

    def _slice(self, view: Any) -> None:
        qubits = self._of(view.operands[0])
        ends = [view.operation.attributes[end].value for end in ("rawLower", "rawUpper")]
        numbers = [self._number(operand, "the end of a slice") for operand in list(view.operands)[1:]]
        lower, upper = (numbers.pop(0) if end < 0 else end for end in ends)  # negative: it is an operand
        self._qubits[view.result] = qubits[lower : upper + 1]

    def _concatenate(self, view: Any) -> None:
        self._qubits[view.result] = [qubit for operand in view.operands for qubit in self._of(operand)]

    def _alias(self, view: Any) -> None:
        self._qubits[view.result] = self._of(view.operands[0])

    def _size(self, view: Any) -> None:
        self._values[view.result] = len(self._of(view.operands[0]))

    def _list(self, view: Any) -> None:
        self._own.update(qubit for operand in view.operands for qubit in self._of(operand))

    # ---- gates and measurements

    def _gate(self, view: Any, name: str) -> None:
        (target,) = self._live(view.targets)
        controls = self._live(view.controls)
        if not controls:
            angles = [self._number(value, f"an angle of {name}") for value in view.parameters]
            matrix = gates.matrix(name, angles)
            self._operations.append(Gate(target, matrix.conj().T if view.is_adj else matrix))
        elif name == "z" and len(controls) == 1 and not view.negated_qubit_controls:
            self._operations.append(CZ(controls[0], target))
        else:
            raise ProgramError(
                f"kernel {self._name!r} contains a {name} with {len(controls)} controls, which the "
                "compiler did not take apart; the target 'photonlink' supports one-qubit gates and CZ"
            )

    def _swap(self, view: Any) -> None:
        self._live(view.targets)
        if len(list(view.controls)):
            raise ProgramError(f"kernel {self._name!r} contains a controlled swap that the compiler did not take apart")
        first, second = (self._of(value)[0] for value in view.targets)
        self._wires[first], self._wires[second] = self._wires[second], self._wires[first]

    def _measure(self, view: Any) -> None:
        basis: Basis = str(view.operation.name)[-1]  # type: ignore[assignment]
        attributes = view.operation.attributes
        register = attributes["registerName"].value if "registerName" in attributes else None
        for qubit in (qubit for operand in view.operands for qubit in self._of(operand)):
            if self._measured.setdefault(self._wires[qubit], basis) != basis:
                self._refuse_mid_circuit(qubit)
            self._measurements.append(Measurement(qubit, basis, register))

    # ---- values

    def _of(self, value: Any) -> list[int]:
        try:
            return self._qubits[value]
        except KeyError:
            raise ProgramError(
                f"kernel {self._name!r} uses qubits that it did not allocate: a kernel that takes "
                "qubits as arguments cannot be launched by itself"
            ) from None

    def _live(self, values: Any) -> list[int]:
        """Wires of the qubits that a gate acts on, which must not have been measured."""
        wires = []
        for qubit in (qubit for value in values for qubit in self._of(value)):
            if self._wires[qubit] in self._measured:
                self._refuse_mid_circuit(qubit)
            wires.append(self._wires[qubit])
        return wires

    def _number(self, value: Any, what: str) -> Any:
        number = self._values.get(value)
        if not isinstance(number, int | float):
            raise ProgramError(f"kernel {self._name!r}: {what} is not known before the kernel runs")
        return number

    def _refuse(self, what: str) -> NoReturn:
        raise ProgramError(f"kernel {self._name!r} contains {what}; the target 'photonlink' does not support this")

    def _refuse_mid_circuit(self, qubit: int) -> NoReturn:
        raise ProgramError(
            f"kernel {self._name!r} uses qubit {qubit} after it was measured: a mid-circuit "
            "measurement, which the target 'photonlink' does not support"
        )


# Not bound to a walker: that would be a cycle, which keeps what it holds of MLIR until the next garbage collection.
_VISITORS: Mapping[str, Callable[[_Walker, Any], None]] = {
    "quake.alloca": _Walker._allocate,
    "quake.extract_ref": _Walker._extract,
    "quake.subveq": _Walker._slice,
    "quake.concat": _Walker._concatenate,
    "quake.relax_size": _Walker._alias,
    "quake.veq_size": _Walker._size,
    "quake.swap": _Walker._swap,
    "quake.log_output": _Walker._list,
    "quake.mz": _Walker._measure,
    "quake.mx": _Walker._measure,
    "quake.my": _Walker._measure,
}
