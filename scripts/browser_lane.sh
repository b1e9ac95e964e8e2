#!/usr/bin/env bash
# Opens the pages that ropecheck makes in Chromium, and holds them to html-validate. Fails if a page scrolls sideways, says an
# error on the console, asks for anything, or cannot be used by keyboard. Screenshots and prints stay in target/browser.
# Needs cc, npm, and Chromium: CHROMIUM names it (Debian: apt-get install chromium).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
[ -n "$CHROMIUM" ] || { echo "no Chromium is here: install it, or set CHROMIUM" >&2; exit 2; }
OUT=target/browser
mkdir -p "$OUT"
npm install --prefix "$OUT" --silent --no-audit --no-fund --ignore-scripts playwright-core@1.65.1 html-validate@10.17.0

cargo build --release
ROPECHECK=target/release/ropecheck
cc -O2 -shared -fPIC -Iinclude -o "$OUT/librope.so" kernels/c/rope.c -lm
# The same with positions in f16, which fails.
sed 's/= position\[pairs\[i\].axis\]/= (float)(_Float16)position[pairs[i].axis]/' kernels/c/rope.c >"$OUT/f16.c"
! cmp --quiet kernels/c/rope.c "$OUT/f16.c" || { echo "kernels/c/rope.c has another line for the angle" >&2; exit 1; }
cc -O2 -shared -fPIC -Iinclude -Ikernels/c -o "$OUT/librope-f16.so" "$OUT/f16.c" -lm

check() { # exit code, name, arguments
  local code=0
  "$ROPECHECK" check "${@:3}" --no-config --depth quick --cases 1 --output "$OUT/$2.txt" --report "html=$OUT/$2.html" || code=$?
  [ "$code" = "$1" ] || { cat "$OUT/$2.txt"; echo "$2: expected exit code $1, found $code" >&2; exit 1; }
}
check 0 green "$OUT/librope.so" --scheme m-rope
check 1 red "$OUT/librope-f16.so" --scheme m-rope --level rotate --level fused
check 6 not-begun ./no-such-library.so
"$ROPECHECK" properties --format html >"$OUT/properties.html"

PAGES=("$OUT"/{green,red,not-begun,properties}.html)
echo '{"root": true, "extends": ["html-validate:recommended", "html-validate:document", "html-validate:a11y"]}' \
  >"$OUT/.htmlvalidate.json"
"$OUT/node_modules/.bin/html-validate" "${PAGES[@]}"
NODE_PATH="$PWD/$OUT/node_modules" CHROMIUM="$CHROMIUM" node scripts/browser.mjs "$OUT" "${PAGES[@]}"
