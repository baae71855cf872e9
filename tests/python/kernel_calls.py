"""What compiled CUDA-Q kernels call, called from here; CUDA-Q is not needed."""

import ctypes
import os
from pathlib import Path

from photonlink import _core
from photonlink.realtime import function_id

DEVICE = 901
LIBRARY = Path(_core.__file__).resolve().parent / "_lib" / "libphotonlink_device_call.so"


class Kernel:
    """A device that calls the service at a port of this machine, in slots of 64 bytes."""

    def __init__(self, port, *, seconds):
        self._library = ctypes.CDLL(str(LIBRARY), mode=os.RTLD_NOW | os.RTLD_LOCAL)
        at = (b"127.0.0.1", ctypes.c_uint16(port))
        limits = (ctypes.c_uint32(64), ctypes.c_uint64(int(seconds * 1e9)))
        assert self._library.photonlink_device_open_udp(ctypes.c_uint32(DEVICE), *at, *limits) == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        assert self._library.photonlink_device_close(ctypes.c_uint32(DEVICE)) == 0

    def call(self, function, request_bytes, response_bytes):
        """Status of a call with arguments of zeros, in the order of generated code."""
        acquire, dispatch, release = (
            getattr(self._library, f"__cudaq_device_call_{name}_realtime_frame")
            for name in ("acquire", "dispatch", "safely_release")
        )
        frame, request, response = (ctypes.c_void_p() for _ in range(3))
        numbers = (ctypes.c_uint32(DEVICE), ctypes.c_uint32(function_id(function)))
        sizes = (ctypes.c_uint64(request_bytes), ctypes.c_uint64(response_bytes))
        assert acquire(*numbers, *sizes, *map(ctypes.byref, (frame, request, response))) == 0
        length = ctypes.c_uint64()
        status = dispatch(frame, ctypes.byref(length))
        release(frame)
        return status
