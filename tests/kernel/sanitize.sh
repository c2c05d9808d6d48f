#!/usr/bin/env bash
# Builds the kernel with the address and undefined-behaviour sanitizers and runs its tests on it.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python -m venv --system-site-packages "$work/venv"
python -m pip install --quiet --disable-pip-version-check --target "$work/tools" nanobind cmake ninja
export PYTHONPATH="$work/tools"
python -m cmake -G Ninja -S . -B "$work/build" -DIMPUTEDB_SANITIZE=ON -DCMAKE_BUILD_TYPE=Debug \
  -DCMAKE_MAKE_PROGRAM="$work/tools/bin/ninja" \
  -DPython_EXECUTABLE="$(command -v python)" -Dnanobind_DIR="$(python -m nanobind --cmake_dir)" >/dev/null
"$work/tools/bin/ninja" -C "$work/build" >/dev/null
mkdir -p "$work/src/imputedb"
cp -r src/imputedb/kernel "$work/src/imputedb/kernel"
rm -f "$work"/src/imputedb/kernel/*.so
cp "$work"/build/_kernel*.so "$work/src/imputedb/kernel/"
touch "$work/src/imputedb/__init__.py"
LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libstdc++.so)" \
  ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 KERNEL_EXAMPLES=15 \
  PYTHONPATH="$work/src" PYTHONMALLOC=malloc python -m pytest tests/kernel -q -o addopts='' -p no:cacheprovider \
  --confcutdir=tests/kernel --rootdir=tests/kernel
