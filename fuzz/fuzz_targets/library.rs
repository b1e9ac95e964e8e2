#![no_main]

libfuzzer_sys::fuzz_target!(init: ropecheck_fuzz::start("library"), |data: &[u8]| ropecheck_fuzz::library::run(data));
