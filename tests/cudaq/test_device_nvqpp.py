"""The C++ example, as far as an ordinary compiler goes: nvq++ is in no wheel, so its part is played by a stand-in."""

import subprocess
from pathlib import Path

import pytest

import photonlink as phl
from photonlink.cudaq import device
from photonlink.realtime import Refusal, Service

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    built = tmp_path_factory.mktemp("nvqpp") / "hybrid"
    library = device.library_path()
    command = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    command += [f"-I{Path(__file__).parent / 'nvqpp'}", f"-I{phl.get_include()}"]
    command += [ROOT / "examples" / "21_nvqpp.cpp", library, f"-Wl,-rpath,{library.parent}", "-o", built]
    subprocess.run(command, check=True)
    return built


def run(program, address):
    host, port = address.rsplit(":", 1)
    return subprocess.run([program, host, port], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("observable", "ones"), [(0.9, 100), (0.1, 0)])
def test_observables_reach_the_kernel(program, observable, ones):
    service = Service()

    @service.function("photonic_infer(f64[] features, out f64[] observables)")
    def infer(features, count):
        assert features.tolist() == [0.3]
        return [0.0, observable, 0.0][:count]

    with service.serve() as server:
        done = run(program, server.address)
        assert (done.returncode, done.stdout) == (0, f"{ones} of 100 shots are 1\n"), done.stderr
        assert service.counters.executed == 100


def test_a_failure_is_explained(program):
    service = Service()

    @service.function("photonic_infer(f64[] features, out f64[] observables)")
    def infer(_features, _count):
        raise Refusal(7)

    with service.serve() as server:
        done = run(program, server.address)
    assert done.returncode == 1
    assert "the kernel failed: the function was refused by 127.0.0.1" in done.stderr
    assert "status 6" in done.stderr
