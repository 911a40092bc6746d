//! libFuzzer's program for the target `csaf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::target("csaf").expect("a known target")(data));
