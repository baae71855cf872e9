"""Packages that only some commands need, and what to install where they are missing."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

from photonlink.errors import TargetUnavailable, Unavailable

__all__ = ["require"]


def require(packages: Iterable[str], *extras: str, by: str) -> None:
    """Check that packages are there, without importing them.

    Args:
        packages: Names as in an import.
        extras: Those of photonlink's own extras of which any brings them.
        by: What needs them, as the message begins.

    Raises:
        TargetUnavailable: One is missing (``NOT_INSTALLED``).

    Examples:
        >>> require(["numpy", "no_such_package"], "demo", by="the demo")
        Traceback (most recent call last):
        photonlink.errors.TargetUnavailable: the demo needs no_such_package, not installed: pip install \
'photonlink[demo]'
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        install = " or ".join(f"'photonlink[{extra}]'" for extra in extras)
        raise TargetUnavailable(
            f"{by} needs {', '.join(missing)}, not installed: pip install {install}", reason=Unavailable.NOT_INSTALLED
        )
