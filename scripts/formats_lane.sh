#!/usr/bin/env bash
# Holds SARIF and JUnit of a run that passes, of one that fails and of one that cannot begin to schemas that packages bring
# along: that of SARIF 2.1.0 in @microsoft/jest-sarif, that of Jenkins' JUnit in the sources of pytest. Needs cc, npm and pip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

OUT=target/formats
mkdir -p "$OUT"
[ -x "$OUT/python/bin/python" ] || python3 -m venv "$OUT/python"
"$OUT/python/bin/pip" install --quiet --disable-pip-version-check xmlschema==4.3.2 jsonschema==4.26.0
[ -d "$OUT/pytest-8.4.2" ] || {
  "$OUT/python/bin/pip" download --quiet --no-deps --no-binary pytest --dest "$OUT" pytest==8.4.2
  tar xzf "$OUT/pytest-8.4.2.tar.gz" -C "$OUT"
}
npm install --prefix "$OUT" --silent --no-audit --no-fund --ignore-scripts @microsoft/jest-sarif@1.0.0-beta.0

cargo build --release
cc -O2 -shared -fPIC -Iinclude -o "$OUT/librope.so" kernels/c/rope.c -lm
check() { # exit code, name, arguments
  local code=0
  target/release/ropecheck check "${@:3}" --no-config --depth quick --cases 1 --output "$OUT/$2.txt" \
    --report "sarif=$OUT/$2.sarif" --report "junit=$OUT/$2.junit" || code=$?
  [ "$code" = "$1" ] || { cat "$OUT/$2.txt"; echo "$2: expected exit code $1, found $code" >&2; exit 1; }
}
check 0 green "$OUT/librope.so" --scheme m-rope --level rotate
# Held to an arithmetic that it does not have.
check 1 red "$OUT/librope.so" --scheme m-rope --level rotate --dtype f32 --contract f32=ideal/table
check 6 not-begun ./no-such-library.so
"$OUT/python/bin/python" scripts/formats.py "$OUT"/node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json \
  "$OUT/pytest-8.4.2/testing/example_scripts/junit-10.xsd" "$OUT"/*.sarif "$OUT"/*.junit
