"""The control plane: HTTP in front of :class:`photonlink.qsc.service.Service`, nothing more."""

import asyncio
import hmac
import logging
import math
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from photonlink import __version__
from photonlink.errors import PhotonLinkError, ProgramError, ServiceError, SessionBusy, TargetUnavailable, Unavailable
from photonlink.qsc import metrics, models
from photonlink.qsc.opening import Wish
from photonlink.qsc.protocol import API, LEASE_HEADER, PROGRAM_TYPE, encode_error
from photonlink.qsc.service import Service

__all__ = ["make_app"]

_log = logging.getLogger(__name__)

_BODY_SECONDS = 10.0
_DROP_SECONDS = 1.0
_HTTP_STATUS = {
    "ProgramError": 422,
    "TargetUnavailable": 401,
    "SessionBusy": 409,
    "SessionClosed": 404,
    "LinkClosed": 503,
    "ProcessorError": 502,
    "LedgerError": 507,
}


class _TooLarge(ProgramError):
    """The body is larger than a program may be."""


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Controller = Annotated[Service, Depends(_service)]
Lease = Annotated[str, Header(alias=LEASE_HEADER, max_length=256)]


def _authorised(request: Request, authorization: Annotated[str | None, Header(max_length=8192)] = None) -> None:
    """The bearer token, compared in constant time; without one, no page of a browser may send anything here."""
    token = _service(request).config.token
    if token is None:
        if "origin" in request.headers:
            raise TargetUnavailable("requests from web pages are refused", reason=Unavailable.NO_TOKEN)
        return
    scheme, _, presented = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(presented.strip().encode(), token.encode()):
        raise TargetUnavailable(
            "the controller asks for a token: pass token=, or set PHOTONLINK_QSC_TOKEN, to what its token file holds",
            reason=Unavailable.NO_TOKEN,
        )


_failures: dict[int | str, dict[str, Any]] = {
    "default": {"model": models.Failure, "description": "A typed error of photonlink."}
}
_open = APIRouter(prefix=API)
_guarded = APIRouter(prefix=API, dependencies=[Depends(_authorised)], responses=_failures)


@_open.get("/health")
async def health() -> dict[str, str]:
    """Whether the control plane answers. Needs no token and tells nothing else."""
    return {"status": "ok"}


async def _read_body(request: Request, limit: int) -> bytes:
    too_large = _TooLarge(f"the program takes more than the {limit} bytes that this controller reads")
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > limit:
                    raise too_large
    except TimeoutError:
        raise ProgramError(f"the program did not arrive within {_BODY_SECONDS:g} s") from None
    return bytes(body)


@_guarded.post(
    "/sessions",
    status_code=201,
    openapi_extra={"requestBody": {"required": True, "content": {PROGRAM_TYPE: {"schema": {"type": "string"}}}}},
)
async def reserve(request: Request, wish: Annotated[models.Reservation, Query()], service: Controller) -> models.Grant:
    """Reserve the processor for a program (the bytes of ``Program.save``). Busy: 409 with Retry-After."""
    limit = service.config.max_program_bytes
    program: bytes | None = None

    async def body() -> bytes:
        nonlocal program
        if program is None:
            program = await _read_body(request, limit)
        return program

    async def gone() -> bool:
        await body()  # looking for a hang-up would swallow what has not been read
        return await request.is_disconnected()

    try:
        grant = await service.reserve(body, Wish(**wish.model_dump()), gone)
    except PhotonLinkError:
        if program is None:  # taken in and dropped, or the client would see a reset connection instead of the answer
            await _drop_body(request, limit)
        raise
    return models.Grant(**grant)


async def _drop_body(request: Request, limit: int) -> None:
    dropped = 0
    try:
        async with asyncio.timeout(_DROP_SECONDS):
            async for part in request.stream():
                dropped += len(part)
                if dropped > limit:
                    return
    except Exception:  # the client left, or is too slow: the answer may not reach it
        return


@_guarded.get("/sessions/{session}")
async def session_usage(session: int, service: Controller) -> models.Usage:
    """What a session has used, whether it runs or has ended."""
    usage = await asyncio.to_thread(service.usage, session)
    return models.Usage(**usage.as_json())


