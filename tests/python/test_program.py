"""Programs: constructors, identity, storage, encoding and what is refused. Physics is in test_perceval_agreement."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import struct
import subprocess
import sys
from hashlib import sha256

import numpy as np
import perceval as pcvl
import pytest

from photonlink import _storage
from photonlink.builder import haar_unitary
from photonlink.errors import ProcessorError, ProgramError
from photonlink.program import Program
from photonlink.readout import LexGrouping, ModGrouping, Readout


def exact_program():
    """A program whose every number is exact, so that its digest is the same on every machine."""
    return (
        Program.layered(3, [1, 0, 2])
        .interferometer([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
        .phases(["a", "b"], modes=[2, 0], scale=[0.5, -2.0], offset=0.25)
        .interferometer([[0.6, 0.8j, 0], [0.8j, 0.6, 0], [0, 0, 1]])
        .phases(["b"], modes=[1])
        .interferometer([[1, 0, 0], [0, 0.28, 0.96], [0, -0.96, 0.28]])
        .build(Readout.probs("fock", LexGrouping(4)))
    )


# ---- identity


def test_digest_is_pinned():
    assert exact_program().digest == "24bdd6cdd6bf24a919b57775f42cbdc3cbf4f3372afe1a0a0c8cf38ea7566bef"


def test_digest_of_a_reservoir_is_pinned():
    """Neither LAPACK nor fused arithmetic takes part in a Haar unitary: this holds on every platform."""
    assert (
        Program.reservoir(6, 2, 4, seed=7).digest == "b98fbeb49c0fbcbea54ee33457c9d3b60145a0055ac9179fb72c4bb7c77773c9"
    )


def test_digest_is_the_same_in_another_process():
    code = "from photonlink.program import Program; print(Program.reservoir(9, 3, 5, seed=3, scale=0.7).digest)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert out.stdout.strip() == Program.reservoir(9, 3, 5, seed=3, scale=0.7).digest


def variants():
    base = Program.reservoir(4, 2, 3, seed=1)
    encoding = base.encoding
    yield base
    yield Program.reservoir(4, 2, 3, seed=2)
    yield Program.reservoir(4, 2, 3, seed=1, scale=2.0)
    yield Program.reservoir(4, 2, ["a", "b", "c"], seed=1)
    yield Program.reservoir(4, 2, 3, seed=1, input_state=[1, 1, 0, 0])
    yield base.replace(readout=Readout.correlators())
    yield base.replace(readout=Readout.probs("fock"))
    yield base.replace(readout=Readout.probs(grouping=LexGrouping(2)))
    yield base.replace(readout=Readout.probs(grouping=ModGrouping(2)))
    yield base.replace(readout=Readout.probs(grouping=ModGrouping(3)))
    yield base.replace(interference=False)
    yield dataclasses.replace(base, encoding=dataclasses.replace(encoding, wrap=True))
    yield dataclasses.replace(base, encoding=dataclasses.replace(encoding, dac_bits=4))
    yield Program.reservoir(4, 2, 3, seed=1, dac_bits=5)
    yield dataclasses.replace(base, encoding=dataclasses.replace(encoding, offset=encoding.offset + 1e-15))


def test_everything_that_changes_a_result_changes_the_digest():
    programs = list(variants())
    assert len({program.digest for program in programs}) == len(programs)
    assert len(set(programs)) == len(programs)


def test_negative_zero_is_the_same_program():
    plus = Program.layered(2, [1, 0]).interferometer([[1, 0], [0, 1]]).phases([0], offset=0.0).build()
    minus = Program.layered(2, [1, 0]).interferometer([[1, -0.0], [-0.0, 1]]).phases([0], offset=-0.0).build()
    assert plus == minus


def test_programs_cannot_be_changed():
    program = Program.reservoir(4, 2, 3, seed=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        program.modes = 5
    for array in (program.interferometers, program.phase_modes, program.encoding.term_weight):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    unitary = haar_unitary(3, 0)
    built = Program.layered(3, [1, 0, 0]).interferometer(unitary).build()
    digest = built.digest
    unitary[:] = 0
    assert dataclasses.replace(built).digest == digest


# ---- storage


@pytest.mark.parametrize("program", list(variants()), ids=lambda program: program.digest[:6])
def test_round_trip(program, tmp_path):
    path = tmp_path / "program.phl"
    program.save(path)
    for again in (Program.load(path), Program.from_bytes(program.to_bytes()), pickle.loads(pickle.dumps(program))):
        assert again == program
        assert again.digest == program.digest
        assert again.features == program.features
        assert again.readout == program.readout
        assert again.encode(np.ones(3)).tobytes() == program.encode(np.ones(3)).tobytes()
    assert copy.deepcopy(program) == program


def test_programs_without_news_keep_their_format_and_digest():
    """Bytes 8 to 11 are the format; a converter's resolution needs the second one, its absence keeps the first."""
    continuous, rounded = (Program.reservoir(4, 2, 3, seed=1, dac_bits=bits) for bits in (0, 6))
    assert continuous.to_bytes()[8:12] == b"\x01\0\0\0"
    assert b"dac_bits" not in continuous.to_bytes()
    assert rounded.to_bytes()[8:12] == b"\x02\0\0\0"
    assert Program.from_bytes(rounded.to_bytes()).encoding.dac_bits == 6


