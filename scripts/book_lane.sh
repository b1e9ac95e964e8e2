#!/usr/bin/env bash
# Builds docs/ as a book in target/book, and walks the pages that are written to be walked. Slow: it installs mdBook once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

MDBOOK=target/tools/bin/mdbook
[ -x "$MDBOOK" ] || cargo install mdbook --version 0.5.4 --locked --no-default-features --root target/tools
"$MDBOOK" build

cargo build --release
python3 -m venv target/python
target/python/bin/pip install --quiet --disable-pip-version-check ".[test]"
python3 scripts/walk.py docs/tutorial/*.md kernels/c/README.md \
  docs/{commands,contracts,experiments,plots,protocol,reports,schemes,shards,snapshots,spec,vectors}.md
