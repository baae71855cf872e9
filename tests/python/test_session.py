"""Sessions on the simulated target: what comes back, what it says about itself, and what the caller is told."""

import array
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import photonlink as phl
from photonlink.errors import ProgramError, SessionBusy, SessionClosed, TargetUnavailable, Unavailable


@pytest.fixture(scope="module")
def digits_like():
    """As many rows as the main job has images."""
    program = phl.Program.reservoir(12, 3, features=12, seed=7, readout=phl.Readout.probs(space="unbunched"))
    return program, np.random.default_rng(0).uniform(0, np.pi, size=(1797, 12))


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("shots", [None, 50])
def test_results_equal_direct_simulation_bit_for_bit(digits_like, precision, shots):
    program, x = digits_like
    expected = program.simulate(x, precision=precision, shots=shots, seed=11)
    with phl.reserve("sim", program, precision=precision, shots=shots, seed=11) as session:
        assert session.shots == shots
        y = session.infer(x)
    assert y.dtype == np.dtype(precision)
    assert np.array_equal(y, expected)


@pytest.mark.parametrize("slots", [1, 2, 3, 7, 64, 200])
def test_results_do_not_depend_on_what_is_in_flight(program, x, slots):
    expected = program.simulate(x, shots=30, seed=2)
    with phl.reserve("sim", program, shots=30, seed=2, slots=slots) as session:
        assert session.slots == slots
        assert np.array_equal(session.infer(x), expected)


def test_results_do_not_depend_on_how_rows_are_divided(program, x):
    expected = program.simulate(x, shots=30, seed=2)
    with phl.reserve("sim", program, shots=30, seed=2) as session:
        parts = [session.infer(x[:1]), session.infer(x[1:2]), session.infer(x[2:19])]
        parts += [session.infer_async(x[19:23]).result(), session.infer(x[23:])]
    assert np.array_equal(np.concatenate(parts), expected)


def test_threads_share_a_session(program, x):
    """Each call gets ids of its own: its samples are those of one of the id ranges, and no range is used twice."""
    calls, rows = 24, len(x)
    with phl.reserve("sim", program, shots=20, seed=5, slots=4) as session, ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: session.infer(x), range(calls)))
        assert session.usage.tokens == calls * rows
    expected = [
        program.simulate(x, shots=20, seed=5, ids=np.arange(k * rows, (k + 1) * rows)).tobytes() for k in range(calls)
    ]
    assert len(set(expected)) == calls
    assert sorted(y.tobytes() for y in results) == sorted(expected)


def test_large_distributions_land_in_the_callers_array():
    """Results beyond the slot's frame take another way; reports too."""
    program = phl.Program.reservoir(8, 6, features=8, seed=1, readout=phl.Readout.probs(space="fock"))
    assert program.output_size * 8 > 8192 - 24
    x = np.random.default_rng(1).uniform(0, np.pi, size=(9, 8))
    for precision in ("float64", "float32"):
        expected = program.simulate(x, precision=precision, shots=40, seed=3)
        with phl.reserve("sim", program, precision=precision, shots=40, seed=3, slots=4) as session:
            out = np.full((9, program.output_size), np.nan, precision)
            assert session.infer(x, out=out) is out
            assert np.array_equal(out, expected)
        with phl.reserve("sim", program, precision=precision, shots=40, seed=3, slots=4) as session:
            y, info = session.infer(x, return_info=True)
            assert np.array_equal(y, expected)
            assert [int(counts.count.sum()) for counts in info.counts] == [40] * 9


@pytest.mark.parametrize("grouping", [phl.LexGrouping(4), phl.ModGrouping(4)])
def test_groupings_and_closed_forms_cross_the_link(grouping):
    readouts = [phl.Readout.probs("unbunched", grouping), phl.Readout.correlators("fock"), phl.Readout.click_patterns()]
    x = np.random.default_rng(5).uniform(0, np.pi, size=(7, 5))
    for readout in readouts:
        program = phl.Program.reservoir(5, 2, features=5, seed=4, readout=readout)
        with phl.reserve("sim", program) as session:
            assert np.array_equal(session.infer(x), program.simulate(x))


# ---- arrays


