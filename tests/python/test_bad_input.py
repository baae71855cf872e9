"""Whatever a caller passes, a refusal is an error of photonlink that names the parameter and what was received."""

import math
import operator

import numpy as np
import pytest

import photonlink as phl
from photonlink import cli, gradients, realtime
from photonlink.errors import ProgramError
from photonlink.program import Encoding, Program, spaced_state
from photonlink.readout import basis_size
from photonlink.realtime import listing
from photonlink.unitary import haar_unitary

RAGGED = [[1.0], [1.0, 2.0]]
PROGRAM = Program.reservoir(4, 2, features=4, seed=1)
ROWS = np.zeros((2, 4))


class Unprintable:
    def __repr__(self):
        raise ArithmeticError


NO_INTEGERS = [None, True, "4", 1.5, 2.0, math.nan, math.inf, 1j, [1], np.zeros(2), np.float32(2), Unprintable()]
NO_NUMBERS = ["text", b"1", RAGGED, 1j, np.array(["1"]), np.array([1j]), {"a": 1}, {1, 2}, [None], len]
NO_WORDS = [1, b"fock", ["fock"], np.array(["fock", "fock"]), "hilbert", Unprintable()]
NO_SWITCHES = [None, 1, 0, "yes", np.ones(2, bool), []]


def layered(**phases):
    return Program.layered(2, [1, 0]).phases(**{"features": ["a", "b"], **phases}).build()


def encoded(**parts):
    terms = {"row_begin": [0, 1], "term_feature": [0], "term_weight": [1.0], "offset": [0.0]}
    return Program(
        modes=2,
        input_state=(1, 0),
        features=("a",),
        interferometers=np.stack([np.eye(2)] * 2),
        phase_layers=[0],
        phase_modes=[0],
        encoding=Encoding(**{**terms, **parts}),
        readout=phl.Readout.probs(),
    )


CALLS = {  # a call of one argument, and the name in its refusal
    "integers": [
        (lambda v: Program.reservoir(v, 2, 4), "modes"),
        (lambda v: Program.reservoir(4, v, 4), "photons"),
        (lambda v: Program.reservoir(4, 2, 4, seed=v), "seed"),
        (lambda v: Program.reservoir(4, 2, 4, dac_bits=v), "dac_bits"),
        (lambda v: Program.layered(v, [1, 0]), "modes"),
        (lambda v: Program.layered(2, [v, 0]), "input_state"),
        (lambda v: layered(modes=[0, v]), "mode that feature 'b' drives"),
        (lambda v: spaced_state(4, v), "photons"),
        (lambda v: haar_unitary(2, v), "seed"),
        (lambda v: basis_size(v, 2, "fock"), "modes"),
        (lambda v: phl.LexGrouping(v), "output_size"),
        (lambda v: gradients.shift_cost(PROGRAM, v, 10), "rows"),
        (lambda v: gradients.shift_cost(PROGRAM, 1, v), "shots"),
        (lambda v: PROGRAM.fit("article").quantum_seconds(v, 1), "datapoints"),
        (lambda v: PROGRAM.simulate(ROWS, seed=v), "seed"),
        (lambda v: phl.Latency(dispatcher_cpus=(v,)), "dispatcher_cpus"),
    ],
    "numbers": [
        (PROGRAM.simulate, "x"),
        (PROGRAM.encode, "x"),
        (lambda v: phl.amplitudes(PROGRAM, v), "x"),
        (lambda v: gradients.value_and_vjp(PROGRAM, v, ROWS), "x"),
        (lambda v: gradients.value_and_vjp(PROGRAM, ROWS, v), "cotangent"),
        (lambda v: Program.reservoir(4, 2, 4, scale=v), "scale"),
        (lambda v: layered(offset=v), "offset"),
        (lambda v: Program.layered(2, [1, 0]).mzi_mesh(v, [0.0]), "theta"),
        (lambda v: encoded(term_weight=v), "term_weight"),
        (lambda v: encoded(row_begin=v), "row_begin"),
        (lambda v: PROGRAM.simulate(ROWS, ids=v), "ids"),
    ],
    "words": [
        (lambda v: phl.Readout.probs(v), "space"),
        (lambda v: phl.Readout(v), "kind"),
        (lambda v: PROGRAM.replace(detectors=v), "detectors"),
        (lambda v: PROGRAM.simulate(ROWS, precision=v), "precision"),
        (PROGRAM.fit, "preset"),
    ],
    "switches": [
        (lambda v: Program.reservoir(4, 2, 4, interference=v), "interference"),
        (lambda v: layered_build(wrap=v), "wrap"),
        (lambda v: PROGRAM.predict_bytes(sampled=v), "sampled"),
        (lambda v: phl.Latency(lock_memory=v), "lock_memory"),
    ],
}
VALUES = {"integers": NO_INTEGERS, "numbers": NO_NUMBERS, "words": NO_WORDS, "switches": NO_SWITCHES}


