#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::sow("toml"), |data: &[u8]| fuzz::feed("toml", data));
