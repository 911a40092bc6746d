//! libFuzzer's program for the target `makers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::target("makers").expect("a known target")(data));