def layered_build(**options):
    return Program.layered(2, [1, 0]).phases(["a"]).build(**options)


@pytest.mark.parametrize(
    ("call", "name", "values"), [(*call, VALUES[kind]) for kind, calls in CALLS.items() for call in calls]
)
def test_wrong_types_are_refused_by_name(call, name, values):
    for value in values:
        with pytest.raises(ProgramError, match=name):
            call(value)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Program.reservoir(2**31, 2, 4), "modes is 2147483648, .* to 4096"),
        (lambda: Program.reservoir(4, 2, 2**31), "features is 2147483648, .* to 4"),
        (lambda: Program.layered(2, [2**32 + 1, 0]), "is 4294967297, .* to 4294967295"),
        (lambda: Program.reservoir(10**5000, 2, 4), "modes is a int, "),
        (lambda: Program.reservoir(4, 2, "abcd"), "features is 'abcd', expected how many"),
        (lambda: Program.reservoir(4, 2, ["a", None]), "features has the entry None"),
        (lambda: Program.reservoir(4, 2, 4, scale=10**400), "scale"),
        (lambda: PROGRAM.simulate(ROWS, memory_limit=-1), "memory_limit is -1, expected an integer from 0"),
        (lambda: PROGRAM.simulate(ROWS, memory_limit=2**64), "memory_limit is"),
        (lambda: PROGRAM.simulate(ROWS, shots=2**32), "shots is 4294967296, .* to 4294967295"),
        (lambda: PROGRAM.simulate(ROWS, ids=[-1, 0]), "ids holds -1"),
        (lambda: PROGRAM.simulate(ROWS, ids=[1.5, 2.0]), "ids holds 1.5 .*integers from 0 to 18446744073709551615"),
        (lambda: PROGRAM.simulate(ROWS, ids=[2**64, 0]), "ids holds 18446744073709551616"),
        (lambda: PROGRAM.simulate(np.ma.masked_array(np.ones(4), [0, 1, 0, 0])), "masked entries"),
        (lambda: encoded(term_feature=[2**32]), "term_feature holds 4294967296"),
        (lambda: Program.layered(2, [1, 0]).mzi_mesh([math.nan], [0.0]), "theta must be finite, got nan"),
        (lambda: phl.Noise(phase_error=10**400), "phase_error is 1000"),
        (lambda: PROGRAM.replace(noise=0.5), "noise is 0.5, expected a photonlink.Noise"),
        (lambda: PROGRAM.fit("article").quantum_seconds(-1, 1), "datapoints is -1"),
        (lambda: gradients.phase_program("p"), "program is 'p', expected a photonlink.Program"),
        (lambda: phl.Readout.probs("fock", phl.LexGrouping(2**31)).output_keys(4, 2), "too many for a list"),
        (lambda: Program.load("a\0b"), "path is 'a.x00b'"),
        (lambda: Program.load(None), "path is None, expected the path of a file"),
        (lambda: Program.from_bytes("text"), "data is 'text', expected bytes"),
    ],
)
def test_what_is_out_of_range_is_refused_by_value(call, words):
    with pytest.raises(ProgramError, match=words):
        call()


def test_numbers_of_other_kinds_keep_their_values():
    ids = np.array([2**64 - 1, 2**63], object)  # beyond the signed integers that a list would become
    by_array = PROGRAM.simulate(ROWS, shots=50, ids=ids.astype(np.uint64))
    assert (PROGRAM.simulate(ROWS, shots=50, ids=ids) == by_array).all()
    assert (PROGRAM.encode([1, 2, 3, 4]) == PROGRAM.encode(np.array([1, 2, 3, 4], np.int8))).all()
    assert Program.reservoir(np.int64(4), np.uint8(2), np.int32(4), seed=np.uint64(1)) == PROGRAM


