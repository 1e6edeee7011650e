#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::sow("words"), |data: &[u8]| fuzz::feed("words", data));
