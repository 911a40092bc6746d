//! libFuzzer's program for the target `firmware`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::target("firmware").expect("a known target")(data));
