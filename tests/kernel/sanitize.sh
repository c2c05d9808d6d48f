#!/usr/bin/env bash
# Builds the kernel with the address and undefined-behaviour sanitizers and runs its tests on it.
# The environment on PATH has the test tools (extra `dev`).
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python -m cmake -G Ninja -S . -B "$work/build" -DIMPUTEDB_SANITIZE=ON -DCMAKE_BUILD_TYPE=Debug \
  -DPython_EXECUTABLE="$(command -v python)" -Dnanobind_DIR="$(python -m nanobind --cmake_dir)" >/dev/null
python -m cmake --build "$work/build" >/dev/null
mkdir -p "$work/src/imputedb"
cp -r src/imputedb/kernel "$work/src/imputedb/kernel"
rm -f "$work"/src/imputedb/kernel/*.so
cp "$work"/build/_kernel*.so "$work/src/imputedb/kernel/"
touch "$work/src/imputedb/__init__.py"
LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libstdc++.so)" \
  ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 KERNEL_EXAMPLES=15 \
  PYTHONPATH="$work/src" PYTHONMALLOC=malloc python -m pytest tests/kernel -q -o addopts='' -p no:cacheprovider \
  --confcutdir=tests/kernel --rootdir=tests/kernel
