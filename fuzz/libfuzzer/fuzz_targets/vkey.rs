//! libFuzzer's program for the target `vkey`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::target("vkey").expect("a known target")(data));
