//! libFuzzer's program for the target `entry`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::target("entry").expect("a known target")(data));
