"""Which arrays in device memory are taken, and what is said of the others."""

import numpy as np
import pytest
from device_arrays import SIZE, WIDTH, DlpackArray, InterfaceArray, arrays, misaligned

import photonlink as phl
from photonlink.errors import (
    ProgramError,
)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: (DlpackArray(np.zeros((4, WIDTH), np.int64)), None), "x has dtype int64"),
        (lambda: (DlpackArray(np.zeros((4, WIDTH), np.float16)), None), "x has dtype float16"),
        (lambda: (DlpackArray(np.zeros((4, 5))), None), r"x has shape \(4, 5\), expected \(B, 6\)"),
        (lambda: (DlpackArray(np.zeros((1, 4, WIDTH))), None), r"x has shape \(1, 4, 6\)"),
        (lambda: (DlpackArray(np.zeros((WIDTH, 4)).T), None), r"x has strides \(1, 4\).*contiguous"),
        (lambda: (DlpackArray(misaligned((4, WIDTH))), None), "aligned"),
        (lambda: (DlpackArray(np.zeros((4, WIDTH)), kind=10), None), "DLPack device type 10"),
        (lambda: (arrays()[0], np.zeros((4, SIZE))), "out is a numpy.ndarray.* in host memory"),
        (lambda: (arrays()[0], [1.0]), "out is a builtins.list, expected an array in device memory"),
        (lambda: (arrays()[0], DlpackArray(np.zeros((4, SIZE)), 1)), "out lies on device 1 and x on device 0"),
        (lambda: (arrays()[0], DlpackArray(np.zeros((4, SIZE), np.float32))), "out has dtype float32"),
        (lambda: (arrays()[0], DlpackArray(np.zeros((5, SIZE)))), r"expected float64 and \(4, 15\)"),
        (lambda: (arrays()[0], DlpackArray(np.zeros((4, SIZE)), read_only=True)), "out is read-only"),
        (lambda: (arrays()[0], DlpackArray(np.zeros((SIZE, 4)).T)), "out has strides"),
        (lambda: (arrays()[0], DlpackArray(np.zeros((4, SIZE))[::-1])), "run backwards"),
        (lambda: (arrays()[0], DlpackArray(np.broadcast_to(np.zeros(SIZE), (4, SIZE)))), "overlap or run backwards"),
        (lambda: (arrays()[0], None), r"pass out=, an array of shape \(4, 15\) and dtype float64"),
    ],
)
def test_bad_arrays_are_refused_before_anything_is_launched(native, session, make, words):
    x, out = make()
    for call in (session.infer, session.submit):
        with pytest.raises(ProgramError, match=words):
            call(x, out=out, stream=0)
    assert all(link.calls == [] for link in native.links)


def test_results_must_not_land_in_the_features(native, session):
    memory = np.zeros(200)
    x = DlpackArray(memory[: 4 * WIDTH].reshape(4, WIDTH))
    over = DlpackArray(memory[4 * WIDTH - 1 : 4 * WIDTH - 1 + 4 * SIZE].reshape(4, SIZE))
    beside = DlpackArray(memory[4 * WIDTH : 4 * WIDTH + 4 * SIZE].reshape(4, SIZE))
    with pytest.raises(ProgramError, match="out overlaps x"):
        session.infer(x, out=over, stream=0)
    session.infer(x, out=beside, stream=0)
    assert len(native.links[0].calls) == 1


@pytest.mark.parametrize(
    "statuses",
    [np.zeros(4, np.uint8), np.zeros(5, np.uint32), np.zeros((4, 1), np.uint32), np.zeros(8, np.uint32)[::2]],
)
def test_bad_statuses_are_refused(session, statuses):
    x, out = arrays()
    with pytest.raises(ProgramError, match="statuses has"):
        session.infer(x, out=out, stream=0, statuses=DlpackArray(statuses))


@pytest.mark.parametrize("what", ["return_info", "samples"])
def test_what_needs_the_host_says_so(native, program, what):
    readout = phl.Readout.samples() if what == "samples" else program.readout
    x = arrays()[0]
    with phl.reserve("sim", program.replace(readout=readout), shots=10) as opened:
        with pytest.raises(ProgramError, match="host"):
            opened.infer(x, return_info=what == "return_info")
        with pytest.raises(ProgramError, match="does not wait"):
            opened.infer_async(x)
    assert native.links == []


def test_host_features_and_device_results_do_not_mix(session, x):
    with pytest.raises(ProgramError, match=r"out is a device_arrays\.DlpackArray .* in device memory"):
        session.infer(x, out=DlpackArray(np.zeros((40, SIZE))))


def test_cuda_array_interface(native, session):
    memory, results = np.zeros((4, 2 * WIDTH), np.float32), np.zeros((4, SIZE))
    x, out = InterfaceArray(memory[:, :WIDTH]), InterfaceArray(results)
    session.infer(x, out=out)
    expected = (memory.ctypes.data, 4, 2 * WIDTH, results.ctypes.data, SIZE, 0, 4, 1.0, 0, 0)
    assert native.links[0].calls == [("infer", *expected)]


def test_an_interface_names_the_stream_that_writes_the_array(native, session):
    out = InterfaceArray(np.zeros((4, SIZE)))
    x = InterfaceArray(np.zeros((4, WIDTH)), stream=55)
    session.infer(x, out=out)
    session.infer(x, out=out, stream=55)
    session.infer(x, out=out, stream=56)
    names = [(call[0], call[9] if call[0] == "infer" else call[1]) for call in native.links[0].calls]
    assert names == [("infer", 55), ("infer", 55), ("synchronize", 55), ("infer", 56)]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (InterfaceArray(np.zeros((4, WIDTH), ">f8")), "foreign byte order"),
        (InterfaceArray(np.zeros((4, WIDTH)), mask=object()), "mask"),
        (InterfaceArray(np.zeros((4, WIDTH)), strides=(50, 8)), "multiples of 8 bytes"),
    ],
)
def test_interfaces_that_cannot_be_read(session, array, words):
    with pytest.raises(ProgramError, match=words):
        session.infer(array, out=arrays()[1])
