#!/usr/bin/env bash
# Changes one place of the numeric, plan or check rooms at a time and sees whether a test notices.
#
#   scripts/mutants_lane.sh [SHARD | FILE]
#
# SHARD is k/n: every n-th mutant from the k-th on; 0/20, about 155 of them, if not given. FILE has names of mutants, one a line, as
# `cargo mutants --list` prints them. Needs cargo-mutants (`cargo install cargo-mutants --locked`, some minutes). Takes an hour on two
# cores; writes target/mutants-lane/report.txt and fails if fewer than 90 % are caught. What is changed at all is in .cargo/mutants.toml.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
what="${1:-0/20}"
out="${CARGO_TARGET_DIR:-target}/mutants-lane"
# Shared by the groups: dependencies are built once.
build="$(realpath -m "${CARGO_TARGET_DIR:-target}")/mutants-build"

cargo mutants --version >/dev/null 2>&1 || {
  echo "cargo-mutants is missing: cargo install cargo-mutants --locked" >&2
  exit 1
}

rm -rf "$out"
mkdir -p "$out"
if [ -f "$what" ]; then
  cp "$what" "$out/all.txt"
else
  cargo mutants --list --shard "$what" --sharding round-robin --colors never >"$out/all.txt"
fi

# Each file's mutants meet the tests that are about it: the unit tests of the lower rooms, which take a second, and some files of
# tests/; those of judging meet the checks themselves. Name, paths, files of tests, what is run of them.
lower="--skip check:: --skip run:: --skip fault:: --skip backend:: --skip report::"
groups=(
  "numeric;src/numeric/;numeric_corners rounding_is_right reference_is_right evaluator_laws;$lower"
  "bound;src/(contract/|rotation/reference\.rs);bound_laws bound_is_right contracts_hold golden_accuracy declared_contracts;$lower"
  "layout;src/positions/layout;layout_errors positions_laws;$lower"
  "rotation;src/rotation/(plan|cache)\.rs;rotation_plans plan_laws;$lower"
  "positions;src/(positions/(sequence|evaluate|segment|column|vectors|parameters)|rotation/accuracy_points)\.rs;positions_laws official_vectors measured_positions golden_accuracy formula_names;$lower"
  "properties;src/(property/papers|positions/sweep);property_tables;$lower"
  "invariants;src/property/invariants;what_holds measured_positions;$lower"
  "judge;src/check/;grades angle_limit what_people_see;--skip numeric:: --skip contract:: --skip property:: --skip spec:: --skip run:: --skip fault:: --skip backend::"
)
for group in "${groups[@]}"; do
  IFS=';' read -r name pattern tests filters <<<"$group"
  grep -E "^$pattern" "$out/all.txt" >"$out/$name.txt" || continue
  names=()
  while IFS= read -r mutant; do
    names+=(--re "^$(sed 's/[][\.*^$(){}+?|&-]/\\&/g' <<<"$mutant")\$")
  done <"$out/$name.txt"
  # cargo-mutants 27 takes mutants that delete a field whatever --re says: let it see these files alone.
  files="$(cut -d: -f1 "$out/$name.txt" | sort -u | sed 's/.*/"&"/' | paste -sd,)"
  { echo "examine_globs = [$files]"; sed '/^examine_globs/d' .cargo/mutants.toml; } >"$out/$name.toml"
  chosen=(-C=--lib)
  for test in $tests; do chosen+=("-C=--test=$test"); done
  mkdir -p "$out/$name"
  # shellcheck disable=SC2086 # filters are words
  # Its exit status says that some survived, which is counted below.
  CARGO_TARGET_DIR="$build" cargo mutants --config "$out/$name.toml" "${names[@]}" --output "$out/$name" --baseline skip --timeout 120 --no-shuffle --colors never "${chosen[@]}" \
    -- -- $filters || true
done

# Those of the list alone.
these() {
  for list in "$out"/*/mutants.out/"$1".txt; do
    group="${list%/mutants.out/*}"
    grep -Fxf "$group.txt" "$list" || true
  done
}
count() { these "$1" | wc -l; }
caught=$(($(count caught) + $(count timeout))) missed=$(count missed)
report="$out/report.txt"
{
  echo "scripts/mutants_lane.sh $what: $(cargo mutants --version), $(wc -l <"$out/all.txt") mutants"
  echo
  echo "caught $(count caught), caught by a timeout $(count timeout), missed $missed, not built $(count unviable)"
  echo "caught of those that build: $((100 * caught / (caught + missed))) %"
  echo
  echo "missed:"
  these missed
} | tee "$report"
[ $((10 * caught)) -ge $((9 * (caught + missed))) ]