def test_one_datapoint_and_none(program, x):
    with phl.reserve("sim", program) as session:
        assert np.array_equal(session.infer(x[3]), program.simulate(x[3]))
        assert session.infer(x[:0]).shape == (0, 15)
        assert session.usage.tokens == 1


def test_out_is_written_and_returned(program, x):
    expected = program.simulate(x)
    with phl.reserve("sim", program) as session:
        wide = np.zeros((len(x), 20))
        view = wide[:, 2:17]
        assert session.infer(x, out=view) is view
        assert np.array_equal(view, expected)
        assert not wide[:, :2].any()
        assert not wide[:, 17:].any()
        row = np.zeros(15)
        assert session.infer(x[0], out=row) is row
        assert np.array_equal(row, expected[0])


def test_any_row_stride_is_read_without_a_copy(program, x):
    wide = np.zeros((len(x), 9))
    wide[:, 1:7] = x
    with phl.reserve("sim", program) as session:
        assert np.array_equal(session.infer(wide[:, 1:7]), program.simulate(x))
        assert np.array_equal(session.infer(x[::-2]), program.simulate(x[::-2]))
        assert np.array_equal(session.infer(np.broadcast_to(x[0], (5, 6))), program.simulate(np.tile(x[0], (5, 1))))


def test_single_precision_features(program, x):
    single = x.astype(np.float32)
    with phl.reserve("sim", program) as session:
        assert np.array_equal(session.infer(single), program.simulate(single.astype(np.float64)))


def test_buffers_come_back_as_numpy(program, x):
    with phl.reserve("sim", program) as session:
        y = session.infer(array.array("d", x[0]))
        assert type(y) is np.ndarray
        assert np.array_equal(y, program.simulate(x[0]))


def test_torch_tensors_come_back_as_torch_tensors(program, x):
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(x.copy())
    with phl.reserve("sim", program) as session:
        y = session.infer(tensor)
        assert isinstance(y, torch.Tensor)
        assert np.array_equal(y.numpy(), program.simulate(x))
        assert isinstance(session.infer(tensor[0]), torch.Tensor)
        out = torch.zeros(len(x), 15, dtype=torch.float64)
        assert session.infer(tensor, out=out) is out
        assert np.array_equal(out.numpy(), program.simulate(x))
        with pytest.raises(ProgramError, match="detach"):
            session.infer(tensor.clone().requires_grad_())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x.astype(int), "dtype int64"),
        (lambda x: x.astype(complex), "dtype complex128"),
        (lambda x: x.astype(">f8"), "dtype >f8"),
        (lambda x: x[:, :5], r"shape \(40, 5\)"),
        (lambda x: x[None], r"shape \(1, 40, 6\)"),
        (lambda x: x[0, 0], "shape"),
        (lambda x: np.asfortranarray(x), "strides"),
        (lambda x: x.tolist(), "list"),
        (lambda x: "text", "str"),  # noqa: ARG005
        (lambda x: None, "NoneType"),  # noqa: ARG005
    ],
)
def test_wrong_features_are_named(program, x, change, words):
    with phl.reserve("sim", program) as session:
        with pytest.raises(ProgramError, match=words):
            session.infer(change(x))
        with pytest.raises(ProgramError, match=words):
            session.infer_async(change(x))
        assert session.usage.tokens == 0


@pytest.mark.parametrize(
    ("out", "words"),
    [
        (lambda: np.zeros((40, 15), np.float32), "dtype float32"),
        (lambda: np.zeros((40, 14)), r"shape \(40, 14\)"),
        (lambda: np.zeros(15), r"shape \(15,\)"),
        (lambda: np.zeros((15, 40)).T, "strides"),
        (lambda: np.broadcast_to(np.zeros(15), (40, 15)), "read-only"),
        (lambda: np.lib.stride_tricks.as_strided(np.zeros(15), (40, 15), (0, 8)), "overlap"),
        (lambda: np.zeros((40, 15))[::-1], "backwards"),
    ],
)
def test_wrong_outputs_are_named(program, x, out, words):
    with phl.reserve("sim", program) as session, pytest.raises(ProgramError, match=words):
        session.infer(x, out=out())


