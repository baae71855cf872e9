"""What deploy/ and docs/service.md name exists: paths, commands, options, extras, and a health check that tells."""

import fnmatch
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from photonlink.cli import _parser
from photonlink.qsc import server
from photonlink.qsc.config import ServiceConfig

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def stages():
    """Instructions of the container file as (name, rest), one list per stage."""
    text = "\n".join(line for line in (ROOT / "deploy/Containerfile").read_text().splitlines() if line[:1] != "#")
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            found.append([])
        if name:
            found[-1].append((name, rest.strip()))
    return found


def instruction(stage, name):
    (rest,) = [rest for known, rest in stage if known == name]
    return rest


def serve_options(words):
    """Options of ``photonlink qsc serve`` from a command line; argparse ends the test if one does not exist."""
    assert Path(words[0]).name == "photonlink"
    return _parser().parse_args(words[1:])


def test_the_image_serves_with_options_that_exist(stages):
    entry, more = (json.loads(instruction(stages[-1], name)) for name in ("ENTRYPOINT", "CMD"))
    arguments = serve_options([*entry, *more])
    assert ServiceConfig(ledger=arguments.ledger, name=arguments.name, port=arguments.port).loopback
    assert arguments.ledger.parent == Path(instruction(stages[-1], "VOLUME"))
    assert f"mkdir -m 1777 {arguments.ledger.parent}" in [rest for _, rest in stages[-1]]


def test_the_image_does_not_run_as_root(stages):
    user, _, group = instruction(stages[-1], "USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert instruction(stages[-1], "STOPSIGNAL") == "SIGTERM"


def test_what_is_built_is_what_is_installed(stages):
    extra = re.compile(r"photonlink\[(\w+)\]|/source\[(\w+)\]")
    extras = {
        group for stage in stages for _, rest in stage for found in extra.findall(rest) for group in found if group
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert extras == {"qsc"}
    assert extras <= project["optional-dependencies"].keys()
    assert re.search(r"AS build$", instruction(stages[0], "FROM"))
    assert any("from=build,source=/wheels" in rest for name, rest in stages[1] if name == "RUN")
    assert any("--wheel-dir /wheels" in rest for name, rest in stages[0] if name == "RUN")
    python = re.search(r"python:3\.(\d+)", instruction(stages[1], "FROM"))
    assert int(python[1]) >= int(re.search(r"3\.(\d+)", project["requires-python"])[1])
    assert instruction(stages[0], "FROM").split()[0] == instruction(stages[1], "FROM"), "wheels fit one Python only"


def test_the_context_holds_what_the_wheel_is_built_from():
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    kept = [rule[1:] for rule in rules if rule.startswith("!")]
    assert rules[0] == "*"
    assert all((ROOT / path).exists() for path in kept)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    cmake = (ROOT / "CMakeLists.txt").read_text()
    needed = {project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml", "CMakeLists.txt"}
    needed |= {path.split("/")[0] for path in project["tool"]["scikit-build"]["wheel"]["packages"]}
    # Tests are built when asked for, and nothing asks in an image.
    needed |= {path.split("/")[0] for path in re.findall(r"(?:add_subdirectory|include)\(([\w/.]+)", cmake)} - {"tests"}
    needed -= {name for name in needed if not (ROOT / name).exists()}  # modules of CMake itself
    assert {"csrc", "cmake", "python", "README.md"} <= needed <= set(kept)
    dropped = [rule for rule in rules[1:] if not rule.startswith("!")]
    for path in ("csrc/qsc/controller.cpp", "kernels/infer.cu", "python/photonlink/py.typed"):
        assert not any(fnmatch.fnmatch(path, rule.replace("**/", "*")) for rule in dropped)


def test_the_health_check_tells_a_service_from_none(stages, shared):
    command = instruction(stages[-1], "HEALTHCHECK").partition(" CMD ")[2]
    words = [word.replace("127.0.0.1:7117", shared.target.removeprefix("qsc://")) for word in json.loads(command)]
    assert words[0] == "python"
    assert words != json.loads(command), "the port of the check is the port of CMD"
    run = {"capture_output": True, "timeout": 60, "check": False}
    assert subprocess.run([sys.executable, *words[1:]], **run).returncode == 0
    nobody = [word.replace(shared.target.removeprefix("qsc://"), "127.0.0.1:1") for word in words]
    assert subprocess.run([sys.executable, *nobody[1:]], **run).returncode != 0
    options = dict(option.lstrip("-").split("=") for option in instruction(stages[-1], "HEALTHCHECK").split()[:4])
    assert options.keys() == {"interval", "timeout", "start-period", "retries"}


def test_the_unit_starts_a_command_that_exists():
    unit = (ROOT / "deploy/photonlink-qsc.service").read_text()
    settings = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line and not line.startswith("#"))
    arguments = serve_options(shlex.split(settings["ExecStart"]))
    assert (arguments.name, arguments.port) == ("photonlink", 7117)
    longest = ServiceConfig(ledger=Path("l.sqlite")).drain + server.LONGEST_END_SECONDS
    assert float(settings["TimeoutStopSec"]) > longest


def test_every_option_and_path_of_the_page_exists():
    page = (ROOT / "docs/service.md").read_text()
    commands = [("qsc", task) for task in ("serve", "status", "usage", "drain", "stop")]
    commands += [("bench", "cloud"), ("bench", "link"), ("trace",)]
    known = {option for words in commands for option in options_of(*words)}
    named = set(re.findall(r"`(--[a-z][a-z-]+)", page))
    assert named
    assert named <= known
    for path in set(re.findall(r"`((?:deploy|csrc|docs|tests|benchmarks|python|examples)/[\w./-]+)`", page)):
        assert (ROOT / path).exists(), path


def options_of(*words):
    """Options of a command, named by its words."""
    parser = _parser()
    for word in words:
        (commands,) = [action for action in parser._actions if hasattr(action, "choices") and action.choices]
        parser = commands.choices[word]
    return [option for action in parser._actions for option in action.option_strings]
