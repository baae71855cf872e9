"""Makes our targets known to CUDA-Q by name, and installs the one that is selected.

A name alone would leave CUDA-Q simulating qubits by itself: launches reach us only through an endpoint, which has to be
installed after every selection, and target arguments never reach Python. So ``cudaq.set_target`` is wrapped: for our
names it checks the arguments, selects the name, and installs the endpoint; every other target passes through.

One row of :data:`TARGETS` per target. Its module is imported when the target is first selected, and has a function
``build(arguments: dict[str, Any]) -> cudaq._experimental.CustomTarget`` that raises
:class:`photonlink.errors.ProgramError` for arguments it does not take (:mod:`photonlink.cudaq.arguments` helps) and
:class:`photonlink.errors.TargetUnavailable` where it cannot run. The endpoint has a method ``release()``, which is
called when another target is selected and at exit.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import logging
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photonlink.cudaq import versions
from photonlink.errors import TargetUnavailable, Unavailable

__all__ = ["TARGETS", "Row", "register_targets", "selected"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Row:
    """A target: its name in CUDA-Q, one line about it, and the module that builds it."""

    name: str
    description: str
    module: str


TARGETS = (
    Row("photonlink", "Qubit kernels on a photonic processor, in dual-rail encoding", "photonlink.cudaq.target"),
    Row("photonlink-fock", "Photonic kernels (qudits) on a photonic processor", "photonlink.cudaq.fock.target"),
)

# A launch that reaches CUDA-Q's own compiler without our endpoint must fail, and say why, rather than run on a
# simulator of qubits: this is no pipeline, and CUDA-Q's error shows the name of what it could not parse.
_DESCRIPTION = """\
name: {name}
description: "{description}"
cudaq-version: "{version}"
config:
  nvqir-simulation-backend: qpp
  preprocessor-defines: ["-D CUDAQ_SIMULATION_SCALAR_FP64"]
  jit-mid-level-pipeline: "photonlink-endpoint-not-installed-call-cudaq.set_target"
"""


class _Selection:
    """The target of ours that is selected, if one is."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.endpoint: Any = None

    def replace(self, name: str | None, endpoint: Any = None) -> None:
        old, self.name, self.endpoint = self.endpoint, name, endpoint
        if old is not None:
            old.release()


_selection = _Selection()


def selected() -> str | None:
    """Name of the selected target if it is one of ours."""
    return _selection.name


def register_targets() -> None:
    """Describe the targets to CUDA-Q and wrap its selection. Quick, prints nothing, never raises, may be repeated."""
    try:
        import cudaq

        if not hasattr(cudaq.set_target, "__wrapped__"):
            _register(cudaq)
    except Exception as error:  # this runs inside `import cudaq`, which must not fail for our sake
        _log.warning("the CUDA-Q targets of photonlink are not available: %s: %s", type(error).__name__, error)


def _register(cudaq: Any) -> None:
    number = versions.number(cudaq)
    if not versions.is_supported(number):
        cudaq.set_target = _refusing(cudaq.set_target, number)
        return
    from photonlink.cudaq import hooks  # which looks at CUDA-Q's libraries

    with tempfile.TemporaryDirectory(prefix="photonlink-") as root:  # read at once, not needed afterwards
        folder = Path(root, "targets")
        folder.mkdir()
        for row in TARGETS:
            text = _DESCRIPTION.format(name=row.name, description=row.description, version=number)
            (folder / f"{row.name}.yml").write_text(text)
        cudaq.register_backend_path(root)
    _wrap_selection(cudaq)
    hooks.install(cudaq, selected)
    atexit.register(_selection.replace, None)


def _wrap_selection(cudaq: Any) -> None:
    from cudaq.mlir._mlir_libs._quakeDialects import cudaq_runtime

    from photonlink.cudaq import hooks

    select, reset, initialize = cudaq.set_target, cudaq.reset_target, cudaq_runtime.initialize_cudaq

    @functools.wraps(select)
    def set_target(target: Any, **arguments: Any) -> Any:
        hooks.settle()
        row = _row(target if isinstance(target, str) else getattr(target, "name", None))
        if row is None:
            result = select(target, **arguments)
            _selection.replace(None)
            return result
        custom = importlib.import_module(row.module).build(arguments)  # raises before anything has changed
        select(row.name)
        select(custom)
        _selection.replace(row.name, custom.runtime_endpoint)
        return None

    @functools.wraps(reset)
    def reset_target() -> None:
        hooks.settle()
        reset()
        _selection.replace(None)

    @functools.wraps(initialize)
    def initialize_cudaq(**options: Any) -> None:
        """Also on ``--target`` and CUDAQ_DEFAULT_SIMULATOR, which select by name behind ``set_target``."""
        initialize(**options)
        asked = options.get("target") or os.environ.get("CUDAQ_DEFAULT_SIMULATOR")
        if _row(asked) is not None:
            set_target(asked)

    cudaq.set_target, cudaq.reset_target = set_target, reset_target
    cudaq_runtime.initialize_cudaq = initialize_cudaq


def _row(name: object) -> Row | None:
    return next((row for row in TARGETS if row.name == name), None)


def _refusing(select: Callable[..., Any], version: str) -> Callable[..., Any]:
    @functools.wraps(select)
    def set_target(target: Any, **arguments: Any) -> Any:
        if _row(target) is None:
            return select(target, **arguments)
        raise TargetUnavailable(
            f"target {target!r} works with CUDA-Q {versions.SUPPORTED}.x, and this is {version}: {versions.INSTALL}",
            reason=Unavailable.UNSUPPORTED,
            target=target,
        )

    return set_target
