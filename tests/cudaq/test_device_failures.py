"""Every way in which a device call fails has an error of its own, instead of CUDA-Q's words about something else."""

import os
import subprocess
import sys
import textwrap

import cudaq
import device_kernels as kernels
import numpy as np
import pytest
from device_kernels import FEATURES

import photonlink as phl
from photonlink.cudaq import device
from photonlink.errors import (
    LinkClosed,
    LinkTimeout,
    ProgramError,
    ProtocolError,
    ServiceError,
    SessionClosed,
    TargetUnavailable,
)
from photonlink.realtime import Client, MemoryTransport, Refusal, Service


def run(kernel, *arguments):
    return cudaq.run(kernel, *arguments, shots_count=1)


# ---- no link


def test_no_device():
    with pytest.raises(
        TargetUnavailable, match=r"photonlink_echo on device 77.*attach\(session, device=77\)"
    ) as raised:
        run(kernels.call_elsewhere)
    assert isinstance(raised.value.__cause__, RuntimeError)


def test_a_device_that_was_closed(program):
    with phl.reserve("sim", program) as session:
        attached = device.attach(session)
        run(kernels.echo_sum, 1)
        attached.close()
        attached.close()
        with pytest.raises(TargetUnavailable, match="device 0"):
            run(kernels.echo_sum, 1)


def test_a_closed_session(session):
    session.close()
    with pytest.raises(SessionClosed, match="photonic_infer on device 0"):
        run(kernels.infer_one, FEATURES, 0)


def test_a_closed_session_cannot_be_attached(program):
    session = phl.reserve("sim", program)
    session.close()
    with pytest.raises(SessionClosed):
        device.attach(session)


def test_nobody_listens():
    with Service().serve() as server:
        address = server.address
    with device.attach(address, kernels.SERVICE), pytest.raises(LinkClosed, match="nothing listens"):
        run(kernels.golden_add)


@pytest.mark.usefixtures("session")
def test_after_a_fork():
    run(kernels.echo_sum, 1)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            run(kernels.echo_sum, 1)
        except SessionClosed:
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert run(kernels.echo_sum, 3) == [3]


# ---- the controller


def test_a_silent_controller(program, photonlink_faulty):
    controller = photonlink_faulty("timeout", at=1)
    with phl.reserve("sim", program, controller=controller) as session, device.attach(session, timeout=2):
        run(kernels.infer_one, FEATURES, 0)
        with pytest.raises(LinkTimeout, match="photonic_infer on device 0") as raised:
            run(kernels.infer_one, FEATURES, 0)
        assert raised.value.elapsed >= 2
        assert run(kernels.echo_sum, 3) == [3]


def test_a_spent_budget(program):
    with phl.reserve("sim", program, token_budget=1) as session, device.attach(session):
        run(kernels.infer_one, FEATURES, 0)
        with pytest.raises(SessionClosed, match="token budget"):
            run(kernels.infer_one, FEATURES, 0)


@pytest.mark.usefixtures("session")
def test_a_function_that_the_controller_has_not():
    with pytest.raises(ProtocolError, match=r"nobody_knows_me on device 0.*wire status -1"):
        run(kernels.call_unknown)


@pytest.mark.usefixtures("session")
def test_wrong_features():
    with pytest.raises(ProgramError, match="6 features and the list holds 2"):
        run(kernels.infer_one, [0.1, 0.2], 0)
    with pytest.raises(ProgramError, match="not finite"):
        run(kernels.infer_one, [np.nan] * 6, 0)
    with pytest.raises(ProgramError, match="observable 99 does not exist"):
        run(kernels.infer_then_ask, FEATURES, 99)


@pytest.mark.parametrize(("shots", "words"), [(None, "reserve it with shots="), (3, "3 shots of 4 modes show 12")])
def test_samples_are_as_many_as_there_are(shots, words):
    program = phl.Program.reservoir(4, 1, features=4)
    with phl.reserve("sim", program, shots=shots) as session, device.attach(session):
        with pytest.raises(ProgramError, match=words):
            run(kernels.sample_all, FEATURES[:4], [np.int8(0)] * 11, 11)
        assert session.usage.tokens == 0


@pytest.mark.usefixtures("session")
def test_a_sample_needs_one_shot():
    with pytest.raises(ProgramError, match="shots=1"):
        run(kernels.sample_photons, FEATURES)


def test_the_kernel_works_again_after_a_failure(session):
    with pytest.raises(ProgramError):
        run(kernels.infer_one, [0.1], 0)
    expected = session.infer(np.array(FEATURES))[0]
    assert run(kernels.infer_one, FEATURES, 0) == pytest.approx([expected], rel=1e-5)  # six digits are logged


