"""The installed headers alone are enough to speak over a port, from a compiler and from CMake."""

import shutil
import subprocess
from pathlib import Path

import pytest

import photonlink as phl

USER = Path(__file__).parent / "header_user"


def _tool(name):
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def _run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def test_a_compiler_needs_the_folder_and_nothing_else(tmp_path):
    program = tmp_path / "user"
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{phl.get_include()}"]
    _run(_tool("g++"), *flags, USER / "user.cpp", "-o", program)
    assert _run(program) == "1122334455667788"


def test_the_installed_headers_are_complete(tmp_path):
    folder = Path(phl.get_include())
    headers = sorted(path.relative_to(folder) for path in folder.rglob("*.*"))
    assert Path("photonlink/device.cuh") in headers
    source = tmp_path / "all.cpp"
    source.write_text("".join(f'#include "{header}"\n' for header in headers))
    _run(_tool("g++"), "-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{folder}", "-fsyntax-only", source)


def test_cmake_finds_the_package(tmp_path):
    cmake = _tool("cmake")
    _run(cmake, "-S", USER, "-B", tmp_path, f"-DCMAKE_PREFIX_PATH={Path(phl.get_include()).parent}")
    _run(cmake, "--build", tmp_path)
    assert _run(tmp_path / "user") == "1122334455667788"
