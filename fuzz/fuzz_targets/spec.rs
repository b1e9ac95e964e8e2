#![no_main]

libfuzzer_sys::fuzz_target!(init: ropecheck_fuzz::start("spec"), |data: &[u8]| ropecheck_fuzz::spec::run(data));
