//! libFuzzer's program for the target `misbehaviour`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::target("misbehaviour").expect("a known target")(data));
