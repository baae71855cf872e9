"""Kernels that call device functions. They lie in a module of their own, since CUDA-Q reads their source."""
# ruff: noqa: F821 - gates are words of CUDA-Q's kernel language

from typing import Annotated

import cudaq
import numpy as np

from photonlink.cudaq import device

FEATURES = [0.3, 1.1, 2.0, 0.7, 1.9, 2.6]  # a datapoint of the fixture `program`
SERVICE = 3  # the device whose calls go to a service of the test's own

add_them = device.function("addThem(i64 a, i64 b) -> i64", device=SERVICE)
enq = device.function("enq(i64 decoder, bool[] syndromes)", device=SERVICE)
getc = device.function("getc(i64 decoder, out bool[] corrections, bool reset)", device=SERVICE)
mix = device.function("mix(i8 a, i32 b, bool c, f64 d, i16 e, bool[] f, f32 g, f64[] h, i8 i) -> i64", device=SERVICE)
unknown = device.function("nobody_knows_me(i64 value) -> i64")
elsewhere = device.photonlink_echo.on(77)


@device.bind
@cudaq.kernel
def golden_add() -> int:
    return add_them(41, 1)


@device.bind
@cudaq.kernel
def golden_enq():
    enq(41, [True, False, True, True, False, False, False, False, True])


@device.bind
@cudaq.kernel
def golden_getc() -> bool:
    corrections = [False, False, False, False, False, False, False, False, False]
    getc(41, corrections, True)
    return corrections[2]


@device.bind
@cudaq.kernel
def golden_mix() -> int:
    bits = [True, False, True, True, False, False, False, False, True]
    return mix(7, 300, True, 1.5, 513, bits, 2.0, [0.5, 0.25], 7)


@device.bind
@cudaq.kernel
def infer_one(features: list[float], index: int) -> float:
    observables = [0.0 for _ in range(15)]
    device.photonic_infer(features, observables)
    return observables[index]


@cudaq.kernel
def infer_unbound(features: list[float], index: int) -> float:
    observables = [0.0 for _ in range(15)]
    device.photonic_infer(features, observables)
    return observables[index]


@device.bind
@cudaq.kernel
def infer_then_ask(features: list[float], index: int) -> float:
    observables = [0.0 for _ in range(15)]
    device.photonic_infer(features, observables)
    return device.photonic_expectation(index)


@device.bind
@cudaq.kernel
def infer_in_threads(features: list[float], index: int) -> float:
    observables = [0.0 for _ in range(15)]
    device.photonic_infer(features, observables)
    return device.photonic_expectation(index)


@device.bind
@cudaq.kernel
def rotate(features: list[float], index: int):
    qubit = cudaq.qubit()
    observables = [0.0 for _ in range(15)]
    device.photonic_infer(features, observables)
    ry(3.0 * observables[index], qubit)


@device.bind
@cudaq.kernel
def flip_if_above(features: list[float], index: int, threshold: float) -> bool:
    qubit = cudaq.qubit()
    observables = [0.0 for _ in range(15)]
    device.photonic_infer(features, observables)
    if observables[index] > threshold:
        x(qubit)
    return mz(qubit)


@device.bind
@cudaq.kernel
def echo_sum(rounds: int) -> int:
    total = 0
    for i in range(rounds):
        total += device.photonlink_echo(i)
    return total


@device.bind
@cudaq.kernel
def sample_photons(features: list[float]) -> int:
    state = device.photonic_sample(features)
    photons = 0
    for mode in range(6):
        photons = 3 * photons + device.photonic_photons(mode)
    return 1000 * photons + state


@device.bind
@cudaq.kernel
def sample_all(features: list[float], photons: list[np.int8], count: int) -> int:
    device.photonic_samples(features, photons)
    checksum = 0
    for i in range(count):
        checksum += (i + 1) * photons[i]
    return checksum


@device.bind
@cudaq.kernel
def call_unknown() -> int:
    return unknown(1)


@device.bind
@cudaq.kernel
def call_elsewhere() -> int:
    return elsewhere(1)


OFFSET = 5


@cudaq.kernel
def plus_three(value: int) -> int:
    return value + 3


@device.bind
@cudaq.kernel
def mixed_captures(value: int) -> int:
    return OFFSET + device.photonlink_echo(plus_three(value)) + device.photonlink_echo(1)


@device.bind
@cudaq.kernel
def in_branches(value: int) -> int:
    total = 0
    if value > 0:
        total = device.photonlink_echo(value)
    else:
        for i in range(3):
            while total < 10 * (i + 1):
                total += device.photonlink_echo(4)
    return total


@device.bind
@cudaq.kernel
def calls_a_bound_kernel(rounds: int) -> int:
    return 1 + echo_sum(rounds) + device.photonlink_echo(1)


@cudaq.kernel
def bound_later(value: int) -> int:
    return 2 * device.photonlink_echo(value)


kept = []


@device.callback
def keep(observables: list[float]) -> None:
    kept.append(observables)


@device.bind
@cudaq.kernel
def keep_all(rows: list[float], count: int, features: int, outputs: int):
    observables = [0.0 for _ in range(outputs)]
    for row in range(count):
        datapoint = [rows[row * features + feature] for feature in range(features)]
        device.photonic_infer(datapoint, observables)
        keep(observables)


@device.callback
def describe(a: np.int8, b: np.int32, c: bool, d: float, e: np.float32, f: list[bool], g: list[np.float32]) -> int:
    return int(a + b + c + d + e + sum(f) + sum(g))


@device.callback
def squares(scale: float, count: Annotated[int, "out f64[]"]):
    return [scale * i * i for i in range(count)]


@device.callback
def evens(count: Annotated[int, "out bool[]"]):
    return [i % 2 == 0 for i in range(count)]


@device.callback
def fail(value: int) -> int:
    raise KeyError(f"no entry {value}")


@device.bind
@cudaq.kernel
def call_describe() -> int:
    return describe(-1, 300, True, 1.5, 2.5, [True, True, False], [0.5, 0.5])


@device.bind
@cudaq.kernel
def call_squares() -> float:
    values = [0.0, 0.0, 0.0, 0.0]
    squares(0.5, values)
    return values[0] + values[1] + values[2] + values[3]


@device.bind
@cudaq.kernel
def call_evens() -> int:
    flags = [False, False, False, False, False, False, False, False, False, False, False]
    evens(flags)
    count = 0
    for i in range(11):
        if flags[i]:
            count += 1
    return count


@device.bind
@cudaq.kernel
def call_fail() -> int:
    return fail(8)


fmax = device.native("fmax(f64 a, f64 b) -> f64")
labs = device.native("labs(i64 value) -> i64")


@device.bind
@cudaq.kernel
def call_native(value: int) -> float:
    return fmax(2.5, 0.5 * labs(value))
