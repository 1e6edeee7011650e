#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::sow("env"), |data: &[u8]| fuzz::feed("env", data));
