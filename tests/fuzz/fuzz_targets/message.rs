#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::sow("message"), |data: &[u8]| fuzz::feed("message", data));
