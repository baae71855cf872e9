"""The service in numbers, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from photonlink.qsc.service import Service

__all__ = ["render"]

_STATES = ("idle", "reserved", "configured", "serving", "released", "error")


class _Numbers(Collector):
    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        status = self._service.status()
        state = GaugeMetricFamily("photonlink_qsc_state", "1 for the state that the controller is in", labels=["state"])
        for name in _STATES:
            state.add_metric([name], float(status["state"] == name))
        yield state
        for name, text, value in (
            ("session_running", "whether a session holds the controller", status["session"] is not None),
            ("waiting", "reservations that wait for their turn", status["waiting"]),
            ("draining", "whether new sessions are refused", status["draining"]),
            ("maintenance", "whether maintenance holds the controller", status["maintenance"] == "active"),
            ("ledger_writable", "whether ended sessions could be folded", status["ledger_problem"] is None),
            ("calibration_age_seconds", "time since the last calibration", status["calibration_age_seconds"]),
            ("uptime_seconds", "time since the start", status["uptime_seconds"]),
        ):
            yield GaugeMetricFamily(f"photonlink_qsc_{name}", text, value=float(value))
        outcomes = CounterMetricFamily(
            "photonlink_qsc_reservations", "reservations asked for since the start, by outcome", labels=["outcome"]
        )
        for outcome in ("granted", "busy", "refused"):
            outcomes.add_metric([outcome], self._service.outcomes[outcome])
        yield outcomes
        for name, text, counts in (
            ("udp_datagrams", "datagrams since the start, by what became of them", self._service.udp_counts),
            ("bridge_frames", "frames of the bridge since the start, likewise", self._service.bridge_counts),
        ):
            frames = CounterMetricFamily(f"photonlink_qsc_{name}", text, labels=["outcome"])
            for outcome, count in counts.items():
                frames.add_metric([outcome], count)
            yield frames
        totals = self._service.ledger.totals()
        for name, text, total in (
            ("sessions", "sessions in the ledger", totals["sessions"]),
            ("tokens", "datapoints executed, by the ledger", totals["tokens"]),
            ("shots", "kept samples asked for, by the ledger", totals["shots"]),
            ("kept_samples", "kept samples that came back, by the ledger", totals["kept_samples"]),
            ("quantum_seconds", "modelled time of datapoints, by the ledger", totals["quantum_ns"] / 1e9),
        ):
            yield CounterMetricFamily(f"photonlink_qsc_{name}", text, value=total)


def render(service: Service) -> bytes:
    """All metrics in the Prometheus text format."""
    registry = CollectorRegistry()
    registry.register(_Numbers(service))
    return generate_latest(registry)
