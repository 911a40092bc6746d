//! libFuzzer's program for the target `claim`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::target("claim").expect("a known target")(data));
