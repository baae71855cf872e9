"""Noise against Perceval: distributions of its Processor, its sources, its drawn phases; and samples of them."""

from __future__ import annotations

import itertools
import pickle
from typing import Any

import numpy as np
import perceval as pcvl
import pytest

import photonlink as phl
from photonlink.errors import ProgramError
from photonlink.unitary import haar_unitary

TOLERANCE = 1e-9  # of renormalised probabilities

INPUTS = {(4, 2): [1, 0, 1, 0], (6, 3): [0, 1, 0, 0, 1, 1], (8, 3): [1, 0, 1, 0, 1, 0, 0, 0], (4, 3): [2, 0, 1, 0]}
SETTINGS = (
    {"brightness": 0.7},
    {"transmittance": 0.3},
    {"indistinguishability": 0.8},
    {"indistinguishability": 0.0},
    {"g2": 0.1},
    {"g2": 0.1, "g2_distinguishable": False},
    {"brightness": 0.8, "transmittance": 0.5, "indistinguishability": 0.9, "g2": 0.05},
    {"brightness": 0.8, "transmittance": 0.5, "indistinguishability": 0.9, "g2": 0.3, "g2_distinguishable": False},
)


@pytest.fixture(autouse=True)
def _perceval_keeps_everything():
    before = pcvl.utils.global_params["min_p"]
    pcvl.utils.global_params["min_p"] = 1e-40
    yield
    pcvl.utils.global_params["min_p"] = before


def experiment(unitary: Any, state: list[int], noise: dict[str, Any], detectors: str, least: int) -> pcvl.Experiment:
    built = pcvl.Experiment(pcvl.Unitary(pcvl.Matrix(unitary)), noise=pcvl.NoiseModel(**noise))
    if detectors == "threshold":
        for mode in range(len(state)):
            built.add(mode, pcvl.Detector.threshold())
    built.with_input(pcvl.BasicState(state))
    built.min_detected_photons_filter(least)
    return built


def by_processor(described: pcvl.Experiment) -> tuple[dict[tuple[int, ...], float], float]:
    """Distribution of kept events, and the probability that an event is kept."""
    processor = pcvl.Processor("SLOS", described)
    processor.compute_physical_logical_perf(True)
    result = processor.probs(precision=1e-30)
    return {tuple(state): p for state, p in result["results"].items()}, result["physical_perf"]


def program_of(described: pcvl.Experiment, readout: phl.Readout | None = None) -> phl.Program:
    return phl.Program.from_perceval(described, described.input_state, [], readout or phl.Readout.probs("fock"))


def as_distribution(program: phl.Program) -> dict[tuple[int, ...], float]:
    return dict(zip(program.output_keys, program.simulate(np.zeros(0)).tolist(), strict=True))


def kept_fraction(program: phl.Program) -> float:
    with phl.reserve("sim", program) as session:
        return float(session.infer(np.zeros(0), return_info=True)[1].kept_fraction[0])


def largest_difference(ours: dict[tuple[int, ...], float], theirs: dict[tuple[int, ...], float]) -> float:
    assert set(theirs) <= set(ours)
    return max(abs(p - theirs.get(state, 0.0)) for state, p in ours.items())


@pytest.mark.parametrize("size", list(INPUTS))
@pytest.mark.parametrize("noise", SETTINGS, ids=str)
def test_distributions_are_those_of_percevals_processor(size, noise):
    state = INPUTS[size]
    unitary = haar_unitary(len(state), seed=len(state))
    for detectors, least in itertools.product(("pnr", "threshold"), (0, 1, sum(state))):
        described = experiment(unitary, state, noise, detectors, least)
        program = program_of(described)
        theirs, kept = by_processor(described)
        assert largest_difference(as_distribution(program), theirs) < TOLERANCE
        assert kept_fraction(program) == pytest.approx(kept, rel=1e-9)


