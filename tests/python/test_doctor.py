"""The report always answers, whatever is broken, and does not leak secrets."""

import json
import subprocess
import sys

import pytest

import photonlink
from photonlink import _core
from photonlink.doctor import render


def test_report_is_json_and_names_what_is_installed():
    report = json.loads(json.dumps(photonlink.doctor()))
    assert report["python"] == sys.version.split()[0]
    assert report["photonlink"] == photonlink.__version__
    assert report["packages"]["numpy"] is not None
    assert report["core"]["ok"] is True
    assert report["core"]["kernel_profile"]
    assert 1 <= report["cpu"]["usable"] <= report["cpu"]["cores"]
    assert report["cuda"]["part"] in {"built", "not built"}
    assert report["cuda"]["detail"]
    assert next(target["name"] for target in report["targets"] if target["available"]) == "sim"


def test_text_shows_every_target_and_its_reason():
    report = photonlink.doctor()
    text = render(report)
    for target in report["targets"]:
        assert target["name"] in text
        assert target["detail"] in text


def test_report_works_with_a_broken_core():
    code = (
        "import sys, json\n"
        "sys.modules['photonlink._core'] = None\n"
        "import photonlink\n"
        "from photonlink.doctor import render\n"
        "report = photonlink.doctor()\n"
        "assert report['core']['ok'] is False\n"
        "assert not any(target['available'] for target in report['targets'])\n"
        "render(report)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_failing_probe_becomes_a_sentence(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    report = photonlink.doctor()
    assert "FileNotFoundError" in report["cuda"]
    assert "FileNotFoundError" in render(report)


def test_packages_are_not_imported_to_find_their_version():
    code = (
        "import sys, photonlink\n"
        "photonlink.doctor()\n"
        "sys.exit(' '.join({'perceval', 'torch', 'cupy', 'cudaq', 'merlin'} & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["PHOTONLINK_TOKEN", "PHOTONLINK_API_KEY"])
def test_secrets_are_not_shown(monkeypatch, name):
    monkeypatch.setenv(name, "do-not-print")
    monkeypatch.setenv("PHOTONLINK_TARGET", "sim")
    report = photonlink.doctor()
    assert report["environment"]["PHOTONLINK_TARGET"] == "sim"
    assert "do-not-print" not in json.dumps(report)


@pytest.mark.parametrize("profile", _core.simd_profiles())
def test_the_profile_is_the_one_in_use(profile, monkeypatch):
    monkeypatch.setenv("PHOTONLINK_SIMD", profile)
    program = photonlink.Program.reservoir(modes=3, photons=1, features=3)
    with photonlink.reserve("sim", program) as session:
        assert session.info.kernel_profile == profile
    assert photonlink.doctor()["core"]["kernel_profile"] == profile


def test_a_profile_that_cannot_run_is_reported(monkeypatch):
    monkeypatch.setenv("PHOTONLINK_SIMD", "abacus")
    core = photonlink.doctor()["core"]
    assert not core["ok"]
    assert "abacus" in core["detail"]
    with pytest.raises(photonlink.errors.ProgramError, match="abacus"):
        photonlink.reserve("sim", photonlink.Program.reservoir(modes=3, photons=1, features=3))
