#!/usr/bin/env bash
# Changes one place of the numeric, plan or check rooms at a time and sees whether a test notices.
#   scripts/mutants_lane.sh [SHARD]      SHARD is k/n, 0/20 if not given: every 20th mutant, about 155 of them
# Needs cargo-mutants (`cargo install cargo-mutants --locked`, some minutes). Takes about 40 minutes on two cores; writes
# target/mutants/report.txt and fails if fewer than 90 % are caught. What may be changed is in .cargo/mutants.toml.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
shard="${1:-0/20}"
out=target/mutants

cargo mutants --version >/dev/null 2>&1 || {
  echo "cargo-mutants is missing: cargo install cargo-mutants --locked" >&2
  exit 1
}

# Unit tests first, because they build in seconds; what they miss meets the integration tests that are quick.
unit=(--lib -- numeric:: plan:: check::)
quick=()
for test in bound_is_right reference_is_right rounding_is_right positions_laws rotation_plans layout_errors \
  official_vectors golden_accuracy declared_contracts contracts_hold angle_limit property_tables what_holds; do
  quick+=(--test "$test")
done

common=(--shard "$shard" --sharding round-robin --output "$out" --baseline skip --timeout 120 --no-shuffle --colors never)
rm -rf "$out"
mkdir -p "$out"
cargo mutants "${common[@]}" -- "${unit[@]}" || true
cargo mutants "${common[@]}" --iterate -- "${quick[@]}" || true
