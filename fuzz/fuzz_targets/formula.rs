#![no_main]

libfuzzer_sys::fuzz_target!(init: ropecheck_fuzz::start("formula"), |data: &[u8]| ropecheck_fuzz::formula::run(data));
