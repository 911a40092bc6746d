//! The list of statements that heads stay unavailable, a page at a time.

use std::ops::Bound;

use client::Error;

use super::LogStore;
use super::gossip::{KeptStatement, STATEMENTS};

impl LogStore {
    /// Statements behind this place, the smallest head first, each with its own place.
    pub fn statements_after(&self, place: Option<&[u8]>, limit: usize) -> Result<Vec<(Vec<u8>, KeptStatement)>, Error> {
        self.read(|transaction| {
            let table = transaction.open_table(STATEMENTS)?;
            let begin = place.map_or(Bound::Unbounded, Bound::Excluded);
            let mut found = Vec::new();
            for item in table.range::<&[u8]>((begin, Bound::Unbounded))?.take(limit) {
                let (key, value) = item?;
                let kept = serde_json::from_slice(value.value()).map_err(std::io::Error::other)?;
                found.push((key.value().to_vec(), kept));
            }
            Ok(found)
        })
    }
}
