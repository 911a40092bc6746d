//! libFuzzer's program for the target `tile_path`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::target("tile_path").expect("a known target")(data));
