"""The native CUDA module where it is built, on a machine with or without a GPU."""

import re

import pytest

_cuda = pytest.importorskip("photonlink._cuda", reason="the CUDA part is not built", exc_type=ModuleNotFoundError)
STATUS, DETAIL = _cuda.status()
without_gpu = pytest.mark.skipif(STATUS == "ok", reason="this machine has a usable GPU")

# A port's shape that is sound as long as nobody looks behind the addresses.
SOUND = {
    "device": 0,
    "slots": 4,
    "slot_bytes": 504,
    "result_bytes": 0,
    "requests": 0x10000,
    "responses": 0x20000,
    "responses_writable": True,
    "key": 1,
    "output_size": 3,
    "observable_bytes": 8,
    "encoding": 0,
    "row_timeout": 1.0,
    "kernel_limit": 1.0,
}


def test_the_status_is_a_reason_and_a_sentence():
    assert STATUS in {"ok", "no_driver", "driver_too_old", "no_device", "device_too_old"}
    assert DETAIL.endswith(".")
    assert len(DETAIL.split()) > 3


def test_versions_are_those_of_cuda():
    versions = _cuda.versions()
    assert versions.keys() == {"runtime", "driver"}
    assert 12000 <= versions["runtime"] < 20000
    assert (versions["driver"] == 0) == (STATUS == "no_driver")


def test_a_device_is_usable_exactly_when_the_status_says_so():
    devices = _cuda.devices()
    assert any(device["usable"] for device in devices) == (STATUS == "ok")
    for index, device in enumerate(devices):
        assert device["index"] == index
        assert re.fullmatch(r"\d+\.\d", device["compute_capability"])


@without_gpu
def test_without_a_gpu_cuda_refuses_by_name():
    with pytest.raises(_cuda.CudaError, match=r"^could not .*: cudaError\w+ \(.+\)$"):
        _cuda.measure_ping_pong(device=0, rounds=10, timeout=1.0)
    assert issubclass(_cuda.CudaError, RuntimeError)


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("slots", 0, "0 slots of 504 bytes"),
        ("slot_bytes", 100, "4 slots of 100 bytes"),
        ("result_bytes", 7, "results of 7 bytes"),
        ("requests", 0, "must be addresses"),
        ("responses", 0, "must be addresses"),
        ("encoding", 0, "must be addresses"),
        ("kernel_limit", 0.0, r"kernel_limit is 0\.0+ s"),
        ("kernel_limit", float("nan"), "kernel_limit is nan s"),
    ],
)
def test_a_port_that_makes_no_sense_is_refused_before_any_device_is_asked(field, value, complaint):
    with pytest.raises(ValueError, match=complaint):
        _cuda.DeviceLink(**{**SOUND, field: value})


@pytest.mark.parametrize(("rounds", "timeout"), [(0, 1.0), (1 << 40, 1.0)])
def test_measurements_that_make_no_sense_are_refused(rounds, timeout):
    with pytest.raises(ValueError, match="calls: both must be above 0"):
        _cuda.measure_ping_pong(device=0, rounds=rounds, timeout=timeout)


def test_staging_memory_of_no_bytes_is_refused():
    with pytest.raises(ValueError, match="0 bytes of staging memory"):
        _cuda.Staging(device=0, nbytes=0)


@without_gpu
def test_without_a_gpu_there_is_no_staging_memory():
    with pytest.raises(_cuda.CudaError, match=r"^could not .*: cudaError\w+ \(.+\)$"):
        _cuda.Staging(device=0, nbytes=64)
