#![no_main]

libfuzzer_sys::fuzz_target!(init: ropecheck_fuzz::start("token"), |data: &[u8]| ropecheck_fuzz::token::run(data));
