"""What the target refuses: every construct and every limit by name, and nothing by a crash."""

import os
from pathlib import Path

import cudaq
import numpy as np
import pytest
from cudaq import spin
from kernels import bell, deuteron, ghz

import photonlink as phl
from photonlink.cudaq.quake import reading
from photonlink.errors import ProgramError

pytestmark = pytest.mark.usefixtures("photonic")


@cudaq.kernel
def resets():
    q = cudaq.qvector(2)
    reset(q[0])


@cudaq.kernel
def measures_midway():
    q = cudaq.qvector(2)
    h(q[0])
    mz(q[0])
    h(q[0])


@cudaq.kernel
def takes_a_state(state: cudaq.State):
    q = cudaq.qvector(state)
    h(q[0])


@cudaq.kernel
def takes_amplitudes(amplitudes: list[complex]):
    q = cudaq.qvector(amplitudes)
    h(q[0])


@cudaq.kernel
def returns() -> bool:
    q = cudaq.qubit()
    h(q)
    return mz(q)


@cudaq.kernel
def chain(count: int, times: int):
    q = cudaq.qvector(count)
    h(q)
    for _ in range(times):
        for i in range(count - 1):
            ry(0.3, q[i])
            x.ctrl(q[i], q[i + 1])


@cudaq.kernel
def nothing():
    x = 3  # noqa: F841


