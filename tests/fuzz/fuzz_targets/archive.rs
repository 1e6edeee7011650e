#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::sow("archive"), |data: &[u8]| fuzz::feed("archive", data));
