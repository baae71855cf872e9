#!/usr/bin/env bash
# Builds and runs the C++ tests three times: plain, under AddressSanitizer + UBSan, under ThreadSanitizer.
# Usage: tests/cpp/run.sh [plain|asan|tsan]...   (all three by default; BUILD_ROOT and JOBS may be set)
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
root=${BUILD_ROOT:-$here/build/cpp}
jobs=${JOBS:-$(nproc)}

# The plain build is optimised as users have it. Sanitizers recommend -O1, which compiles in about half the time; lines
# and functions (-g1) are all that their reports name.
plain_flags="-O2 -g1"
sanitizer_flags="-O1 -g1"

build_and_test() {
    local name=$1 sanitize=$2 flags=$3
    echo "== C++ tests: $name"
    cmake -S "$here" -B "$root/$name" -G Ninja -DPHOTONLINK_PYTHON=OFF -DPHOTONLINK_TESTS=ON -DPHOTONLINK_WERROR=ON \
        -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="$flags -DNDEBUG" \
        -DPHOTONLINK_SANITIZE="$sanitize" >/dev/null
    cmake --build "$root/$name" -j "$jobs"
    ctest --test-dir "$root/$name" --output-on-failure --no-tests=error -j "$jobs" || {
        show_failed "$root/$name"
        exit 1
    }
}

# What failing tests said stands somewhere among thousands of lines: here it is again, at the end.
show_failed() {
    echo "== C++ tests that failed in $1"
    awk '/^[0-9]+\/[0-9]+ Testing: / { block = ""; good = 0 }
         /^Test (Passed\.|Pass Reason:)$/ { good = 1 }
         { block = block $0 "\n" }
         /^".*" end time: / && !good { printf "%s\n", block }' "$1/Testing/Temporary/LastTest.log"
}

for kind in "${@:-plain asan tsan}"; do
    for one in $kind; do
        case $one in
            plain) build_and_test plain "" "$plain_flags" ;;
            asan) build_and_test asan "address,undefined" "$sanitizer_flags" ;;
            tsan) build_and_test tsan "thread" "$sanitizer_flags" ;;
            *) echo "unknown kind '$one': plain, asan or tsan" >&2; exit 2 ;;
        esac
    done
done