@pytest.mark.parametrize(
    ("kernel", "arguments", "said"),
    [
        (resets, (), "a reset"),
        (measures_midway, (), "qubit 0 after it was measured: a mid-circuit measurement"),
        (takes_a_state, ("state",), "a cudaq.State"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_constructs(kernel, arguments, said):
    arguments = [cudaq.State.from_data(np.array([0.6, 0.8], complex)) if one == "state" else one for one in arguments]
    with pytest.raises(ProgramError) as refused:
        cudaq.sample(kernel, *arguments)
    assert said in str(refused.value)
    assert f"kernel '{kernel.name}'" in str(refused.value)
    assert cudaq.sample(bell, shots_count=5).get_total_shots() == 5  # and goes on


def test_amplitudes_as_arguments_are_taken():
    assert cudaq.observe(takes_amplitudes, spin.x(0), [0.6, 0.8]).expectation() == pytest.approx(0.36 - 0.64, abs=1e-9)


def test_operators_beyond_the_kernel():
    with pytest.raises(ProgramError, match="Z2 acts on a qubit that the kernel does not have: it has 2"):
        cudaq.observe(deuteron, spin.z(2), 0.1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: cudaq.run(returns, shots_count=3),
        lambda: cudaq.run_async(returns, shots_count=3),
        lambda: cudaq.get_state(deuteron, 0.1),
        lambda: cudaq.get_state_async(deuteron, 0.1),
        lambda: cudaq.get_unitary(deuteron, 0.1),
        lambda: cudaq.draw(bell),
        lambda: cudaq.dem_from_kernel(bell),
        lambda: cudaq.observe(deuteron, spin.z(0), 0.1, execution=cudaq.parallel.thread),
    ],
    ids=["run", "run_async", "get_state", "get_state_async", "get_unitary", "draw", "dem", "parallel"],
)
def test_calls_without_meaning_here(call):
    with pytest.raises(ProgramError, match=r"cudaq\.\w+.* does not work on target 'photonlink'"):
        call()
    cudaq.set_target("qpp-cpu")
    assert len(cudaq.run(returns, shots_count=3)) == 3  # other targets have them back


def test_asynchronous_calls_are_served():
    samples = [cudaq.sample_async(ghz, 3, shots_count=100 + k) for k in range(5)]
    energies = [cudaq.observe_async(deuteron, spin.z(0), 0.1 * k) for k in range(5)]
    assert [one.get().get_total_shots() for one in samples] == [100, 101, 102, 103, 104]
    assert samples[0].get().annotations["method"] == "fock"  # and may be asked again
    direct = [cudaq.observe(deuteron, spin.z(0), 0.1 * k).expectation() for k in range(5)]
    assert [one.get().expectation() for one in energies] == direct


def test_asynchronous_errors_arrive():
    future = cudaq.sample_async(resets)
    with pytest.raises(ProgramError, match="a reset"):
        future.get()


def test_pending_launches_end_on_their_target():
    future = cudaq.sample_async(ghz, 3, shots_count=2000)
    cudaq.set_target("qpp-cpu")
    assert future.get().annotations["method"] == "fock"


def test_noise_models_of_cudaq_are_refused():
    with pytest.raises(ProgramError, match=r"noise=photonlink\.Noise"):
        cudaq.sample(bell, noise_model=cudaq.NoiseModel())
    with pytest.raises(ProgramError, match=r"noise=photonlink\.Noise"):
        cudaq.sample_async(bell, noise_model=cudaq.NoiseModel())


def test_large_kernels_run_as_qubits(compare):
    """Twelve heralded gates are 27 photons: beyond the simulation of photons, within that of qubits."""
    ours, theirs = compare(lambda: cudaq.observe(chain, spin.z(0) * spin.x(3), 4, 5).expectation())
    assert ours == pytest.approx(theirs, abs=1e-9)
    facts = cudaq.sample(chain, 4, 5, shots_count=100).annotations
    assert facts["method"] == "dual_rail_vector"
    assert facts["heralded_gates"] == 12
    assert facts["post_selected_gates"] == 3
    assert facts["success_probability"] == pytest.approx((2 / 27) ** 12 / 9**3)
    assert facts["modelled_seconds"] is None
    assert facts["clock"] == "none"


def test_both_methods_agree():
    photons = cudaq.observe(chain, spin.z(0) * spin.y(2), 3, 2)
    cudaq.set_target("photonlink", method="dual_rail_vector")
    qubits = cudaq.observe(chain, spin.z(0) * spin.y(2), 3, 2)
    assert qubits.expectation() == pytest.approx(photons.expectation(), abs=1e-9)
    by_photons, by_qubits = (one.counts().annotations for one in (photons, qubits))
    assert (by_photons["method"], by_qubits["method"]) == ("fock", "dual_rail_vector")
    assert by_qubits["success_probability"] == pytest.approx(by_photons["success_probability"], rel=1e-9)


def test_loss_reaches_the_success_probability():
    for method in ("fock", "dual_rail_vector"):
        cudaq.set_target("photonlink", method=method, noise=phl.Noise(transmittance=0.5))
        result = cudaq.observe(deuteron, spin.z(0), 0.3)
        assert result.counts().annotations["success_probability"] == pytest.approx(0.25 / 9, rel=1e-9)


def test_too_large_for_photons_alone():
    cudaq.set_target("photonlink", method="fock")
    with pytest.raises(ProgramError, match=r"28 photons in 38 modes, for 15 CZ gates, .* the limit is 10000000"):
        cudaq.observe(chain, spin.z(0), 4, 5)


@pytest.mark.parametrize(
    ("noise", "named"),
    [("belenos", "indistinguishability=0.918, g2=0.021"), (phl.Noise(phase_error=0.1), "phase_error")],
)
def test_qubits_refuse_noise_that_they_cannot_represent(noise, named):
    cudaq.set_target("photonlink", noise=noise)
    with pytest.raises(ProgramError, match="cannot represent") as refused:
        cudaq.observe(chain, spin.z(0), 4, 5)
    assert named in str(refused.value)
    assert "28 photons" in str(refused.value)


def test_too_many_qubits():
    with pytest.raises(ProgramError, match="over the limit of 24 qubits"):
        cudaq.sample(ghz, 30)


def test_hopeless_numbers_of_shots():
    """Six heralded gates succeed once in six million attempts: that many samples are not drawn one by one."""
    cudaq.set_target("photonlink", method="fock")
    with pytest.raises(ProgramError, match="the limit of 1000000000 samples"):
        cudaq.sample(chain, 2, 7, shots_count=10_000)


def test_launches_leave_no_memory_behind():
    """CUDA-Q forgets half a megabyte whenever an endpoint looks at a kernel; errors must not keep it either."""

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    held = len(reading._held)  # by tracebacks of errors that other tests keep
    for number in range(120):
        if number == 20:
            before = resident()
        cudaq.observe(deuteron, spin.z(0), 0.01 * number)
        if number % 10 == 0:
            with pytest.raises(ProgramError):
                cudaq.sample(resets)
    assert resident() - before < 15e6
    assert len(reading._held) <= held


def test_kernels_without_qubits():
    with pytest.raises(ProgramError, match="kernel 'nothing' has no qubits"):
        cudaq.sample(nothing)
