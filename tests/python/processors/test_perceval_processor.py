"""Perceval as a processor: the same program, simulated by somebody else, over the whole link."""

import numpy as np
import pytest
from scipy.stats import chisquare

import photonlink as phl
from photonlink.errors import ProcessorError, ProgramError, TargetUnavailable, Unavailable
from photonlink.processors import PercevalProcessor

PRESETS = ("ascella", "belenos", "maring2024")


def readouts(space):
    return [
        phl.Readout.probs(space),
        phl.Readout.probs(space, phl.LexGrouping(3)),
        phl.Readout.probs(space, phl.ModGrouping(4)),
        phl.Readout.mode_expectations(space),
        phl.Readout.correlators(space),
        phl.Readout.click_patterns(space),
        phl.Readout.click_probabilities(space),
    ]


def random_program(rng, space, readout):
    photons = int(rng.integers(1, 4))
    modes = 2 * photons if space == "dual_rail" else int(rng.integers(photons + 1, 7))
    state = (
        rng.multinomial(photons, np.full(modes, 1 / modes)).tolist()
        if space == "fock"
        else rng.permutation([1] * photons + [0] * (modes - photons)).tolist()
    )
    names = [f"x{k}" for k in range(int(rng.integers(1, modes + 1)))]
    builder = phl.Program.layered(modes, state).haar(seed=int(rng.integers(1000)))
    for _ in range(rng.integers(1, 3)):
        builder = builder.phases(names, scale=float(rng.uniform(0.5, 2))).haar(seed=int(rng.integers(1000)))
    program = builder.build(readout, interference=bool(rng.random() < 0.7))
    return program, rng.uniform(-4, 4, (3, len(names)))


@pytest.mark.parametrize("space", ["fock", "unbunched", "dual_rail"])
def test_perceval_agrees_with_the_simulator(space):
    rng = np.random.default_rng([11, len(space)])
    for readout in readouts(space):
        program, x = random_program(rng, space, readout)
        with phl.reserve("perceval:slos", program) as session:
            y, info = session.infer(x, return_info=True)
            assert session.info.simulated
            assert session.info.processor == session.info.target == "perceval:slos"
        with phl.reserve("sim", program) as session:
            expected, expected_info = session.infer(x, return_info=True)
        np.testing.assert_allclose(y, expected, atol=1e-10, err_msg=repr(program))
        np.testing.assert_allclose(info.kept_fraction, expected_info.kept_fraction, atol=1e-10)


@pytest.mark.parametrize("shots", [1, 200])
def test_the_same_seed_gives_the_same_samples(program, x, shots):
    with phl.reserve("perceval:slos", program, shots=shots, seed=9) as session:
        y = session.infer(x[:8])
    np.testing.assert_allclose(y, program.simulate(x[:8], shots=shots, seed=9), atol=1e-12)


def test_samples_follow_percevals_distribution(program, x):
    import perceval as pcvl

    backend = pcvl.SLOSBackend()
    phases = [pcvl.PS(float(phase)) for phase in program.encode(x[0])[0]]
    circuit = pcvl.Circuit(6).add(0, pcvl.Unitary(pcvl.Matrix(program.interferometers[0])))
    for mode, shifter in zip(program.phase_modes.tolist(), phases, strict=True):
        circuit.add(mode, shifter)
    backend.set_circuit(circuit.add(0, pcvl.Unitary(pcvl.Matrix(program.interferometers[1]))))
    backend.set_input_state(pcvl.BasicState(list(program.input_state)))
    kept = np.array([backend.probability(pcvl.BasicState(list(state))) for state in program.output_keys])
    with phl.reserve("perceval:slos", program, shots=50_000, seed=1) as session:
        y = session.infer(x[0])
    assert chisquare(y * 50_000, kept / kept.sum() * 50_000).pvalue > 1e-4


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("space", ["fock", "unbunched", "dual_rail"])
def test_chips_agree_with_our_noise(preset, space):
    state = [1, 0, 0, 1] if space == "dual_rail" else [1, 0, 1, 0, 0]
    names = ["a", "b"]
    builder = phl.Program.layered(len(state), state).haar(seed=1).phases(names).haar(seed=2)
    x = np.random.default_rng(2).uniform(0, 3, (2, 2))
    for readout in (phl.Readout.probs(space), phl.Readout.correlators(space), phl.Readout.click_patterns(space)):
        program = builder.build(readout)
        with phl.reserve(f"perceval:{preset}", program) as session:
            y, info = session.infer(x, return_info=True)
            executed = session.program
            assert session.info.preset == preset
            assert session.info.digest == executed.digest != program.digest
            assert session.info.noise_method == "by the processor"
        assert executed.noise == phl.Noise.preset(preset)
        assert executed.detectors == "threshold"
        with phl.reserve("sim", executed) as session:
            expected, expected_info = session.infer(x, return_info=True)
        np.testing.assert_allclose(y, expected, atol=1e-9)
        np.testing.assert_allclose(info.kept_fraction, expected_info.kept_fraction, rtol=1e-9)


