#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::sow("contract"), |data: &[u8]| fuzz::feed("contract", data));