@_guarded.post("/sessions/{session}/renew", status_code=204)
async def renew(session: int, lease: Lease, service: Controller) -> None:
    """Start the idle time of a session anew."""
    service.renew(session, lease)


@_guarded.delete("/sessions/{session}")
async def release(session: int, lease: Lease, service: Controller) -> models.Usage:
    """End a session and report it. May be repeated."""
    usage = await service.release(session, lease)
    return models.Usage(**usage.as_json())


@_guarded.get("/usage")
async def usage(service: Controller, limit: Annotated[int, Query(ge=0, le=10_000)] = 100) -> models.UsageReport:
    """Sums over the ledger, and its latest sessions."""
    sessions = await asyncio.to_thread(service.ledger.recent, limit)
    total = await asyncio.to_thread(service.ledger.totals)
    return models.UsageReport(
        total=models.Totals(**total), sessions=[models.Usage(**session.as_json()) for session in sessions]
    )


@_guarded.get("/status")
async def status(service: Controller) -> dict[str, Any]:
    """State, session, limits and the transports that a client may use."""
    return {"version": __version__, **service.status()}


@_guarded.get("/metrics")
async def prometheus(service: Controller) -> Response:
    """Prometheus text."""
    text = await asyncio.to_thread(metrics.render, service)
    return Response(text, media_type="text/plain; version=0.0.4")


@_guarded.post("/maintenance")
async def request_maintenance(service: Controller) -> models.MaintenanceState:
    """Ask for the processor. A session that runs is not touched: the request waits for its end."""
    return models.MaintenanceState(maintenance="active" if service.request_maintenance() == "active" else "requested")


@_guarded.delete("/maintenance")
async def finish_maintenance(service: Controller, *, calibrated: bool = False) -> models.MaintenanceState:
    """End maintenance, or take the request back; ``calibrated`` starts the age of the calibration anew."""
    service.finish_maintenance(calibrated=calibrated)
    return models.MaintenanceState(maintenance="none")


@_guarded.post("/drain")
async def drain(service: Controller, *, on: bool = True) -> dict[str, bool]:
    """Take no new sessions, or with ``on=false`` take them again."""
    service.drain(on=on)
    return {"draining": on}


@_guarded.post("/stop", status_code=202)
async def stop(request: Request) -> dict[str, bool]:
    """End the service: the session finishes what was accepted."""
    request.app.state.stop()
    return {"stopping": True}


def _answer(error: PhotonLinkError) -> JSONResponse:
    code = 413 if isinstance(error, _TooLarge) else _HTTP_STATUS.get(type(error).__name__, 500)
    body = encode_error(ProgramError(str(error)) if isinstance(error, _TooLarge) else error)
    response = JSONResponse(body, status_code=code)
    if isinstance(error, SessionBusy):
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after or 1)))
    if isinstance(error, _TooLarge):
        response.headers["Connection"] = "close"  # there may be no end to what is still coming
    if isinstance(error, TargetUnavailable):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


async def _typed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PhotonLinkError)
    return _answer(error)


async def _malformed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    wrong = "; ".join(f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in error.errors())
    return _answer(ProgramError(f"the request cannot be understood: {wrong}"))


async def _unknown(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse(encode_error(ServiceError(str(error.detail))), status_code=error.status_code)


async def _failed(_: Request, error: Exception) -> JSONResponse:
    _log.error("a request failed", exc_info=error)
    return _answer(ServiceError(f"the controller could not answer: {type(error).__name__}"))


def make_app(service: Service, stop_server: Any) -> FastAPI:
    """The control plane of `service`; ``stop_server()`` is called when a client asks for the end."""
    app = FastAPI(
        title="photonlink quantum system controller",
        version=__version__,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.service, app.state.stop = service, stop_server
    app.include_router(_open)
    app.include_router(_guarded)
    app.add_exception_handler(PhotonLinkError, _typed)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _unknown)
    app.add_exception_handler(Exception, _failed)
    return app
