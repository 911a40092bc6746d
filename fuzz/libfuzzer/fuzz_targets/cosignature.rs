//! libFuzzer's program for the target `cosignature`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::target("cosignature").expect("a known target")(data));
