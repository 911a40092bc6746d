//! libFuzzer's program for the target `checkpoint`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::target("checkpoint").expect("a known target")(data));
