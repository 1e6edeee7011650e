#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz::sow("imap"), |data: &[u8]| fuzz::feed("imap", data));
