"""Sessions on a controller service: reserved over HTTP, used over its data plane as any other Session."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, NoReturn, TypeAlias, cast

from photonlink import _core, _options
from photonlink.errors import (
    LinkClosed,
    LinkTimeout,
    PhotonLinkError,
    ProgramError,
    ProtocolError,
    SessionClosed,
    TargetUnavailable,
)
from photonlink.info import Usage
from photonlink.latency import LatencyOutcome
from photonlink.processors.registry import on_target
from photonlink.program import Precision, Program
from photonlink.qsc.client import ControlClient
from photonlink.qsc.links import LINK_NAMES, Link, choose, connect
from photonlink.qsc.opening import Wish
from photonlink.session import Session

__all__ = ["Connector", "ServiceSession", "reserve"]

_log = logging.getLogger(__name__)

_ANSWER_SECONDS = 60.0  # to build the tables of a large program
_RELEASE_SECONDS = 30.0
_LOST = (LinkClosed, LinkTimeout, TargetUnavailable)

Connector: TypeAlias = Callable[[dict[str, Any], Program, Precision, str], Link]


@dataclass(frozen=True)
class _Used:
    """Usage as native sessions report it; times of -1 are absent."""

    tokens: int = 0
    shots: int = 0
    kept_samples: int = 0
    quantum_ns: int = -1
    configuration_ns: int = -1
    wall_ns: int = 0

    @classmethod
    def of(cls, body: dict[str, Any]) -> _Used:
        times = {name: -1 if body[name] is None else body[name] for name in ("quantum_ns", "configuration_ns")}
        counts = {name: body[name] for name in ("tokens", "shots", "kept_samples")}
        return cls(**counts, **times, wall_ns=body["wall_ns"] or 0)


@dataclass(frozen=True)
class _Status:
    processor: str
    simulated: bool
    threads: int
    sampler: str | None
    datapoint_timeout_s: float
    calibration_age_s: float
    cause: str
    latency: list[dict[str, Any]]

    @classmethod
    def of(cls, body: dict[str, Any]) -> _Status:
        names = ("processor", "simulated", "threads", "sampler")
        times = ("datapoint_timeout_seconds", "calibration_age_seconds")
        return cls(*(body[name] for name in (*names, *times, "cause", "latency")))


def _gone(*_: Any) -> NoReturn:
    raise SessionClosed("the session is closed: reserve a new one")


class _Remote:
    """What a Session needs of a native session and of its controller, over both planes."""

    def __init__(self, client: ControlClient, grant: dict[str, Any], link: Link, status: _Status) -> None:
        self._client = client
        self._status = status
        self._lease = str(grant["lease"])
        self._path = f"/sessions/{int(grant['session'])}"
        self._link: Link | None = link
        self.link_name = LINK_NAMES[type(link)]
        self._last = _Used()
        self.output_size = int(grant["output_size"])
        self.slots = link.slots
        self.lost: PhotonLinkError | None = None  # why the last word of the controller is missing
        # The calls of the data plane, without anything in between.
        self.infer: Callable[..., Any] = link.infer
        self.report: Callable[..., Any] = link.report
        self.echo: Callable[..., Any] = link.echo
        self.stop: Callable[[], None] = link.stop
        self.slots_in_use: Callable[[], int] = link.slots_in_use

    # As a lease on a controller.

    @property
    def controller(self) -> _Remote:
        return self

    @property
    def core(self) -> _Remote:
        return self

    @property
    def latency(self) -> tuple[LatencyOutcome, ...]:
        return tuple(LatencyOutcome(**outcome) for outcome in self._status.latency)

    def end(self) -> None:
        """The release has ended it."""

    def status(self) -> _Status:
        """As it was at the reservation, with the present cause of trouble."""
        try:
            cause = str(self._client.call("GET", "/status")["cause"])
        except PhotonLinkError as error:
            cause = str(error)
        return replace(self._status, cause=cause)

    # As a session.

    @property
    def native(self) -> Link:
        """The session's link."""
        if self._link is None:
            _gone()
        return self._link

    def open_device_port(self, slots: int) -> _core.DevicePort:
        """A port for calls from a device, of at most `slots` slots; over shared memory the service decides."""
        return self.native.open_device_port(slots)

    def usage(self) -> _Used:
        try:
            self._last = _Used.of(self._client.call("GET", self._path))
        except TargetUnavailable as error:  # it was there when the session began
            raise LinkClosed(str(error), target=error.target) from None
        return self._last

    def close(self) -> _Used:
        try:
            body = self._client.call("DELETE", self._path, lease=self._lease, timeout=_RELEASE_SECONDS)
            self._last = _Used.of(body)
        except PhotonLinkError as error:
            self.lost = error
            _log.warning("the controller did not take the release of a session: %s", error)
        self._let_go()
        return self._last

    def _let_go(self) -> None:
        """Of sockets and shared memory, even if somebody keeps the closed session."""
        self._link = None
        self.infer = self.report = self.echo = self.stop = self.slots_in_use = _gone


