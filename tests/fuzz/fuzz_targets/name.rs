#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::sow("name"), |data: &[u8]| fuzz::feed("name", data));
