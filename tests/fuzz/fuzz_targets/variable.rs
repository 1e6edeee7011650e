#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::sow("variable"), |data: &[u8]| fuzz::feed("variable", data));
