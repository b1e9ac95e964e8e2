#!/usr/bin/env bash
# Compiles everything in kernels/cuda with nvcc, on any x86-64 Linux with Python, a C++ compiler and PyPI: no GPU, no CUDA
# toolkit. It shows that the kernels are CUDA, not that they are right: tests/commands/kernels_cuda_shim.rs runs the same sources on
# the CPU, and scripts/gpu_report.sh on a GPU. Not part of .ci/run: it downloads 100 MB.
#
#     scripts/nvcc_lane.sh [OUT]      libraries go to OUT (default target/cuda)
#
#     ARCHS="80 90"      compute capabilities to compile for
#     VENV=DIR           where nvcc is installed, if it is not on the PATH (default target/venv-cuda)
#     NVCC=PATH          another nvcc; "wheels" takes those of PyPI even if one is on the PATH
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
OUT="${1:-target/cuda}"
ARCHS="${ARCHS:-80 90}"
VENV="${VENV:-target/venv-cuda}"

step() { printf '\n== %s\n' "$*"; }
missing() {
  printf '%s is missing: %s\n' "$1" "$2" >&2
  exit 1
}
command -v c++ >/dev/null || missing c++ "install a C++ compiler"
command -v readelf >/dev/null || missing readelf "install binutils"

step "nvcc"
LINK=()
if [ "${NVCC:-}" = wheels ] || { [ -z "${NVCC:-}" ] && ! command -v nvcc >/dev/null; }; then
  command -v python3 >/dev/null || missing python3 "install Python 3 with venv"
  [ -x "$VENV/bin/pip" ] || python3 -m venv "$VENV"
  # Pinned: a driver of the 580 series does not load PTX that is newer than CUDA 13.0.
  "$VENV/bin/pip" install --quiet --disable-pip-version-check --no-deps \
    nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85
  CU="$("$VENV/bin/python" -c 'import nvidia, os; print(os.path.join(list(nvidia.__path__)[0], "cu13"))')"
  NVCC="$CU/bin/nvcc"
  LINK=(-L"$CU/lib")
else
  NVCC="${NVCC:-$(command -v nvcc)}"
  CU="$(dirname "$(dirname "$(readlink -f "$NVCC")")")"
fi
"$NVCC" --version | tail -n 2

CODE=()
for arch in $ARCHS; do CODE+=(-gencode "arch=compute_$arch,code=sm_$arch"); done
last="${ARCHS##* }"
CODE+=(-gencode "arch=compute_$last,code=compute_$last") # PTX, for newer devices
FLAGS=(-std=c++17 -O2 -Iinclude -Ikernels/cuda)
STRICT=(-Werror all-warnings -Xcompiler -Wall,-Wextra,-Werror)

mkdir -p "$OUT"
build() { # LIBRARY SOURCE FLAG...
  local library="$OUT/$1" source="kernels/cuda/$2"
  shift 2
  "$NVCC" "${CODE[@]}" "${FLAGS[@]}" "${STRICT[@]}" "$@" -Xcompiler -fPIC -shared "${LINK[@]}" -o "$library" "$source"
  printf '%-26s %8d bytes  ' "$(basename "$library")" "$(stat -c %s "$library")"
  # Every library must export what the ABI asks for, and load without a driver.
  local symbols needed
  symbols="$(readelf --dyn-syms --wide "$library" | awk '$7 != "UND" && $8 ~ /^ropecheck_/ { print $8 }' | sort | tr '\n' ' ')"
  for needed in abi_version describe open close alloc free upload download fill sync; do
    case " $symbols" in
      *" ropecheck_$needed "*) ;;
      *) printf 'ropecheck_%s is not exported\n' "$needed" >&2 && return 1 ;;
    esac
  done
  printf 'levels: %s\n' "$(printf '%s' "$symbols" | tr ' ' '\n' | grep -Ex 'ropecheck_(positions|rotate|fused|apply)' | tr '\n' ' ')"
  if readelf --dynamic "$library" | grep -q 'NEEDED.*libcuda'; then
    printf '%s needs a CUDA library to load\n' "$library" >&2 && return 1
  fi
}

step "libraries for sm_${ARCHS// /, sm_}"
build librope_cuda.so rope.cu
build libnaive_cuda.so naive.cu
build libadapter_cuda.so adapter.cu
build libbroken_tail.so broken_tail.cu
build libbroken_race.so broken_race.cu
build libbroken_fast_math.so rope.cu --use_fast_math

step "what rope.cu became (PTX for sm_$last)"
"$NVCC" -arch="sm_$last" "${FLAGS[@]}" -ptx -o "$OUT/rope.ptx" kernels/cuda/rope.cu
"$NVCC" -arch="sm_$last" "${FLAGS[@]}" --use_fast_math -ptx -o "$OUT/rope_fast_math.ptx" kernels/cuda/rope.cu
count() { grep -cE "$1" "$2" || true; }
at_least_one() { # WHAT PATTERN FILE
  local n
  n="$(count "$2" "$3")"
  printf '%-60s %6d\n' "$1" "$n"
  [ "$n" -gt 0 ] || { printf 'there must be some\n' >&2 && return 1; }
}
at_least_one "loads of 16 bytes" 'ld\.global\.v4\.' "$OUT/rope.ptx"
at_least_one "stores of 16 bytes" 'st\.global\.v4\.' "$OUT/rope.ptx"
# The table of bits of 2/pi is what sincosf reduces large angles with; fast math has none.
at_least_one "uses of the long reduction of large angles" 'i2opi' "$OUT/rope.ptx"
at_least_one "hardware sines in the fast-math build" 'sin\.approx' "$OUT/rope_fast_math.ptx"
printf '%-60s %6d\n' "uses of the long reduction in the fast-math build" "$(count i2opi "$OUT/rope_fast_math.ptx")"
[ "$(count i2opi "$OUT/rope_fast_math.ptx")" -eq 0 ]
[ "$(count 'sin\.approx' "$OUT/rope.ptx")" -eq 0 ]

step "registers and local memory (sm_$last)"
"$NVCC" -arch="sm_$last" "${FLAGS[@]}" -Xptxas -v -cubin -o "$OUT/rope.cubin" kernels/cuda/rope.cu 2>&1 |
  awk '/stack frame/ { stack = $1; spill = $5 } /Used/ { print "kernels with " $5 " registers, " stack " bytes of stack, " spill " bytes spilled" }' |
  sort | uniq -c | sort -rn | head -n 40

step "conversions of the shim against NVIDIA's headers"
c++ -std=c++17 -O2 -DREFERENCE -I"$CU/include" -c kernels/cuda/shim/conversions.cpp -o "$OUT/reference.o"
c++ -std=c++17 -O2 -Ikernels/cuda/shim kernels/cuda/shim/conversions.cpp "$OUT/reference.o" -o "$OUT/conversions"
"$OUT/conversions" "${EVERY:-61}"

step "done"
printf 'compiled; nothing was run on a GPU\n'
