#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::sow("compose"), |data: &[u8]| fuzz::feed("compose", data));