def test_every_damaged_byte_is_noticed():
    data = exact_program().to_bytes()
    rng = np.random.default_rng(0)
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= int(rng.integers(1, 256))
        with pytest.raises(ProgramError):
            Program.from_bytes(bytes(damaged))


def test_every_truncation_is_noticed():
    data = exact_program().to_bytes()
    for length in range(len(data)):
        with pytest.raises(ProgramError):
            Program.from_bytes(data[:length])
    with pytest.raises(ProgramError, match="announced"):
        Program.from_bytes(data + b"\0")


def signed(meta: bytes, rest: bytes = b"") -> bytes:
    """Bytes with a correct checksum around chosen metadata: what a hostile sender can make."""
    body = struct.pack("<8sII", b"PHLPROG\n", 1, len(meta)) + meta + rest
    return body + sha256(body).digest()


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        (b'{"modes":16777216,"interferometers":16777216,"phases":0,"terms":0}', "announced"),
        (b'{"modes":1e9,"interferometers":1,"phases":0,"terms":0}', "modes is"),
        (b'{"modes":-1,"interferometers":1,"phases":0,"terms":0}', "modes is -1"),
        (b'{"modes":true,"interferometers":1,"phases":0,"terms":0}', "modes is True"),
        (b'{"modes":2,"interferometers":1,"phases":99999999999,"terms":0}', "phases is"),
        (b"[1, 2]", "not an object"),
        (b"[" * 100_000, "cannot be read"),
        (b"\xff", "cannot be read"),
        (b"{}", "modes is None"),
    ],
)
def test_announced_sizes_are_not_believed(meta, words):
    with pytest.raises(ProgramError, match=words):
        Program.from_bytes(signed(meta))


def test_well_formed_bytes_of_an_impossible_program_are_refused():
    one_mode = np.ones(1, "<c16").tobytes() + np.zeros(1, "<u4").tobytes()
    frame = '{{"modes":1,"interferometers":1,"phases":0,"terms":0{}}}'
    full = (
        ',"input_state":{},"features":[],"wrap":false,"kind":"{}","space":"fock"'
        ',"grouping":{},"groups":0,"interference":true'
    )
    good = frame.format(full.format("[1]", "probabilities", '"none"')).encode()
    assert Program.from_bytes(signed(good, one_mode)).modes == 1
    for extra, words in [
        ("", "bad metadata"),
        (full.format('["x"]', "probabilities", '"none"'), "photons of each mode"),
        (full.format("[0]", "probabilities", '"none"'), "no photon"),
        (full.format("[1]", "secrets", '"none"'), "unknown readout"),
        (full.format("[1]", "probabilities", '"evil"'), "bad metadata"),
        (full.format("[1]", "probabilities", '"lex"'), "at least 1"),
    ]:
        with pytest.raises(ProgramError, match=words):
            Program.from_bytes(signed(frame.format(extra).encode(), one_mode))


