//! libFuzzer's program for the target `fold`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::target("fold").expect("a known target")(data));
