"""Run-time compilation of users' kernels: libnvrtc itself compiles against the installed headers, without a GPU."""

import ctypes
import os
import sys
from pathlib import Path

import pytest

import photonlink as phl

KERNELS = Path(__file__).parents[2] / "ptx"
sys.path.insert(0, str(KERNELS))
import rules  # noqa: E402

INCLUDE = Path(phl.get_include())
# Those of device_call/ are for host programs.
HEADERS = sorted(
    path.relative_to(INCLUDE) for path in (INCLUDE / "photonlink").rglob("*.*") if path.parent.name != "device_call"
)
ARCHITECTURES = ["compute_80", "compute_90"]


def _libraries():
    """Where libnvrtc may lie: in the packages of this environment, in a toolkit, on the loader's path."""
    for folder in map(Path, sys.path):
        for pattern in ("nvidia/cu1*/lib/libnvrtc.so.1*", "nvidia/cuda_nvrtc/lib/libnvrtc.so.1*"):
            yield from sorted(folder.glob(pattern), reverse=True)
    for name in ("CUDA_HOME", "CUDA_PATH"):
        if name in os.environ:
            yield from sorted(Path(os.environ[name]).glob("lib64/libnvrtc.so.1*"), reverse=True)
    yield from sorted(Path("/usr/local/cuda/lib64").glob("libnvrtc.so.1*"), reverse=True)
    yield from ("libnvrtc.so.13", "libnvrtc.so.12")


@pytest.fixture(scope="module")
def nvrtc():
    for library in _libraries():
        try:
            return ctypes.CDLL(str(library))
        except OSError:
            continue
    pytest.skip("libnvrtc is not installed; pip install nvidia-cuda-nvrtc")


def _compile(nvrtc, source, architecture):
    """PTX of `source`; the compiler must have nothing to say."""
    program = ctypes.c_void_p()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"user.cu", 0, None, None) == 0
    # No folder of a toolkit or of the system: the headers must do with themselves.
    options = [f"--include-path={INCLUDE}", "--std=c++17", f"--gpu-architecture={architecture}"]
    options = [option.encode() for option in options]
    status = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    log = _text(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program)
    assert not log, log
    assert status == 0
    ptx = _text(nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX, program)
    assert nvrtc.nvrtcDestroyProgram(ctypes.byref(program)) == 0
    return ptx


def _text(ask_size, ask_text, program):
    size = ctypes.c_size_t()
    assert ask_size(program, ctypes.byref(size)) == 0
    text = ctypes.create_string_buffer(size.value)
    assert ask_text(program, text) == 0
    return text.value.decode()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("source", "expected"), [("device.cu", rules.DEVICE_CU), ("portable.cu", rules.PORTABLE_CU)])
def test_kernels_order_and_scope_their_words(nvrtc, source, expected, architecture):
    ptx = _compile(nvrtc, (KERNELS / source).read_text(), architecture)
    assert rules.complaints(ptx, expected) == []


@pytest.mark.parametrize("header", HEADERS, ids=str)
def test_every_header_compiles_alone(nvrtc, header):
    _compile(nvrtc, f'#include "{header}"\n' * 2, ARCHITECTURES[0])


def test_a_kernel_that_does_not_compile_is_noticed(nvrtc):
    with pytest.raises(AssertionError, match="no_such_function"):
        _compile(nvrtc, '#include "photonlink/device.cuh"\n__global__ void f() { no_such_function(); }', "compute_80")


def test_device_header_is_installed():
    assert {Path("photonlink/device.cuh"), Path("photonlink/group.hpp")} < set(HEADERS)
