#!/usr/bin/env bash
# Licences, bans and sources of all dependencies, by deny.toml. Builds cargo-deny in target/tools the first time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools="$PWD/target/tools"
if [ ! -x "$tools/bin/cargo-deny" ]; then
  cargo install --locked --root "$tools" --no-default-features --version 0.18.5 cargo-deny
fi
for manifest in Cargo.toml fuzz/Cargo.toml; do
  "$tools/bin/cargo-deny" --manifest-path "$manifest" --locked check --config "$PWD/deny.toml" licenses bans sources
done
