#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::sow("hook"), |data: &[u8]| fuzz::feed("hook", data));
