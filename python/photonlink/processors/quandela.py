"""Quandela's cloud as a processor: every datapoint is a job of a ``perceval.RemoteProcessor``.

The link to the controller stays what it is; what the cloud adds is its queue. For real time, the controller stands
beside the chip (:class:`photonlink.processors.Processor`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photonlink import _checks
from photonlink.errors import ProcessorError, ProgramError, TargetUnavailable, Unavailable
from photonlink.processors.base import Events, Processor, Task
from photonlink.processors.circuits import TaskCircuit
from photonlink.processors.cloud import connect, scrubbed
from photonlink.targets import CLOUD_TOKEN_VARIABLE

__all__ = ["QuandelaProcessor"]

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.25  # Perceval itself asks the cloud once a second at most
_UNKNOWN_LOOKS = 8  # without a status that Perceval understands
_LEAST_SECONDS = 1e-3
_MOST_EVENTS = 1_000_000


class QuandelaProcessor(Processor):
    """A platform of Quandela's cloud, a chip or a simulator of one.

    A datapoint becomes a job for as many events with enough photons as are missing, repeated until enough of them are
    kept. A job that nobody waits for any more, because the session was closed or its time is over, is cancelled. A job
    is sent at most once: when the answer to it is lost, the datapoint fails, since the job may run all the same.

    Args:
        platform: Name, e.g. ``"qpu:belenos"`` or ``"sim:ascella"``.
        token: Access token; by default that of ``PCVL_CLOUD_TOKEN``. It is neither logged nor shown.
        url: Of the cloud; by default what Perceval is set to.
        timeout: Seconds that one datapoint may take, its time in the queue included.
        request_timeout: Seconds that one answer over HTTP may take.
        max_shots: Most shots (events of one photon or more) of a job: what it may cost.

    Raises:
        ProgramError: An argument has a wrong type or value.
        TargetUnavailable: There is no token, the cloud cannot be reached, refuses the token, or has no such platform.
    """

    exact = False

    def __init__(
        self,
        platform: str,
        *,
        token: str | None = None,
        url: str | None = None,
        timeout: float = 3600.0,
        request_timeout: float = 10.0,
        max_shots: int = 10_000_000,
    ) -> None:
        if not isinstance(platform, str) or not (platform.isascii() and platform.isprintable()):
            raise ProgramError(f"platform is {_checks.shown(platform)}, expected a name as 'qpu:belenos'")
        _checks.instance("url", url, (str, type(None)), "text, or None")
        if not isinstance(token, str | None):  # which is not shown, whatever it is
            raise ProgramError(f"token is a {type(token).__name__}, expected text, or None")
        for name, value in (("timeout", timeout), ("request_timeout", request_timeout)):
            _checks.number(name, value, _LEAST_SECONDS, "a positive number of seconds")
        _checks.integer("max_shots", max_shots, 1, 2**63 - 1)
        token = token or os.environ.get(CLOUD_TOKEN_VARIABLE)
        if not token:
            raise TargetUnavailable(
                f"Quandela's cloud wants a token: pass token=, or set {CLOUD_TOKEN_VARIABLE}",
                reason=Unavailable.NO_TOKEN,
                target=f"quandela:{platform}",
            )
        self.name = f"quandela:{platform}"
        self.timeout = timeout
        self._token = token
        self._max_shots = max_shots
        self._handler, details = connect(platform, token, url, request_timeout)
        self.simulated = details.get("type", "simulator") == "simulator"
        self._circuit: TaskCircuit | None = None
        self._sampler: Any = None
        self._generator = np.random.default_rng(0)

    def __repr__(self) -> str:
        return f"<photonlink.QuandelaProcessor {self.name!r} at {self._handler.url}>"

    # ---- loading

    def configure(self, task: Task) -> None:
        """Check the program against what the platform says of itself, and prepare its jobs.

        Raises:
            ProgramError: The platform cannot run it.
        """
        import perceval as pcvl
        from perceval.algorithm import Sampler

        remote: Any = pcvl.RemoteProcessor(rpc_handler=self._handler)
        _check(task, remote, self.name)
        self._circuit = TaskCircuit(task)
        remote.set_circuit(self._circuit.circuit)
        if self.simulated and _clicks_suffice(task):
            for mode in range(task.modes):
                remote.add(mode, pcvl.Detector.threshold())
        remote.min_detected_photons_filter(task.least_photons)
        remote.with_input(self._circuit.input_state)
        if task.space == "dual_rail":
            pairs = (f"[{mode},{mode + 1}] == 1" for mode in range(0, task.modes, 2))
            remote.set_postselection(pcvl.PostSelect(" & ".join(pairs)))
        self._sampler = Sampler(remote, max_shots_per_call=self._max_shots)
        self._sampler.default_job_name = f"photonlink-{task.digest[:12]}"
        self._generator = np.random.default_rng(task.seed)

    # ---- datapoints

    def detect(self, phases: NDArray[np.float64], events: int, datapoint: int) -> Events:
        """See :meth:`Processor.detect`. Events beyond what was asked for are dropped at random."""
        assert self._circuit is not None
        self._circuit.set(phases)
        try:
            return self._trimmed(self._counts(min(events, _MOST_EVENTS)), events)
        except ProcessorError:
            raise
        except Exception as error:  # whatever Perceval makes of what it was answered
            text = scrubbed(error, self._token)
            raise ProcessorError(
                f"{self.name}: the job of datapoint {datapoint} failed: {type(error).__name__}: {text}"
            ) from None

    def _counts(self, events: int) -> Mapping[tuple[int, ...], int]:
        """Results of one job."""
        job: Any = self._sampler.sample_count
        job.execute_async(events)
        self._await(job)
        if not job.is_success:
            reason = job.status.stop_message
            if reason in (None, "", "None"):  # a null of the cloud reaches us as that word
                reason = "the cloud does not say why"
            raise ProcessorError(f"{self.name}: job {job.id} ended as {job.status()}: {reason}")
        answer = job.get_results()
        results: Any = answer.get("results") if isinstance(answer, dict) else None
        if not hasattr(results, "items") or not all(isinstance(count, int) for count in results.values()):
            raise ProcessorError(f"{self.name}: job {job.id} returned no counts, but {type(results).__name__}")
        counts = {tuple(state): count for state, count in results.items()}
        if not counts:
            raise ProcessorError(
                f"{self.name}: job {job.id} saw no event with enough photons within {self._max_shots} shots; "
                "raise max_shots, or use fewer photons or a smaller min_detected_photons"
            )
        return counts

    def _await(self, job: Any) -> None:
        """Until the job has ended; one that is given up is cancelled."""
        try:
            problem = self._watch(job)
        except BaseException:
            self._cancel(job)
            raise
        if problem is not None:
            self._cancel(job)
            raise ProcessorError(f"{self.name}: job {job.id} was given up: {problem}")

    def _watch(self, job: Any) -> str | None:
        """Look at the job until it has ended; returns why it should be given up instead."""
        unknown = 0
        while not job.is_complete:
            unknown = unknown + 1 if job.status.unknown else 0
            if unknown == _UNKNOWN_LOOKS:
                return "the cloud does not say how it is"
            if not self.wait(_LOOK_SECONDS):
                return "nobody waits for it any more"
        return None

    def _cancel(self, job: Any) -> None:
        try:
            self._handler.cancel_job(job.id)  # job.cancel() asks how it is first, and gives up without an answer
        except Exception as error:  # it has just ended, or the cloud is gone
            _log.warning("job %s could not be cancelled: %s", job.id, scrubbed(error, self._token))

    def _trimmed(self, results: Mapping[Any, int], events: int) -> Events:
        states = [list(state) for state in results]
        counts = np.array(list(results.values()), np.int64)
        if counts.sum() > events:
            counts = self._generator.multivariate_hypergeometric(counts, events)
        return states, counts

    def close(self) -> None:
        """Close the connections."""
        self._handler.close()


def _clicks_suffice(task: Task) -> bool:
    """Whether events are those of threshold detectors: of such, or because every photon must be found alone."""
    return task.detectors == "threshold" or (task.space != "fock" and task.least_photons == task.photons)


def _check(task: Task, remote: Any, name: str) -> None:
    """Refuse before anything is sent."""
    if not task.noise.ideal or task.phase_errors.any() or not task.interference:
        raise ProgramError(
            f"{name} has imperfections of its own, and the program asks for others: pass program.replace(noise=None, "
            "interference=True)"
        )
    _check_limits(task, remote.constraints, name)
    specs = remote.specs
    architecture = specs.architecture
    connected = list(specs.get("connected_input_modes", []))
    if not connected and architecture is not None and architecture.input_state is not None:
        connected = [mode for mode, photons in enumerate(architecture.input_state) if photons]
    unconnected = [mode for mode, photons in enumerate(task.input_state) if photons and mode not in connected]
    if connected and unconnected:
        raise ProgramError(
            f"{name} can send photons into modes {connected}, and the input state {task.input_state} has some in "
            f"{unconnected}: choose an input state of the former"
        )
    if task.space == "fock" and task.detectors == "pnr" and _only_clicks(specs, architecture):
        raise ProgramError(
            f"{name} has threshold detectors, which cannot count the photons that the program reads out: pass "
            "program.replace(detectors='threshold'), or a readout in the unbunched space"
        )


def _check_limits(task: Task, limits: Mapping[str, Any], name: str) -> None:
    for what, found, least, most in (
        ("modes", task.modes, "min_mode_count", "max_mode_count"),
        ("photons", task.photons, "min_photon_count", "max_photon_count"),
    ):
        lower, upper = limits.get(least) or 0, limits.get(most)
        if found < lower or (upper is not None and found > upper):
            bounds = f"at least {lower}" if upper is None else f"{lower} to {upper}"
            raise ProgramError(f"{name} takes {bounds} {what}, and the program has {found}")
    if limits.get("support_multi_photon") is False and max(task.input_state) > 1:
        raise ProgramError(f"{name} takes one photon per input mode at most, and the program has {task.input_state}")


def _only_clicks(specs: Any, architecture: Any) -> bool:
    if specs.get("detector") is not None:
        return str(specs.get("detector")).lower() == "threshold"
    return architecture is not None and architecture.detection_type.name == "Threshold"