def test_oversized_files_and_bytes_are_refused_unread(tmp_path, monkeypatch):
    path = tmp_path / "big.phl"
    with path.open("wb") as file:
        file.truncate(_storage.MAX_BYTES + 1)  # sparse: takes no disk
    with pytest.raises(ProgramError, match="more than a stored program may have"):
        Program.load(path)
    monkeypatch.setattr(_storage, "MAX_BYTES", 1000)
    program = Program.reservoir(8, 2, 3)
    with pytest.raises(ProgramError, match="more than the limit of 1000"):
        program.to_bytes()
    with pytest.raises(ProgramError, match="more than a stored program may have"):
        Program.from_bytes(bytes(1001))


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, a=np.zeros(100))
    with pytest.raises(ProgramError, match="not a photonlink program"):
        Program.load(path)
    data = bytearray(exact_program().to_bytes())
    data[8] = 9
    with pytest.raises(ProgramError, match="format 9 is not known"):
        Program.from_bytes(bytes(data))
    with pytest.raises(FileNotFoundError):
        Program.load(tmp_path / "absent")


# ---- constructors


def test_haar_unitaries_are_unitary_to_the_last_bits_and_differ():
    for modes in (1, 2, 5, 24, 60):
        unitary = haar_unitary(modes, seed=modes)
        assert abs(unitary.conj().T @ unitary - np.eye(modes)).max() < 1e-14
    assert abs(haar_unitary(5, 1) - haar_unitary(5, 2)).max() > 0.1


def test_haar_unitaries_have_the_moments_of_the_haar_measure():
    """|U_ij|^2 has mean 1/m and variance (m-1)/(m^2(m+1)), the trace has mean 0 and mean square 1 (Diaconis)."""
    modes, draws = 4, 4000
    unitaries = np.array([haar_unitary(modes, seed) for seed in range(draws)])
    weights = abs(unitaries) ** 2
    expected_variance = (modes - 1) / (modes**2 * (modes + 1))
    assert abs(weights.mean(axis=0) - 1 / modes).max() < 5 * np.sqrt(expected_variance / draws)
    assert abs(weights.var(axis=0) / expected_variance - 1).max() < 0.2
    traces = np.trace(unitaries, axis1=1, axis2=2)
    assert abs(traces.mean()) < 5 / np.sqrt(draws)
    assert abs((abs(traces) ** 2).mean() - 1) < 5 / np.sqrt(draws)


def test_haar_is_the_unitary_factor_of_numpys_qr():
    real, imag = np.random.Generator(np.random.PCG64(9)).standard_normal((2, 7, 7))
    q, r = np.linalg.qr(real + 1j * imag)
    assert abs(haar_unitary(7, 9) - q * (np.diag(r) / abs(np.diag(r)))).max() < 1e-13


@pytest.mark.parametrize("bits", [1, 3, 8, 16, 32])
def test_converters_round_to_the_nearest_step(bits):
    """Against numpy: the phase that is nearest on the circle among the 2**bits multiples of a step."""
    x = np.random.default_rng(bits).uniform(-20, 20, size=(300, 3))
    step = 2 * np.pi / 2**bits
    phases = Program.reservoir(4, 2, 3, seed=1, scale=1.7, dac_bits=bits).encode(x)
    continuous = Program.reservoir(4, 2, 3, seed=1, scale=1.7).encode(x)
    np.testing.assert_allclose(phases, np.round(continuous / step) % 2**bits * step, rtol=0, atol=1e-12)
    assert (phases >= 0).all()
    assert (phases < 2 * np.pi).all()
    assert len(np.unique(phases)) <= 2**bits


def test_every_constructor_takes_a_resolution():
    circuit = pcvl.Circuit(2) // pcvl.BS() // (0, pcvl.PS(pcvl.P("px0"))) // pcvl.BS()
    rounded = Program.from_perceval(circuit, [1, 1], ["px"], dac_bits=2)
    assert rounded.encode([[1.0], [0.7]]).tolist() == [[np.pi / 2], [0.0]]
    built = Program.layered(2, [1, 0]).haar(1).phases(["a"]).haar(2).build(dac_bits=1)
    assert built.encode([[3.0], [1.5]]).tolist() == [[np.pi], [0.0]]


@pytest.mark.parametrize("bits", [-1, 33, 2.0, True, "8"])
def test_impossible_resolutions_are_refused(bits):
    with pytest.raises(ProgramError, match="dac_bits is"):
        Program.reservoir(4, 2, 3, dac_bits=bits)


