#!/usr/bin/env bash
# Judges every port, and makes docs/ports.md of the reports. Minutes, and several GB of packages; .ci/run does not do it.
#
#     scripts/ports_lane.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
names=()
for folder in ports/*/; do names+=("$(basename "$folder")"); done
ports/run "${names[@]}"
python3 scripts/ports.py page > target/ports/page.md
mv target/ports/page.md docs/ports.md
