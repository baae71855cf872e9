"""Target `photonlink-fock`: selection, arguments, launches, what results say about themselves, and refusals."""

import math
import subprocess
import sys

import cudaq
import numpy as np
import pytest
from scipy import stats

import photonlink as phl
from conftest import held
from photonlink.cudaq import fock
from photonlink.cudaq.fock import (
    annihilate,
    beam_splitter,
    create,
    feature,
    interferometer,
    mz,
    phase_shift,
    qudit,
)
from photonlink.errors import ProgramError, TargetUnavailable
from photonlink.qsc.launching import ServiceProcess
from photonlink.unitary import haar_unitary


@pytest.fixture(autouse=True)
def _selected():
    cudaq.set_target("photonlink-fock")
    yield
    cudaq.reset_target()


@cudaq.kernel
def pair(level: int, theta: float):
    q = [qudit(level) for _ in range(2)]
    create(q[0])
    create(q[1])
    beam_splitter(q[0], q[1], theta)
    mz(q)


@cudaq.kernel
def overfull():
    q = [qudit(3) for _ in range(2)]
    for _ in range(3):
        create(q[0])
    mz(q)


@cudaq.kernel
def overfull_later():
    q = [qudit(3) for _ in range(2)]
    create(q[0])
    create(q[0])
    beam_splitter(q[0], q[1], 0.1)
    create(q[0])
    mz(q)


@cudaq.kernel
def used_after_measurement():
    q = [qudit(3) for _ in range(2)]
    create(q[0])
    create(q[1])
    beam_splitter(q[0], q[1], math.pi / 4)
    mz(q[0])
    beam_splitter(q[0], q[1], math.pi / 4)
    mz(q[1])


@cudaq.kernel
def unread():
    q = [qudit(3) for _ in range(2)]
    create(q[0])


@cudaq.kernel
def crowd():
    q = [qudit(13) for _ in range(2)]
    for _ in range(12):
        create(q[0])
    create(q[1])
    mz(q)


def test_results_say_how_they_came_about():
    said = cudaq.sample(pair, 3, 0.7, shots_count=500).annotations
    assert said["method"] == "linear_optics"
    assert (said["photons"], said["modes"], said["level"], said["shots"]) == (2, 2, 3, 500)
    assert (said["qsc"], said["clock"], said["simulated"], said["norm_lost"]) == ("sim", "virtual", True, 0.0)
    assert said["modelled_seconds"] == pytest.approx(500 / 100e3)  # of the flat preset "article"
    said = cudaq.sample(pair, 2, 0.7).annotations
    assert said["method"] == "state_vector"
    assert "2 photons can meet" in said["why"]
    assert said["norm_lost"] == pytest.approx(1 - math.cos(1.4) ** 2)
    assert said["modelled_seconds"] is None
    assert cudaq.sample(overfull).annotations["method"] == "definite"


def test_arguments_reach_the_session():
    cudaq.set_target("photonlink-fock", qsc="sim", clock="none", preset="ascella", timeout=20.0)
    said = cudaq.sample(pair, 3, 0.7).annotations
    assert (said["clock"], said["preset"]) == ("none", "ascella")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"stric": True}, "no argument 'stric'; its arguments are strict .*qsc .*noise .*preset .*clock .*timeout"),
        ({"strict": 1}, "argument 'strict' .* is 1, expected True"),
        ({"qsc": 3}, "argument 'qsc' .* is 3"),
        ({"preset": "fast"}, "unknown preset 'fast'"),
        ({"clock": "atomic"}, "argument 'clock'"),
        ({"timeout": 0}, "argument 'timeout'"),
    ],
)
def test_wrong_arguments_are_named_and_change_nothing(arguments, text):
    cudaq.set_target("qpp-cpu")
    with pytest.raises(ProgramError, match=text):
        cudaq.set_target("photonlink-fock", **arguments)
    assert cudaq.get_target().name == "qpp-cpu"


def test_over_a_controller_service(tmp_path):
    with ServiceProcess("--ledger", str(tmp_path / "ledger.sqlite")) as service:
        cudaq.set_target("photonlink-fock", qsc=service.target)
        cudaq.set_random_seed(4)
        results = [cudaq.sample(pair, 3, 0.7) for _ in range(3)]
        said = results[0].annotations
        cudaq.set_target("photonlink-fock")
        cudaq.set_random_seed(4)
        here = [cudaq.sample(pair, 3, 0.7) for _ in range(3)]
    assert (said["qsc"], said["method"]) == (service.target, "linear_optics")
    assert [dict(one.items()) for one in results] == [dict(one.items()) for one in here]


