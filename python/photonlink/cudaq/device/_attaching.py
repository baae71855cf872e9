"""Where the calls of a device go."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

from photonlink import _checks, _core
from photonlink.cudaq.device import _answers, _failures, _library
from photonlink.cudaq.device._declaration import name_of
from photonlink.errors import ProgramError, ServiceError
from photonlink.realtime import Client, Request, describe
from photonlink.realtime.status import OK
from photonlink.session import Session

__all__ = ["Attachment", "attach"]


_SERVICE_SECONDS = 1.0  # as realtime.Client


class Attachment:
    """A device that is open; made by :func:`attach`. Close it, or use it in a ``with`` statement."""

    def __init__(self, device: int, name: str) -> None:
        self.device = device
        self._name = name
        self._open = True

    def close(self) -> None:
        """Let no more calls through. Calls under way end as their link lets them. Idempotent."""
        if self._open:
            self._open = False
            _library.close_device(self.device)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<device {self.device}: {self._name}, {'open' if self._open else 'closed'}>"


def attach(
    link: Session | Client | str, device: int = 0, *, timeout: float | None = None, slot_bytes: int = 256
) -> Attachment:
    """Answer the calls that kernels make to a device.

    Args:
        link: A session, in this process or on a controller service; or ``"host:port"`` of any CUDA-Q realtime service
            over UDP; or a :class:`photonlink.realtime.Client`, whatever it calls over.
        device: Id of the device, as declared functions name it.
        timeout: Seconds that a call may take; by default what the session or the client allows, 1 s for an address.
        slot_bytes: Size of a slot of the service at an address.

    Returns:
        The open device. It holds the session's link, not the session: close both, or leave both ``with`` statements.

    Raises:
        ProgramError: The device is open already, or an argument is of a wrong type.
        SessionClosed: The session is closed.
        TargetUnavailable: The library of the three symbols is missing or shadowed.

    Examples:
        >>> import photonlink as phl
        >>> from photonlink.cudaq import device
        >>> program = phl.Program.reservoir(modes=4, photons=1, features=4)
        >>> with phl.reserve("sim", program) as session, device.attach(session, device=7) as attached:
        ...     attached
        <device 7: session on 'sim', open>
    """
    _checks.seconds("timeout", timeout)
    if isinstance(device, bool) or not isinstance(device, int) or not 0 <= device < 2**32:
        raise ProgramError(f"device is {device!r}, expected an integer from 0 to 2**32 - 1")
    if isinstance(link, Session):
        return _attach_session(link, device, timeout)
    if isinstance(link, Client):
        _answers.open_answering(device, _asking(link, timeout))
        return Attachment(device, f"client of {link.peer}")
    if isinstance(link, str):
        host, port = _parsed(link)
        _library.open_udp(device, host, port, slot_bytes, _SERVICE_SECONDS if timeout is None else timeout)
        return Attachment(device, f"service at {link}")
    raise ProgramError(f"attach() takes a Session, a realtime.Client or 'host:port', got a {type(link).__name__}")


def _attach_session(session: Session, device: int, timeout: float | None) -> Attachment:
    session._require_open()
    limits = (timeout, session._timeout, session._row_timeout)
    seconds = next(limit for limit in limits if limit is not None)
    native: Any = session._core_session
    if not isinstance(native, _core.LocalSession):
        native = native.native  # of a controller service
    opened = _core.open_device(
        _library.open_function(), device, native, session.program.spec, session.shots or 0, seconds
    )
    _library.check_opened(device, opened)
    _failures.remember(device, session._context)
    return Attachment(device, f"session on {session.info.target!r}")


def _parsed(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ProgramError(f"{address!r} is no address of a service: expected host:port")
    return host, int(port)


def _asking(client: Client, timeout: float | None) -> _answers.Answer:
    """Calls of a client, as they come: payloads are passed on, since both sides speak encoding B."""
    exchange = client._exchange
    seconds = client._timeout if timeout is None else timeout

    def answer(function_id: int, payload: bytes, _expected: int) -> bytes:
        end = time.monotonic() + seconds
        flight = exchange.start(Request(function_id, 0, payload), name_of(function_id), seconds)
        try:
            response = exchange.wait(flight, max(0.0, end - time.monotonic()))
        finally:
            exchange.forget(flight)
        if response.status != OK:
            raise ServiceError(
                f"{client.peer} answered {name_of(function_id)} with {describe(response.status)}",
                target=client.peer,
                request_id=response.request_id,
                status=describe(response.status),
            )
        return response.payload

    return answer
