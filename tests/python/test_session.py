"""Sessions on the simulated target: what comes back, what it says about itself, and what the caller is told."""

import array
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import photonlink as phl
from photonlink.errors import ProgramError


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


def test_no_datapoints_are_a_batch_too(program):
    with phl.reserve("sim", program) as session:
        assert session.infer(np.zeros((0, 6))).shape == (0, 15)
        assert session.usage.tokens == 0


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
