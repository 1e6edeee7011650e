#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::sow("redis"), |data: &[u8]| fuzz::feed("redis", data));