@pytest.mark.parametrize("name", ["ascella", "belenos", "maring2024"])
@pytest.mark.parametrize("detectors", ["pnr", "threshold"])
def test_presets_agree_with_percevals_simulator(name, detectors):
    """By way of its source's distribution: the Processor itself leaves out configurations below 1e-13 or so, which
    with a transmittance of 2 % changes renormalised probabilities by 2e-9."""
    state = INPUTS[6, 3]
    noise = phl.Noise.preset(name)
    unitary = haar_unitary(6, seed=5)
    source = pcvl.Source.from_noise_model(
        pcvl.NoiseModel(transmittance=noise.transmittance, indistinguishability=noise.indistinguishability, g2=noise.g2)
    )
    simulator = pcvl.simulators.Simulator(pcvl.SLOSBackend())
    simulator.set_circuit(pcvl.Unitary(pcvl.Matrix(unitary)))
    simulator.set_precision(0)
    simulator.set_selection(min_detected_photons_filter=3)
    simulator.compute_physical_logical_perf(True)
    threshold = [pcvl.Detector.threshold()] * 6 if detectors == "threshold" else None
    result = simulator.probs_svd(source.generate_distribution(pcvl.BasicState(state), 0), threshold)
    builder = phl.Program.layered(6, state).interferometer(unitary)
    program = builder.build(phl.Readout.probs("fock"), noise=noise, detectors=detectors)
    theirs = {tuple(s): p for s, p in result["results"].items()}
    assert largest_difference(as_distribution(program), theirs) < TOLERANCE
    assert kept_fraction(program) == pytest.approx(result["physical_perf"], rel=1e-9)


def kept_value(key: tuple[int, ...], kind: str, i: int, j: int) -> float:
    if kind == "click_probabilities":
        return float(key[i] > 0)
    return float(key[i] if kind == "mode_expectations" else key[i] * key[j])


@pytest.mark.parametrize("noise", [SETTINGS[6], SETTINGS[7], {"indistinguishability": 0.6, "brightness": 0.5}], ids=str)
@pytest.mark.parametrize("detectors", ["pnr", "threshold"])
@pytest.mark.parametrize("least", [0, 2, 3])
def test_every_readout_follows_from_the_distribution(noise, detectors, least):
    state = [1, 0, 2, 0, 0]
    described = experiment(haar_unitary(5, seed=9), state, noise, detectors, least)
    distribution = by_processor(described)[0]
    for kind in ("mode_expectations", "correlators", "click_probabilities"):
        program = program_of(described, phl.Readout(kind, "fock"))
        pairs = program.output_keys if kind == "correlators" else [(i, i) for (i,) in program.output_keys]
        expected = [sum(p * kept_value(key, kind, i, j) for key, p in distribution.items()) for i, j in pairs]
        np.testing.assert_allclose(program.simulate(np.zeros(0)), expected, atol=TOLERANCE)
    patterns: dict[tuple[int, ...], float] = {}
    for key, p in distribution.items():
        pattern = tuple(min(n, 1) for n in key)
        patterns[pattern] = patterns.get(pattern, 0.0) + p
    program = program_of(described, phl.Readout.click_patterns())
    assert list(program.output_keys) == sorted(program.output_keys, reverse=True)
    assert largest_difference(as_distribution(program), patterns) < TOLERANCE
    every = np.array(list(as_distribution(program_of(described)).values()))
    for grouping in (phl.LexGrouping(7), phl.ModGrouping(7)):
        padded = np.pad(every, (0, -len(every) % 7))
        sums = padded.reshape(7, -1).sum(1) if isinstance(grouping, phl.LexGrouping) else padded.reshape(-1, 7).sum(0)
        grouped = program_of(described, phl.Readout.probs("fock", grouping)).simulate(np.zeros(0))
        np.testing.assert_allclose(grouped, sums, atol=1e-14)


@pytest.mark.parametrize("space", ["unbunched", "dual_rail"])
@pytest.mark.parametrize("detectors", ["pnr", "threshold"])
def test_spaces_keep_their_states_of_what_detectors_show(space, detectors):
    described = experiment(haar_unitary(6, seed=3), INPUTS[6, 3], SETTINGS[6], detectors, 2)
    distribution, kept = by_processor(described)

    def holds(key: tuple[int, ...]) -> bool:
        pairs = [key[k] + key[k + 1] for k in range(0, 6, 2)]
        return max(key) <= 1 if space == "unbunched" else pairs == [1, 1, 1]

    inside = {key: p for key, p in distribution.items() if holds(key)}
    share = sum(inside.values())
    program = program_of(described, phl.Readout.probs(space))
    expected = {key: p / share for key, p in inside.items()}
    assert largest_difference(as_distribution(program), expected) < TOLERANCE
    assert kept_fraction(program) == pytest.approx(kept * share, rel=1e-9)


