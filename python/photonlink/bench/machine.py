"""What a measurement was made on, so that a recorded figure can be read later."""

from __future__ import annotations

import datetime
import os
import platform
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "photonlink",
    "numpy",
    "perceval-quandela",
    "exqalibur",
    "merlinquantum",
    "torch",
    "piquasso",
    "lightworks",
    "thewalrus",
    "cupy-cuda13x",
)


def machine() -> dict[str, object]:
    """Processor, usable cores, operating system, versions of everyone compared, and the date."""
    versions: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
