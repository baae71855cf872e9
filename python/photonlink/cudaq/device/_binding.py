"""Declarations inlined into the kernels that call them.

CUDA-Q takes a declaration for a captured kernel, and links captured kernels anew for every shot of ``cudaq.run``.
Binding puts the lowered declarations into the kernel's own module instead, once, so that there is nothing to link.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar

from photonlink.cudaq.device._compiler import CapturedVariable, PyKernelDecorator, func, ir, kernel_prefix, value_of
from photonlink.cudaq.device._declaration import DeviceFunction
from photonlink.errors import ProgramError

__all__ = ["bind"]

_Kernel = TypeVar("_Kernel")


def bind(kernel: _Kernel) -> _Kernel:
    """Make a kernel's calls of device functions fast: put above ``@cudaq.kernel``, or call it once.

    They work without it, too; but then CUDA-Q links the functions anew for every shot. The functions are looked up when
    the kernel is compiled, at its first use.

    Args:
        kernel: A ``@cudaq.kernel``. It is changed in place, and returned.

    Raises:
        ProgramError: It is no kernel.
    """
    if not isinstance(kernel, PyKernelDecorator) or isinstance(kernel, DeviceFunction):
        raise ProgramError(f"bind() takes a @cudaq.kernel, got {kernel!r}")
    if kernel.is_compiled():
        _splice(kernel)
    else:
        _bind_at_compilation(kernel)
    return kernel


def _bind_at_compilation(kernel: Any) -> None:
    lock = threading.Lock()

    def compile_and_bind() -> None:
        """In place of the kernel's own method of this name, until it is done; other threads wait for it."""
        with lock:
            if kernel.__dict__.get("_ensure_compiled") is not compile_and_bind:
                return
            if not kernel.is_compiled():
                kernel.compile()
            _splice(kernel)
            del kernel._ensure_compiled

    kernel._ensure_compiled = compile_and_bind


def _splice(kernel: Any) -> None:
    module = kernel._cached_qkeModule
    functions = _captured_functions(kernel)
    names = (kernel_prefix + kernel.uniqName + suffix for suffix in ("", ".run", ".run.entry"))
    bodies = [found for found in map(_functions_of(module).get, names) if found is not None]
    taken = {
        place: function for place, function in functions.items() if all(_only_called(body, place) for body in bodies)
    }
    for function in taken.values():
        function.require_symbols()  # nothing has changed yet
    for function in taken.values():
        _merge(module, function)
    for body in bodies:
        _call_directly(body, taken)
    first = kernel.formal_arity()
    kernel.signature.captured_args = [
        captured for place, captured in enumerate(kernel.signature.captured_args, first) if place not in taken
    ]
    kernel.__dict__.pop("_compiled_module_cache", None)  # of the kernel as it was


def _captured_functions(kernel: Any) -> dict[int, DeviceFunction]:
    """The device functions among the arguments that CUDA-Q has added to the kernel, by position."""
    found: dict[int, DeviceFunction] = {}
    for place, captured in enumerate(kernel.signature.captured_args, kernel.formal_arity()):
        if isinstance(captured, CapturedVariable):
            value = value_of(captured.name, kernel.defFrame)
            if isinstance(value, DeviceFunction):
                found[place] = value
    return found


def _functions_of(module: Any) -> dict[str, Any]:
    return {op.name.value: op for op in module.body.operations if isinstance(op, func.FuncOp)}


def _only_called(body: Any, place: int) -> bool:
    """Whether the argument is called and nothing else, such as handed to another kernel."""
    argument = body.arguments[place]
    return all(use.owner.name == "cc.call_callable" and use.operand_number == 0 for use in argument.uses)


def _merge(module: Any, function: DeviceFunction) -> None:
    """Copies the lowered function, and the declarations that it needs, into the module."""
    present = _functions_of(module)
    with ir.InsertionPoint(module.body), ir.Location.unknown(module.context):
        for name, op in _functions_of(function.qkeModule).items():
            if name in present:
                continue
            copy = op.operation.clone()
            copy.attributes["sym_visibility"] = ir.StringAttr.get("private")
            if "cudaq-entrypoint" in copy.attributes:
                del copy.attributes["cudaq-entrypoint"]


def _call_directly(body: Any, taken: dict[int, DeviceFunction]) -> None:
    """Replaces calls of the arguments in `taken` by calls of what they stand for, and drops the arguments."""
    for place, function in taken.items():
        for call in [use.owner for use in body.arguments[place].uses]:
            results = [result.type for result in call.results]
            with ir.InsertionPoint(call), call.location:
                direct = func.CallOp(results, kernel_prefix + function.uniqName, list(call.operands)[1:])
            for old, new in zip(call.results, direct.results, strict=True):
                old.replace_all_uses_with(new)
            call.erase()
    _drop_arguments(body, sorted(taken, reverse=True))


def _drop_arguments(body: Any, places: list[int]) -> None:
    block = body.entry_block
    attributes = list(body.attributes["arg_attrs"]) if "arg_attrs" in body.attributes else None
    for place in places:
        block.erase_argument(place)
        if attributes is not None:
            del attributes[place]
    with body.context:
        kept = [argument.type for argument in block.arguments]
        results = ir.FunctionType(body.attributes["function_type"].value).results
        body.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(kept, results))
        if attributes is not None:
            body.attributes["arg_attrs"] = ir.ArrayAttr.get(attributes)
