"""The Python codec and the C++ codec of the link make the same bytes."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import photonlink as phl
from photonlink.realtime import Signature
from test_realtime_wire import random_value

SCALARS = ("bool", "i8", "i16", "i32", "i64", "f32", "f64")
ELEMENTS = ("bool", "i8", "u8", "i32", "f32", "f64")


@pytest.fixture(scope="module")
def peer(tmp_path_factory):
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is not installed")
    program = tmp_path_factory.mktemp("wire") / "peer"
    source = Path(__file__).parent / "wire_peer" / "wire_peer.cpp"
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{phl.get_include()}"]
    subprocess.run([compiler, *flags, source, "-o", program], check=True, timeout=120)

    def encode(lines):
        done = subprocess.run(
            [program], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout.split()

    return encode


def _text(values):
    return ",".join(v.hex() if isinstance(v, float) else str(int(v)) for v in values.tolist())


def _random_call(random, number):
    types, values, words = [], [], []
    output = int(random.integers(0, 8))
    for index in range(random.integers(0, 10)):
        if index == output:
            types.append("out f64[]")
            values.append(int(random.integers(0, 2**40)))
            words.append(f"out:{values[-1]}")
        elif random.random() < 0.5:
            types.append(str(random.choice(SCALARS)))
            one = random_value(random, types[-1], 1)
            values.append(one[0].item())
            words.append(f"{types[-1]}:{_text(one)}")
        else:
            element = random.choice(ELEMENTS)
            types.append(f"{element}[]")
            values.append(random_value(random, element, random.integers(0, 30)))
            words.append(f"{types[-1]}:{_text(values[-1])}")
    signature = Signature.parse(f"function_{number}({', '.join(types)})")
    return signature.request(*values, request_id=number).encode(), f"{number} {signature.name} {' '.join(words)}"


def test_random_calls_are_the_same_bytes(peer):
    random = np.random.default_rng(9)
    frames, lines = zip(*(_random_call(random, number) for number in range(500)), strict=True)
    assert peer(lines) == [frame.hex() for frame in frames]
