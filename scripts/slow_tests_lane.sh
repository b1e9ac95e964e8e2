#!/usr/bin/env bash
# The tests that CI has no time for: those that are marked as ignored. Some ten minutes on two cores.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cargo test --locked --no-fail-fast -- --ignored "$@"
