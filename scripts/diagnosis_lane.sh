#!/usr/bin/env bash
# How often the first finding of a run leads to the bug: puts each bug of tests/kernels/diagnosis.json into the example
# kernel in C, judges it at quick depth in f32, and looks for what leads to it. Fails below 80 %.
#
#     scripts/diagnosis_lane.sh [ID...]
#
# $ROPECHECK: the program, if not the release build.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -z "${ROPECHECK:-}" ]; then
  cargo build --release --locked
  ROPECHECK="${CARGO_TARGET_DIR:-target}/release/ropecheck"
fi
export ROPECHECK
exec python3 - "$@" <<'PY'
import json, os, re, subprocess, sys, tempfile
from pathlib import Path

kernels = json.loads(Path("tests/kernels/diagnosis.json").read_text())["kernels"]
kernels = [kernel for kernel in kernels if not sys.argv[1:] or kernel["id"] in sys.argv[1:]]
good = Path("kernels/c/rope.c").read_text()
program = str(Path(os.environ["ROPECHECK"]).resolve())
options = ["--no-config", "--no-corpus", "--dtype", "f32", "--depth", "quick",
           "--scheme", "m-rope@default", "--scheme", "vrope@official"]
led = 0
print("| bug | first finding | likely | leads |\n|---|---|---|---|")
for kernel in kernels:
    if good.count(kernel["replace"]) != 1:
        sys.exit(f"{kernel['id']}: its `replace` does not occur once in rope.c")
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "rope.c"), Path(folder, "librope.so")
        source.write_text(good.replace(kernel["replace"], kernel["with"]))
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-Iinclude", "-Ikernels/c", "-o", str(library),
                        str(source), "-lm"], check=True)
        out = subprocess.run([program, "check", str(library), *options], capture_output=True, text=True).stdout
    found = re.split(r"^FAIL ", out.split("\nnot judged")[0], flags=re.M)
    first = found[1] if len(found) > 1 else "nothing was found"
    leads = re.search(kernel["leads"], first) is not None
    led += leads
    summary = first.splitlines()[0].replace("|", "\\|")
    likely = re.search(r"\n     likely .*\(([\w-]+):", first)
    print(f"| {kernel['says']} | {summary} | {likely[1] if likely else ''} | {'yes' if leads else 'no'} |", flush=True)
print(f"\nThe first finding leads to the bug for {led} of {len(kernels)} ({100 * led / len(kernels):.0f} %).")
sys.exit(led < 0.8 * len(kernels))
PY
