//! libFuzzer's program for the target `tlog_proof`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::target("tlog_proof").expect("a known target")(data));