@pytest.mark.parametrize(
    "launch",
    [
        lambda kernel, *arguments: cudaq.run_async(kernel, *arguments, shots_count=1).get(),
        lambda kernel, *arguments: kernel(*arguments),
    ],
    ids=["run_async", "call"],
)
def test_other_launches(launch):
    with pytest.raises(TargetUnavailable, match="device 0"):
        launch(kernels.infer_one, FEATURES, 0)


@pytest.mark.parametrize(
    "launch",
    [
        lambda: cudaq.sample(kernels.rotate, FEATURES, 0),
        lambda: cudaq.observe(kernels.rotate, cudaq.spin.z(0), FEATURES, 0),
        lambda: cudaq.get_state(kernels.rotate, FEATURES, 0),
    ],
    ids=["sample", "observe", "get_state"],
)
def test_launches_of_circuits(launch):
    with pytest.raises(TargetUnavailable, match="device 0"):
        launch()


@pytest.mark.parametrize(
    "launch",
    [
        lambda: cudaq.sample_async(kernels.rotate, FEATURES, 0),
        lambda: cudaq.observe_async(kernels.rotate, cudaq.spin.z(0), FEATURES, 0),
        lambda: cudaq.get_state_async(kernels.rotate, FEATURES, 0),
    ],
    ids=["sample_async", "observe_async", "get_state_async"],
)
def test_results_that_come_later(program, launch):
    pending = launch()
    with pytest.raises(TargetUnavailable, match="device 0"):
        pending.get()
    with phl.reserve("sim", program) as session, device.attach(session):
        assert launch().get() is not None


# ---- services and callbacks


def test_a_service_that_refuses():
    service = Service()

    @service.function("addThem(i64 a, i64 b) -> i64")
    def busy(_a, _b):
        raise Refusal(5, "busy")

    with service.serve() as server, device.attach(server.address, kernels.SERVICE):
        with pytest.raises(ServiceError, match=r"addThem on device 3.*handler status 5"):
            run(kernels.golden_add)
        with pytest.raises(ProtocolError, match="unknown function"):
            run(kernels.golden_getc)
    with (
        Client(MemoryTransport(service)) as client,
        device.attach(client, kernels.SERVICE),
        pytest.raises(ServiceError, match="handler status 5"),
    ):
        run(kernels.golden_add)


def test_a_service_with_another_signature():
    service = Service()

    @service.function("addThem(i64 a, i64 b) -> i32")
    def narrow(a, b):
        return a + b

    with (
        service.serve() as server,
        device.attach(server.address, kernels.SERVICE),
        pytest.raises(ProtocolError, match=r"4 bytes where the function returns 8.*declaration"),
    ):
        run(kernels.golden_add)


def test_a_callback_that_raises():
    with pytest.raises(KeyError, match="no entry 8"):
        run(kernels.call_fail)
    with pytest.raises(KeyError, match="no entry 8"):
        cudaq.run_async(kernels.call_fail, shots_count=1).get()


# ---- before anything runs


def test_a_device_is_attached_once(session):
    with pytest.raises(ProgramError, match="device 0 is open already"):
        device.attach(session)


@pytest.mark.parametrize("bad", [3, None, "nowhere", "host:0", "127.0.0.1:99999"])
def test_what_cannot_be_attached(bad):
    with pytest.raises(ProgramError, match=r"attach|host:port"):
        device.attach(bad, 9)


@pytest.mark.parametrize("number", [-1, 2**32, True, "0"])
def test_device_ids(session, number):
    with pytest.raises(ProgramError, match="device is"):
        device.attach(session, number)
    with pytest.raises(ProgramError, match="device is"):
        device.photonic_infer.on(number)


def test_a_symbol_that_is_not_there():
    with pytest.raises(ProgramError, match="no loaded library defines the symbol 'no_such_symbol'"):
        device.native("no_such_symbol(i64 a) -> i64")
    with pytest.raises(ProgramError, match="cannot be loaded"):
        device.native("no_such_symbol(i64 a) -> i64", library="/nowhere/lib.so")


def test_another_runtime_that_defines_the_symbols(tmp_path):
    source = tmp_path / "other.c"
    source.write_text("int __cudaq_device_call_acquire_realtime_frame(void) { return 0; }\n")
    library = tmp_path / "libother-runtime.so"
    subprocess.run(["g++", "-x", "c", "-shared", "-fPIC", "-o", library, source], check=True)
    program = f"""
        import ctypes
        other = ctypes.CDLL({str(library)!r}, mode=ctypes.RTLD_GLOBAL)
        try:
            import photonlink.cudaq.device
        except Exception as error:
            print(type(error).__name__, error)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.startswith("TargetUnavailable kernels would call")
    assert "libother-runtime.so" in said