class ServiceSession(Session):
    """A session on a controller service.

    Counts are in the service's ledger, whatever happens to this process. When the service is gone, :meth:`close` says
    so once by raising, and ``usage`` keeps what was last heard.
    """

    def __init__(self, remote: _Remote, program: Program, options: _core.SessionOptions, **how: Any) -> None:
        self._remote = remote
        super().__init__(cast(Any, remote), cast(Any, remote), program, options, **how)
        self._info = replace(self._info, link=remote.link_name)

    def close(self) -> Usage:
        """Release the processor. May be repeated.

        Returns:
            What the session used, as the service's ledger has it.

        Raises:
            LinkClosed: The service is gone, or did not answer; raised once, and a note on an error that leaves the
                ``with`` statement already.
            SessionClosed: This process is a forked child; the session lives on in the parent.
        """
        usage = super().close()
        lost, self._remote.lost = self._remote.lost, None
        if lost is not None:
            raise LinkClosed(
                f"the session is closed here, but its controller did not report it: {lost}; its ledger has the counts",
                target=self._info.target,
            )
        return usage


def reserve(
    target: str,
    program: Program,
    wish: Wish,
    *,
    token: str | None,
    asked: str | None,
    timeout: float | None,
    connector: Connector = connect,
) -> ServiceSession:
    """Reserve a session on the service at `target`; `connector` makes its link, also of a network that is not there.

    Raises:
        TargetUnavailable: Nobody answers there, the token is wrong, or no transport leads there.
        SessionBusy: Another session holds it; ``retry_after`` says when to try again.
        ProgramError: The service refuses the program or an option.
        ProtocolError: What answers is no controller.
        PhotonLinkError: What the service raised.
    """
    client = ControlClient(target, token)
    try:
        status = client.call("GET", "/status")
        wish = replace(wish, transport=choose(target, status, wish.transport))
        program = on_target(status["processor"], program)
        data = program.to_bytes()
        if len(data) > status["limits"]["program_bytes"]:
            most = status["limits"]["program_bytes"]
            raise ProgramError(f"the program takes {len(data)} bytes, and {target} reads at most {most}", target=target)
        grant = client.call(
            "POST", "/sessions", query=asdict(wish), body=data, timeout=_patience(program, wish, status)
        )
        return _connect(client, grant, program, wish, connector, target=target, asked=asked, timeout=timeout)
    except (KeyError, TypeError, AttributeError) as error:
        raise ProtocolError(f"{target} does not answer as a controller does: {error!r}", target=target) from error


def _patience(program: Program, wish: Wish, status: dict[str, Any]) -> float:
    fit = program.fit(wish.preset or status["preset"] or "article")
    realtime = "realtime" in (wish.clock, status["clock"])
    loading = _ANSWER_SECONDS + float(status["datapoint_timeout_seconds"])
    return loading + wish.wait + (fit.preset.configuration_s.value if realtime else 0.0)


def _connect(
    client: ControlClient,
    grant: dict[str, Any],
    program: Program,
    wish: Wish,
    connector: Connector,
    *,
    target: str,
    asked: str | None,
    timeout: float | None,
) -> ServiceSession:
    fit = program.fit(grant["preset"])
    options = _options.session_options(
        program,
        fit,
        shots=wish.shots,
        seed=wish.seed,
        clock=grant["clock"],
        precision=wish.precision,
        token_budget=wish.token_budget,
        idle_timeout=grant["idle_timeout"],
        max_duration=grant["max_duration"],
    )
    if grant["digest"] != program.digest:
        raise ProtocolError(f"{target} configured another program: digest {grant['digest']}", target=target)
    try:
        link = connector(grant, program, wish.precision, client.host)
        remote = _Remote(client, grant, link, _Status.of(client.call("GET", "/status")))
        return ServiceSession(remote, program, options, target=target, asked=asked, fit=fit, timeout=timeout)
    except BaseException:
        try:
            path = f"/sessions/{int(grant['session'])}"
            client.call("DELETE", path, lease=str(grant["lease"]), timeout=_RELEASE_SECONDS)
        except _LOST:
            _log.warning("the session that could not be used was not released; the service ends it by itself")
        raise
