#!/usr/bin/env bash
# Fuzzes frame parser and codec (clang's libFuzzer, AddressSanitizer, UBSan) and the reader of programs (atheris).
# Usage: tests/fuzz/run.sh [RUNS]   (executions of each target, 20000 by default; BUILD_ROOT and PYTHON may be set)
# Installs clang and atheris where they are missing. What a run finds new is thrown away; a failing input stays in
# $BUILD_ROOT, and belongs into tests/fuzz/corpus with its fix.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
root=${BUILD_ROOT:-$here/build/fuzz}
python=${PYTHON:-python3}
runs=${1:-20000}

install_clang() {
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq clang >/dev/null
    local major
    major=$(clang -dumpversion | cut -d. -f1)
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "libclang-rt-$major-dev" >/dev/null
}

fuzz() {
    local target=$1
    shift
    local found
    found=$(mktemp -d)
    echo "== fuzzing: $target, $runs executions"
    "$@" -runs="$runs" -seed=1 -max_len=4096 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$root/$target-" "$found" "$here/tests/fuzz/corpus/$target" 2>"$root/$target.log" || {
        tail -n 40 "$root/$target.log" >&2
        exit 1
    }
    grep '^stat::number_of_executed_units' "$root/$target.log"
    rm -rf "$found"
}

runtime=$(clang --print-file-name=libclang_rt.fuzzer-"$(uname -m)".a 2>/dev/null || true)
[ -e "$runtime" ] || install_clang
"$python" -c "import atheris" 2>/dev/null || "$python" -m pip install --quiet atheris

mkdir -p "$root"
cmake -S "$here" -B "$root" -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DPHOTONLINK_PYTHON=OFF -DPHOTONLINK_FUZZ=ON >/dev/null
cmake --build "$root" --target frame_fuzz codec_fuzz >/dev/null
fuzz frame "$root/tests/fuzz/frame_fuzz"
fuzz codec "$root/tests/fuzz/codec_fuzz"
fuzz program "$python" "$here/tests/fuzz/program_fuzz.py"
