#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| icpgate_fuzz::frames::run(input));