def test_reservoir_is_u_phases_u():
    program = Program.reservoir(6, 3, 4, seed=5, scale=0.5)
    assert program.features == ("px1", "px2", "px3", "px4")
    assert program.layers == 1
    assert program.phases_per_datapoint == 4
    assert program.phase_modes.tolist() == [0, 1, 2, 3]
    assert (program.interferometers[0] == program.interferometers[1]).all()
    assert program.encode([1.0, 2.0, 3.0, 4.0]).tolist() == [[0.5, 1.0, 1.5, 2.0]]
    assert program.output_size == 20
    assert len(program.output_keys) == 20


def test_layers_may_repeat_features_and_share_modes():
    program = (
        Program.layered(4, [2, 0, 1, 0])
        .haar(1)
        .phases(["a", 3])
        .phases(["a"], modes=[0], scale=2.0, offset=1.0)
        .haar(2)
        .phases([3, "a"], modes=[1, 3], scale=[1.0, -1.0])
        .haar(3)
        .build(wrap=True)
    )
    assert program.features == ("a", "x3")
    assert program.layers == 2
    assert program.phase_layers.tolist() == [0, 0, 1, 1]
    assert program.phase_modes.tolist() == [0, 1, 1, 3]
    expected = [[(1 + 3 * 0.5) % (2 * np.pi), 7.0 % (2 * np.pi), 7.0 % (2 * np.pi), -0.5 % (2 * np.pi)]]
    assert np.allclose(program.encode([0.5, 7.0]), expected, rtol=0, atol=1e-15)


def test_phases_compose_with_interferometers_in_order():
    """One photon: the distribution is a column of the product of all layers, computed here with plain matrices."""
    u = [haar_unitary(4, seed) for seed in range(3)]
    program = (
        Program.layered(4, [0, 1, 0, 0])
        .interferometer(u[0])
        .phases(["a", "b"], modes=[3, 1])
        .interferometer(u[1])
        .phases(["b", "c"], modes=[0, 2])
        .interferometer(u[2])
        .build(Readout.probs("fock"))
    )
    a, b, c = 0.3, 1.9, -2.2
    first = np.diag(np.exp(1j * np.array([0, b, 0, a])))
    second = np.diag(np.exp(1j * np.array([b, 0, c, 0])))
    column = (u[2] @ second @ u[1] @ first @ u[0])[:, 1]
    assert abs(program.simulate([a, b, c]) - abs(column) ** 2).max() < 1e-14


def test_simulate_takes_one_or_many_datapoints_and_shots():
    program = Program.reservoir(5, 2, 3, seed=2)
    x = np.random.default_rng(0).uniform(0, 6, (7, 3))
    many = program.simulate(x)
    assert many.shape == (7, 10)
    assert program.simulate(x[4]).shape == (10,)
    assert program.simulate(x[4]).tobytes() == many[4].tobytes()
    sampled = program.simulate(x, shots=500, seed=3)
    assert np.allclose(sampled * 500, np.round(sampled * 500), atol=1e-9)
    assert (sampled == program.simulate(x, shots=500, seed=3)).all()
    assert (sampled != program.simulate(x, shots=500, seed=4)).any()
    alone = program.simulate(x[5], shots=500, seed=3, ids=[5])
    assert (alone == sampled[5]).all()


def test_a_datapoint_that_post_selection_discards_whole():
    """Two photons that leave together are never unbunched: exact results are zero, samples do not exist."""
    program = Program.layered(2, [2, 0]).phases(["a"]).build()
    assert program.simulate([0.3]).tolist() == [0.0]
    with pytest.raises(ProcessorError):
        program.simulate([0.3], shots=10)


def test_constant_programs_have_no_features():
    circuit = pcvl.Circuit(2).add(0, pcvl.BS())
    program = Program.from_perceval(circuit, [1, 1], [], Readout.probs("fock"))
    assert program.features == ()
    assert np.allclose(program.simulate(np.zeros((2, 0))), [[0.5, 0, 0.5]] * 2)


# ---- refusals


def circuit_with(component, mode=0, modes=3):
    return pcvl.Circuit(modes).add(mode, component).add(0, pcvl.PS(pcvl.P("px")))


