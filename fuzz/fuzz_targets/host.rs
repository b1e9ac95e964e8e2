#![no_main]

libfuzzer_sys::fuzz_target!(init: ropecheck_fuzz::start("host"), |data: &[u8]| ropecheck_fuzz::host::run(data));
