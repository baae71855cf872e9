"""The release of CUDA-Q that all of this is made for: most of what it uses is private there."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["INSTALL", "SUPPORTED", "is_supported", "number"]

SUPPORTED = "0.16"
INSTALL = f"pip install 'cuda-quantum-cu13=={SUPPORTED}.*' (or cu12)"


def number(cudaq: Any) -> str:
    """The number in ``cudaq.__version__``, or all of its text if there is none.

    Examples:
        >>> from types import SimpleNamespace
        >>> number(SimpleNamespace(__version__="CUDA-Q Version 0.16.0 (https://github.com/NVIDIA/cuda-quantum 62fc)"))
        '0.16.0'
    """
    found = re.search(r"\d+(\.\d+)+", cudaq.__version__)
    return found.group() if found else str(cudaq.__version__)


def is_supported(version: str) -> bool:
    """Whether CUDA-Q of that number can be used."""
    return version.startswith(f"{SUPPORTED}.")
