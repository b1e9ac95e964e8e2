#!/usr/bin/env bash
# Runs the recipes of docs/shards.md as GitHub's matrix and Slurm's array would, compares each merge with one run, and prints
# how much of its time a shard takes. Options are those of check, such as --depth quick.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --release --quiet
root="$PWD"
export PATH="$root/target/release:$PATH"
unset GITHUB_STEP_SUMMARY
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cc -std=c11 -O2 -shared -fPIC -Iinclude -Ikernels/c -o "$work/librope.so" kernels/c/rope.c -lm

# The blocks of the page that name a file, and the `run` lines of the matrix.
python3 - "$work" "$*" <<'PY'
import pathlib, re, sys
work, options = pathlib.Path(sys.argv[1]), sys.argv[2]
page = pathlib.Path("docs/shards.md").read_text()
blocks = dict(re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", page, re.M | re.S))
assert sorted(blocks) == ["matrix.yml", "merge.sbatch", "shards.sbatch"], sorted(blocks)
shard, merge = re.findall(r"^ +- run: (.*)$", blocks["matrix.yml"], re.M)
blocks["matrix-shard"], blocks["matrix-merge"] = shard.replace("${{ matrix.shard }}", "$1") + "\n", merge + "\n"
for name, text in blocks.items():
    (work / name).write_text(text.replace("check ./librope.so", f"check ./librope.so {options}"))
PY

cd "$work"
seconds() { local begun=$EPOCHREALTIME; "$@" >/dev/null; awk "BEGIN { printf \"%.1f\", $EPOCHREALTIME - $begun }"; }
whole="$(seconds ropecheck check ./librope.so --no-corpus "$@" --report json=whole.json)"
echo "one run: $whole s"
for recipe in matrix slurm; do
  rm -f ./*.shard report.json
  for shard in 1 2 3 4; do
    case "$recipe" in
      matrix) time="$(seconds bash -e matrix-shard "$shard")" ;;
      slurm) time="$(SLURM_ARRAY_TASK_ID=$shard SLURM_ARRAY_TASK_COUNT=4 SLURM_CPUS_PER_TASK=$(nproc) \
        seconds bash -e shards.sbatch)" ;;
    esac
    awk "BEGIN { printf \"$recipe, shard $shard of 4: $time s, %.0f %%\n\", 100 * $time / $whole }"
  done
  case "$recipe" in
    matrix) time="$(seconds bash -e matrix-merge)" ;;
    slurm) time="$(seconds bash -e merge.sbatch)" ;;
  esac
  echo "$recipe, merge: $time s"
  cmp whole.json report.json
done
echo "both merges are one run, byte for byte"
