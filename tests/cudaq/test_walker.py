"""Compiled kernels become circuits: the state of the circuit is that of CUDA-Q's own simulator."""

from dataclasses import dataclass

import cudaq
import numpy as np
import pytest
from cudaq._experimental import CompileTarget, CustomTarget
from references import state_of

from photonlink.cudaq.quake import constants
from photonlink.cudaq.quake.circuit import CZ, Measurement
from photonlink.cudaq.quake.walker import PIPELINE, walk
from photonlink.errors import ProgramError

cudaq.register_operation("root_of_x", np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2)
cudaq.register_operation("i_swap", np.array([[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]]))

AMPLITUDES = [0.5 + 0j, 0.5j, -0.5 + 0j, 0.5 + 0j]


@cudaq.kernel
def gates():
    q = cudaq.qvector(3)
    root_of_x(q[0])
    ry(0.3, q[1])
    h(q[2])
    s.adj(q[1])
    t(q[2])
    u3(0.1, 0.2, 0.3, q[0])
    r1.adj(0.7, q[1])
    y(q[2])
    z(q[0])


@cudaq.kernel
def controls():
    q = cudaq.qvector(3)
    h(q)
    ry(0.4, q)
    x.ctrl(q[0], q[1])
    x.ctrl(~q[1], q[2])
    x.ctrl([q[0], q[1]], q[2])
    cr1(0.2, q[0], q[2])
    crz(0.3, q[1], q[0])
    u3.ctrl(0.1, 0.2, 0.3, q[2], q[1])
    i_swap(q[0], q[2])


@cudaq.kernel
def swaps():
    q = cudaq.qvector(3)
    ry(0.4, q[0])
    ry(1.1, q[1])
    swap(q[0], q[2])
    rx(0.3, q[2])
    swap(q[1], q[2])
    x.ctrl(q[1], q[0])
    swap.ctrl(q[0], q[1], q[2])


@cudaq.kernel
def work_qubits():
    """Two controls of one rotation: the compiler adds a qubit of its own."""
    q = cudaq.qvector(2)
    ry(0.4, q)
    r = cudaq.qubit()
    rx.ctrl(0.9, [q[0], q[1]], r)


@cudaq.kernel
def part(q: cudaq.qview, angle: float):
    for i in range(q.size()):
        rx(angle / (i + 1), q[i])
    x.ctrl(q[0], q[1])


@cudaq.kernel
def nested(count: int, words: list[cudaq.pauli_word], angles: list[float]):
    q = cudaq.qvector(count)
    part(q, 0.3)
    cudaq.adjoint(part, q, 0.2)
    cudaq.control(part, q[2], q[0:2], 0.3)
    for i in range(len(angles)):
        if angles[i] > 0.1:
            exp_pauli(angles[i], q, words[i])
        else:
            h(q[i])


@cudaq.kernel
def prepared():
    q = cudaq.qvector(AMPLITUDES)
    h(q.front(1))
    y(q.back(1))


@dataclass(slots=True)
class Setting:
    qubit: int
    angles: list[float]


@cudaq.kernel
def structures(pair: tuple[int, float], setting: Setting, rows: list[list[float]]):
    q = cudaq.qvector(3)
    rx(pair[1], q[pair[0]])
    ry(setting.angles[1], q[setting.qubit])
    kept = [0.1, 0.2]
    for i in range(2):
        kept[i] = kept[i] * 3 + rows[1][i]
        ry(kept[i], q[i])


def built():
    kernel, angles = cudaq.make_kernel(list)
    q = kernel.qalloc(2)
    kernel.h(q[0])
    kernel.cx(q[0], q[1])
    kernel.ry(angles[0] * 2 + 1, q[0])
    kernel.cr1(angles[1], q[0], q[1])
    return kernel


class _Walking:
    """An endpoint that keeps the circuit and executes nothing."""

    is_simulator, is_remote, is_emulated, supports_jit = True, False, False, False
    circuit = None

    def sample(self, module, _arguments, *, shots_count, **_options):
        self.circuit = walk(module.mlir_module, module.name)
        return cudaq.SampleResult({"0": shots_count})


@pytest.fixture
def circuit_of():
    compilation = CompileTarget()
    compilation.fully_specialize = True
    pipelines = compilation.pipeline_config
    pipelines.mid_level_pipeline = PIPELINE
    compilation.pipeline_config = pipelines
    endpoint = _Walking()

    def of(kernel, *arguments):
        cudaq.set_target(CustomTarget(endpoint, compilation))
        cudaq.sample(kernel, *arguments)
        cudaq.reset_target()
        return endpoint.circuit

    yield of
    cudaq.reset_target()


def _state(circuit):
    """Amplitudes of the kernel's qubits, qubit 0 first; work qubits are in |0> again."""
    rest = [wire for wire in range(circuit.wires) if wire not in circuit.placement]
    ordered = np.transpose(state_of(circuit), (*circuit.placement, *rest)).reshape(2**circuit.qubits, -1)
    assert np.abs(ordered[:, 1:]).max(initial=0.0) < 1e-12
    return ordered[:, 0]


@pytest.mark.parametrize(
    ("kernel", "arguments"),
    [
        (gates, ()),
        (controls, ()),
        (swaps, ()),
        (work_qubits, ()),
        (nested, (3, ["XXY", "ZIZ", "YYY"], [0.1, 0.2, 0.3])),
        (prepared, ()),
        (structures, ((1, 0.3), Setting(2, [0.4, 0.7]), [[0.1, 0.2], [0.3, 0.4]])),
        (built(), ([0.3, 0.2],)),
    ],
    ids=["gates", "controls", "swaps", "work_qubits", "nested", "prepared", "structures", "built"],
)
def test_states_agree(kernel, arguments, circuit_of):
    circuit = circuit_of(kernel, *arguments)
    theirs = np.array(cudaq.get_state(kernel, *arguments))
    theirs = theirs[: 2**circuit.qubits]  # CUDA-Q numbers work qubits last, so that they are the highest bits
    theirs = theirs.reshape((2,) * circuit.qubits).transpose(range(circuit.qubits)[::-1]).ravel()
    assert 1 - abs(np.vdot(_state(circuit), theirs)) ** 2 < 1e-13


def test_swaps_cost_no_gate(circuit_of):
    """Only the controlled swap and the CX take CZ gates: the others rename wires."""
    circuit = circuit_of(swaps)
    assert sum(isinstance(one, CZ) for one in circuit.operations) == 1 + 8


@cudaq.kernel
def measures():
    q = cudaq.qvector(2)
    swap(q[0], q[1])
    a = mz(q[1])  # noqa: F841  # its name is what is tested
    mx(q[0])


def test_measurements(circuit_of):
    circuit = circuit_of(measures)
    assert circuit.measurements == (Measurement(1, "z", "a"), Measurement(0, "x", None))
    assert circuit.placement == (1, 0)


def test_constants_that_cannot_be_computed():
    class Operation:
        name = "arith.divf"
        operands = ("a", "b")

    assert constants.fold(Operation, {"a": 1.0}) is None
    assert constants.fold(Operation, {"a": 1.0, "b": 4.0}) == 0.25
    with pytest.raises(ProgramError, match=r"arith.divf of \[1.0, 0.0\]"):
        constants.fold(Operation, {"a": 1.0, "b": 0.0})