def test_output_over_the_input_is_refused(program):
    memory = np.zeros(15 * 4)
    with phl.reserve("sim", program) as session, pytest.raises(ProgramError, match="overlaps"):
        session.infer(memory[:24].reshape(4, 6), out=memory.reshape(4, 15))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_features_that_are_not_finite_are_refused_before_anything_is_sent(program, x, bad, dtype):
    spoiled = x.astype(dtype)
    spoiled[17, 4] = bad
    with phl.reserve("sim", program) as session:
        with pytest.raises(ProgramError, match=r"'px5' .* row 17") as refused:
            session.infer(spoiled)
        assert refused.value.row == 17
        assert session.usage.tokens == 0


def test_features_whose_phases_overflow_are_refused_before_anything_is_sent(x):
    program = phl.Program.reservoir(6, 2, features=6, scale=1e10)
    large = x.copy()
    large[:, 0] = 1e297  # finite phases
    with phl.reserve("sim", program) as session:
        session.infer(large[:2])
        large[30, 2] = 1e300
        with pytest.raises(ProgramError, match="row 30 give phase 2"):
            session.infer(large)
        assert session.usage.tokens == 2


# ---- what results say about themselves


def test_exact_results_have_no_quantum_time(program, x):
    with phl.reserve("sim", program) as session:
        _, info = session.infer(x, return_info=True)
    assert info.counts is None
    assert info.standard_errors is None
    assert info.quantum_seconds is None
    assert (info.clock, info.simulated, info.target) == ("virtual", True, "sim")
    assert session.usage.quantum_seconds is None
    assert session.usage.configuration_seconds is None
    assert (session.usage.tokens, session.usage.shots, session.usage.kept_samples) == (40, 0, 0)


def test_kept_fraction_is_the_weight_of_the_space(program, x):
    fock = program.replace(readout=phl.Readout.probs(space="fock"))
    unbunched = [max(key) <= 1 for key in fock.output_keys]
    with phl.reserve("sim", program) as session:
        _, info = session.infer(x, return_info=True)
    np.testing.assert_allclose(info.kept_fraction, fock.simulate(x)[:, unbunched].sum(axis=1), atol=1e-12)


def test_counts_are_the_estimates(program, x):
    with phl.reserve("sim", program, shots=64, seed=9) as session:
        y, info = session.infer(x, return_info=True)
    for row, counts in enumerate(info.counts):
        dense = np.zeros(15)
        dense[counts.index] = counts.count
        assert dense.sum() == 64
        np.testing.assert_allclose(y[row], dense / 64, rtol=0, atol=1e-15)
        assert (np.diff(counts.index.astype(int)) > 0).all()


def test_standard_errors_are_the_spread_of_repeated_estimates(program, x):
    repeats = np.tile(x[0], (4000, 1))
    with phl.reserve("sim", program, shots=100, seed=1, slots=256) as session:
        y, info = session.infer(repeats, return_info=True)
    # The relative error of a standard deviation over 4000 repeats is about 1/sqrt(8000) = 1.1 %: five of those, and
    # what the plug-in estimate is off for rare states.
    common = y.mean(axis=0) > 0.02
    assert common.sum() >= 5
    np.testing.assert_allclose(info.standard_errors[:, common].mean(axis=0), y[:, common].std(axis=0), rtol=0.08)


def test_quantum_time_follows_the_published_flat_figures(program, x):
    rows = np.stack([x[0], x[1], x[1], x[2]])
    rows[3, 1:] = x[1, 1:]
    with phl.reserve("sim", program, shots=500) as session:
        _, info = session.infer(rows, return_info=True)
        usage = session.usage
    assert info.changed_phases.tolist() == [6, 6, 0, 1]
    np.testing.assert_allclose(info.quantum_seconds, [0.025, 0.025, 0.005, 0.025], atol=1e-8)
    assert usage.quantum_seconds == pytest.approx(0.080, abs=1e-6)
    assert usage.configuration_seconds == 1.0
    assert (usage.tokens, usage.shots, usage.kept_samples) == (4, 2000, 2000)


def test_the_clock_can_be_switched_off(program, x):
    with phl.reserve("sim", program, shots=10, clock="none") as session:
        _, info = session.infer(x, return_info=True)
        assert info.quantum_seconds is None
        assert session.usage.quantum_seconds is None
        assert session.info.clock == info.clock == "none"


