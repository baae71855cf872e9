#!/usr/bin/env bash
# Builds the package for the GPU of this machine, runs the tests and measurements that need one, and writes what came of
# it to a JSON file. For a bare machine without network: Python 3.11 or newer with numpy, torch, cupy, pybind11,
# scikit-build-core, cmake, ninja and pytest, and nvcc 13. Nothing is downloaded, and nothing is installed on the machine.
#
#   tests/gpu_check.sh REPORT.json             everything, within eight minutes
#   tests/gpu_check.sh --dry-run REPORT.json   stops where a GPU would be needed
#
# PHOTONLINK_CUDA_ARCHITECTURES chooses what is built for (default: native, which asks the GPU).
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
dry_run=false
if [ "${1:-}" = "--dry-run" ]; then
    dry_run=true
    shift
fi
if [ $# -ne 1 ]; then
    sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
report=$(realpath -m "$1")
python=${PYTHON:-python3}
limit_seconds=480
build_seconds=300
if $dry_run; then # on whatever machine
    limit_seconds=7200
    build_seconds=3600
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
steps=$work/steps.jsonl
: >"$steps"
failed=0

export PATH=$PATH:/usr/local/cuda/bin
# Found by every Python that is started below, the ones that tests start included.
export PYTHONPATH=$work/site${PYTHONPATH:+:$PYTHONPATH}
export PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '\n=== %s (%s s)\n' "$1" "$SECONDS"; }

# step NAME SECONDS COMMAND...: runs it for as long as it may take, and notes how it ended.
step() {
    local name=$1 most=$2 began=$SECONDS left=$((limit_seconds - SECONDS)) code=0
    shift 2
    say "$name"
    if [ "$left" -le 0 ]; then
        code=124
        echo "no time left"
    else
        timeout -k 10 "$((left < most ? left : most))" "$@" || code=$?
    fi
    printf '{"name": "%s", "code": %d, "seconds": %d}\n' "$name" "$code" "$((SECONDS - began))" >>"$steps"
    if [ "$code" -ne 0 ]; then
        echo "$name ended with $code"
        failed=1
    fi
    return 0
}

build() {
    env PHOTONLINK_CUDA=ON PHOTONLINK_CUDA_ARCHITECTURES="${PHOTONLINK_CUDA_ARCHITECTURES:-native}" \
        "$python" -m pip install --quiet --no-build-isolation --no-deps --no-index --target "$work/site" \
        -Cbuild-dir="$work/build" "$here"
}

# Warnings of torch and cupy are not ours to fail for.
tests() { "$python" -m pytest "$here/tests/gpu" "$here/tests/conformance" -c "$here/pyproject.toml" -W default -p no:cacheprovider "$@"; }

sanitizer() {
    compute-sanitizer --tool memcheck --error-exitcode 9 \
        "$python" -m pytest "$here/tests/gpu/test_gpu_link.py" -c "$here/pyproject.toml" -W default -p no:cacheprovider \
        -q -k sanitizer
}

benchmark() { "$python" -m photonlink.cli bench link --device --json >"$work/benchmark.json"; }
host_benchmark() { "$python" -m photonlink.cli bench link --json >"$work/host_benchmark.json"; }
simulator_benchmark() { "$python" "$here/benchmarks/optics/gpu.py" --json "$work/simulator_benchmark.json"; }
shots_benchmark() { "$python" "$here/benchmarks/optics/gpu_shots.py" --json "$work/shots_benchmark.json"; }
export -f build tests sanitizer benchmark host_benchmark simulator_benchmark shots_benchmark
export here work python

write_report() {
    "$python" - "$work" "$report" "$dry_run" <<'PY'
import datetime, importlib.metadata, json, pathlib, platform, subprocess, sys
import xml.etree.ElementTree as xml

work, report, dry_run = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3] == "true"


def answer(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        return f"not known: {error}"


def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def measured(name):
    path = work / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() and path.read_text().strip() else None


def tests():
    path = work / "tests.xml"
    if not path.exists():
        return None
    cases = list(xml.parse(path).iter("testcase"))
    ended = {kind: [case for case in cases if case.find(kind) is not None] for kind in ("failure", "error", "skipped")}
    names = {kind: [f"{case.get('classname')}::{case.get('name')}" for case in found] for kind, found in ended.items()}
    reasons = sorted({case.find("skipped").get("message", "") for case in ended["skipped"]})
    return {"run": len(cases), "failed": names["failure"] + names["error"], "skipped": len(names["skipped"]),
            "skip_reasons": reasons}


query = answer("nvidia-smi", "--query-gpu=name,driver_version,pcie.link.gen.max,pcie.link.width.max", "--format=csv,noheader")
found = {
    "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    "dry_run": dry_run,
    "gpu_driver_pcie": query.splitlines(),
    "nvcc": answer("nvcc", "--version").splitlines()[-1:],
    "system": platform.platform(),
    "python": platform.python_version(),
    "versions": {name: version(name) for name in ("photonlink", "numpy", "torch", "cupy-cuda13x", "cupy", "pybind11")},
    "steps": [json.loads(line) for line in (work / "steps.jsonl").read_text().splitlines()],
    "tests": tests(),
    "benchmark": measured("benchmark"),
    "host_benchmark": measured("host_benchmark"),
    "simulator_benchmark": measured("simulator_benchmark"),
    "shots_benchmark": measured("shots_benchmark"),
}
report.parent.mkdir(parents=True, exist_ok=True)
report.write_text(json.dumps(found, indent=1) + "\n")
print(f"report: {report}")
PY
}

say "tools"
for tool in "$python" nvcc cmake ninja; do
    command -v "$tool" || { echo "$tool is missing" >&2; exit 1; }
done
"$python" -c "import numpy, pybind11, scikit_build_core, pytest" || { echo "a Python package is missing" >&2; exit 1; }
nvidia-smi || $dry_run || { echo "nvidia-smi finds no GPU; --dry-run does without" >&2; exit 1; }

step build $build_seconds bash -c build
if [ "$failed" -ne 0 ]; then
    write_report
    exit 1
fi
step doctor 60 "$python" -m photonlink.cli doctor
if $dry_run; then
    step loads 60 "$python" -c "from photonlink import _cuda; print(_cuda.status(), _cuda.versions())"
    step collect 60 bash -c 'tests --collect-only -q'
    write_report
    exit "$failed"
fi
step tests 240 bash -c 'tests -q --durations=10 --junitxml="$work/tests.xml"'
step benchmark 60 bash -c benchmark
step host_benchmark 30 bash -c host_benchmark
step simulator_benchmark 120 bash -c simulator_benchmark
step shots_benchmark 120 bash -c shots_benchmark
if command -v compute-sanitizer >/dev/null; then
    step sanitizer 120 bash -c sanitizer
else
    echo "compute-sanitizer is not installed: memcheck was not run"
fi
write_report
exit "$failed"
