"""Reservations: what is asked for is checked, a controller is leased and configured, and a session comes out."""

from __future__ import annotations

from typing import Any, Literal, get_args

from photonlink import _checks, _core, _options
from photonlink._worker import interruptible
from photonlink.controller import Controller, Lease
from photonlink.errors import ProgramError
from photonlink.fit import Fit
from photonlink.latency import Latency
from photonlink.processors.base import Processor
from photonlink.processors.registry import chip_of, make, on_target
from photonlink.program import Precision, Program
from photonlink.qsc.client import is_service
from photonlink.qsc.protocol import Transport
from photonlink.session import Session
from photonlink.targets import overridden, require

__all__ = ["reserve"]

_SLOTS = 64
_LONGEST_WAIT_S = 365 * 86400.0
_WAIT = "a number of seconds, of a year at most"

Clock = Literal["virtual", "realtime", "none"]


def reserve(
    target: str | Processor,
    program: Program,
    *,
    shots: int | None = None,
    seed: int = 0,
    clock: Clock | None = None,
    preset: str | None = None,
    precision: Precision = "float64",
    token_budget: int | None = None,
    idle_timeout: float | None = None,
    max_duration: float | None = None,
    timeout: float | None = None,
    slots: int | None = None,
    threads: int | None = None,
    memory_limit: int | None = None,
    controller: Controller | None = None,
    latency: Latency | None = None,
    wait: float | None = None,
    token: str | None = None,
    transport: Transport | None = None,
) -> Session:
    """Reserve a processor, exclusively, and configure it with a program.

    Args:
        target: Where to run, e.g. ``"sim"``; :func:`photonlink.targets` lists them. The environment variable
            ``PHOTONLINK_TARGET`` replaces it, with a warning in the log and a note in ``session.info``. Or a processor
            of your own; see :class:`photonlink.processors.Processor`.
        program: What to run. "perceval:<preset>" runs it with the noise and the detectors of that chip, as
            ``session.program``.
        shots: Kept samples per datapoint, or ``None`` for exact results, which no hardware has.
        seed: Of the sampling. Results depend on program, seed, and the number of datapoints sent before, not on how
            they were batched.
        clock: ``"virtual"`` adds up modelled time without waiting, ``"realtime"`` waits it out, ``"none"`` keeps none.
            By default "virtual", or what a controller service was set up with; "none" on "quandela:<platform>", whose
            time is its own.
        preset: Timing figures of the clock; :mod:`photonlink.presets` has them with their sources. By default
            "article", that of "perceval:<preset>", or what a controller service was set up with.
        precision: Of the simulation and of the results: ``"float64"`` or ``"float32"``.
        token_budget: Datapoints that the session may execute; further ones are refused.
        idle_timeout: Seconds without a request after which the processor is released.
        max_duration: Seconds after which the session ends.
        timeout: Default deadline of a call in seconds. By default each datapoint may take its modelled time, times
            the number in flight, plus 30 s.
        slots: Requests that can be in flight, 1 to 4096; by default 64. A request carries a datapoint; in process up
            to 16 small ones, where the processor takes them together and neither budget nor real-time clock applies.
        threads: Threads that the simulator may use, at most; by default the environment variable
            ``PHOTONLINK_THREADS``, or else every CPU of this process's affinity mask. It uses no more than pay, and
            results do not depend on their number.
        memory_limit: Bytes of device memory that target "sim:cuda" may use, by default half of it; others have limits
            of their own (:class:`photonlink.Controller`).
        controller: A private controller, instead of the one that target "sim" shares in this process;
            ``PHOTONLINK_TARGET`` does not apply then.
        latency: Reserve a controller of the session's own in this process, whose threads ask for these CPUs, memory
            and priority; ``session.info.latency`` says what was granted. A service has options of its own for that.
        wait: Seconds to queue, in order of arrival, while another session holds a controller service.
        token: Bearer token of a controller service, by default that of ``PHOTONLINK_QSC_TOKEN``; or of Quandela's
            cloud, by default that of ``PCVL_CLOUD_TOKEN``.
        transport: How datapoints reach a controller service: ``"shm"``, ``"udp"``, ``"bridge"`` (a transport provider
            that speaks UDP), or by default the best that it offers and that leads there; ``session.info.link`` says
            which.

    Returns:
        The session; use it in a ``with`` statement, or close it.

    Raises:
        ProgramError: The program, or an option, cannot be executed as given.
        TargetUnavailable: The target is unknown or cannot be used here.
        ServiceError: `latency` insists on what the system refuses.
        SessionBusy: Another session holds the controller; ``retry_after`` says for how long at most, if known.
        LinkClosed: The controller has failed.
        LedgerError: A controller service cannot keep account of the session.

    Examples:
        >>> import photonlink as phl
        >>> program = phl.Program.reservoir(modes=4, photons=2, features=4)
        >>> with phl.reserve("sim", program, precision="float32") as session:
        ...     session.info.target, session.info.simulated, session.info.chip
        ('sim', True, 'hypothetical chip')
    """
    if not isinstance(program, Program):
        raise ProgramError(f"program is a {type(program).__name__}, expected a photonlink.Program")
    _checks.instance("target", target, (str, Processor), "a name as 'sim', or a Processor")
    _checks.instance("controller", controller, (Controller, type(None)), "a photonlink.Controller, or None")
    processor = target if isinstance(target, Processor) else None
    used, asked = overridden(target) if isinstance(target, str) and controller is None else (_name(target), None)
    if processor is None:
        require(used, shots, token=token)
    elif controller is not None:
        raise ProgramError("a processor gets a controller of its own: pass either, and not both")
    if controller is not None and latency is not None:
        raise ProgramError("latency belongs to the controller: give it to photonlink.Controller, or leave that away")
    _checks.seconds("timeout", timeout)
    in_flight = _checks.integer("slots", _SLOTS if slots is None else slots, 1, 4096)
    if memory_limit is not None:
        _checks.integer("memory_limit", memory_limit, 1, 2**63 - 1)
        if used != "sim:cuda":
            raise ProgramError(
                f"memory_limit belongs to target 'sim:cuda', not to {used!r}: use Controller(memory_limit=...)",
                target=used,
            )
    if is_service(used):
        for name, value in (("threads", threads), ("latency", latency)):
            if value is not None:
                raise ProgramError(f"{name} belongs to a controller in this process; {used!r} has its own", target=used)
        if wait is not None and _checks.number("wait", wait, 0.0, _WAIT) > _LONGEST_WAIT_S:
            raise ProgramError(f"wait is {_checks.shown(wait)}, expected {_WAIT}")
        if transport is not None:
            _checks.one_of("transport", transport, get_args(Transport))
        _options.session_options(  # refused here, before anything is sent; the service checks them again
            program,
            program.fit("article" if preset is None else preset),
            shots=shots,
            seed=seed,
            clock="virtual" if clock is None else clock,
            precision=precision,
            token_budget=token_budget,
            idle_timeout=idle_timeout,
            max_duration=max_duration,
        )
        return _on_service(
            used,
            program,
            asked=asked,
            timeout=timeout,
            token=token,
            shots=shots,
            seed=seed,
            clock=clock,
            preset=preset,
            precision=precision,
            token_budget=token_budget,
            idle_timeout=idle_timeout,
            max_duration=max_duration,
            slots=in_flight,
            wait=0.0 if wait is None else float(wait),
            transport=transport,
        )
    cloud = used.startswith("quandela:")
    if wait is not None or (token is not None and not cloud) or transport is not None:
        raise ProgramError(
            f"wait and token, and transport, belong to controller services, and target {used!r} is none", target=used
        )
    if processor is None and controller is None:
        program = on_target(used, program)
    fit = program.fit((chip_of(used) or "article") if preset is None else preset)
    options = _options.session_options(
        program,
        fit,
        shots=shots,
        seed=seed,
        clock=("none" if cloud else "virtual") if clock is None else clock,
        precision=precision,
        token_budget=token_budget,
        idle_timeout=idle_timeout,
        max_duration=max_duration,
        threads=threads,
    )
    if used == "sim:cuda":
        _refuse_on_device(used, slots=slots, threads=threads, controller=controller, latency=latency)
        return _on_device(program, fit, options, asked=asked, timeout=timeout, memory_limit=memory_limit)
    if processor is None and controller is None:
        processor = make(used, token=token)
    if processor is not None and threads is not None:
        raise ProgramError(f"threads belong to the native simulator, and {used!r} has none of its own", target=used)
    lease = Lease(controller, processor, latency)
    try:
        core = interruptible(
            lambda: _core.LocalSession(lease.controller.core, program.spec, program.encoder, options, in_flight),
            wait=clock == "realtime" or processor is not None,
            abort=lease.controller.close,
        )
    except BaseException:
        lease.end()
        raise
    return Session(core, lease, program, options, target=used, asked=asked, fit=fit, timeout=timeout)


def _name(target: str | Processor) -> str:
    return target.name if isinstance(target, Processor) else target


def _on_service(
    target: str, program: Program, *, asked: str | None, timeout: float | None, token: str | None, **wish: Any
) -> Session:
    from photonlink.qsc.opening import Wish
    from photonlink.qsc.remote import reserve as reserve_service

    return reserve_service(target, program, Wish(**wish), token=token, asked=asked, timeout=timeout)


def _refuse_on_device(target: str, **options: Any) -> None:
    for name, given in options.items():
        if given is not None:
            raise ProgramError(
                f"{name} belongs to a controller of a simulator on the CPU, and {target!r} has none: leave it away",
                target=target,
            )


def _on_device(program: Program, fit: Fit, options: _core.SessionOptions, *, asked: str | None, **how: Any) -> Session:
    from photonlink.cuda.simulator_session import reserve as reserve_on_device

    return reserve_on_device(program, fit, options, asked=asked, **how)
