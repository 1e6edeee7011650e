#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::sow("restic"), |data: &[u8]| fuzz::feed("restic", data));
