//! Entry bundles: for each entry its length in two bytes, big-endian, and its bytes (C2SP tlog-tiles).

use super::TILE_WIDTH;
use crate::hash::Hash;

/// The longest entry, in bytes: what two bytes of length can say.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;

/// A bundle could not be written or read. `entry` counts from 0 within the bundle, `offset` in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBundle {
    /// An entry is longer than a bundle can hold.
    #[error("entry {entry} of the bundle has {bytes} bytes; at most 65535 fit")]
    EntryTooLong {
        /// Which entry.
        entry: usize,
        /// How long it is.
        bytes: usize,
    },
    /// There are no entries, or more than 256.
    #[error("a bundle holds 1 to 256 entries, not {entries}")]
    Count {
        /// How many entries were given or asked for.
        entries: usize,
    },
    /// The bytes end within an entry or its length, or before it.
    #[error("the bundle ends within entry {entry}, which begins at byte {offset}, of {expected} expected")]
    Truncated {
        /// The entry that is missing or cut off.
        entry: usize,
        /// Where it begins.
        offset: usize,
        /// How many entries the bundle should have.
        expected: u16,
    },
    /// Bytes follow the last entry.
    #[error("after the expected {expected} entries the bundle goes on at byte {offset}")]
    Trailing {
        /// Where the bytes begin that do not belong.
        offset: usize,
        /// How many entries the bundle should have.
        expected: u16,
    },
}

/// Adds one entry to a bundle that is being written; `entry` is its number within the bundle, for the error alone.
///
/// # Errors
/// [`BadBundle::EntryTooLong`]; `bundle` is unchanged then.
pub fn push_entry(bundle: &mut Vec<u8>, entry: usize, bytes: &[u8]) -> Result<(), BadBundle> {
    let length = u16::try_from(bytes.len()).map_err(|_| BadBundle::EntryTooLong { entry, bytes: bytes.len() })?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(bytes);
    Ok(())
}

/// Writes the bundle of 1 to 256 entries.
///
/// # Errors
/// [`BadBundle::Count`] or [`BadBundle::EntryTooLong`].
pub fn encode_bundle<T: AsRef<[u8]>>(entries: &[T]) -> Result<Vec<u8>, BadBundle> {
    if entries.is_empty() || entries.len() > usize::from(TILE_WIDTH) {
        return Err(BadBundle::Count { entries: entries.len() });
    }
    let mut bundle = Vec::with_capacity(entries.iter().map(|entry| 2 + entry.as_ref().len()).sum());
    for (number, entry) in entries.iter().enumerate() {
        push_entry(&mut bundle, number, entry.as_ref())?;
    }
    Ok(bundle)
}

/// The entries of a bundle whose form was checked. What the entries say was not: see [`super::check_bundle`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle<'a> {
    entries: Vec<&'a [u8]>,
}

impl<'a> Bundle<'a> {
    /// Reads a bundle of exactly `width` entries.
    ///
    /// # Errors
    /// When `width` is not 1 to 256, or the bytes end early or go on after the last entry.
    pub fn parse(bytes: &'a [u8], width: u16) -> Result<Bundle<'a>, BadBundle> {
        if width == 0 || width > TILE_WIDTH {
            return Err(BadBundle::Count { entries: usize::from(width) });
        }
        let mut entries = Vec::with_capacity(usize::from(width));
        let mut rest = bytes;
        for entry in 0..usize::from(width) {
            let offset = bytes.len() - rest.len();
            let (bytes, after) = split_entry(rest).ok_or(BadBundle::Truncated { entry, offset, expected: width })?;
            entries.push(bytes);
            rest = after;
        }
        if !rest.is_empty() {
            return Err(BadBundle::Trailing { offset: bytes.len() - rest.len(), expected: width });
        }
        Ok(Bundle { entries })
    }

    /// The entries, in their order in the log.
    pub fn entries(&self) -> &[&'a [u8]] {
        &self.entries
    }

    /// The leaf hash of each entry (RFC 6962 §2.1).
    pub fn leaf_hashes(&self) -> impl Iterator<Item = Hash> {
        self.entries.iter().map(|entry| Hash::leaf(entry))
    }
}

fn split_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_bundle() {
        let bundle = encode_bundle(&[&b""[..], b"a", b"hello"]).expect("three entries");
        assert_eq!(hex::encode(&bundle), "0000000161000568656c6c6f");
        let parsed = Bundle::parse(&bundle, 3).expect("the same");
        assert_eq!(parsed.entries(), [&b""[..], b"a", b"hello"]);
        let leaf = parsed.leaf_hashes().nth(1).expect("the second").to_string();
        assert_eq!(leaf, "022a6979e6dab7aa5ae4c3e5e45f7e977112a7e63593820dbec1ec738a24f93c");
    }

    #[test]
    fn what_is_too_long_or_too_many_is_not_written() {
        let longest = vec![7u8; MAX_ENTRY_BYTES];
        let bundle = encode_bundle(&[&longest]).expect("just fits");
        assert_eq!(Bundle::parse(&bundle, 1).expect("the same").entries(), [&longest[..]]);
        let error = BadBundle::EntryTooLong { entry: 1, bytes: MAX_ENTRY_BYTES + 1 };
        assert_eq!(encode_bundle(&[vec![], vec![7u8; MAX_ENTRY_BYTES + 1]]), Err(error));
        assert_eq!(encode_bundle::<&[u8]>(&[]), Err(BadBundle::Count { entries: 0 }));
        assert_eq!(encode_bundle(&vec![b""; 257]), Err(BadBundle::Count { entries: 257 }));
        assert!(encode_bundle(&vec![b""; 256]).is_ok());
    }

    #[test]
    fn a_single_byte_behind_the_last_entry_is_refused() {
        let mut bundle = encode_bundle(&[&b"ab"[..], b"c"]).expect("two entries");
        bundle.push(0);
        let refused = BadBundle::Trailing { offset: bundle.len() - 1, expected: 2 };
        assert_eq!(Bundle::parse(&bundle, 2), Err(refused));
    }

    #[test]
    fn every_cut_and_every_wrong_count_is_refused_with_its_place() {
        let bundle = encode_bundle(&[&b"ab"[..], b"", b"c"]).expect("three entries");
        let begins = [0, 4, 6];
        for cut in 0..bundle.len() {
            let entry = begins.iter().rposition(|begin| *begin <= cut).expect("0 is among them");
            let error = BadBundle::Truncated { entry, offset: begins[entry], expected: 3 };
            assert_eq!(Bundle::parse(&bundle[..cut], 3), Err(error), "cut at {cut}");
        }
        assert_eq!(Bundle::parse(&bundle, 2), Err(BadBundle::Trailing { offset: 6, expected: 2 }));
        assert_eq!(Bundle::parse(&bundle, 4), Err(BadBundle::Truncated { entry: 3, offset: 9, expected: 4 }));
        assert_eq!(Bundle::parse(&[], 0), Err(BadBundle::Count { entries: 0 }));
        assert_eq!(Bundle::parse(&bundle, 257), Err(BadBundle::Count { entries: 257 }));
    }
}