def test_a_processor_brings_its_surroundings_along():
    described = experiment(haar_unitary(4, seed=2), [1, 0, 1, 0], {}, "threshold", 1)
    described.noise = None
    processor = pcvl.Processor("SLOS", described, noise=pcvl.NoiseModel(transmittance=0.7, g2=0.05))
    readout = phl.Readout.probs("fock")
    program = phl.Program.from_perceval(processor, [1, 0, 1, 0], [], readout)
    assert (program.noise, program.detectors, program.min_detected_photons) == (
        phl.Noise(transmittance=0.7, g2=0.05),
        "threshold",
        1,
    )
    result = {tuple(state): p for state, p in processor.probs(precision=1e-30)["results"].items()}
    assert largest_difference(as_distribution(program), result) < TOLERANCE
    other = phl.Program.from_perceval(processor, [1, 0, 1, 0], [], readout, noise=phl.Noise(), detectors="pnr")
    assert (other.noise, other.detectors, other.min_detected_photons) == (None, "pnr", 1)


def test_keys_come_by_falling_photon_number():
    program = phl.Program.reservoir(
        3, 2, 1, readout=phl.Readout.probs("fock"), noise=phl.Noise(transmittance=0.5), min_detected_photons=0
    )
    # fmt: off
    assert program.output_keys == (
        (2, 0, 0), (1, 1, 0), (1, 0, 1), (0, 2, 0), (0, 1, 1), (0, 0, 2), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0)
    )
    # fmt: on
    assert program.replace(min_detected_photons=None).output_keys == program.output_keys[:6]


def test_without_interference_nothing_interferes():
    lossy = phl.Noise(transmittance=0.6, g2=0.2, g2_distinguishable=False)
    options = {"seed": 4, "readout": phl.Readout.probs("fock"), "min_detected_photons": 0}
    apart = phl.Program.reservoir(5, 3, 5, interference=False, noise=lossy, **options)
    distinguishable = phl.Noise(transmittance=0.6, g2=0.2, indistinguishability=0.0)
    same = phl.Program.reservoir(5, 3, 5, noise=distinguishable, **options)
    x = np.random.default_rng(1).uniform(0, 6, (4, 5))
    np.testing.assert_allclose(apart.simulate(x), same.simulate(x), atol=1e-14)


# ---- phases


def drawn_circuit(phi: float) -> pcvl.Circuit:
    circuit = pcvl.Circuit(3) // (0, pcvl.PS(0.4)) // (0, pcvl.BS(0.9)) // (1, pcvl.PS(phi)) // (1, pcvl.BS(1.3))
    return (
        circuit // (1, pcvl.PS(2.5, max_error=0.3)) // (0, pcvl.PS(phi + 0.25)) // (0, pcvl.BS()) // (1, pcvl.BS(0.4))
    )


def driven_circuit() -> pcvl.Circuit:
    px = pcvl.P("px")
    shifted = pcvl.Expression("px + 0.25", {px})
    circuit = pcvl.Circuit(3) // (0, pcvl.PS(0.4)) // (0, pcvl.BS(0.9)) // (1, pcvl.PS(px)) // (1, pcvl.BS(1.3))
    return circuit // (1, pcvl.PS(2.5, max_error=0.3)) // (0, pcvl.PS(shifted)) // (0, pcvl.BS()) // (1, pcvl.BS(0.4))


