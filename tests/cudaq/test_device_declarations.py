"""What can be declared for kernels, and what is refused with the reason."""

import subprocess

import cudaq
import device_kernels as kernels
import pytest

from photonlink.cudaq import device
from photonlink.errors import ProgramError
from photonlink.realtime import Signature


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        ("f(i64[] values) -> i64", "i64"),
        ("f(i64 a) -> (i64, i64)", "one result"),
        ("f(out f64[] a, out f64[] b)", "output"),
        ("f(out f64[] a) -> i64", "output"),
        ("f(i64 a) -> f64[3]", "one number"),
        ("f(i64 a", "signature"),
    ],
)
def test_signatures_that_no_kernel_can_call(signature, reason):
    with pytest.raises(ProgramError, match=reason):
        device.function(signature)


def test_encoding_a_is_not_for_kernels():
    with pytest.raises(ProgramError, match="encoding B"):
        device.function(Signature.parse("f(i32 a) -> i32", encoding="A"))


def test_a_callback_needs_annotations():
    with pytest.raises(ProgramError, match="annotation"):
        device.callback(lambda value: value)


def test_only_kernels_call_device_functions():
    with pytest.raises(ProgramError, match=r"inside a @cudaq\.kernel"):
        device.photonic_infer([0.0], [0.0])


@pytest.mark.parametrize("wrong", [device.photonic_infer, len, None])
def test_only_kernels_are_bound(wrong):
    with pytest.raises(ProgramError, match=r"bind\(\) takes a @cudaq.kernel"):
        device.bind(wrong)


def test_binding_a_compiled_kernel_and_binding_twice():
    assert cudaq.run(kernels.call_native, 3, shots_count=1) == [2.5]
    assert device.bind(device.bind(kernels.call_native)) is kernels.call_native
    assert cudaq.run(kernels.call_native, -6, shots_count=1) == [3.0]


def test_a_callback_that_is_defined_again():
    @device.callback
    def answer(value: int) -> int:
        return value + 1

    @device.bind
    @cudaq.kernel
    def old() -> int:
        return answer(1)

    assert cudaq.run(old, shots_count=1) == [2]

    @device.callback
    def answer(value: int) -> int:  # noqa: F811 - that is the point
        return value + 2

    @device.bind
    @cudaq.kernel
    def new() -> int:
        return answer(1)

    assert cudaq.run(new, shots_count=1) == [3]
    assert cudaq.run(old, shots_count=1) == [2]


def test_native_functions_of_a_library(tmp_path):
    source = tmp_path / "functions.c"
    source.write_text(
        """
        #include <stdint.h>
        double phl_scale(double *values, int64_t count, double factor) {
            double sum = 0;
            for (int64_t i = 0; i < count; ++i) sum += values[i] *= factor;
            return sum;
        }
        int phl_narrow(int flag, int small) { return flag ? -small : small; }
        """
    )
    library = tmp_path / "libfunctions.so"
    subprocess.run(["g++", "-x", "c", "-shared", "-fPIC", "-o", library, source], check=True)
    scale = device.native("phl_scale(f64[] values, f64 factor) -> f64", library)
    narrow = device.native("phl_narrow(bool flag, i8 small) -> i32")

    @device.bind
    @cudaq.kernel
    def use() -> float:
        values = [1.0, 2.0, 4.0]
        total = scale(values, 0.5)
        if narrow(True, -100) == 100:
            total += 1000.0 * values[2]
        return total

    assert cudaq.run(use, shots_count=2) == [2003.5, 2003.5]


def test_a_native_function_belongs_to_no_device():
    with pytest.raises(ProgramError, match="no device"):
        kernels.labs.on(3)
    with pytest.raises(ProgramError, match="leave 'out' away"):
        device.native("labs(out f64[] values)")


def test_what_they_print():
    assert repr(device.photonic_infer) == "<photonic_infer(f64[] features, out f64[] observables) on device 0>"
    assert repr(kernels.labs) == "<native labs(i64 value) -> i64>"
    assert device.library_path().exists()
