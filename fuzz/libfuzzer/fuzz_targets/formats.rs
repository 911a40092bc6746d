//! libFuzzer's program for the target `formats`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::target("formats").expect("a known target")(data));
