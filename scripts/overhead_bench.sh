#!/usr/bin/env bash
# Prints what a call costs beside the kernel: the example library in C and a port in numpy, each through its worker and alone,
# at 512 tokens x 28 heads x 128 and for calls of one token. "Alone" of the library is what the process that holds it
# measures around the same calls; of the port, its own computing time, without copies there and back.
#
#     scripts/overhead_bench.sh          ROPECHECK_PYTHON: a Python with numpy and ml_dtypes [python3]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cc -std=c11 -O2 -shared -fPIC -Iinclude -Ikernels/c -o "$folder/librope.so" kernels/c/rope.c -lm
OVERHEAD_LIBRARY="$folder/librope.so" OVERHEAD_PORT="$PWD/benches/overhead_port.py" OVERHEAD_SPENT="$folder/spent" \
  PYTHONPATH="$PWD/python" cargo bench --quiet --locked --bench overhead
