#![no_main]

libfuzzer_sys::fuzz_target!(init: ropecheck_fuzz::start("snapshot"), |data: &[u8]| ropecheck_fuzz::snapshot::run(data));
