#!/usr/bin/env bash
# Runs the kernel's tests on builds with sanitizers: of addresses and undefined behaviour, then of threads.
#   tests/kernel/sanitize.sh [address,undefined | thread]
# The environment on PATH has the test tools (extra `dev`).
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# tested SANITIZERS LIBRARY: builds, and runs the tests with the sanitizer's library loaded first
tested() {
  local here=$work/$2
  python -m cmake -G Ninja -S . -B "$here/build" -DIMPUTEDB_SANITIZE="$1" -DCMAKE_BUILD_TYPE=Debug \
    -DPython_EXECUTABLE="$(command -v python)" -Dnanobind_DIR="$(python -m nanobind --cmake_dir)" >/dev/null
  python -m cmake --build "$here/build" >/dev/null
  mkdir "$here/src"
  cp -r src/imputedb "$here/src/imputedb"
  rm -f "$here"/src/imputedb/kernel/*.so
  cp "$here"/build/_kernel*.so "$here/src/imputedb/kernel/"
  : >"$here/src/imputedb/__init__.py" # the kernel's tests import modules, and none that loads DuckDB
  # ThreadSanitizer needs addresses where it expects them: no random layout. BLAS has threads that it cannot see into.
  LD_PRELOAD="$(g++ -print-file-name=lib$2.so) $(g++ -print-file-name=libstdc++.so)" \
    ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
    TSAN_OPTIONS=halt_on_error=1:exitcode=66 OPENBLAS_NUM_THREADS=1 KERNEL_EXAMPLES="${3:-15}" \
    PYTHONPATH="$here/src" PYTHONMALLOC=malloc setarch -R python -m pytest tests/kernel -q -o addopts='' \
    -p no:cacheprovider --confcutdir=tests/kernel --rootdir=tests/kernel
}

case "${1:-both}" in
  thread) tested thread tsan 5 ;;
  both) tested address,undefined asan && tested thread tsan 5 ;;
  *) tested "$1" asan ;;
esac