def test_selected_from_the_command_line(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(
        "import cudaq\n"
        "@cudaq.kernel\n"
        "def kernel():\n"
        "    q = [qudit(3) for _ in range(2)]\n"
        "    create(q[1])\n"
        "    mz(q)\n"
        "print(cudaq.get_target().name, dict(cudaq.sample(kernel).items()))\n"
    )
    command = [sys.executable, "-W", "ignore", str(script), "--target", "photonlink-fock"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("photonlink-fock {'01': 1000}\n", "")


def test_noise():
    cudaq.set_target("photonlink-fock", noise=phl.Noise(indistinguishability=0.0, transmittance=0.5))
    cudaq.set_random_seed(1)
    result = cudaq.sample(pair, 3, math.pi / 4, shots_count=10_000)
    assert result.annotations["success_probability"] == pytest.approx(0.25)  # both photons arrive
    # Photons that can be told apart do not interfere: each goes either way.
    expected = [2500, 5000, 2500]
    assert stats.chisquare([result.count(text) for text in ("20", "11", "02")], expected).pvalue > 1e-4
    with pytest.raises(ProgramError, match=r"noise is that of photons in linear optics, .*: up to 2 photons can meet"):
        cudaq.sample(pair, 2, 0.7)
    cudaq.set_target("photonlink-fock", noise=phl.Noise(g2=0.01), strict=True)
    with pytest.raises(ProgramError, match="may emit up to 4 photons, and level 3 holds 2"):
        cudaq.sample(pair, 3, 0.7)


def test_noise_of_a_chip_comes_with_its_clock():
    cudaq.set_target("photonlink-fock", noise="ascella", strict=False)
    said = cudaq.sample(pair, 3, 0.7, shots_count=100).annotations
    assert said["preset"] == "ascella"
    assert 0 < said["success_probability"] < 0.1


def test_a_session_of_the_user_is_not_in_the_way():
    program = fock.program(pair, 3, 0.7)
    with phl.reserve("sim", program) as session:
        assert sum(dict(cudaq.sample(pair, 3, 0.7).items()).values()) == 1000
        np.testing.assert_allclose(session.infer(np.zeros(0)).sum(), 1)


def test_unknown_controllers_are_refused():
    with pytest.raises(TargetUnavailable, match="unknown target 'nowhere'"):
        cudaq.set_target("photonlink-fock", qsc="nowhere")


def test_seeds():
    def draw(*seeds):
        results = []
        for seed in seeds:
            if seed is not None:
                cudaq.set_random_seed(seed)
            results.append([dict(cudaq.sample(pair, level, 0.7, shots_count=300).items()) for level in (2, 3, 3)])
        return results

    cudaq.set_target("photonlink-fock")
    first, other, again = draw(5, 6, 5)
    assert first == again
    assert first != other
    assert first[1] != first[2], "launches after one seed are independent"


@pytest.mark.parametrize("shots", [1, 7, 100_000])
def test_shots(shots):
    for level in (2, 3):
        assert sum(dict(cudaq.sample(pair, level, 0.7, shots_count=shots).items()).values()) == shots


def test_broadcast():
    angles = [0.0, math.pi / 4]
    apart, together = cudaq.sample(pair, [3, 3], angles, shots_count=100)
    assert dict(apart.items()) == {"11": 100}
    assert set(dict(together.items())) == {"20", "02"}


def test_kernels_call_kernels():
    @cudaq.kernel
    def half():
        q = [qudit(3)]
        create(q[0])

    @cudaq.kernel
    def whole():
        half()
        q = [qudit(3) for _ in range(2)]
        create(q[0])
        create(q[0])
        mz(q)

    assert dict(cudaq.sample(whole).items()) == {"20": 1000}


def test_digits_above_nine_run_together_as_on_orca():
    ours = dict(cudaq.sample(crowd, shots_count=10).items())
    cudaq.set_target("orca-photonics")
    assert ours == dict(cudaq.sample(crowd, shots_count=10).items()) == {"121": 10}


def test_additions_work_on_orca_too():
    unitary = haar_unitary(3, 4)

    @cudaq.kernel
    def kernel():
        q = [qudit(3) for _ in range(3)]
        create(q[0])
        create(q[1])
        interferometer(unitary, q)
        phase_shift(q[2], feature(0))
        beam_splitter(q[1], q[2], feature(1) / 2)

    cudaq.set_target("orca-photonics")
    with fock.bound([0.4, 1.9]):
        theirs = np.array(cudaq.get_state(kernel))
        np.testing.assert_allclose(fock.state(kernel).ravel(), theirs, atol=1e-13)


def test_features_without_values_are_refused():
    @cudaq.kernel
    def kernel():
        q = [qudit(3) for _ in range(2)]
        create(q[0])
        beam_splitter(q[0], q[1], feature(0))
        mz(q)

    with pytest.raises(ProgramError, match="no values: sample it in a with statement"):
        cudaq.sample(kernel)
    with fock.bound([math.pi / 2]):
        assert dict(cudaq.sample(kernel).items()) == {"01": 1000}


@pytest.mark.parametrize(
    ("kernel", "arguments", "text"),
    [
        (pair, (2, 0.7), r"beam_splitter\(\) on qudit 0 and qudit 1 exceeds level 2, .* with probability 0\.971"),
        (overfull, (), r"create\(\) on qudit 0 exceeds level 3"),
        (overfull_later, (), r"create\(\) on qudit 0 exceeds level 3, .* with probability 0\.98"),
        (used_after_measurement, (), "qudit 0 is used after its measurement"),
        (unread, (), "measures nothing"),
        (crowd, (), "10 photons or more"),
    ],
)
def test_strict(kernel, arguments, text):
    cudaq.sample(kernel, *arguments)  # as orca-photonics does it
    cudaq.set_target("photonlink-fock", strict=True)
    with pytest.raises(ProgramError, match=text):
        cudaq.sample(kernel, *arguments)


def test_strict_accepts_what_loses_nothing():
    cudaq.set_target("photonlink-fock", strict=True)
    assert dict(cudaq.sample(pair, 2, 0.0).items()) == {"11": 1000}
    assert sum(dict(cudaq.sample(pair, 3, 0.7).items()).values()) == 1000


def test_nothing_left_of_the_state():
    with pytest.raises(ProgramError, match=r"nothing is left of the state: .* raise the level"):
        cudaq.sample(pair, 2, math.pi / 4)


def test_too_large_a_state():
    @cudaq.kernel
    def kernel():
        q = [qudit(10) for _ in range(20)]
        for mode in range(19):
            create(q[mode])
            beam_splitter(q[mode], q[mode + 1], 0.1)
        annihilate(q[0])
        mz(q)

    cudaq.set_target("photonlink-fock", memory_limit=2**20)
    with pytest.raises(ProgramError, match=r"20 qudits of level 10 has grown to \d+ amplitudes, .* may be used"):
        cudaq.sample(kernel)
    with pytest.raises(ProgramError, match=r"argument 'memory_limit' .* is 0"):
        cudaq.set_target("photonlink-fock", memory_limit=0)


def test_few_photons_in_many_modes_need_few_amplitudes():
    """Of the 4^40 states only those of the photons' number are kept."""

    @cudaq.kernel
    def kernel(theta: float):
        q = [qudit(4) for _ in range(40)]
        create(q[0])
        for mode in range(39):
            beam_splitter(q[mode], q[mode + 1], theta)
        create(q[20])
        create(q[39])
        for mode in range(39):
            beam_splitter(q[38 - mode], q[39 - mode], -theta)
        mz(q[38:])

    cudaq.set_target("photonlink-fock", memory_limit=2**26)
    result = cudaq.sample(kernel, math.pi / 2)
    assert result.annotations["method"] == "state_vector"
    # A swap throughout: the first photon goes to the last mode, where another is put on top, and returns to the first.
    assert dict(result.items()) == {"00": 1000}
    assert sum(p for text, p in fock.distribution(kernel, 0.9).items() if text == "00") < 1


def test_calls_other_than_sample_say_what_to_do():
    with pytest.raises(ProgramError, match=r"through cudaq.sample only; photonlink.cudaq.fock has state\(kernel\)"):
        pair(3, 0.7)
    with pytest.raises(ProgramError, match=r"cudaq\.get_state does not work on target 'photonlink-fock'"):
        cudaq.get_state(pair, 3, 0.7)
    # CUDA-Q's own words for kernels that it does not compile.
    with pytest.raises(RuntimeError, match="cannot compile"):
        cudaq.run(pair, 3, 0.7)
    with pytest.raises(RuntimeError, match="cannot compile"):
        cudaq.observe(pair, cudaq.spin.z(0), 3, 0.7)
    with pytest.raises(RuntimeError, match="does not support compilation"):
        cudaq.sample_async(pair, 3, 0.7)


def test_qubits_are_refused():
    kernel = cudaq.make_kernel()
    kernel.h(kernel.qalloc(2)[0])
    with pytest.raises(ProgramError, match="photonic kernels only, of qudits: use target 'photonlink'"):
        cudaq.sample(kernel)

    @cudaq.kernel
    def bits():
        cudaq.qvector(2)

    with pytest.raises(ProgramError, match=r"use target 'photonlink' for kernels of qubits \('qvector'"):
        cudaq.sample(bits)


def test_an_error_leaves_nothing_behind():
    with pytest.raises(ProgramError):
        cudaq.sample(pair, 1, 0.7)
    with pytest.raises(TypeError, match="missing"):
        cudaq.sample(pair)
    assert dict(cudaq.sample(pair, 3, 0.0).items()) == {"11": 1000}


def test_switching_targets():
    for number in range(101):
        for name in ("photonlink-fock", "orca-photonics"):
            cudaq.set_target(name)
            if number % 10 == 0:
                assert dict(cudaq.sample(pair, 3, 0.0, shots_count=5).items()) == {"11": 5}
        if number == 0:
            before = held()
    assert all(now <= before[kind] for kind, now in held().items())
    cudaq.set_target("qpp-cpu")
    kernel = cudaq.make_kernel()
    kernel.x(kernel.qalloc(1)[0])
    assert dict(cudaq.sample(kernel, shots_count=5).items()) == {"1": 5}
