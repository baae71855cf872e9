"""Importing the package is quick, silent, and pulls in nothing heavy."""

import subprocess
import sys

import pytest

import photonlink


def run_python(code, *options):
    return subprocess.run(
        [sys.executable, *options, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


def test_import_is_silent_and_light():
    code = (
        "import sys\n"
        "import photonlink\n"
        "heavy = {'numpy', 'perceval', 'torch', 'scipy', 'sklearn', 'cupy', 'cudaq', 'photonlink._core',\n"
        "    'photonlink.cuda', 'photonlink._cuda'}\n"
        "sys.exit(' '.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    done = run_python(code, "-W", "error")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_public_name_loads_without_perceval():
    code = (
        "import sys\n"
        "sys.modules['perceval'] = None\n"
        "import photonlink\n"
        "for name in photonlink.__all__: getattr(photonlink, name)\n"
    )
    done = run_python(code, "-W", "error")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_functions_are_not_hidden_by_their_modules():
    code = (
        "import photonlink.doctor, photonlink.targets, photonlink.presets\n"
        "import photonlink\n"
        "photonlink.doctor(), photonlink.targets()\n"
    )
    done = run_python(code)
    assert (done.returncode, done.stderr) == (0, "")


def test_dir_lists_the_public_names():
    assert dir(photonlink) == sorted(photonlink.__all__)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Programme"):
        photonlink.Programme  # noqa: B018
