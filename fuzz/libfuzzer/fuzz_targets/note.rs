//! libFuzzer's program for the target `note`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::target("note").expect("a known target")(data));
