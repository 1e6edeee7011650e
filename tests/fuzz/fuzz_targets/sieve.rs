#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::sow("sieve"), |data: &[u8]| fuzz::feed("sieve", data));