def experiment_with(add):
    experiment = pcvl.Experiment(circuit_with(pcvl.BS()))
    add(experiment)
    return experiment


def expression(text, *names):
    return pcvl.PS(pcvl.Expression(text, {pcvl.P(name) for name in names}))


def perceval_refusals():
    def tripled(name):
        return pcvl.Circuit(2).add(0, pcvl.PS(pcvl.P(name)))

    yield circuit_with(pcvl.PS(pcvl.P("alpha"))), ["px"], "without a value.*alpha"
    yield circuit_with(pcvl.BS(pcvl.P("theta"))), ["px"], "without a value.*theta"
    yield tripled("px"), ["py"], "starts with 'py'.*px"
    yield tripled("px"), ["p", "px"], "'px' matches px, which an earlier prefix"
    yield circuit_with(expression("px2*px3", "px2", "px3")), ["px"], "px2\\*px3.*not linear.*px2, px3"
    yield circuit_with(expression("sin(px2)", "px2")), ["px"], "not linear in the input parameters px2"
    yield circuit_with(pcvl.BS(pcvl.P("px2") ** 2)), ["px"], "not linear"
    yield circuit_with(pcvl.HWP(0.3)), ["px"], "HWP on modes \\[0\\].*polarisation"
    yield circuit_with(pcvl.PBS(), mode=1), ["px"], "PBS on modes \\[1, 2\\].*polarisation"
    yield circuit_with(pcvl.PS(0.1, max_error=0.2)), ["px"], "PS on modes \\[0\\].*max_error"
    yield experiment_with(lambda e: e.add(1, pcvl.LC(0.1))), ["px"], "LC on modes \\[1\\].*lossless"
    yield experiment_with(lambda e: e.add(2, pcvl.TD(1))), ["px"], "TD on modes \\[2\\]"
    yield experiment_with(lambda e: e.add(0, pcvl.Detector.threshold())), ["px"], "detectors.*Readout"
    yield experiment_with(lambda e: e.add_herald(0, 1)), ["px"], "heralded"
    yield experiment_with(lambda e: e.set_postselection("[0]==1")), ["px"], "post-selection"
    yield "circuit", ["px"], "expected a Perceval circuit, experiment or processor, got str"


@pytest.mark.parametrize(("circuit", "prefixes", "words"), list(perceval_refusals()))
def test_circuits_that_are_no_programs_are_refused_by_name(circuit, prefixes, words):
    modes = getattr(circuit, "m", 3)
    with pytest.raises(ProgramError, match=words):
        Program.from_perceval(circuit, [1] + [0] * (modes - 1), prefixes)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ([0, 0], "no photon"),
        ([1], "1 entries, expected one per mode \\(2\\)"),
        ([2, -1], "negative"),
        ([1.0, 0.5], "as integers"),
        (pcvl.BasicState("|{P:H},0>"), "give photon numbers"),
        (pcvl.NoisyFockState("|{0},{1}>"), "give photon numbers"),
    ],
)
def test_bad_input_states_are_refused(state, words):
    circuit = pcvl.Circuit(2).add(0, pcvl.PS(pcvl.P("px")))
    with pytest.raises(ProgramError, match=words):
        Program.from_perceval(circuit, state)


def layered(modes=2):
    return Program.layered(modes, [1] + [0] * (modes - 1))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: layered().interferometer([[1, 0], [0, 1.01]]), "not unitary: .*0.0201.*at most 1e-"),
        (lambda: layered().interferometer(np.eye(3)), "shape \\(2, 2\\), got \\(3, 3\\)"),
        (lambda: layered().interferometer([[np.nan, 0], [0, 1]]), "not finite"),
        (lambda: layered().phases(["a"], modes=[2]), "feature 'a' drives mode 2.*0 to 1"),
        (lambda: layered().phases(["a", "b"], modes=[0]), "2 features but 1 modes"),
        (lambda: layered().phases(["a"], scale=[1, 2]), "scale must be one number or 1"),
        (lambda: layered().phases(["a"], offset=np.inf), "offset must be finite"),
        (lambda: layered(4).mzi_mesh([0] * 5, [0] * 5), "6 interferometers, got 5"),
        (lambda: layered().build("probs"), "must be a photonlink.Readout, got 'probs'"),
        (lambda: Program.layered(2, [1, 1, 1]), "expected one per mode \\(2\\)"),
        (lambda: Program.layered(3, [2, 1, 1]).build(), "4 photons cannot be unbunched in 3 modes"),
        (lambda: Program.reservoir(4, 2, 5), "1 to 4 features, one per mode, got 5"),
        (lambda: Program.reservoir(4, 2, 0), "1 to 4 features"),
        (lambda: Program.reservoir(4, 0, 2), "at least 1 photon, got 0"),
        (lambda: Program.reservoir(4, 5, 2), "5 photons do not fit"),
        (lambda: Program.reservoir(4, 2, ["a", "a"]), "name of its own"),
        (lambda: Program.reservoir(4, 2, 2, input_state=[1, 1, 1, 0]), "has 3 photons, expected 2"),
        (lambda: haar_unitary(0, 1), "at least 1 mode"),
    ],
)
def test_impossible_programs_are_refused(build, words):
    with pytest.raises(ProgramError, match=words):
        build()


