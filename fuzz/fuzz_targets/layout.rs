#![no_main]

libfuzzer_sys::fuzz_target!(init: ropecheck_fuzz::start("layout"), |data: &[u8]| ropecheck_fuzz::layout::run(data));
