#!/usr/bin/env bash
# Builds and runs every fuzz target on the stable toolchain, and says how much of the sources it reached.
#
#   scripts/fuzz_lane.sh [--corpus] [SECONDS] [TARGET...]
#
# SECONDS per target: 60 if not given. Without --corpus each target begins with nothing; with it, with fuzz/corpus. A crash, a
# hang (60 s) or more than 2 GiB of memory fails the lane, as does a planted bug that is not found. Needs a C and a C++ compiler,
# and LLVM's llvm-profdata and llvm-cov for the coverage: those of rustup's component llvm-tools, which is added if it is not
# there, or whatever LLVM_PROFDATA and LLVM_COV name. Everything is written below fuzz/target (or CARGO_TARGET_DIR); the table
# goes to lane/report.txt there. docs/fuzzing.md says what each target guards.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}
command -v cc >/dev/null || fail "cc is missing: install a C compiler"
command -v c++ >/dev/null || fail "c++ is missing: install a C++ compiler"

corpus=
[ "${1:-}" = --corpus ] && { corpus=1; shift; }
seconds="${1:-60}"
[ $# -gt 0 ] && shift
all=(spec formula layout token manifest tensors snapshot index frames host library)
targets=("${@:-${all[@]}}")

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/fuzz/target}"
host=x86_64-unknown-linux-gnu
lane="$CARGO_TARGET_DIR/lane"
rm -rf "$lane"
mkdir -p "$lane"

llvm="$(rustc --print sysroot)/lib/rustlib/$host/bin"
if [ -z "${LLVM_COV:-}" ] && ! [ -x "$llvm/llvm-cov" ] && command -v rustup >/dev/null; then
  rustup component add llvm-tools
fi
profdata="${LLVM_PROFDATA:-$llvm/llvm-profdata}" cov="${LLVM_COV:-$llvm/llvm-cov}"
command -v "$cov" >/dev/null || fail "llvm-cov is missing: rustup component add llvm-tools, or set LLVM_COV and LLVM_PROFDATA"

# Coverage-guided with no unstable flag: LLVM's own pass, as clang's -fsanitize=fuzzer-no-link sets it up.
guided="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
guided+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
guided+=" -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions"
bins=()
for target in "${all[@]}"; do bins+=(--bin "$target"); done
printf '== build\n'
RUSTFLAGS="$guided" cargo build --locked --release --manifest-path fuzz/Cargo.toml --target "$host" "${bins[@]}"
# Counters in a file that is mapped, so that those of a worker that is killed are kept.
RUSTFLAGS="-Cinstrument-coverage -Cllvm-args=-runtime-counter-relocation" cargo build --locked --profile covered \
  --manifest-path fuzz/Cargo.toml --target "$host" --no-default-features --bin replay
built="$CARGO_TARGET_DIR/$host/release" replay="$CARGO_TARGET_DIR/$host/covered/replay"
# Where nothing is measured its counters go here.
export LLVM_PROFILE_FILE="$lane/unused.profraw"

kernel() { # OUT SOURCE FLAG...
  local out="$1" source="$2"
  shift 2
  cc -std=c11 -O2 -shared -fPIC -Iinclude -Ikernels/c "$@" -o "$out" "$source" -lm
}
[ -n "${ROPECHECK_BACKEND:-}" ] || kernel "$lane/librope.so" kernels/c/rope.c
export ROPECHECK_BACKEND="${ROPECHECK_BACKEND:-$lane/librope.so}"

fuzz() { # NAME TARGET FLAG...: 0 if nothing was found
  local name="$1" target="$2"
  shift 2
  mkdir -p "$lane/found/$name"
  "$built/$target" "$lane/found/$name" "$@" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 -seed=1 -len_control=0 \
    -artifact_prefix="$lane/$name-" -print_final_stats=1 >"$lane/$name.log" 2>&1
}
stat() { sed -n "s/^stat::$2: *//p" "$lane/$1.log"; }

report="$lane/report.txt"
begin="nothing"
[ -n "$corpus" ] && begin="fuzz/corpus"
{
  printf 'scripts/fuzz_lane.sh: %s s per target, begun with %s\n%s; %s cores, shared with other work\n\n' "$seconds" "$begin" \
    "$(rustc --version)" "$(nproc)"
  printf '%-9s %11s %8s %7s %7s  %14s  %s\n' target executions seconds inputs crashes "lines reached" "of the sources"
} >"$report"

bad=0
for target in "${targets[@]}"; do
  printf '== %s\n' "$target"
  flags=(-max_len=2048)
  [ -f "fuzz/dictionaries/$target.dict" ] && flags+=(-dict="fuzz/dictionaries/$target.dict")
  [ -n "$corpus" ] && flags+=("fuzz/corpus/$target")
  began=$SECONDS crashes=0
  fuzz "$target" "$target" "${flags[@]}" || { crashes=1 bad=1; grep -aE "panicked|ERROR|nonconformant" -A 3 "$lane/$target.log" | head -20; }
  took=$((SECONDS - began))
  rooms=()
  for room in $("$replay" | sed -n "s/^$target //p"); do rooms+=("$PWD/$room"*); done
  LLVM_PROFILE_FILE="$lane/$target-%p%c.profraw" "$replay" "$target" "$lane/found/$target" ${corpus:+"fuzz/corpus/$target"} >/dev/null
  "$profdata" merge -sparse "$lane/$target"-*.profraw -o "$lane/$target.profdata"
  rm -f "$lane/$target"-*.profraw
  "$cov" report "$replay" -instr-profile="$lane/$target.profdata" "${rooms[@]}" >"$lane/$target.coverage.txt"
  reached="$(awk '$1 == "TOTAL" { printf "%d of %d (%d %%)", $8 - $9, $8, 100 * ($8 - $9) / $8 }' "$lane/$target.coverage.txt")"
  line="$(printf '%-9s %11s %8s %7s %7s  %14s  %s' "$target" "$(stat "$target" number_of_executed_units)" "$took" \
    "$(find "$lane/found/$target" -type f | wc -l)" "$crashes" "$reached" "$("$replay" | sed -n "s/^$target //p")")"
  printf '%s\n' "$line" | tee -a "$report"
done

# A lane that finds nothing must be able to: bugs that are planted in a C kernel.
printf '\nplanted in kernels/c/rope.c (fuzz/kernels/planted.c), target library:\n' >>"$report"
for bug in 1 2; do
  kernel "$lane/libplanted$bug.so" fuzz/kernels/planted.c "-DBUG=$bug"
  name="planted$bug"
  if ROPECHECK_BACKEND="$lane/libplanted$bug.so" fuzz "$name" library -max_len=2048; then
    printf 'bug %s: NOT FOUND within %s s\n' "$bug" "$seconds" | tee -a "$report"
    bad=1
  else
    printf 'bug %s: found after %s executions: %s\n' "$bug" "$(stat "$name" number_of_executed_units)" \
      "$(grep -aE '^(nonconformant|the case)' "$lane/$name.log" | head -1 | cut -c1-150)" | tee -a "$report"
  fi
done
printf '\n'
cat "$report"
exit "$bad"
