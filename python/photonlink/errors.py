"""Every error that photonlink raises: what was received, what was expected, and the fix.

All derive from :class:`PhotonLinkError` and, where Python has one, from the builtin that callers already catch.

Examples:
    >>> from photonlink.errors import LinkTimeout
    >>> error = LinkTimeout("no answer within 0.5 s", target="sim", elapsed=0.5)
    >>> isinstance(error, TimeoutError), error.target, error.elapsed
    (True, 'sim', 0.5)
"""

from __future__ import annotations

import enum
from typing import Any

__all__ = [
    "DeviceError",
    "LedgerError",
    "LinkClosed",
    "LinkTimeout",
    "PhotonLinkError",
    "ProcessorError",
    "ProgramError",
    "ProtocolError",
    "ServiceError",
    "SessionBusy",
    "SessionClosed",
    "TargetUnavailable",
    "Unavailable",
]


class PhotonLinkError(Exception):
    """Base of all photonlink errors.

    Attributes:
        target: Name of the target in use, if one was.
        request_id: Low 32 bits of the datapoint id, if the error belongs to one datapoint.
        row: Row of that datapoint in the call; the results of all rows before it were delivered.
        elapsed: Seconds spent before the error, if it ended a wait.
        status: Wire or link status, by name, if one was received.
    """

    def __init__(
        self,
        message: str,
        *,
        target: str | None = None,
        request_id: int | None = None,
        row: int | None = None,
        elapsed: float | None = None,
        status: str | None = None,
    ) -> None:
        super().__init__(message)
        self.target = target
        self.request_id = request_id
        self.row = row
        self.elapsed = elapsed
        self.status = status

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by text and fields: keyword arguments are not in ``args``, which pickle would call with."""
        return _restore, (type(self), self.args, self.__dict__)


def _restore(cls: type[PhotonLinkError], args: tuple[Any, ...], fields: dict[str, Any]) -> PhotonLinkError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


class ProgramError(PhotonLinkError, ValueError):
    """A program, readout or input that cannot be executed as given."""


class Unavailable(enum.Enum):
    """Why a target cannot be used."""

    UNKNOWN = "unknown target"
    NOT_BUILT = "not built"
    NOT_INSTALLED = "a package is missing"
    NO_DRIVER = "no driver"
    DRIVER_TOO_OLD = "driver too old"
    NO_DEVICE = "no device"
    DEVICE_TOO_OLD = "device too old"
    NO_TOKEN = "no access token"
    UNREACHABLE = "not reachable"
    UNSUPPORTED = "not supported by this target"


class TargetUnavailable(PhotonLinkError, RuntimeError):
    """The target that was asked for cannot be used here; ``reason`` says why. There is no silent fall-back."""

    def __init__(self, message: str, *, reason: Unavailable, target: str | None = None) -> None:
        super().__init__(message, target=target)
        self.reason = reason


class SessionBusy(PhotonLinkError, RuntimeError):
    """Another session holds the controller; ``retry_after`` says in how many seconds a retry may succeed."""

    def __init__(self, message: str, *, retry_after: float | None = None, target: str | None = None) -> None:
        super().__init__(message, target=target)
        self.retry_after = retry_after


class SessionClosed(PhotonLinkError, RuntimeError):
    """The session has ended: released, expired, out of budget, or inherited by a forked child."""


class ServiceError(PhotonLinkError, RuntimeError):
    """A controller service cannot start, or cannot do what it was asked."""


class LedgerError(PhotonLinkError, OSError):
    """The usage ledger cannot be opened or written; nothing is executed that could not be counted."""


class LinkTimeout(PhotonLinkError, TimeoutError):
    """No answer within the deadline; the datapoint may still be executed and then counts as a token."""


class LinkClosed(PhotonLinkError, ConnectionError):
    """The other end of the link closed it or died."""


class ProtocolError(PhotonLinkError, RuntimeError):
    """The other end broke the wire format."""


class ProcessorError(PhotonLinkError, RuntimeError):
    """The processor failed while it executed a datapoint."""


class DeviceError(PhotonLinkError, RuntimeError):
    """CUDA refused or failed; the message says what was tried and what CUDA answered."""
