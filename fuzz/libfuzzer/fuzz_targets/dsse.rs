//! libFuzzer's program for the target `dsse`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::target("dsse").expect("a known target")(data));
