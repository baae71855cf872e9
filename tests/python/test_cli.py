"""The command line: exit codes and machine-readable output."""

import json
import subprocess
import sys

import pytest

import photonlink
from photonlink import cli
from photonlink.cli import main
from photonlink.demo.command import PACKAGES


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert photonlink.__version__ in capsys.readouterr().out


def test_the_package_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "photonlink", "bench", "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: photonlink bench ")


def test_doctor_json(capsys):
    assert main(["doctor", "--json"]) == 0
    json.loads(capsys.readouterr().out)


def test_unknown_command_is_refused_with_the_valid_ones(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["nonsense"])
    assert stop.value.code == 2
    assert "demo" in capsys.readouterr().err


def test_device_benchmark_without_a_device_says_why(capsys):
    if photonlink.cuda.available()[0]:
        pytest.skip("there is a device: tests/gpu_check.sh runs the benchmark on it")
    assert main(["bench", "link", "--device"]) == 1
    assert capsys.readouterr().err.startswith("photonlink: TargetUnavailable: ")


def test_help_needs_nothing_but_the_package():
    """Help must work without the demo's packages, and at once."""
    code = (
        "import sys\n"
        "for name in ('sklearn', 'matplotlib', 'tqdm', 'perceval', 'torch'): sys.modules[name] = None\n"
        "from photonlink.cli import main\n"
        "main(['demo', '--help'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "--shots" in done.stdout


def test_demo_without_its_packages_names_the_extra():
    code = (
        "import sys, importlib.util\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'sklearn' else real(name, *rest)\n"
        "from photonlink.cli import main\n"
        "sys.exit(main(['demo']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "photonlink[demo]" in done.stderr


def _parsers(parser, name="photonlink"):
    yield name, parser
    for action in parser._actions:
        for word, command in (action.choices if isinstance(action.choices, dict) else {}).items():
            yield from _parsers(command, f"{name} {word}")


def test_every_command_says_what_it_does():
    parsers = dict(_parsers(cli._parser()))
    assert {"photonlink demo", "photonlink qsc serve", "photonlink bench cloud"} <= parsers.keys()
    for name, parser in parsers.items():
        assert parser.description, name
        assert all(action.help for action in parser._actions if action.option_strings), name


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["demo", "--limit", "10"], "limit is 10"),
        (["demo", "--modes", "65"], "modes is 65"),
        (["demo", "--seed", "-1"], "seed is -1"),
        (["demo", "--chip", "none"], "unknown preset 'none'"),
        (["bench", "link", "--rounds", "0"], "rounds is 0"),
    ],
)
def test_a_wrong_number_is_named_with_what_is_expected(arguments, named, capsys):
    if arguments[0] == "demo":
        for package in PACKAGES:
            pytest.importorskip(package)
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"photonlink: ProgramError: {named}")
    assert "expected" in said
