#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::sow("lines"), |data: &[u8]| fuzz::feed("lines", data));
