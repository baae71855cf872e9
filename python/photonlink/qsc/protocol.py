"""What service and clients agree on: paths, names, how an error travels, and who can share memory with whom."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Literal

from photonlink import errors
from photonlink.errors import PhotonLinkError, SessionBusy, TargetUnavailable, Unavailable

__all__ = [
    "API",
    "DEFAULT_PORT",
    "LEASE_HEADER",
    "PROGRAM_TYPE",
    "TOKEN_VARIABLE",
    "TRANSPORTS",
    "Transport",
    "decode_error",
    "decode_secret",
    "encode_error",
    "encode_secret",
    "machine",
    "unix_name",
]

API = "/v1"
DEFAULT_PORT = 7117
PROGRAM_TYPE = "application/vnd.photonlink.program"
LEASE_HEADER = "X-Photonlink-Lease"
TOKEN_VARIABLE = "PHOTONLINK_QSC_TOKEN"
Transport = Literal["shm", "udp", "bridge"]
TRANSPORTS: tuple[Transport, ...] = ("shm", "udp", "bridge")  # best first

_KEY_BYTES = 8
_TRAVELLING = (
    "ProgramError",
    "TargetUnavailable",
    "SessionBusy",
    "SessionClosed",
    "LinkClosed",
    "ProcessorError",
    "LedgerError",
    "ServiceError",
)


def unix_name(name: str) -> str:
    """Abstract Unix socket of the control plane of the service called `name`."""
    return f"\0{name}"


def machine() -> str:
    """Equal for processes that can reach each other over abstract Unix sockets: same boot, same network namespace."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    network = Path("/proc/self/ns/net").readlink()
    return hashlib.sha256(f"{boot} {network}".encode()).hexdigest()[:32]


def user() -> int:
    """Whose memory this process may share."""
    return os.geteuid()


def encode_secret(secret: bytes) -> dict[str, str]:
    """What whoever sends datagrams must know, as a part of the grant: the session's key, or the key of its tags."""
    if len(secret) == _KEY_BYTES:
        return {"key": f"{int.from_bytes(secret, 'little'):016x}"}
    return {"tag_key": secret.hex()}


def decode_secret(transport: dict[str, Any]) -> bytes:
    """What :func:`encode_secret` has made of a secret."""
    if transport.get("tag_key") is not None:
        return bytes.fromhex(transport["tag_key"])
    return int(transport["key"], 16).to_bytes(_KEY_BYTES, "little")


def encode_error(error: PhotonLinkError) -> dict[str, Any]:
    """The error as the body of a response."""
    body: dict[str, Any] = {"type": type(error).__name__, "message": str(error)}
    if isinstance(error, SessionBusy):
        body["retry_after"] = error.retry_after
    if isinstance(error, TargetUnavailable):
        body["reason"] = error.reason.name
    return {"error": body}


def decode_error(status: int, body: Any, target: str) -> PhotonLinkError:
    """The error that a response other than 2xx stands for, typed as the service raised it."""
    found = body.get("error") if isinstance(body, dict) else None
    if not isinstance(found, dict) or found.get("type") not in _TRAVELLING:
        return errors.ProtocolError(f"{target} answered with HTTP status {status}, and not as a controller does")
    message = str(found.get("message"))
    if found["type"] == "SessionBusy":
        retry_after = found.get("retry_after")
        return SessionBusy(message, retry_after=None if retry_after is None else float(retry_after), target=target)
    if found["type"] == "TargetUnavailable":
        reason = str(found.get("reason"))
        known = Unavailable[reason] if reason in Unavailable.__members__ else Unavailable.UNREACHABLE
        return TargetUnavailable(message, reason=known, target=target)
    error: PhotonLinkError = getattr(errors, found["type"])(message, target=target)
    return error
