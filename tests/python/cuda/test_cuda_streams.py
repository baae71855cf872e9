"""The stream of a call: given, or the framework's current one."""

import types

import numpy as np
import pytest
from device_arrays import SIZE, WIDTH, arrays

from photonlink.errors import (
    ProgramError,
)


class _Protocol:
    def __cuda_stream__(self):
        return (0, 21)


@pytest.mark.parametrize(
    ("stream", "handle"),
    [
        (0, 0),
        (1, 0),  # another handle of the legacy default stream
        (2, 2),
        (np.int64(40), 40),
        (types.SimpleNamespace(cuda_stream=41), 41),
        (types.SimpleNamespace(ptr=42), 42),
        (_Protocol(), 21),
        (types.SimpleNamespace(__cuda_stream__=(0, 22)), 22),
    ],
)
def test_streams_of_every_library(native, session, stream, handle):
    session.infer(*arrays(), stream=stream)
    assert native.links[0].calls[0][9] == handle


@pytest.mark.parametrize("stream", [-1, "default", 1.5, True, object()])
def test_what_is_no_stream_is_refused(session, stream):
    with pytest.raises(ProgramError, match="stream is"):
        session.infer(*arrays(), stream=stream)


def test_the_frameworks_current_stream_and_memory(native, session, cupy):
    x = cupy.Array(np.zeros((4, WIDTH)))
    y = session.infer(x)
    assert type(y) is cupy.Array
    assert (y.array.shape, y.array.dtype) == ((4, SIZE), np.float64)
    assert native.links[0].calls[0][9] == 33
    # -1: no handshake on the stream that the array lives on.
    assert x.streams == y.streams == [-1]
    assert session.infer(cupy.Array(np.zeros(WIDTH))).array.shape == (SIZE,)


def test_results_belong_to_the_stream_of_the_call(session, cupy):
    x = cupy.Array(np.zeros((4, WIDTH)))
    cupy.log.clear()
    session.infer(x, stream=44)
    begin = cupy.log.index("stream 44 of 0")
    assert cupy.log[begin : begin + 3] == ["stream 44 of 0", "empty", "end of stream 44 of 0"]
    assert x.streams == [44]


def test_a_device_is_opened_before_the_capture(native, session, cupy):
    x = cupy.Array(np.zeros((4, WIDTH)))
    cupy.capturing = True
    with pytest.raises(ProgramError, match=r"session.device_link\(\) before the capture"):
        session.infer(x)
    cupy.capturing = False
    session.device_link(0)
    cupy.capturing = True
    session.infer(x)
    assert len(native.links[0].calls) == 1
