#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::sow("page"), |data: &[u8]| fuzz::feed("page", data));
