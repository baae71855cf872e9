"""Access to the MLIR module of a compiled kernel without leaving half a megabyte behind each time.

CUDA-Q 0.16 makes an MLIR context of its own for every access and forgets about it: nothing frees it when the module is
gone, so that a variational loop would fill the memory. Here it is freed, once no Python object refers to it any more
and unless somebody has freed it already.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

__all__ = ["read"]

Result = TypeVar("Result")


class _Held:
    """A context that may have to be freed."""

    def __init__(self, context: Any) -> None:
        capsule = context._CAPIPtr
        self.address = ctypes.pythonapi.PyCapsule_GetPointer(capsule, ctypes.pythonapi.PyCapsule_GetName(capsule))
        self.context = context

    def free(self) -> bool:
        """Free it if nothing refers to it; False while something does, such as the traceback of an error."""
        if sys.getrefcount(self.context) > 2 or self.context._get_live_module_count():  # 2: ours, and the call's own
            return False
        count = type(self.context)._get_live_count
        before = count()
        self.context = None
        if count() == before:  # it went with its last Python object if CUDA-Q is one that does not forget it
            _destroy(self.address)
        return True


_held: list[_Held] = []


def read(compiled: Any, function: Callable[[Any], Result]) -> Result:
    """Apply a function to the MLIR module of a kernel.

    Args:
        compiled: CUDA-Q's ``CompiledModule``.
        function: Takes the module; what it returns must hold nothing of MLIR.
    """
    module = compiled.mlir_module
    _held.append(_Held(module.context))
    try:
        return function(module)
    finally:
        del module
        _held[:] = [held for held in _held if not held.free()]


def _destroy(address: int) -> None:
    library = _library()
    if library is not None:
        library.mlirContextDestroy(_Context(address))


class _Context(ctypes.Structure):
    """``MlirContext`` of MLIR's C interface, which is passed by value."""

    _fields_ = [("ptr", ctypes.c_void_p)]


@cache
def _library() -> ctypes.CDLL | None:
    """MLIR's C interface, if CUDA-Q has it loaded; without it, contexts stay."""
    try:
        library = ctypes.CDLL("libcudaqMLIRCAPI.so", mode=os.RTLD_NOLOAD | os.RTLD_NOW)
        library.mlirContextDestroy.argtypes = [_Context]
        library.mlirContextDestroy.restype = None
    except (OSError, AttributeError):
        return None
    return library


ctypes.pythonapi.PyCapsule_GetName.argtypes = [ctypes.py_object]
ctypes.pythonapi.PyCapsule_GetName.restype = ctypes.c_char_p
ctypes.pythonapi.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
ctypes.pythonapi.PyCapsule_GetPointer.restype = ctypes.c_void_p
