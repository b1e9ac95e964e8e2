#![no_main]

libfuzzer_sys::fuzz_target!(init: ropecheck_fuzz::start("tensors"), |data: &[u8]| ropecheck_fuzz::tensors::run(data));
