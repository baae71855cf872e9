"""The control plane from the client's side: one bounded HTTP request per call, typed errors.

Standard library only, so that a client needs nothing but photonlink; no proxy of the environment stands between a
client and a controller of its own machine.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import urllib.parse
from dataclasses import dataclass
from typing import Any

from photonlink.errors import LinkClosed, LinkTimeout, ProgramError, ProtocolError, TargetUnavailable, Unavailable
from photonlink.qsc.protocol import (
    API,
    DEFAULT_PORT,
    LEASE_HEADER,
    PROGRAM_TYPE,
    TOKEN_VARIABLE,
    decode_error,
    unix_name,
)

__all__ = ["ControlClient", "is_service"]

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 30.0
_MAX_ANSWER_BYTES = 16 * 2**20
_NOT_WORDS = "\r\n\0"


def is_service(target: str) -> bool:
    """Whether a target is a controller service."""
    return target.startswith(("qsc://", "shm://"))


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over an abstract Unix socket."""

    def __init__(self, name: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._name = name

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(unix_name(self._name))


@dataclass(frozen=True)
class _Address:
    host: str
    port: int | None  # None: `host` is the name of a Unix socket


def _address(target: str) -> _Address:
    kind, _, rest = target.partition("://")
    if kind == "shm" and rest and not set(rest) & set(_NOT_WORDS + "/"):
        return _Address(rest, None)
    try:
        parts = urllib.parse.urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not rest.isprintable() or " " in rest:  # which no request could carry
        host = None
    if kind != "qsc" or not host or parts.path or parts.query or parts.username is not None:
        raise TargetUnavailable(
            f"{target!r} is no address of a controller service: expected qsc://host:port or shm://name",
            reason=Unavailable.UNKNOWN,
            target=target,
        )
    return _Address(host, DEFAULT_PORT if port is None else port)


class ControlClient:
    """Talks to one service.

    Args:
        target: ``qsc://host:port`` or ``shm://name``.
        token: Bearer token; by default that of ``PHOTONLINK_QSC_TOKEN``, if set.

    Raises:
        TargetUnavailable: `target` is no such address.
        ProgramError: The token cannot be sent.
    """

    def __init__(self, target: str, token: str | None = None) -> None:
        self.target = target
        self._address = _address(target)
        self._token = token if token is not None else os.environ.get(TOKEN_VARIABLE)
        if not isinstance(self._token, str | None):
            raise ProgramError(f"the token is a {type(self._token).__name__}, expected text")
        if self._token is not None and not (self._token.isascii() and self._token.isprintable()):
            raise ProgramError("the token holds characters that no token has")  # and is not shown

    @property
    def host(self) -> str:
        """Where the service is: a name or an address, "localhost" over a Unix socket."""
        return "localhost" if self._address.port is None else self._address.host

    def call(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: bytes | None = None,
        lease: str | None = None,
        timeout: float = _ANSWER_SECONDS,
    ) -> Any:
        """One request; the decoded JSON of its answer, or ``None`` if that is empty.

        Args:
            method: Of HTTP, such as ``"GET"``.
            path: Below ``/v1``, such as ``"/status"``.
            query: Parameters of the query; those that are None are left away.
            body: A stored program, for a reservation.
            lease: The secret of a session that is renewed or released.
            timeout: Seconds.

        Raises:
            TargetUnavailable: Nobody listens there, or the token is wrong.
            LinkTimeout: No answer within `timeout` seconds.
            LinkClosed: The service hung up.
            PhotonLinkError: What the service raised.
            ProtocolError: The answer is not one of a controller.
        """
        given = {name: value for name, value in (query or {}).items() if value is not None}
        url = f"{API}{path}" + (f"?{urllib.parse.urlencode(given)}" if given else "")
        headers = {"Accept": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        if lease is not None:
            headers[LEASE_HEADER] = lease
        if body is not None:
            headers["Content-Type"] = PROGRAM_TYPE
        connection = self._connect()
        try:
            status, data = self._exchange(connection, method, url, body, headers, timeout)
        finally:
            connection.close()
        return self._decode(status, data)

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._address.host, self._address.port
        connection = (
            _UnixConnection(host, _CONNECT_SECONDS)
            if port is None
            else http.client.HTTPConnection(host, port, timeout=_CONNECT_SECONDS)
        )
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise TargetUnavailable(
                f"no controller service answers at {self.target}: {error}; start one with: photonlink qsc serve",
                reason=Unavailable.UNREACHABLE,
                target=self.target,
            ) from None
        return connection

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        url: str,
        body: bytes | None,
        headers: dict[str, str],
        timeout: float,
    ) -> tuple[int, bytes]:
        connection.sock.settimeout(timeout)
        try:
            connection.request(method, url, body, headers)
            response = connection.getresponse()
            return response.status, response.read(_MAX_ANSWER_BYTES + 1)
        except TimeoutError:
            raise LinkTimeout(
                f"the controller service at {self.target} did not answer within {timeout:g} s",
                target=self.target,
                elapsed=timeout,
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise LinkClosed(
                f"the controller service at {self.target} hung up: {error or type(error).__name__}", target=self.target
            ) from None

    def _decode(self, status: int, data: bytes) -> Any:
        if len(data) > _MAX_ANSWER_BYTES:
            raise ProtocolError(f"{self.target} answered with more than {_MAX_ANSWER_BYTES} bytes", target=self.target)
        try:
            body = json.loads(data) if data else None
        except ValueError:
            body = data.decode(errors="replace")
        if not 200 <= status < 300:
            raise decode_error(status, body, self.target)
        return body
