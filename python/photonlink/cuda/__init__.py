"""Photonic inference from device memory: arrays of torch and CuPy, kernels of your own, CUDA graphs.

Nothing here is imported with :mod:`photonlink`, and nothing needs a GPU to be imported. A call that needs one and finds
none raises :class:`photonlink.errors.TargetUnavailable` with the reason; nothing runs on the CPU instead.

Calls on arrays in device memory::

    x = torch.rand(256, 12, device="cuda")
    with phl.reserve("sim", program, precision="float32") as session:
        y = session.infer(x)                     # a CUDA tensor; launched on torch's current stream
        loss = head(y)                           # goes on behind it, on the same stream
        session.synchronize()                    # waits, and raises what went wrong

**Streams.** A call is work on one stream: it starts when earlier work on the stream has ended, and later work on the
stream sees its results. The host does not wait. (One exception: an array that has ``__cuda_array_interface__``, no
DLPack, and says that it is written on another stream than that of the call is waited for.) The stream is the one given
as ``stream=``, else the current stream of torch or CuPy, else the stream that ``__cuda_array_interface__`` names, else
the default stream. With another stream than the framework's current one, data is ready (DLPack takes care) and results
belong to that stream: order other work behind it yourself, and keep the arrays of CuPy alive until it is done.

Calls on several streams of one session overlap. Only calls on the same stream have an order; datapoints of others may
be executed in any. Each has an id that no other datapoint of the session has, whatever the order; with samples, which
random numbers a datapoint gets follows from its id, so it depends on the order in which the launches began.

**Failures.** A row that fails becomes NaN, its entry in ``statuses=`` says why, and the first failure is left for the
host, which raises it, as the error that a call from the host raises, at the next call on the device, ``check()``,
``synchronize()`` or ``close()``. A kernel never waits for ever: one launch takes :data:`KERNEL_LIMIT_SECONDS` at most.
Batches that would take longer are sent by several launches, one after the other on the stream.

**CUDA graphs.** Calls can be captured and replayed; every replay sends new datapoints with ids of their own, reading
``x`` and writing ``y`` where they were. Open the device first, since the first call allocates, and pass no ``stream=``
inside (the capturing stream is the current one)::

    session.device_link()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):                # CuPy: stream.begin_capture() ... stream.end_capture()
        y = head(session.infer(encoder(pixels)))
    pixels.copy_(next_images)
    graph.replay()

A graph may be replayed while its session is open. Replayed later it gives NaN. ``submit()`` and ``collect()`` may be
captured too, both into the same graph.

**Target "sim:cuda"** simulates the processor on the device itself: the same calls are plain launches there, without a
link. The rules are the same, except that a graph must not be replayed after its session's end.

**Kernels of your own** include ``photonlink/device.cuh`` (:func:`photonlink.get_include` names the folder) and get a
:class:`DeviceLink` from ``session.device_link()``; examples 04 to 06 show nvcc, CuPy and a persistent kernel.
"""

from __future__ import annotations

from photonlink.cuda._client import DeviceCall
from photonlink.cuda._link import KERNEL_LIMIT_SECONDS, DeviceLink, EchoReport
from photonlink.cuda._part import available, require

__all__ = ["KERNEL_LIMIT_SECONDS", "DeviceCall", "DeviceLink", "EchoReport", "available", "require"]
