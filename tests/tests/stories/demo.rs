//! The demo, as `make demo` runs it.

use std::process::Command;

#[test]
fn the_demo_comes_to_its_end() {
    let output = Command::new(env!("CARGO_BIN_EXE_claimtrail-demo")).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for chapter in ["One byte of the proof is changed", "misbehaviour verify", "Done in"] {
        assert!(said.contains(chapter), "no {chapter:?} in {said}");
    }
}
