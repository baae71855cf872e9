"""Shapes of the control plane's answers, for OpenAPI and for whoever reads it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from photonlink.program import Precision

__all__ = ["Failure", "Grant", "MaintenanceState", "Reservation", "Totals", "Usage", "UsageReport"]


class Reservation(BaseModel):
    """Query of a reservation; what is left away is the service's to choose."""

    model_config = ConfigDict(extra="forbid")

    shots: int | None = Field(None, ge=1, lt=2**32, description="kept samples per datapoint; absent: exact results")
    seed: int = Field(0, ge=0, lt=2**64)
    clock: Literal["virtual", "realtime", "none"] | None = None
    preset: str | None = Field(None, max_length=64, description="timing figures of the clock")
    precision: Precision = "float64"
    token_budget: int | None = Field(None, ge=0, lt=2**63)
    idle_timeout: float | None = Field(None, gt=0, allow_inf_nan=False, description="seconds; less may be granted")
    max_duration: float | None = Field(None, gt=0, allow_inf_nan=False, description="seconds; less may be granted")
    slots: int = Field(64, ge=1, le=4096, description="datapoints in flight; fewer may be granted")
    wait: float = Field(0.0, ge=0, allow_inf_nan=False, description="seconds to queue while another session holds it")
    transport: Literal["shm", "udp", "bridge"] | None = Field(
        None, description="way of the data plane; absent: the best offered"
    )


class Transport(BaseModel):
    """Where the data plane is.

    For "shm", the Unix socket that passes the memory on; for "udp", host:port; for "bridge", what the provider says of
    its endpoint.
    """

    kind: str
    address: str
    key: str | None = Field(None, description="secret of the session, 16 hexadecimal digits; requests begin with it")
    tag_key: str | None = Field(
        None, description="secret of the session where frames carry tags, 32 hexadecimal digits"
    )
    slot_bytes: int | None = Field(
        None, description="over udp and bridge, the longest request; without tags, also the length of every answer"
    )


class Grant(BaseModel):
    """One exclusive reservation of the configured processor."""

    session: int
    lease: str = Field(description="secret; renews and releases the session")
    digest: str
    output_size: int
    max_counts: int
    clock: str
    preset: str
    slots: int
    idle_timeout: float
    max_duration: float
    transport: Transport


class Usage(BaseModel):
    """What one session has used; times in nanoseconds, null where there is none."""

    session: int
    digest: str
    tokens: int
    shots: int
    kept_samples: int
    quantum_ns: int | None
    configuration_ns: int | None
    wall_ns: int | None
    end: str | None = Field(description="why it ended; null while it runs")
    started_unix_ns: int
    started: str


class Totals(BaseModel):
    """Sums over every session of the ledger."""

    sessions: int
    tokens: int
    shots: int
    kept_samples: int
    quantum_ns: int


class UsageReport(BaseModel):
    """Sums, and the latest sessions, newest first."""

    total: Totals
    sessions: list[Usage]


class MaintenanceState(BaseModel):
    """Where a request for maintenance stands; "requested" waits for the session to end."""

    maintenance: Literal["none", "requested", "active"]


class Failure(BaseModel):
    """Any answer other than 2xx: type (a class of photonlink.errors), message, and retry_after or reason."""

    error: dict[str, Any]
