#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::sow("sql"), |data: &[u8]| fuzz::feed("sql", data));