@pytest.mark.parametrize(
    "model", [{"phase_error": 0.2}, {"phase_imprecision": 0.3}, {"phase_error": 0.2, "phase_imprecision": 0.1}]
)
@pytest.mark.parametrize("seed", [0, 7])
def test_phases_err_as_percevals_do_for_the_same_seed(model, seed):
    """One draw of all phase errors: the same for every datapoint of a program, another for another seed."""
    noise = phl.Noise.from_perceval(pcvl.NoiseModel(**model, transmittance=0.5), phase_seed=seed)
    readout = phl.Readout.probs("fock")
    program = phl.Program.from_perceval(driven_circuit(), [1, 1, 0], ["px"], readout, noise=noise)
    computer = pcvl.SimulatedComputer("SLOS")
    computer.noise = pcvl.NoiseModel(**model, transmittance=0.5)
    for phi in (0.3, 2.0, 5.9):
        described = pcvl.Experiment(drawn_circuit(phi), noise=pcvl.NoiseModel(**model, transmittance=0.5))
        drawn = np.array(described.use_phase_noise(seed=seed).unitary_circuit().compute_unitary())
        plain = phl.Program.layered(3, [1, 1, 0]).interferometer(drawn).build(readout).simulate(np.zeros(0))
        np.testing.assert_allclose(program.simulate(np.array([phi])), plain, atol=1e-12)
        fixed = phl.Program.from_perceval(drawn_circuit(phi), [1, 1, 0], [], readout, noise=noise)
        np.testing.assert_allclose(fixed.simulate(np.zeros(0)), plain, atol=1e-12)
        described.with_input(pcvl.BasicState([1, 1, 0]))
        described.min_detected_photons_filter(2)
        result = computer.probs(described, precision=1e-30, compilation_seed=seed)["results"]
        assert largest_difference(as_distribution(fixed), {tuple(s): p for s, p in result.items()}) < TOLERANCE


def test_phases_that_features_drive_are_rounded_after_reduction():
    noise = phl.Noise(phase_imprecision=0.5)
    noisy = phl.Program.reservoir(4, 2, 4, seed=2, noise=noise)
    exact = phl.Program.reservoir(4, 2, 4, seed=2)
    x = np.random.default_rng(3).uniform(-9, 9, (6, 4))
    np.testing.assert_allclose(noisy.simulate(x), exact.simulate(np.round(x % (2 * np.pi) / 0.5) * 0.5), atol=1e-12)
    assert noisy.output_keys == exact.output_keys


def test_phase_noise_that_cannot_be_expressed_is_refused():
    rough = phl.Noise(phase_imprecision=0.1)
    driven = pcvl.Circuit(2) // pcvl.BS(theta=pcvl.P("px"))
    with pytest.raises(ProgramError, match="phase_imprecision rounds"):
        phl.Program.from_perceval(driven, [1, 0], noise=rough)
    with pytest.raises(ProgramError, match="build the program anew"):
        phl.Program.reservoir(4, 2, 4).replace(noise=rough)


# ---- samples


@pytest.mark.parametrize("detectors", ["pnr", "threshold"])
def test_samples_pass_chi_square_against_perceval(detectors):
    state = INPUTS[6, 3]
    described = experiment(haar_unitary(6, seed=8), state, SETTINGS[6], detectors, 1)
    theirs, _ = by_processor(described)
    program = program_of(described)
    shots = 200_000
    with phl.reserve("sim", program, shots=shots, seed=12) as session:
        _, info = session.infer(np.zeros(0), return_info=True)
    statistic, freedom = chi_square(program, info.counts[0], theirs)
    assert statistic < freedom + 4 * np.sqrt(2 * freedom)  # 4 standard deviations; the seed is fixed


def little_memory(program: phl.Program) -> phl.Controller:
    """A controller on which the program's distribution does not fit."""
    return phl.Controller(memory_limit=program.predict_bytes(sampled=True))


def chi_square(program: phl.Program, counts: phl.Counts, theirs: dict[tuple[int, ...], float]) -> tuple[float, int]:
    """Statistic and degrees of freedom; states that are expected less than 10 times count together."""
    observed = np.zeros(program.output_size)
    observed[counts.index] = counts.count
    expected = observed.sum() * np.array([theirs.get(key, 0.0) for key in program.output_keys])
    common = expected > 10
    statistic = ((observed - expected)[common] ** 2 / expected[common]).sum()
    rest = observed[~common].sum(), expected[~common].sum()
    if rest[1] > 0:
        statistic += (rest[0] - rest[1]) ** 2 / rest[1]
    else:
        assert rest[0] == 0
    return float(statistic), int(common.sum())


