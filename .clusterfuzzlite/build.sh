#!/bin/bash -eu
# Run inside ClusterFuzzLite's image, which has cargo-fuzz and a nightly toolchain. docs/fuzzing.md.
cd "$SRC/ropecheck"
cargo fuzz build -O --debug-assertions
for target in spec formula layout token manifest tensors snapshot index frames host library; do
  cp "fuzz/target/x86_64-unknown-linux-gnu/release/$target" "$OUT/"
  zip -jq "$OUT/${target}_seed_corpus.zip" "fuzz/corpus/$target"/*
  [ -f "fuzz/dictionaries/$target.dict" ] && cp "fuzz/dictionaries/$target.dict" "$OUT/"
  printf '[libfuzzer]\nmax_len = 2048\ntimeout = 60\nrss_limit_mb = 2048\n' >"$OUT/$target.options"
done
# Target library looks for this next to itself.
cc -std=c11 -O2 -shared -fPIC -Iinclude -o "$OUT/librope.so" kernels/c/rope.c -lm
