//! libFuzzer's program for the target `bundle`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::target("bundle").expect("a known target")(data));