@pytest.mark.parametrize("noise", [SETTINGS[0], SETTINGS[6], SETTINGS[7]], ids=str)
@pytest.mark.parametrize("detectors", ["pnr", "threshold"])
@pytest.mark.parametrize("least", [0, 3])
def test_sampled_sources_pass_chi_square_against_perceval(noise, detectors, least):
    state = INPUTS[6, 3]
    noise = {**noise, "indistinguishability": 0.7}
    described = experiment(haar_unitary(6, seed=8), state, noise, detectors, least)
    theirs, kept = by_processor(described)
    program = program_of(described)
    shots = 30_000
    with (
        little_memory(program) as controller,
        phl.reserve("sim", program, shots=shots, seed=3, controller=controller) as session,
    ):
        _, info = session.infer(np.zeros(0), return_info=True)
        assert info.noise_method == session.info.noise_method == "sampled sources"
    statistic, freedom = chi_square(program, info.counts[0], theirs)
    assert statistic < freedom + 4 * np.sqrt(2 * freedom)  # 4 standard deviations; the seed is fixed
    assert info.kept_fraction[0] == pytest.approx(kept, rel=0.03)


@pytest.mark.parametrize("kind", ["probabilities", "mode_expectations", "correlators", "click_patterns"])
@pytest.mark.parametrize("space", ["fock", "unbunched"])
def test_sampled_sources_estimate_every_readout_for_any_batch(kind, space):
    noise = phl.Noise(transmittance=0.6, indistinguishability=0.8, g2=0.1, phase_imprecision=0.05)
    program = phl.Program.reservoir(
        6, 3, 6, seed=4, readout=phl.Readout(kind, space), noise=noise, min_detected_photons=2
    )
    x = np.random.default_rng(6).uniform(0, 6, (3, 6))
    exact = program.simulate(x)
    with (
        little_memory(program) as controller,
        phl.reserve("sim", program, shots=4000, seed=1, controller=controller) as session,
    ):
        y, info = session.infer(x, return_info=True)
    assert info.noise_method == "sampled sources"
    assert (abs(y - exact) < 5 * info.standard_errors + 5e-3).all()
    with (
        little_memory(program) as controller,
        phl.reserve("sim", program, shots=4000, seed=1, controller=controller) as session,
    ):
        np.testing.assert_array_equal(np.stack([session.infer(row) for row in x]), y)


def test_a_chip_whose_distribution_is_out_of_reach_is_sampled():
    readout = phl.Readout.samples("unbunched")
    noise = phl.Noise.preset("belenos")
    program = phl.Program.reservoir(24, 12, 24, seed=1, readout=readout, noise=noise, min_detected_photons=6)
    with phl.reserve("sim", program, shots=20, seed=1) as session:
        samples, info = session.infer(np.zeros(24), return_info=True)
    assert samples.shape == (20, 24)
    assert (samples.sum(1).min(), samples.max()) == (6, 1)
    assert info.noise_method == "sampled sources"
    assert 0 < info.kept_fraction[0] < 1


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("shots", [None, 300])
def test_a_session_gives_what_direct_simulation_gives(precision, shots):
    noise = phl.Noise(transmittance=0.4, indistinguishability=0.9, g2=0.03, phase_error=0.1, phase_imprecision=0.01)
    x = np.random.default_rng(5).uniform(0, 6, (11, 5))
    for detectors, kind in itertools.product(
        ("pnr", "threshold"), ("probabilities", "mode_expectations", "correlators")
    ):
        readout = phl.Readout(kind, "fock")
        program = phl.Program.reservoir(
            5, 3, 5, seed=1, readout=readout, noise=noise, detectors=detectors, min_detected_photons=1
        )
        direct = program.simulate(x, precision=precision, shots=shots, seed=3)
        with phl.reserve("sim", program, precision=precision, shots=shots, seed=3) as session:
            first = session.infer(x[:4])
            rest = np.concatenate([session.infer(row)[None] for row in x[4:]])
        np.testing.assert_array_equal(np.concatenate([first, rest]), direct)


def test_samples_are_the_states_that_detectors_show():
    noise = phl.Noise(transmittance=0.5, g2=0.1)
    readout = phl.Readout.samples("fock")
    program = phl.Program.reservoir(4, 2, 4, seed=1, readout=readout, noise=noise, min_detected_photons=1)
    with phl.reserve("sim", program, shots=500, seed=2) as session:
        samples = session.infer(np.zeros(4))
    assert samples.shape == (500, 4)
    assert set(map(tuple, samples.tolist())) <= set(program.output_keys)
    assert set(samples.sum(1).tolist()) >= {1, 2}


