"""What this machine offers: versions, processor, CUDA, targets. For bug reports; always answers.

Standard library only, and every probe is guarded: the report is most needed when something is broken.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from photonlink.errors import ProgramError, Unavailable

__all__ = ["doctor", "render"]

_PACKAGES = {
    "numpy": ("numpy",),
    "perceval": ("perceval-quandela",),
    "cudaq": ("cuda-quantum-cu13", "cuda-quantum-cu12", "cudaq"),
    "cupy": ("cupy-cuda13x", "cupy-cuda12x", "cupy"),
    "torch": ("torch",),
    "merlin": ("merlinquantum",),
}

# The probes run in a child: initialising a broken driver may hang or crash, and a process that has initialised CUDA can
# no longer fork safely. This one needs no CUDA part.
_CUDA_PROBE = """
import ctypes, json
try:
    cuda = ctypes.CDLL("libcuda.so.1")
except OSError:
    print(json.dumps({"driver": None, "devices": [], "detail": "no driver: libcuda.so.1 is not installed"}))
    raise SystemExit
version, count, name = ctypes.c_int(), ctypes.c_int(), ctypes.create_string_buffer(256)
cuda.cuDriverGetVersion(ctypes.byref(version))
driver = f"{version.value // 1000}.{version.value % 1000 // 10}"
status = cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count))
devices = []
for index in range(0 if status else count.value):
    device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    cuda.cuDeviceGet(ctypes.byref(device), index)
    cuda.cuDeviceGetName(name, 256, device)
    cuda.cuDeviceGetAttribute(ctypes.byref(major), 75, device)
    cuda.cuDeviceGetAttribute(ctypes.byref(minor), 76, device)
    devices.append(f"{name.value.decode()} (compute capability {major.value}.{minor.value})")
detail = "ok" if devices else f"no device: the driver answered {status}"
print(json.dumps({"driver": driver, "devices": devices, "detail": detail}))
"""

_CUDA_PART_PROBE = """
import json
from photonlink import _cuda
status, detail = _cuda.status()
print(json.dumps({"status": status, "detail": detail, "versions": _cuda.versions(), "devices": _cuda.devices()}))
"""

# CUDA 13, which the part is linked against statically, begins with this driver.
_DRIVER_NEEDED = "580 or newer"


def _guarded(probe: Callable[[], Any]) -> Any:
    """The probe's answer, or a sentence saying why there is none."""
    try:
        return probe()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _version(*names: str) -> str | None:
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _core() -> dict[str, Any]:
    try:
        core = importlib.import_module("photonlink._core")
    except ImportError as error:
        return {"ok": False, "detail": f"{error}", "kernel_profile": None}
    try:
        profile = core.simd_profile()
    except ProgramError as error:  # PHOTONLINK_SIMD names one that this machine cannot run
        return {"ok": False, "detail": f"{error}", "kernel_profile": None}
    return {"ok": True, "detail": "loaded", "kernel_profile": profile}


def _cpu() -> dict[str, Any]:
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "model": model or "unknown",
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "usable": usable,
    }


def _child(code: str) -> subprocess.CompletedProcess[str]:
    # -P: modules in the working directory are none of ours.
    return subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=False)


def _cuda() -> dict[str, Any]:
    """The CUDA part and what it finds; without the part, what the driver says."""
    absent = {"part": "not built", "status": "not_built", "built_against": None}
    if importlib.util.find_spec("photonlink._cuda") is None:
        probe = _child(_CUDA_PROBE)
        if probe.returncode:
            return {**absent, "detail": f"the driver probe ended with {probe.returncode}"}
        return {**absent, **json.loads(probe.stdout)}
    probe = _child(_CUDA_PART_PROBE)
    if probe.returncode:
        last = (probe.stderr.strip().splitlines() or [f"the probe ended with {probe.returncode}"])[-1]
        return {**absent, "part": "cannot be loaded", "status": "error", "detail": last}
    found = json.loads(probe.stdout)
    return {
        "part": "built",
        "status": found["status"],
        "built_against": _cuda_version(found["versions"]["runtime"]),
        "needs_driver": _DRIVER_NEEDED,
        "driver": _cuda_version(found["versions"]["driver"]),
        "devices": [
            f"{entry['name']} (compute capability {entry['compute_capability']})" for entry in found["devices"]
        ],
        "detail": found["detail"],
    }


