#!/usr/bin/env bash
# Hostile libraries, programs and inputs, more of them than in .ci/run: about 20 minutes on two cores.
# usage: scripts/hostile_lane.sh [MUTATIONS]     mutated inputs of each kind (5000)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo test --locked --release --test commands hostile -- --include-ignored
ROPECHECK_MUTATIONS="${1:-5000}" cargo test --locked --release --test commands mutated_inputs
