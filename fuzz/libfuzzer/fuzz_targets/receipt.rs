//! libFuzzer's program for the target `receipt`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::target("receipt").expect("a known target")(data));