def test_parts_that_do_not_match_are_refused():
    good = Program.reservoir(3, 1, 2)
    encoding = good.encoding
    for change, words in [
        ({"interferometers": np.eye(3)}, "expected interferometers of shape"),
        ({"features": ("a", "a")}, "given twice: a"),
        ({"features": ("a",)}, "uses feature 1, the program has 1"),
        ({"phase_layers": [1, 1]}, "a phase lies in layer 1"),
        ({"phase_modes": [0, 3]}, "on mode 3"),
        ({"phase_modes": [0]}, "do not match"),
        ({"encoding": dataclasses.replace(encoding, row_begin=[0, 2, 1])}, "must rise from 0 to 2"),
        ({"encoding": dataclasses.replace(encoding, offset=[0.0])}, "1 phases"),
        ({"encoding": dataclasses.replace(encoding, term_weight=[np.nan, 1])}, "not finite"),
    ]:
        with pytest.raises(ProgramError, match=words):
            dataclasses.replace(good, **change)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda p: p.simulate([1.0, 2.0]), "datapoints of 3 features.*got shape \\(2,\\)"),
        (lambda p: p.simulate(np.zeros((2, 2, 3))), "got shape \\(2, 2, 3\\)"),
        (lambda p: p.simulate([[0, 0, 0], [0, np.nan, 0]]), "'px2' of datapoint 1 is nan"),
        (lambda p: p.simulate([0, np.inf, 0]), "is inf"),
        (lambda p: p.simulate([0, 0, 0], shots=0), "shots must be 1 to .*got 0"),
        (lambda p: p.simulate([0, 0, 0], shots=2**32), "shots must be 1 to .*got 4294967296"),
        (lambda p: p.simulate([0, 0, 0], seed=-1), "seed must be .*got -1"),
        (lambda p: p.simulate([0, 0, 0], precision="half"), "'float32' or 'float64', got 'half'"),
        (lambda p: p.simulate([0, 0, 0], ids=[1, 2]), "expected 1 ids"),
        (lambda p: p.replace(readout=Readout.samples()).simulate([0, 0, 0]), "use a session"),
        (lambda p: p.predict_bytes("float16"), "float16"),
    ],
)
def test_bad_datapoints_are_refused(call, words):
    with pytest.raises(ProgramError, match=words):
        call(Program.reservoir(4, 2, 3, seed=1))


def test_memory_is_predicted_and_refused_before_it_is_allocated():
    program = Program.reservoir(60, 30, 4, seed=1)
    assert program.predict_bytes("float64") > 2**50
    assert program.predict_bytes("float32") <= program.predict_bytes("float64")
    with pytest.raises(ProgramError, match="bytes"):
        program.simulate(np.zeros(4))
    small = Program.reservoir(8, 3, 4, seed=1)
    with pytest.raises(ProgramError, match="bytes"):
        small.simulate(np.zeros(4), memory_limit=10)
    assert small.simulate(np.zeros(4), memory_limit=2 * small.predict_bytes()).shape == (56,)


def test_repr_is_short_and_names_the_readout():
    text = repr(exact_program())
    assert "probabilities/fock/LexGrouping" in text
    assert exact_program().digest[:8] in text
    assert len(text) < 200