def test_the_clock_counts_losses_once():
    """Pure loss in the program takes exactly as long as the preset's own loss on an ideal program."""
    chip = phl.preset("ascella")
    lossy = phl.Noise(transmittance=chip.transmittance.value)
    x = np.zeros((1, 6))
    seconds = []
    for noise in (None, lossy):
        program = phl.Program.reservoir(6, 3, 6, seed=1, noise=noise)
        with phl.reserve("sim", program, shots=100, preset="ascella") as session:
            seconds.append(session.infer(x, return_info=True)[1].quantum_seconds[0])
        assert program.fit("ascella").kept_per_second == pytest.approx(
            phl.Program.reservoir(6, 3, 6, seed=1).fit("ascella").kept_per_second
        )
    assert seconds[1] == pytest.approx(seconds[0], rel=1e-9)


def test_the_method_is_named():
    noise = phl.Noise(transmittance=0.5, indistinguishability=0.9)
    expectations = phl.Readout.mode_expectations("fock")
    cases = {
        "none": phl.Program.reservoir(4, 2, 4),
        "ideal": phl.Program.reservoir(4, 2, 4, noise=phl.Noise(transmittance=0.5)),
        "closed form": phl.Program.reservoir(4, 2, 4, readout=expectations, noise=noise, min_detected_photons=0),
        "exact mixture": phl.Program.reservoir(4, 2, 4, noise=noise),
    }
    for method, program in cases.items():
        with phl.reserve("sim", program) as session:
            info = session.infer(np.zeros(4), return_info=True)[1]
            assert (session.info.noise_method, info.noise_method) == (method, method)


# ---- descriptions


def test_noise_is_checked_field_by_field():
    for field, value in (
        ("brightness", 1.5),
        ("transmittance", -0.1),
        ("indistinguishability", float("nan")),
        ("g2", "much"),
        ("g2_distinguishable", 1),
        ("phase_error", 4.0),
        ("phase_imprecision", float("inf")),
        ("phase_seed", -1),
    ):
        with pytest.raises(ProgramError, match=f"{field} is .*expected"):
            phl.Noise(**{field: value})
    with pytest.raises(ProgramError, match=r"at most 0\.5"):
        phl.Noise(g2=0.6)
    with pytest.raises(ProgramError, match="flat figures"):
        phl.Noise.preset("article")
    with pytest.raises(ProgramError, match="NoiseModel"):
        phl.Noise.from_perceval(3)
    with pytest.raises(ProgramError, match="min_detected_photons is 4"):
        phl.Program.reservoir(4, 2, 4, min_detected_photons=4)
    with pytest.raises(ProgramError, match="'threshold'"):
        phl.Program.reservoir(4, 2, 4, detectors="geiger")  # type: ignore[arg-type]


def test_noise_is_part_of_a_programs_identity():
    plain = phl.Program.reservoir(4, 2, 4, seed=1)
    assert plain.replace(noise=phl.Noise()) == plain
    assert plain.replace(min_detected_photons=2) == plain
    variants = [
        plain,
        plain.replace(noise=phl.Noise(transmittance=0.5)),
        plain.replace(noise=phl.Noise(transmittance=np.nextafter(0.5, 1))),
        plain.replace(detectors="threshold"),
        plain.replace(min_detected_photons=1),
        phl.Program.reservoir(4, 2, 4, seed=1, noise=phl.Noise(phase_error=0.1)),
        phl.Program.reservoir(4, 2, 4, seed=1, noise=phl.Noise(phase_error=0.1, phase_seed=1)),
    ]
    assert len({program.digest for program in variants}) == len(variants)
    for program in variants:
        loaded = pickle.loads(pickle.dumps(program))
        assert loaded.digest == program.digest
        assert (loaded.noise, loaded.detectors, loaded.min_detected_photons) == (
            program.noise,
            program.detectors,
            program.min_detected_photons,
        )
        np.testing.assert_array_equal(loaded.phase_errors, program.phase_errors)


def test_a_mixture_that_is_too_large_is_refused_with_its_size():
    program = phl.Program.reservoir(
        24, 12, 1, readout=phl.Readout.probs("fock"), noise=phl.Noise(indistinguishability=0.9)
    )
    with pytest.raises(ProgramError, match=r"4096 configurations .* bytes .* use fewer photons"):
        program.simulate(np.zeros(1))
