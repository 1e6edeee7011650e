#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::sow("glob"), |data: &[u8]| fuzz::feed("glob", data));
