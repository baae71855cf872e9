"""Functions that kernels call, as modules of CUDA-Q's compiler: made through its MLIR API, never as text.

A declaration becomes a function whose body is one ``cc.device_call``, which the compiler's own pass
``realtime-device-call`` turns into calls of the three symbols of ``libphotonlink_device_call``; or one call of a native
function.
"""

from __future__ import annotations

from typing import Any

from photonlink.cudaq.device._compiler import PassManager, arith, cc, context, func, ir, kernel_prefix
from photonlink.errors import ProgramError
from photonlink.realtime import Signature
from photonlink.realtime.types import Item, Kind

__all__ = ["check_compiled", "device_call_module", "native_call_module"]

_LOWERING = "builtin.module(realtime-device-call,canonicalize,cse)"
_SIGNLESS = {"u8": "i8", "u16": "i16", "u32": "i32", "u64": "i64"}  # the compiler's integers have no sign


def device_call_module(signature: Signature, unique: str, device: int) -> Any:
    """A module with a kernel named `unique` that calls the function on `device`."""

    def body(arguments: list[Any], results: list[Any]) -> Any:
        place = None if signature.output is None else ir.DenseI64ArrayAttr.get([signature.output])
        number = arith.ConstantOp(ir.IntegerType.get_signless(32), ir.IntegerAttr.get(_i32(), _signed(device)))
        call = cc.DeviceCallOp(
            results, signature.name, [], [], arguments, device=number.result, by_ref_vec_arg_indices=place
        )
        return call.results

    with context(), ir.Location.unknown():
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            inputs, results = _inputs(signature), _results(signature)
            func.FuncOp(signature.name, (inputs, results), visibility="private")
            _kernel(module, unique, inputs, results, body)
        PassManager.parse(_LOWERING).run(module.operation)
    return module


def native_call_module(signature: Signature, unique: str) -> Any:
    """A module with a kernel named `unique` that calls a C function: scalars by value, lists as pointer and length.

    Integers of less than 32 bits, booleans among them, come as ``int``: C leaves open who widens them.
    """

    def body(arguments: list[Any], results: list[Any]) -> Any:
        values: list[Any] = []
        for item, argument in zip(signature.arguments, arguments, strict=True):
            values += _pointer_and_length(item, argument) if item.kind is Kind.SEQUENCE else [_widened(item, argument)]
        return func.CallOp(results, signature.name, values).results

    with context(), ir.Location.unknown():
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            results = _results(signature)
            passed = [kind for item in signature.arguments for kind in _c_types(item)]
            func.FuncOp(signature.name, (passed, results), visibility="private")
            _kernel(module, unique, _inputs(signature), results, body)
    return module


def check_compiled(signature: Signature) -> None:
    """Raise if CUDA-Q's compiler has no such call.

    Raises:
        ProgramError: More than one result, a sequence as result, or another encoding.
    """
    listed = [item for item in signature.results if item.kind is not Kind.SCALAR]
    if listed or signature.encoding != "B":
        raise ProgramError(
            f"{signature}: a function returns one number to a kernel, or fills an output vector in encoding B; "
            "declare a list that comes back as an argument 'out f64[] name'"
        )


def _kernel(module: Any, unique: str, inputs: list[Any], results: list[Any], body: Any) -> None:
    name = kernel_prefix + unique
    kernel = func.FuncOp(name, (inputs, results))
    kernel.attributes["cudaq-kernel"] = ir.UnitAttr.get()
    kernel.attributes["cudaq-entrypoint"] = ir.UnitAttr.get()
    block = kernel.add_entry_block()
    with ir.InsertionPoint(block):
        func.ReturnOp(body(list(block.arguments), results))
    attributes = module.operation.attributes
    attributes["quake.mangled_name_map"] = ir.DictAttr.get(
        {name: ir.StringAttr.get(name + "_PyKernelEntryPointRewrite")}
    )
    attributes["quake.python_uniqued"] = ir.StringAttr.get(unique)


def _element(item: Item) -> str:
    return _SIGNLESS.get(item.element.name, item.element.name)


def _inputs(signature: Signature) -> list[Any]:
    def of(item: Item) -> Any:
        name = _element(item)
        return ir.Type.parse(name if item.kind is Kind.SCALAR else f"!cc.sequence<{name}>")

    return [of(item) for item in signature.arguments]


def _results(signature: Signature) -> list[Any]:
    return [ir.Type.parse(_element(item)) for item in signature.results]


def _i32() -> Any:
    return ir.IntegerType.get_signless(32)


def _signed(number: int) -> int:
    return number - 2**32 if number >= 2**31 else number


def _is_narrow(item: Item) -> bool:
    return item.element.size < 4 and item.element.dtype.kind in "biu"


def _c_types(item: Item) -> list[Any]:
    if item.kind is Kind.SEQUENCE:
        return [ir.Type.parse(f"!cc.ptr<{_element(item)}>"), ir.IntegerType.get_signless(64)]
    return [_i32() if _is_narrow(item) else ir.Type.parse(_element(item))]


def _widened(item: Item, value: Any) -> Any:
    if not _is_narrow(item):
        return value
    widen = arith.ExtSIOp if item.element.dtype.kind == "i" else arith.ExtUIOp
    return widen(_i32(), value).result


def _pointer_and_length(item: Item, sequence: Any) -> list[Any]:
    name = _element(item)
    array = ir.Type.parse(f"!cc.ptr<!cc.array<{name} x ?>>")
    data = cc.SequenceDataOp(array, sequence).result
    pointer = cc.CastOp(ir.Type.parse(f"!cc.ptr<{name}>"), data).result
    return [pointer, cc.SequenceSizeOp(ir.IntegerType.get_signless(64), sequence).result]
