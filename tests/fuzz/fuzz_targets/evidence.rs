#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::sow("evidence"), |data: &[u8]| fuzz::feed("evidence", data));
