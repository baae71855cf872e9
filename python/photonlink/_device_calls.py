"""The part of a session that devices use. Costs nothing before the first array in device memory comes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from photonlink.errors import ProgramError

if TYPE_CHECKING:
    from photonlink.cuda import DeviceCall, DeviceLink
    from photonlink.cuda._client import DeviceClient, Terms
    from photonlink.errors import PhotonLinkError

__all__ = ["DeviceCalls"]


class DeviceCalls:
    """Calls of a session on arrays in device memory; :mod:`photonlink.cuda` has the rules of streams and failures."""

    def __init__(self) -> None:
        self._device: DeviceClient | None = None
        self._device_lock = threading.Lock()

    def _require_open(self) -> None:
        raise NotImplementedError

    def _device_terms(self) -> Terms:
        raise NotImplementedError

    def _device_client(self) -> DeviceClient:
        if self._device is None:
            from photonlink.cuda._client import DeviceClient

            with self._device_lock:
                if self._device is None:
                    self._device = DeviceClient(self._device_terms())
        return self._device

    @staticmethod
    def _require_device() -> None:
        from photonlink.cuda import require

        require()

    def submit(
        self, x: Any, out: Any = None, timeout: float | None = None, *, stream: Any = None, statuses: Any = None
    ) -> DeviceCall:
        """Send datapoints from device memory without keeping the device busy while the processor works.

        Two short launches instead of one that waits: this one sends, ``collect()`` of what it returns fetches. Work
        that is put on the stream in between runs while the processor works.

        Args:
            x: As in :meth:`infer`, in device memory; at most as many datapoints as the link has slots, together with
                those of other calls that were submitted and not collected.
            out: As in :meth:`infer`.
            timeout: Seconds that the launch may wait for free slots, at most the limit of a launch.
            stream: As in :meth:`infer`.
            statuses: As in :meth:`infer`.

        Returns:
            The call; collect it once. Host arrays have :meth:`infer_async` instead.

        Raises:
            As :meth:`infer` with arrays in device memory.
        """
        self._require_open()
        return self._device_client().submit(x, out, timeout, stream, statuses)

    def device_link(
        self, device: int | None = None, *, kernel_limit: float | None = None, slots: int | None = None
    ) -> DeviceLink:
        """What a kernel of your own needs to call the processor, and the way to open a device before the first call.

        Args:
            device: Number of the device; by default the current one of torch or CuPy, else 0.
            kernel_limit: Longest time that one launch of a library kernel may take, in seconds, and that a kernel
                waits for one datapoint; by default :data:`photonlink.cuda.KERNEL_LIMIT_SECONDS`.
            slots: Datapoints that the device can have in flight; by default as many as the session.

        Returns:
            The link of that device, the same one at every call.

        Raises:
            ProgramError: There is no such device, or its link is open with another limit or number of slots.
            TargetUnavailable: No device can be used; ``reason`` says why.
            SessionClosed: The session is closed or was inherited by a forked child.
            DeviceError: CUDA refused to map the link.
        """
        self._require_open()
        return self._device_client().link(device, kernel_limit, slots)

    def check(self) -> None:
        """Raise the first failure that a kernel has left since the last look. Reads host memory only; never waits.

        Raises:
            PhotonLinkError: What the same failure raises in a call from the host.
            SessionClosed: The session is closed or was inherited by a forked child.
        """
        self._require_open()
        if self._device is not None:
            self._device.check()

    def synchronize(self, stream: Any = None, timeout: float | None = None) -> None:
        """Wait on the host until device calls are done, then :meth:`check`.

        Args:
            stream: Stream to wait for; by default the current ones of torch and CuPy where they are in use, and the
                default stream.
            timeout: Seconds, 60 by default.

        Raises:
            LinkTimeout: The stream did not get there in time.
            DeviceError: CUDA reports an error of earlier work.
            PhotonLinkError: As :meth:`check`.
        """
        self._require_open()
        if self._device is not None:
            self._device.synchronize(stream, timeout)

    def _infer_on_device(
        self, x: Any, out: Any, timeout: float | None, stream: Any, statuses: Any, *, return_info: bool, samples: bool
    ) -> Any:
        client = self._device_client()
        if samples or return_info:
            self._require_device()
        if samples:
            raise ProgramError(
                "a samples readout has no array of fixed size to leave in device memory: pass x in host memory, or "
                "configure a program with another readout (program.replace(readout=...))"
            )
        if return_info:
            raise ProgramError(
                "return_info needs the host for every call: pass x in host memory, or leave it away and read "
                "session.usage"
            )
        return client.infer(x, out, timeout, stream, statuses)

    def _close_device(self) -> PhotonLinkError | None:
        return None if self._device is None else self._device.close()
