//! libFuzzer's program for the target `statement`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::target("statement").expect("a known target")(data));
