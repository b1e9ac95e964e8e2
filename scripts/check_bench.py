#!/usr/bin/env python3
"""How long whole runs of `check` take: medians of paired runs, one after the other, on an otherwise idle machine.

    cargo build --release && scripts/check_bench.py [--runs 5] [--against OTHER_ROPECHECK]

Each row is a command, in seconds of wall time and of processor time, with the number of cases. With --against, every run is
followed by the same one of another ropecheck, and the last column is the ratio of processor times. Needs a C compiler.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def timed(program, arguments):
    """Seconds of wall and processor time, and the cases of the report."""
    if "--journal" in arguments:
        Path(arguments[arguments.index("--journal") + 1]).unlink(missing_ok=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run([program, "check", *arguments, "--format", "json"], capture_output=True, check=False)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        sys.exit(f"{program} check {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr.decode()}")
    results = json.loads(done.stdout)["results"]
    cases = sum(band["cases"] for result in results for band in result["bands"].values())
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, processor, cases


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--against", help="another ropecheck, side by side")
    asked = parser.parse_args()
    ours = str(ROOT / "target/release/ropecheck")
    with tempfile.TemporaryDirectory() as folder:
        kernel = f"{folder}/librope.so"
        wrong = f"{folder}/libwrong.so"
        cc = ["cc", "-std=c11", "-O2", "-shared", "-fPIC", f"-I{ROOT}/include", f"-I{ROOT}/kernels/c"]
        text = (ROOT / "kernels/c/rope.c").read_text()
        (Path(folder) / "wrong.c").write_text(text.replace("cosf(", "sinf("))
        subprocess.run([*cc, "-o", kernel, f"{ROOT}/kernels/c/rope.c", "-lm"], check=True)
        subprocess.run([*cc, "-o", wrong, f"{folder}/wrong.c", "-lm"], check=True)
        rows = [
            ("kernel in C, quick", [kernel, "--depth", "quick"]),
            ("kernel in C", [kernel]),
            ("kernel in C, one thread", [kernel, "--threads", "1"]),
            ("kernel in C, shard 1/4", [kernel, "--shard", "1/4", "--journal", f"{folder}/journal"]),
            ("a wrong kernel in C", [wrong]),
            ("embedded kernel", ["host"]),
        ]
        print(f"{os.cpu_count()} cores, medians of {asked.runs} runs")
        print(f"{'':26}{'cases':>8}{'wall, s':>9}{'CPU, s':>9}{'of the other':>14}")
        for name, arguments in rows:
            own, other = [], []
            for _ in range(asked.runs):
                own.append(timed(ours, arguments))
                if asked.against:
                    other.append(timed(asked.against, arguments))
            wall, processor, cases = (statistics.median(run[at] for run in own) for at in range(3))
            ratio = ""
            if other:
                ratio = f"{processor / statistics.median(run[1] for run in other):.2f}"
            print(f"{name:26}{cases:8.0f}{wall:9.2f}{processor:9.2f}{ratio:>14}", flush=True)


main()
