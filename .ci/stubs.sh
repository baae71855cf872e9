#!/usr/bin/env bash
# Generates the stubs of the extension modules that are installed, python/photonlink/_core.pyi and, with the CUDA part,
# _cuda.pyi; with --check only compares.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cd "$out"  # the installed package must be found, not the source tree

modules="_core"
if python -c "import photonlink._cuda" 2>/dev/null; then modules="_core _cuda"; fi
for module in $modules; do
    python -m pybind11_stubgen "photonlink.$module" --output-dir "$out" --exit-code >/dev/null
    stub=$out/photonlink/$module.pyi
    ruff check --quiet --fix --select I,F401,UP --config "$here/pyproject.toml" "$stub" || true
    ruff format --quiet --config "$here/pyproject.toml" "$stub"
    committed=$here/python/photonlink/$module.pyi
    if [ "${1:-}" = "--check" ]; then
        diff -u "$committed" "$stub" || {
            echo "python/photonlink/$module.pyi is not what the bindings say; run .ci/stubs.sh and commit it" >&2
            exit 1
        }
    else
        cp "$stub" "$committed"
    fi
done
