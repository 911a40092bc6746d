//! Bad input, line by line: each is a clear error, and nothing is lost.
//!
//! [`list::LINES`] is the list. Every table here is of rows that carry the line they are of; [`every_line_has_a_row`] sees
//! that no line is without one. Rows over HTTP name status, code, message and place in full, and after each the log takes
//! the next good claim (`table.rs`). Rows of commands name exit code and message.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at the first surprise, and reads and writes files of its own"
)]

#[allow(dead_code, reason = "shared with the tests of the command, which use all of it")]
#[path = "../command/support.rs"]
mod command;
#[allow(dead_code, reason = "shared with the tests of the routes, which use all of it")]
#[path = "../routes/support.rs"]
mod support;

mod claims;
mod connections;
mod crafted;
mod envelopes;
mod keys;
mod list;
mod proofs;
mod reading;
mod rights;
mod signatures;
mod stored;
mod table;
mod world;

use std::collections::BTreeSet;

use crate::list::LINES;
use crate::table::Row;
use crate::world::World;

/// All rows over HTTP.
fn rows(world: &World) -> Vec<Row> {
    let tables = [
        envelopes::rows(),
        claims::rows(world),
        keys::rows(world),
        signatures::rows(world),
        rights::rows(world),
        reading::rows(world),
    ];
    tables.into_iter().flatten().collect()
}

#[tokio::test]
async fn every_row_is_answered_as_it_says_and_changes_nothing() {
    let world = World::start().await;
    for row in rows(&world) {
        table::alone(&world, &row).await;
    }
}

#[tokio::test]
async fn every_row_is_answered_the_same_as_one_line_of_a_stream() {
    let world = World::start().await;
    let mut lines = 0;
    for row in rows(&world).iter().filter(|row| row.fits_a_stream()) {
        table::between_good_lines(&world, row).await;
        lines += 1;
    }
    assert!(lines > 50, "most rows are envelopes, and envelopes fit in a stream: {lines}");
}

#[tokio::test]
async fn every_line_has_a_row() {
    let world = World::start().await;
    let rows = rows(&world);
    let mut named: Vec<&str> = rows.iter().map(|row| row.line).collect();
    named.extend(proofs::ROWS.iter().map(|row| row.line));
    named.extend(connections::CASES.iter().map(|case| case.line));
    named.extend(stored::CASES.iter().map(|case| case.line));
    for line in LINES {
        assert!(named.contains(line), "no row is of the line {line:?}");
    }
    for line in &named {
        assert!(LINES.contains(line), "a row is of {line:?}, which is no line of the list");
    }
    let mut names = BTreeSet::new();
    for row in &rows {
        assert!(names.insert((row.line, row.case)), "two rows of {:?} are named {:?}", row.line, row.case);
    }
}
