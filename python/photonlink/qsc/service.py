"""The service behind the control plane: who may have the processor, and what happens to a session until it ends.

It runs in one event loop. What may take long happens in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hmac
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from photonlink import _core
from photonlink._memory import half_of_memory
from photonlink.errors import LinkClosed, PhotonLinkError, ProgramError, ServiceError, SessionBusy, SessionClosed
from photonlink.latency import outcomes
from photonlink.processors.host import ProcessorHost
from photonlink.processors.registry import make
from photonlink.qsc import protocol
from photonlink.qsc.config import ServiceConfig
from photonlink.qsc.opening import Gateways, OverGateway, Wish, open_session, read_program
from photonlink.qsc.tenure import Tenure
from photonlink.qsc.turnstile import Turnstile
from photonlink.qsc.usage import SessionUsage, UsageLedger

__all__ = ["Service"]

_log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0  # when nobody knows better
_LAST_ANSWERS_SECONDS = 0.5  # for answers that were lost on the way, and results that are fetched in pieces


async def _here() -> bool:
    return False


class Service:
    """One controller with its ledger, lock and limits.

    Raises:
        TargetUnavailable: The processor cannot be used here.
        LedgerError: The ledger cannot be opened.
    """

    def __init__(self, config: ServiceConfig) -> None:
        self.config = config
        processor = make(config.processor)
        self.ledger = UsageLedger(config.ledger, records=config.ledger_records)
        self._host = None
        try:
            self._host = None if processor is None else ProcessorHost(processor)
            self._controller = _core.Controller(
                half_of_memory() if config.memory_limit is None else config.memory_limit,
                drain_s=config.drain,
                name=config.name,
                ledger=self.ledger.counts,
                first_session=self.ledger.next_session,
                driver=None if self._host is None else self._host.desk,
                latency=None if config.latency is None else config.latency.options(),
            )
            self.latency = outcomes(self._controller, config.latency)
            self._gateways = Gateways(self._open_udp(), self._open_bridge())
        except BaseException:
            if self._host is not None:
                self._host.stop()
            self.ledger.close()
            raise
        #: host:port of the UDP data plane, if there is one.
        udp = self._gateways.udp
        self.udp_address = None if udp is None else f"{udp.host}:{udp.port}"
        bridge = self._gateways.bridge
        #: What the provider of the bridge says of its endpoint, if there is one.
        self.bridge_endpoint = None if bridge is None else bridge.endpoint
        for outcome in self.latency:
            if not outcome.granted:
                _log.warning("%s (%s) refused: %s", outcome.measure, outcome.asked, outcome.detail)
        self._turnstile = Turnstile(config.queue, self._busy)
        self._session: Tenure | None = None
        self._draining = False
        self._stopped = False
        self._ledger_problem: str | None = None
        self.outcomes: Counter[str] = Counter()

    def _open_udp(self) -> _core.UdpGateway | None:
        if "udp" not in self.config.offered:
            return None
        host, port = self.config.udp_host, self.config.udp_port
        try:
            return _core.UdpGateway(self._controller, host, port, self.config.tagged)
        except (OSError, RuntimeError) as error:
            raise ServiceError(f"cannot receive UDP on {host}:{port}: {error}; choose another --udp-port") from None

    def _open_bridge(self) -> _core.BridgeGateway | None:
        if not self.config.bridge:
            return None
        library, *arguments = self.config.bridge
        return _core.BridgeGateway(self._controller, library, arguments, self.config.bridge_slots)

    @property
    def udp_counts(self) -> dict[str, int]:
        """Datagrams since the start: received, dropped, refused, repeated; empty without a UDP data plane."""
        return {} if self._gateways.udp is None else self._gateways.udp.counts

    @property
    def bridge_counts(self) -> dict[str, int]:
        """Frames since the start: received, dropped, refused, repeated; empty without a bridge."""
        return {} if self._gateways.bridge is None else self._gateways.bridge.counts

    # ---- reservations

    def _busy(self, why: str) -> SessionBusy:
        retry_after = self._controller.status().retry_after_s
        return SessionBusy(
            f"controller {self.config.name!r} is busy: {why}; retry later, or pass wait=<seconds> to queue",
            retry_after=_RETRY_SECONDS if retry_after is None else retry_after,
        )

    def _closing(self, what: str) -> SessionBusy:
        return SessionBusy(f"controller {self.config.name!r} {what} and takes no new sessions")

    async def reserve(
        self,
        body: Callable[[], Awaitable[bytes]],
        wish: Wish,
        gone: Callable[[], Awaitable[bool]] = _here,
    ) -> dict[str, Any]:
        """Take the lock, configure the processor, open the data plane.

        Args:
            body: Reads the program's bytes; not called for those who are refused at once.
            wish: What is asked for.
            gone: Whether the client has left; asked while it waits.

        Returns:
            The grant: session, lease, output_size, max_counts, what was granted, and the address of the data plane.

        Raises:
            SessionBusy: Held by others; the service is draining, stopping or in maintenance.
            ProgramError: The program or an option cannot be executed, or is beyond the limits.
            LedgerError: The counts could not be kept.
            ProcessorError: The processor could not load the program.
            LinkClosed: The controller has failed.
        """
        try:
            if not 0 <= wish.wait <= self.config.longest_wait:
                raise ProgramError(f"wait is {wish.wait:g} s, expected 0 to {self.config.longest_wait:g} s")
            await self._turnstile.enter(wish.wait, gone)
            session = await self._take(body, wish)
        except PhotonLinkError as error:
            self.outcomes["busy" if isinstance(error, SessionBusy) else "refused"] += 1
            raise
        self.outcomes["granted"] += 1
        if await gone():
            await session.end()
            raise SessionClosed("the client left while it was served")
        return {**session.opened.grant, "lease": session.opened.lease}

    async def _take(self, body: Callable[[], Awaitable[bytes]], wish: Wish) -> Tenure:
        """From the turn to a session, or the turn given back."""
        try:
            program = await asyncio.to_thread(read_program, await body(), self.config)
            await self._recover()
            opened = await asyncio.to_thread(open_session, self._controller, self._gateways, self.config, program, wish)
        except BaseException:
            self._turnstile.leave()
            raise
        session = Tenure(self._controller, opened, opened.connect_timeout, fold=self._fold, over=self._over)
        self._session = session
        _log.info("session %d reserved, program %s", opened.session, opened.grant["digest"][:12])
        return session

    async def _fold(self) -> None:
        self._ledger_problem = await asyncio.to_thread(self.ledger.fold)

    def _over(self) -> None:
        self._session = None
        self._turnstile.leave()

    async def _recover(self) -> None:
        """Try again what failed before: folding the ledger, and a controller in its error state."""
        if self._ledger_problem is not None:
            await self._fold()
        if self._controller.status().state == "error":
            with contextlib.suppress(LinkClosed):  # it has still failed: the reservation says why
                await asyncio.to_thread(self._controller.reset)

    def _leased(self, number: int, lease: str) -> Tenure | None:
        """The running session, if `number` is it and `lease` its secret; ``None`` if it has ended."""
        session = self._session
        if session is None or session.opened.session != number:
            if self.ledger.find(number) is None:
                raise SessionClosed(f"there never was a session {number} on this controller")
            return None
        if not hmac.compare_digest(session.opened.lease.encode(), lease.encode()):
            raise SessionClosed(f"session {number} was reserved by somebody else: its lease is another")
        return session

    def renew(self, number: int, lease: str) -> None:
        """Start the idle time of a session anew.

        Raises:
            SessionClosed: It has ended, never was, or the lease is not its own.
        """
        if self._leased(number, lease) is None:
            raise SessionClosed(f"session {number} has ended: reserve a new one")
        self._controller.renew(number)

    async def release(self, number: int, lease: str) -> SessionUsage:
        """End a session: what was accepted is finished, its usage is final. May be repeated.

        Raises:
            SessionClosed: It never was, or the lease is not its own.
        """
        session = self._leased(number, lease)
        if session is not None:
            await session.end()
        return self.usage(number)

    # ---- questions

    def usage(self, number: int) -> SessionUsage:
        """Usage of a session, running or ended.

        Raises:
            SessionClosed: It never was.
        """
        usage = self.ledger.find(number)
        if usage is None:
            raise SessionClosed(f"there never was a session {number} on this controller")
        if usage.end is None:
            with contextlib.suppress(SessionClosed):  # folded in this very moment
                usage = dataclasses.replace(usage, wall_ns=self._controller.usage(number).wall_ns)
        return usage

    def status(self) -> dict[str, Any]:
        """What the service is and does, as a JSON object."""
        native, session = self._controller.status(), self._session
        return {
            "name": self.config.name,
            "processor": native.processor,
            "simulated": native.simulated,
            "threads": native.threads,
            "sampler": native.sampler,
            "datapoint_timeout_seconds": native.datapoint_timeout_s,
            "state": native.state,
            "cause": native.cause,
            "session": None if session is None else session.describe(),
            "last_end": native.last_end,
            "waiting": self._turnstile.waiting,
            "maintenance": native.maintenance,
            "draining": self._draining,
            "ledger_problem": self._ledger_problem,
            "clock": self.config.clock,
            "preset": self.config.preset,
            "calibration_age_seconds": native.calibration_age_s,
            "latency": [outcome.as_json() for outcome in self.latency],
            "uptime_seconds": native.uptime_s,
            "retry_after": native.retry_after_s,
            "limits": {
                "slots": self.config.slots,
                "idle_timeout": self.config.idle_timeout,
                "max_duration": self.config.max_duration,
                "longest_wait": self.config.longest_wait,
                "program_bytes": self.config.max_program_bytes,
                "modes": self.config.max_modes,
                "photons": self.config.max_photons,
            },
            "transports": [self._describe_transport(kind) for kind in self.config.offered],
        }

    def _describe_transport(self, kind: str) -> dict[str, Any]:
        offer: dict[str, Any] = {"kind": kind, "machine": protocol.machine()}
        if kind == "shm":
            return {**offer, "user": protocol.user()}
        bridge = self._gateways.bridge
        if kind == "udp" or bridge is None:
            return {**offer, "address": self.udp_address, "tags": self.config.tagged}
        names = ("version", "slots", "slot_bytes", "state", "problem")
        return {**offer, "address": bridge.endpoint, **{name: getattr(bridge, name) for name in names}}

    # ---- the operator

    def request_maintenance(self) -> str:
        """Ask for the processor: "active" now, or "requested" until the session has ended."""
        return "active" if self._controller.request_maintenance() else "requested"

    def finish_maintenance(self, *, calibrated: bool) -> None:
        """Let clients in again.

        Raises:
            SessionBusy: `calibrated`, but a session runs: nothing can have been calibrated.
        """
        if calibrated:
            self._controller.calibrate()
        self._controller.finish_maintenance()

    def drain(self, *, on: bool) -> None:
        """Take no new sessions, or take them again; the running one is not touched."""
        if self._stopped:
            return
        self._draining = on
        if on:
            self._turnstile.close(self._closing("is being drained"))
        else:
            self._turnstile.reopen()

    async def stop(self) -> None:
        """End everything: nobody is let in, the session finishes what was accepted, its counts are folded.

        Raises:
            ServiceError: The processor never came back; its thread is left behind.
        """
        self._stopped = self._draining = True
        self._turnstile.close(self._closing("is being stopped"))
        session = self._session
        if session is not None:
            await session.end(stopped=True)
        ended = await asyncio.to_thread(self._controller.shutdown)
        if self._host is not None:
            await asyncio.to_thread(self._host.stop)
        if session is not None and isinstance(session.opened.data_plane, OverGateway):
            await asyncio.sleep(_LAST_ANSWERS_SECONDS)
        for gateway in (self._gateways.udp, self._gateways.bridge):
            if gateway is not None:
                await asyncio.to_thread(gateway.close)
        cause = self._controller.status().cause
        await asyncio.to_thread(self.ledger.close)
        if not ended:
            raise ServiceError(f"controller {self.config.name!r} did not end: {cause}")
