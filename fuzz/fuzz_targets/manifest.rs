#![no_main]

libfuzzer_sys::fuzz_target!(init: ropecheck_fuzz::start("manifest"), |data: &[u8]| ropecheck_fuzz::manifest::run(data));