def _cuda_version(number: int) -> str | None:
    """The CUDA version behind its integer form; None for 0."""
    return f"{number // 1000}.{number % 1000 // 10}" if number else None


def _targets(cuda: Any) -> list[dict[str, Any]]:
    """The targets; what there is of CUDA was found out in a child, and is not looked for in this process."""
    module = importlib.import_module("photonlink.targets")
    return [
        {
            "name": target.name,
            "available": target.available,
            "reason": target.reason.value if target.reason else None,
            "detail": target.detail,
        }
        for target in module.listed(_looked(cuda))
    ]


def _looked(cuda: Any) -> tuple[Unavailable | None, str] | None:
    """The report on CUDA as the reason why no device can be used; None without the part: then looking is harmless."""
    if importlib.util.find_spec("photonlink._cuda") is None:
        return None
    if isinstance(cuda, str):  # the probe failed
        return Unavailable.NO_DEVICE, cuda
    if cuda["part"] != "built":
        return Unavailable.NOT_BUILT, cuda["detail"]
    if cuda["status"] == "ok":
        return None, cuda["detail"]
    return Unavailable.__members__.get(cuda["status"].upper(), Unavailable.NO_DEVICE), cuda["detail"]


def _shown(variable: str) -> str:
    """Value of an environment variable, unless its name says that it is a secret: reports are pasted in public."""
    secret = any(word in variable for word in ("TOKEN", "KEY", "SECRET", "PASSWORD"))
    return "(set, not shown)" if secret else os.environ[variable]


def doctor() -> dict[str, Any]:
    """Describe this installation and machine.

    Returns:
        A JSON-serialisable object: versions of Python, photonlink and the packages it works with (``None`` when not
        installed; nothing is imported to find out), processor, native core, CUDA, targets, and the
        ``PHOTONLINK_*`` environment. A probe that fails is replaced by a sentence.

    Examples:
        >>> import photonlink as phl
        >>> sorted(phl.doctor())
        ['core', 'cpu', 'cuda', 'environment', 'packages', 'photonlink', 'python', 'system', 'targets']
    """
    cuda = _guarded(_cuda)
    return {
        "photonlink": _guarded(lambda: _version("photonlink")),
        "python": platform.python_version(),
        "system": _guarded(platform.platform),
        "packages": {name: _guarded(functools.partial(_version, *names)) for name, names in _PACKAGES.items()},
        "core": _guarded(_core),
        "cpu": _guarded(_cpu),
        "cuda": cuda,
        "targets": _guarded(functools.partial(_targets, cuda)),
        "environment": {name: _shown(name) for name in os.environ if name.startswith("PHOTONLINK_")},
    }


def _lines(name: str, value: Any) -> list[str]:
    if isinstance(value, dict):
        inner = [f"{key}: {'-' if entry is None or entry == [] else entry}" for key, entry in value.items()]
        return [name, *(f"  {line}" for line in inner)] if inner else [f"{name}: -"]
    if isinstance(value, list):
        marks = [
            f"  {'+' if entry['available'] else '-'} {entry['name']}: {entry['detail']}"
            + (f" ({entry['reason']})" if entry["reason"] else "")
            for entry in value
        ]
        return [name, *marks]
    return [f"{name}: {'-' if value is None else value}"]


def render(report: dict[str, Any]) -> str:
    """The report as text, one fact per line.

    Args:
        report: What :func:`doctor` returned.

    Returns:
        Lines without a final newline.
    """
    return "\n".join(line for name, value in report.items() for line in _lines(name, value))
