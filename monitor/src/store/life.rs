//! What tells the state of a log from one that was made anew or brought back: a random name.
//!
//! Events count from 1 in every database. Who keeps how many of them it has done with keeps this name beside the number.

use client::Error;
use client::random;
use proto::hash::Hash;
use redb::{ReadableTable as _, WriteTransaction};

use super::META;

const LIFE: &str = "life";

/// Hex digits of it: 128 bits meet no second time.
const DIGITS: usize = 32;

/// A name that no other state has.
pub(super) fn new() -> Result<String, Error> {
    let mut name = Hash::of(&*random::seed()?).to_string();
    name.truncate(DIGITS);
    Ok(name)
}

/// The name of this state; one that was made before there were names gets this new one.
pub(super) fn make(transaction: &WriteTransaction, new: &str) -> Result<String, redb::Error> {
    let mut meta = transaction.open_table(META)?;
    let known = meta.get(LIFE)?.map(|value| String::from_utf8_lossy(value.value()).into_owned());
    if let Some(known) = known {
        return Ok(known);
    }
    meta.insert(LIFE, new.as_bytes())?;
    Ok(new.to_owned())
}
