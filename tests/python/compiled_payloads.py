"""Payloads of encoding B as NVIDIA's own compiler emits them, with the calls that they encode."""

import numpy as np

NINE = np.array([1, 0, 1, 1, 0, 0, 0, 0, 1], np.bool_)


def hexed(text):
    return bytes.fromhex(text.replace("|", " ").replace("EE", "00"))


_MIX = "mix(i8, i32, bool, f64, i16, bool[], f32, f64[], i8)"
# EE marks the holes, which the compiler does not write.
COMPILED = [
    ("addThem(i64, i64) -> i64", (41, 1), "29 00 00 00 00 00 00 00 | 01 00 00 00 00 00 00 00"),
    ("enq(i64, bool[9])", (41, NINE), "29 00 00 00 00 00 00 00 | 09 00 00 00 00 00 00 00 | 0d 01"),
    ("getc(i64, out bool[], bool)", (41, 9, True), "29 00 00 00 00 00 00 00 | 09 00 00 00 00 00 00 00 | 01"),
    (
        _MIX,
        (7, 300, True, 1.5, 513, NINE, 2.0, [0.5, 0.25], 7),
        (
            "07 EE EE EE | 2c 01 00 00 | 01 EE EE EE EE EE EE EE | 00 00 00 00 00 00 f8 3f | 01 02 EE EE EE EE EE EE |"
            "09 00 00 00 00 00 00 00 | 0d 01 EE EE | 00 00 00 40 | 02 00 00 00 00 00 00 00 |"
            "00 00 00 00 00 00 e0 3f | 00 00 00 00 00 00 d0 3f | 07"
        ),
    ),
]