def test_info_names_what_runs(program):
    with phl.reserve("sim", program, shots=10, preset="belenos", precision="float32", slots=8) as session:
        info = session.info
    assert info.target == info["target"] == "sim"
    assert info.target_overridden_from is None
    assert (info.simulated, info.clock, info.preset, info.precision, info.slots) == (
        True,
        "virtual",
        "belenos",
        "float32",
        8,
    )
    assert info.digest == program.digest
    assert info.chip == program.fit("belenos").label
    assert info.processor
    assert info.kernel_profile
    assert info.link == "in-process"
    assert info.calibration_age_seconds >= 0
    with pytest.raises(KeyError):
        info["nonsense"]


def test_samples_are_fock_states_of_the_right_frequency(x):
    program = phl.Program.reservoir(6, 2, features=6, seed=7, readout=phl.Readout.samples(space="unbunched"))
    exact = program.replace(readout=phl.Readout.probs(space="unbunched"))
    shots = 20_000
    with phl.reserve("sim", program, shots=shots, seed=4) as session:
        y, info = session.infer(x[:3], return_info=True)
        single = session.infer(x[0])
    assert y.shape == (3, shots, 6)
    assert y.dtype == np.uint8
    assert single.shape == (shots, 6)
    assert (y.sum(axis=2) == 2).all()
    assert y.max() == 1
    assert info.standard_errors is None
    keys = {key: index for index, key in enumerate(program.output_keys)}
    for row, probabilities in enumerate(exact.simulate(x[:3])):
        index = np.array([keys[tuple(state)] for state in y[row].tolist()])
        assert (np.diff(index) >= 0).all()
        frequencies = np.bincount(index, minlength=15) / shots
        # Five standard deviations of a binomial frequency; 45 comparisons with a fixed seed.
        assert (abs(frequencies - probabilities) < 5 * np.sqrt(probabilities / shots) + 1e-9).all()


def test_samples_need_shots_and_no_out(x):
    program = phl.Program.reservoir(6, 2, features=6, readout=phl.Readout.samples())
    with pytest.raises(ProgramError, match="shots"):
        phl.reserve("sim", program)
    with phl.reserve("sim", program, shots=5) as session, pytest.raises(ProgramError, match="out"):
        session.infer(x, out=np.zeros((40, 5, 6), np.uint8))


def test_echo_latencies_are_measured_and_cost_no_token(program):
    with phl.reserve("sim", program) as session:
        latencies = session.echo_latency(100)
        assert latencies.shape == (100,)
        assert (latencies > 0).all()
        assert session.usage.tokens == 0
        with pytest.raises(ProgramError, match="rounds"):
            session.echo_latency(0)


# ---- targets and options


def test_unknown_target_lists_the_known_ones(program):
    with pytest.raises(TargetUnavailable, match="sim:cuda") as refused:
        phl.reserve("simulator", program)
    assert refused.value.reason is Unavailable.UNKNOWN


@pytest.mark.parametrize("target", ["sim:cuda", "perceval:slos", "perceval:belenos"])
def test_absent_targets_say_why(program, target):
    with pytest.raises(TargetUnavailable, match="cannot be used") as refused:
        phl.reserve(target, program, shots=10)
    assert refused.value.reason in (Unavailable.NOT_BUILT, Unavailable.NOT_YET)


def test_hardware_has_no_exact_results(program):
    with pytest.raises(ProgramError, match="shots="):
        phl.reserve("quandela:belenos", program)
    with pytest.raises(TargetUnavailable):
        phl.reserve("quandela:belenos", program, shots=100)


