#![no_main]

libfuzzer_sys::fuzz_target!(init: ropecheck_fuzz::start("index"), |data: &[u8]| ropecheck_fuzz::index::run(data));
