#![no_main]

libfuzzer_sys::fuzz_target!(init: ropecheck_fuzz::start("frames"), |data: &[u8]| ropecheck_fuzz::frames::run(data));