NOISES = (
    {"brightness": 0.7, "g2": 0.1},
    {"transmittance": 0.4, "indistinguishability": 0.8, "g2": 0.2, "g2_distinguishable": False},
    {"phase_error": 0.2, "phase_imprecision": 0.1, "phase_seed": 5},
    {"transmittance": 0.6, "phase_error": 0.3},
)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(("detectors", "least"), [("pnr", None), ("pnr", 1), ("threshold", 1)])
def test_noise_of_the_program_agrees_too(noise, detectors, least):
    builder = phl.Program.layered(4, [2, 0, 1, 0]).haar(seed=1).phases(["a", "b"]).haar(seed=2)
    program = builder.build(
        phl.Readout.probs("fock"), noise=phl.Noise(**noise), detectors=detectors, min_detected_photons=least
    )
    x = np.random.default_rng(3).uniform(-3, 3, (2, 2))
    with phl.reserve("perceval:slos", program) as session:
        assert session.program is program
        y = session.infer(x)
    np.testing.assert_allclose(y, program.simulate(x), atol=1e-9)


def test_noise_in_any_number_of_photons_that_interfere_or_not():
    program = (
        phl.Program.layered(4, [1, 1, 0, 1])
        .haar(seed=3)
        .build(
            phl.Readout.probs("fock"), interference=False, noise=phl.Noise(transmittance=0.5), min_detected_photons=1
        )
    )
    with phl.reserve("perceval:slos", program) as session:
        np.testing.assert_allclose(session.infer(np.zeros(0)), program.simulate(np.zeros(0)), atol=1e-9)


def test_a_chip_has_its_own_noise(program):
    own = program.replace(noise=phl.Noise(transmittance=0.5))
    with pytest.raises(ProgramError, match=r"perceval:slos"):
        phl.reserve("perceval:belenos", own)
    with pytest.raises(ProgramError, match="sources and detectors of that chip"):
        phl.reserve(PercevalProcessor("belenos"), own)
    ready = program.replace(noise=phl.Noise.preset("belenos"), detectors="threshold")
    with phl.reserve("perceval:belenos", ready) as session:
        assert session.program.digest == ready.digest


@pytest.mark.parametrize("name", ["perceval:lucy", "perceval:article", "perceval:"])
def test_chips_that_are_none_are_refused(program, name):
    with pytest.raises((ProgramError, TargetUnavailable)) as refused:
        phl.reserve(name, program)
    if isinstance(refused.value, TargetUnavailable):
        assert refused.value.reason is Unavailable.UNKNOWN


def test_the_clock_is_the_controllers(program, x):
    with phl.reserve("perceval:belenos", program, shots=10) as session:
        _, info = session.infer(x[:2], return_info=True)
        assert info.clock == "virtual"
        assert np.all(info.quantum_seconds > 0)
    with phl.reserve("perceval:slos", program, shots=10, clock="none") as session:
        assert session.infer(x[:1], return_info=True)[1].quantum_seconds is None


def test_nothing_kept_is_said():
    mesh = phl.Program.layered(2, [1, 1]).mzi_mesh([np.pi / 2], [0.0]).build(phl.Readout.probs("unbunched"))
    with phl.reserve("perceval:slos", mesh) as session:
        y, info = session.infer(np.zeros(0), return_info=True)
    assert (y.sum(), info.kept_fraction[0]) == (0.0, 0.0)
    with phl.reserve("perceval:slos", mesh, shots=5) as session, pytest.raises(ProcessorError, match="can be kept"):
        session.infer(np.zeros(0))


def test_targets_are_listed(monkeypatch):
    monkeypatch.delenv("PCVL_CLOUD_TOKEN", raising=False)
    targets = {target.name: target for target in phl.targets()}
    assert targets["perceval:slos"].available
    assert targets["perceval:<preset>"].available
    assert targets["quandela:<platform>"].reason is Unavailable.NO_TOKEN
    monkeypatch.setenv("PCVL_CLOUD_TOKEN", "x" * 20)
    targets = {target.name: target for target in phl.targets()}
    assert targets["quandela:<platform>"].available
    assert targets["quandela:<platform>"].hardware


def test_what_does_not_fit_is_refused_at_once(program):
    with pytest.raises(ProgramError, match="smaller space"):
        phl.reserve("perceval:slos", phl.Program.reservoir(40, 14, features=4, readout=phl.Readout.probs("fock")))
    with pytest.raises(ProgramError, match="threads"):
        phl.reserve("perceval:slos", program, threads=2)
