"""Runs a service: sockets, event loop, signals, and the line that says it can be used."""

from __future__ import annotations

import faulthandler
import gc
import logging
import resource
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any

from photonlink import _packages
from photonlink.errors import PhotonLinkError, ServiceError
from photonlink.qsc.config import ServiceConfig
from photonlink.qsc.protocol import unix_name

if TYPE_CHECKING:
    import uvicorn

    from photonlink.qsc.service import Service

__all__ = ["LONGEST_END_SECONDS", "require_packages", "serve"]

_PACKAGES = ("fastapi", "uvicorn", "prometheus_client")
_BACKLOG = 2048
_LAST_ANSWERS_SECONDS = 10
#: What an end may take beyond the drain of its session: more than all the waits in it together. Then the process goes.
LONGEST_END_SECONDS = 45.0
_LONGEST_DRAIN_SECONDS = 1e6  # that the timer is told; it has a limit


def require_packages() -> None:
    """Raise TargetUnavailable (``NOT_INSTALLED``) unless the packages of the service are there."""
    _packages.require(_PACKAGES, "qsc", by="the controller service")


def _listen_tcp(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sends small answers at once (TCP_NODELAY) instead of holding them back.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ServiceError(f"cannot listen on {host}:{port}: {error}; choose another --port, 0 for any") from None
    return listener


def _listen_unix(name: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(unix_name(name))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ServiceError(f"the name {name!r} cannot be had: {error}; choose another --name") from None
    return listener


def _make_server(service: Service, ready: str) -> uvicorn.Server:
    import uvicorn

    from photonlink.qsc.app import make_app

    class Server(uvicorn.Server):
        """Says when it is ready, and ends the service while it can still answer."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                print(ready, flush=True)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            # Its thread needs no interpreter lock, so that a driver that keeps the lock cannot hold up the end either.
            patience = min(service.config.drain, _LONGEST_DRAIN_SECONDS) + LONGEST_END_SECONDS
            faulthandler.dump_traceback_later(patience, exit=True)
            try:
                await service.stop()
            except PhotonLinkError:
                logging.getLogger(__name__).exception("the service did not end well")
            await super().shutdown(sockets)

    def stop() -> None:
        server.should_exit = True

    config = uvicorn.Config(
        make_app(service, stop),
        http="h11",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=service.config.log_level == "debug",
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS,
    )
    server = Server(config)
    return server


def _allow_many_clients() -> None:
    """As many open connections as the system permits."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _ignore(*_: Any) -> None:
    """The server has acted on the signal already when it raises it again."""


def serve(config: ServiceConfig) -> None:
    """Serve until SIGTERM, SIGINT or a client's request for the end.

    Raises:
        TargetUnavailable: Packages are missing; the message names the extra.
        ServiceError: The address or the name is taken.
        LedgerError: The ledger cannot be opened.
    """
    require_packages()
    logging.basicConfig(
        stream=sys.stderr, level=config.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    from photonlink.qsc.service import Service

    _allow_many_clients()
    with _listen_tcp(config.host, config.port) as tcp, _listen_unix(config.name) as unix:
        host, port = tcp.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        service = Service(config)
        udp = "" if service.udp_address is None else f"udp={service.udp_address} "
        bridge = "" if service.bridge_endpoint is None else f' bridge="{service.bridge_endpoint}"'
        server = _make_server(service, f"PHOTONLINK_QSC_READY http={shown}:{port} {udp}shm={config.name}{bridge}")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _ignore)
        # What was imported stays: no collection looks through it again. With Perceval that would stop every thread of
        # Python for a moment now and then, and hold up the end of the process.
        gc.freeze()
        try:
            server.run(sockets=[tcp, unix])
        finally:
            faulthandler.cancel_dump_traceback_later()
