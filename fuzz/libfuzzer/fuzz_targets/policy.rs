//! libFuzzer's program for the target `policy`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::target("policy").expect("a known target")(data));
