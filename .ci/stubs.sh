#!/usr/bin/env bash
# Generates python/photonlink/_core.pyi from the installed extension module; with --check only compares.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# From another folder: the installed package must be found, not the source tree.
(cd "$out" && python -m pybind11_stubgen photonlink._core --output-dir "$out" --exit-code >/dev/null)
stub=$out/photonlink/_core.pyi
ruff check --quiet --fix --select I,F401,UP --config "$here/pyproject.toml" "$stub" || true
ruff format --quiet --config "$here/pyproject.toml" "$stub"
if [ "${1:-}" = "--check" ]; then
    diff -u "$here/python/photonlink/_core.pyi" "$stub" || {
        echo "python/photonlink/_core.pyi is not what the bindings say; run .ci/stubs.sh and commit it" >&2
        exit 1
    }
else
    cp "$stub" "$here/python/photonlink/_core.pyi"
fi