REFUSED_CALLS = [
    ({"x": np.ones((2, 4)) * 1j}, "dtype complex128"),
    ({"x": [[0.0] * 4]}, "pass an array"),
    ({"x": np.ma.masked_array(np.ones(4), [0, 1, 0, 0])}, "masked entries"),
    ({"x": np.full(4, np.nan)}, "not finite"),
    ({"x": np.ones((2, 8))[:, ::2]}, "contiguous rows"),
    ({"x": ROWS, "out": np.zeros((2, 5))}, "expected float64 and"),
    ({"x": ROWS, "out": np.broadcast_to(np.zeros(6), (2, 6))}, "read-only"),
    ({"x": ROWS, "out": np.zeros((2, 12))[:, ::2]}, "contiguous rows"),
    ({"x": ROWS, "timeout": -1.0}, "timeout is -1.0"),
    ({"x": ROWS, "timeout": math.nan}, "timeout is nan"),
    ({"x": ROWS, "timeout": "1"}, "timeout is '1'"),
    ({"x": ROWS, "return_info": np.ones(2)}, "return_info is"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED_CALLS)
def test_a_refused_call_costs_nothing_and_the_session_serves_on(call, words):
    with phl.reserve("sim", PROGRAM, token_budget=1) as session:
        with pytest.raises(ProgramError, match=words):
            session.infer(**call)
        with pytest.raises(ProgramError, match=words):
            session.infer_async(**call).result(60)
        assert session.usage.tokens == 0
        assert session.infer(np.zeros(4)).shape == (6,)  # the one token of the budget is still there


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"shots": 1.0}, "shots is 1.0"),
        ({"shots": True}, "shots is True"),
        ({"seed": 2**64}, "seed is 18446744073709551616"),
        ({"clock": ""}, "clock is ''"),
        ({"clock": np.ones(2)}, "clock is array"),
        ({"preset": ""}, "unknown preset ''"),
        ({"slots": 2**32 + 1}, "slots is 4294967297"),
        ({"token_budget": 2**63}, "token_budget is 9223372036854775808"),
        ({"idle_timeout": np.float32("nan")}, "idle_timeout is"),
        ({"latency": "low"}, "latency"),
    ],
)
def test_a_refused_reservation_leaves_the_controller_free(option, words):
    with phl.Controller() as controller:
        with pytest.raises(ProgramError, match=words):
            phl.reserve("sim", PROGRAM, controller=controller, **option)
        assert controller.status()["state"] == "idle"
        with phl.reserve("sim", PROGRAM, controller=controller) as session:
            assert session.infer(np.zeros(4)).shape == (6,)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"wait": math.inf}, "wait is inf, expected a number of seconds"),
        ({"wait": 1e308}, r"wait is 1e\+308, expected a number of seconds, of a year"),
        ({"token": b"secret"}, "the token is a bytes, expected text"),
        ({"transport": np.ones(2)}, "transport is array"),
        ({"clock": np.ones(2)}, "clock is array"),
        ({"shots": "\ud800"}, "shots is"),
    ],
)
def test_a_service_is_not_asked_with_wrong_options(option, words):
    with pytest.raises(ProgramError, match=words):
        phl.reserve("qsc://127.0.0.1:1", PROGRAM, **option)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: phl.reserve(["sim"], PROGRAM), "target is"),
        (lambda: phl.reserve("sim", PROGRAM, controller="mine"), "controller is 'mine'"),
        (lambda: phl.Controller(latency=2), "latency is 2, expected a photonlink.Latency"),
        (lambda: phl.Controller(fault=np.ones(2)), "fault is"),
        (lambda: phl.gradients.parameter_shift("sim", ROWS, ROWS), "session is 'sim'"),
        (lambda: realtime.fnv1a("text"), "data is 'text', expected bytes"),
        (lambda: realtime.function_id(1), "1 cannot name"),
        (lambda: realtime.Request(1, 1, "text").encode(), "payload is 'text'"),
        (lambda: realtime.Response.decode("text"), "frame is 'text'"),
        (lambda: realtime.read_capture("text"), "data is 'text'"),
        (lambda: realtime.read_hex(b"00"), "text is b'00'"),
        (lambda: realtime.Signature.parse(None), "None is no signature"),
        (lambda: realtime.Signature.of(int), "parameters of int"),
        (lambda: realtime.Decoder(functions=3), "functions is 3"),
        (lambda: realtime.Decoder().decode(b""), "capture is b''"),
        (lambda: realtime.Client(object()), "transport is"),
        (lambda: realtime.Client("127.0.0.1:9", timeout=10**400), "timeout is"),
        (lambda: realtime.Client("127.0.0.1:9", pad="no"), "pad is 'no'"),
        (lambda: realtime.Server(None), "service is None"),
        (lambda: realtime.Service().answer(None), "datagram is None"),
        (lambda: realtime.describe("ok"), "status is 'ok'"),
    ],
)
def test_objects_of_another_kind_are_refused(build, words):
    with pytest.raises(ProgramError, match=words):
        build()


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("FidelityKernel", {"feature_map": PROGRAM, "seed": -1}, "seed is -1"),
        ("FidelityKernel", {"feature_map": PROGRAM, "shots": 1.5}, "shots is 1.5"),
        ("FidelityKernel", {"feature_map": PROGRAM, "psd": "yes"}, "psd is 'yes'"),
        ("FidelityKernel", {"feature_map": PROGRAM, "options": 3}, "options is 3"),
        ("FidelityKernel", {"feature_map": PROGRAM, "convention": NO_WORDS[3]}, "convention is array"),
        ("StreamingReservoir.random", {"inputs": 2**31}, "inputs is 2147483648"),
        ("StreamingReservoir.random", {"input_scale": 1j}, "input_scale is 1j"),
        ("StreamingReservoir.random", {"precision": "half"}, "precision is 'half'"),
        ("project_psd", {"matrix": RAGGED}, "matrix"),
        ("project_psd", {"matrix": [[1j]]}, "matrix holds 1j"),
    ],
)
def test_estimators_refuse_wrong_arguments_when_they_are_made(name, arguments, words):
    pytest.importorskip("sklearn")
    from photonlink import learn

    with pytest.raises(ProgramError, match=words):
        operator.attrgetter(name)(learn)(**arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"photons": 2.0}, "photons is 2.0"),
        ({"unitary": 3}, "unitary has shape"),
        ({"reduction": 3}, "reduction is 3, expected a transformer"),
        ({"scale": 1j}, "scale is 1j"),
        ({"standardise": None}, "standardise is None"),
        ({"options": "shots"}, "options is 'shots'"),
    ],
)
def test_the_reservoir_refuses_wrong_parameters_when_it_is_fitted(arguments, words):
    pytest.importorskip("sklearn")
    from photonlink import learn

    with pytest.raises(ProgramError, match=words):
        learn.PhotonicReservoir(**arguments).fit(np.eye(4))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"platform": 3}, "platform is 3"),
        ({"token": b"secret"}, "token is a bytes, expected text"),
        ({"timeout": -1}, "timeout is -1"),
        ({"request_timeout": "soon"}, "request_timeout is 'soon'"),
        ({"max_shots": 0}, "max_shots is 0"),
    ],
)
def test_the_cloud_is_not_asked_with_wrong_arguments(options, words):
    pytest.importorskip("perceval")
    from photonlink.processors import QuandelaProcessor

    with pytest.raises(ProgramError, match=words):
        QuandelaProcessor(**{"platform": "sim:none", "token": "none", **options})


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["demo", "--png", "/nonexistent/x.png"], 2, "no folder '/nonexistent'"),
        (["trace", "--out", "/"], 2, "'/' is a folder"),
        (["bench", "cloud", "--trace", "x" * 300], 2, "no name of a file"),
        (["decode", "/dev/zero"], 1, "more than 4096 bytes"),
        (["decode", "/dev/null", "--port", "70000"], 1, "port is 70000"),
        (["qsc", "status", "--token-file", "/dev/zero"], 1, "expected one word of 16 to 4096"),
        (["qsc", "status", "qsc://a b"], 1, "no address of a controller service"),
    ],
)
def test_a_command_ends_with_one_line_and_no_traceback(arguments, code, words, capsys, monkeypatch):
    monkeypatch.setattr(listing, "_MOST_BYTES", 4096)
    try:
        ended = cli.main(arguments)
    except SystemExit as error:
        ended = error.code
    captured = capsys.readouterr()
    assert (ended, captured.out) == (code, "")
    assert words in captured.err.splitlines()[-1]


def test_outputs_that_cannot_be_written_end_with_one_line(capsys):
    assert cli.main(["trace", "--datapoints", "2", "--clock", "virtual", "--out", "/dev/full"]) == 1
    assert "No space left" in capsys.readouterr().err