def test_the_environment_replaces_the_target_loudly(program, monkeypatch, caplog):
    monkeypatch.setenv("PHOTONLINK_TARGET", "sim")
    with caplog.at_level(logging.WARNING), phl.reserve("sim:cuda", program) as session:
        assert session.info.target == "sim"
        assert session.info.target_overridden_from == "sim:cuda"
    assert "PHOTONLINK_TARGET" in caplog.text
    monkeypatch.setenv("PHOTONLINK_TARGET", "nonsense")
    with pytest.raises(TargetUnavailable):
        phl.reserve("sim", program)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shots": 0}, "shots is 0"),
        ({"shots": -5}, "shots is -5"),
        ({"shots": 2.5}, "shots is 2.5"),
        ({"shots": True}, "shots is True"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**64}, "seed is"),
        ({"clock": "wall"}, "clock is 'wall'"),
        ({"preset": "acme"}, "unknown preset"),
        ({"precision": "float16"}, "precision is 'float16'"),
        ({"token_budget": -1}, "token_budget"),
        ({"idle_timeout": 0}, "idle_timeout is 0"),
        ({"max_duration": float("nan")}, "max_duration is nan"),
        ({"timeout": -1}, "timeout is -1"),
        ({"slots": 0}, "slots is 0"),
        ({"slots": 5000}, "slots is 5000"),
    ],
)
def test_wrong_options_are_named(program, options, words):
    with pytest.raises(ProgramError, match=words):
        phl.reserve("sim", program, **options)
    phl.reserve("sim", program).close()  # and nothing is held


def test_a_program_is_needed():
    with pytest.raises(ProgramError, match="Program"):
        phl.reserve("sim", [1, 2, 3])


def test_a_program_too_large_for_memory_is_refused(program):
    with phl.Controller(memory_limit=1000) as controller:
        with pytest.raises(ProgramError, match="1000"):
            phl.reserve("sim", program, controller=controller)
        assert controller.status()["state"] != "reserved"


# ---- one session at a time


def test_a_second_session_is_busy(program):
    with phl.reserve("sim", program, max_duration=60) as session:
        with pytest.raises(SessionBusy) as refused:
            phl.reserve("sim", program)
        assert 0 < refused.value.retry_after <= 60
        session.infer(np.zeros(6))
    with phl.reserve("sim", program) as session:
        session.infer(np.zeros(6))


def test_private_controllers_hold_sessions_side_by_side(program, x):
    with phl.Controller() as one, phl.Controller() as two:
        with phl.reserve("sim", program, controller=one) as a, phl.reserve("sim", program, controller=two) as b:
            assert np.array_equal(a.infer(x), b.infer(x))
            assert one.status()["digest"] == program.digest
        assert a.usage.tokens == b.usage.tokens == 40


def test_use_after_close(program, x):
    with phl.reserve("sim", program) as session:
        session.infer(x)
    assert session.closed
    assert session.close() == session.close() == session.usage
    assert session.usage.tokens == 40
    for use in (session.infer, session.infer_async, lambda _: session.echo_latency(1)):
        with pytest.raises(SessionClosed, match="reserve a new one"):
            use(x)
    assert "closed" in repr(session)


def test_exceptions_leave_the_with_block(program):
    with pytest.raises(ZeroDivisionError), phl.reserve("sim", program) as session:
        1 / 0  # noqa: B018
    assert session.closed


def test_a_forgotten_session_gives_the_controller_back(program):
    session = phl.reserve("sim", program)
    with pytest.warns(ResourceWarning, match="not closed"):
        del session
    phl.reserve("sim", program).close()


def test_sessions_can_be_closed_from_many_threads(program):
    session = phl.reserve("sim", program)
    with ThreadPoolExecutor(4) as pool:
        usages = list(pool.map(lambda _: session.close(), range(8)))
    assert len(set(usages)) == 1


def test_token_budget_ends_with_its_reason(program, x):
    with phl.reserve("sim", program, token_budget=25) as session:
        out = np.full((40, 15), np.nan)
        with pytest.raises(SessionClosed, match="budget") as spent:
            session.infer(x, out=out)
        assert spent.value.row == 25
        assert np.array_equal(out[:25], program.simulate(x[:25]))
        assert session.usage.tokens == 25


@pytest.mark.parametrize("limit", ["idle_timeout", "max_duration"])
def test_sessions_end_by_themselves(program, limit):
    """The controller is free again, and the old session says what happened."""
    with phl.Controller() as controller:
        with phl.reserve("sim", program, controller=controller, **{limit: 0.05}) as session:
            ended = threading.Event()
            while controller.status()["state"] != "released" and not ended.wait(0.01):
                pass
            with pytest.raises(SessionClosed, match=r"idle|duration") as closed:
                session.infer(np.zeros(6))
            assert closed.value.row == 0
            phl.reserve("sim", program, controller=controller).close()
        assert session.usage.tokens == 0
