#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: builds the CUDA kernels, checks them in three dtypes, runs the ones that are wrong on
# purpose, compute-sanitizer and the bench, and writes a dated page. Minutes, not hours.
#
#     scripts/gpu_report.sh [PAGE]      default docs/reports/DATE-gpu.md
#
#     ROPECHECK=PATH   a built ropecheck (default: cargo build --release)
#     LIBS=DIR         built libraries, as scripts/nvcc_lane.sh makes them (default: it is run)
#     LIMIT=SECONDS    for each step (default 300)
#     SHIM=1           no GPU: tries this script itself, with libraries built through the shim
#
# Exit code: 0 everything came out as it must, 1 something did not, 6 no GPU. What could not be run is said, not failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
DATE="$(date -u +%Y-%m-%d)"
PAGE="${1:-docs/reports/$DATE-gpu.md}"
LIMIT="${LIMIT:-300}"
WORK="target/gpu-report"
mkdir -p "$WORK" "$(dirname "$PAGE")"

if [ -z "${SHIM:-}" ] && ! nvidia-smi -L >/dev/null 2>&1; then
  printf 'no GPU: nvidia-smi lists none\n' >&2
  exit 6
fi
if [ -z "${ROPECHECK:-}" ]; then
  cargo build --release --locked
  ROPECHECK="${CARGO_TARGET_DIR:-target}/release/ropecheck"
fi
if [ -z "${LIBS:-}" ]; then
  LIBS="$WORK/libs"
  mkdir -p "$LIBS"
  if [ -n "${SHIM:-}" ]; then
    shim() { c++ -std=c++17 -O2 -shared -fPIC -Iinclude -Ikernels/cuda -Ikernels/cuda/shim -x c++ -o "$LIBS/$1" "kernels/cuda/$2" "${@:3}"; }
    shim librope_cuda.so rope.cu
    shim libnaive_cuda.so naive.cu
    shim libadapter_cuda.so adapter.cu
    shim libbroken_tail.so broken_tail.cu
    shim libbroken_race.so broken_race.cu
    shim libbroken_fast_math.so rope.cu -DUSE_FAST_MATH
  else
    scripts/nvcc_lane.sh "$LIBS" >"$WORK/lane.log" 2>&1 || { cat "$WORK/lane.log" >&2 && exit 1; }
  fi
fi
c++ -std=c++17 -O2 -Iinclude -o "$WORK/device_memory" tests/kernels/device_memory.cpp -ldl

good=0
bad=0
skipped=0
say() { printf '%s\n' "$*" >>"$PAGE"; }

# A step, its exit code against the one that it must have, and the end of what it printed.
run() { # LINES WANTED TITLE COMMAND...
  local lines="$1" wanted="$2" title="$3" code=0 verdict
  shift 3
  printf '%s\n' "$title" >&2
  timeout "$LIMIT" "$@" >"$WORK/out" 2>&1 || code=$?
  if [ "$code" = "$wanted" ]; then
    good=$((good + 1)) verdict="as it must"
  else
    bad=$((bad + 1)) verdict="**must be $wanted**"
  fi
  say "" "" && say "$title: exit code $code, $verdict." && say "" && say '```text'
  tail -n "$lines" "$WORK/out" | sed "s|$PWD/||g" | cut -c1-300 >>"$PAGE"
  say '```'
}
skip() { # TITLE WHY
  skipped=$((skipped + 1))
  say "" && say "$1: **not run**, $2."
}

: >"$PAGE"
say "# CUDA kernels on a GPU, $DATE" && say ""
if [ -n "${SHIM:-}" ]; then
  say "A trial of the script on the launch shim. **No GPU was involved.**"
else
  say "| | |" && say "|---|---|"
  say "| GPU | $(nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader | head -n 1) |"
  command -v nvcc >/dev/null && say "| nvcc | $(nvcc --version | grep release | sed 's/.*release //') |"
fi
say "" && say "ropecheck $("$ROPECHECK" --version | cut -d' ' -f2), sources $(git rev-parse --short HEAD 2>/dev/null || echo unknown)."
say "" && say "Written by \`scripts/gpu_report.sh\`."

say "" && say "## Device memory"
run 5 0 "What the device is" "$WORK/device_memory" "$LIBS/librope_cuda.so" device
for kernel in rope naive; do
  run 5 0 "$kernel.cu through the six functions" "$WORK/device_memory" "$LIBS/lib${kernel}_cuda.so"
done

say "" && say "## Conformance"
for kernel in rope naive; do
  for dtype in f32 f16 bf16; do
    run 40 0 "$kernel.cu, $dtype, every scheme" "$ROPECHECK" check "$LIBS/lib${kernel}_cuda.so" --dtype "$dtype"
  done
done
run 20 0 "adapter.cu" "$ROPECHECK" check "$LIBS/libadapter_cuda.so"

say "" && say "## Wrong on purpose"
for kernel in tail race fast_math; do
  for dtype in f32 f16 bf16; do
    run 12 1 "broken_$kernel, $dtype" "$ROPECHECK" check "$LIBS/libbroken_$kernel.so" --dtype "$dtype" --scheme vrope@official --level rotate
  done
done

say "" && say "## compute-sanitizer"
if command -v compute-sanitizer >/dev/null; then
  if compute-sanitizer --tool memcheck "$WORK/device_memory" "$LIBS/librope_cuda.so" device >"$WORK/out" 2>&1; then
    for tool in memcheck racecheck initcheck; do
      run 6 0 "$tool, rope.cu through the six functions" \
        compute-sanitizer --tool "$tool" --error-exitcode 99 "$WORK/device_memory" "$LIBS/librope_cuda.so"
    done
    run 12 0 "memcheck, a short run of ropecheck" \
      compute-sanitizer --tool memcheck --target-processes all --error-exitcode 99 "$ROPECHECK" check "$LIBS/librope_cuda.so" \
      --scheme vrope@official --dtype bf16 --cases 1 --timeout 200 --start-timeout 200
  else
    skip "memcheck and racecheck" "compute-sanitizer does not work here: $(grep -m 1 -i error "$WORK/out" | cut -c1-160)"
  fi
else
  skip "memcheck and racecheck" "compute-sanitizer is not installed"
fi

say "" && say "## Bandwidth"
say "" && say "28 query heads and 4 key heads of 128 (Qwen2-VL-7B), 1,024 to 131,072 tokens."
if "$ROPECHECK" bench --help >/dev/null 2>&1; then
  for kernel in rope naive; do
    # A CPU would take minutes for the large shapes.
    run 60 0 "$kernel.cu" "$ROPECHECK" bench "$LIBS/lib${kernel}_cuda.so" --timeout 60 ${SHIM:+--tokens 1024,4096}
  done
else
  skip "bench" "this ropecheck has no such command"
fi

say "" && say "## Result" && say ""
say "$good steps came out as they must, $bad did not, $skipped could not be run."
printf '%s\n' "$PAGE: $good as they must, $bad not, $skipped not run" >&2
[ "$bad" -eq 0 ]
