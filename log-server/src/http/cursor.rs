//! Cursors: where a list goes on, and in which tree.
//!
//! Opaque to clients. A cursor carries the tree size of its first page, so that all pages show one tree, and a digest over
//! the list it belongs to (path and filters), so that it cannot be used with another one by mistake. The digest is no
//! secret: whoever makes up a cursor gets a page that they could have had anyway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proto::hash::Hash;
use proto::num::TreeSize;
use service::problem::Problem;

use super::params::{Params, invalid};

/// The only form so far.
const VERSION: u8 = 1;

/// Enough to tell lists apart.
const DIGEST_BYTES: usize = 8;

/// The longest place is a row's key, below 1 KiB; in base64 less than this.
const MAX_CURSOR_BYTES: usize = 2048;

/// A list: its path and filters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope(String);

/// Where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The tree of the first page.
    pub(super) size: TreeSize,
    /// Where the list goes on, as the list knows it.
    pub(super) place: Vec<u8>,
}

impl Scope {
    /// The list at `path` with these filters.
    pub(super) fn new(path: &str, params: &Params) -> Scope {
        Scope(format!("{path}\0{}", params.scope()))
    }

    fn digest(&self, rest: &[u8]) -> [u8; DIGEST_BYTES] {
        let hash = Hash::of_parts(&[b"claimtrail cursor\0", self.0.as_bytes(), b"\0", rest]);
        let mut digest = [0; DIGEST_BYTES];
        digest.copy_from_slice(&hash.0[..DIGEST_BYTES]);
        digest
    }

    /// The cursor's text.
    pub(super) fn encode(&self, cursor: &Cursor) -> String {
        let rest = [&cursor.size.0.to_be_bytes()[..], &cursor.place].concat();
        URL_SAFE_NO_PAD.encode([&[VERSION][..], &self.digest(&rest), &rest].concat())
    }

    /// Reads a cursor of this list.
    pub(super) fn decode(&self, text: &str) -> Result<Cursor, Problem> {
        let read = || {
            let bytes = (text.len() <= MAX_CURSOR_BYTES).then(|| URL_SAFE_NO_PAD.decode(text).ok()).flatten()?;
            let (digest, rest) = bytes.strip_prefix(&[VERSION])?.split_at_checked(DIGEST_BYTES)?;
            let (size, place) = rest.split_first_chunk()?;
            let cursor = Cursor { size: TreeSize(u64::from_be_bytes(*size)), place: place.to_vec() };
            (digest == self.digest(rest)).then_some(cursor)
        };
        read().ok_or_else(|| {
            let detail = "The cursor is not one of this list; give it back as it was, with the same path and filters, or \
                          start again without it.";
            invalid(detail)
        })
    }
}

impl Cursor {
    /// The cursor's tree size, which the log must have shown.
    pub(super) fn bounded(&self, shown: TreeSize) -> Result<TreeSize, Problem> {
        match self.size <= shown {
            true => Ok(self.size),
            false => Err(invalid("The cursor names a tree that this log has not shown yet.")),
        }
    }
}

/// A place that is a number.
pub(super) fn number(place: &[u8]) -> Result<u64, Problem> {
    place.try_into().map(u64::from_be_bytes).map_err(|_| invalid("The cursor is not one of this list."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(uri: &str) -> Scope {
        let uri: http::Uri = uri.parse().expect("a URI");
        Scope::new(uri.path(), &Params::parse(&uri).expect("parses"))
    }

    #[test]
    fn cursors_read_back_in_their_list_only() {
        let cursor = Cursor { size: TreeSize(70_000), place: b"place".to_vec() };
        let list = scope("/v1/find?id=a:b&limit=3");
        let text = list.encode(&cursor);
        assert_eq!(scope("/v1/find?limit=9&id=a:b&cursor=x").decode(&text).expect("the same list"), cursor);
        for other in ["/v1/find?id=a:c", "/v1/products?id=a:b", "/v1/find"] {
            assert!(scope(other).decode(&text).is_err(), "{other}");
        }
    }

    #[test]
    fn every_changed_character_is_refused() {
        let list = scope("/v1/issuers");
        let text = list.encode(&Cursor { size: TreeSize(5), place: vec![0; 8] });
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert!(list.decode(&String::from_utf8(bytes).expect("ASCII")).is_err(), "character {at}");
        }
        for bad in ["", "!", "AQ", &"A".repeat(5000)] {
            assert!(list.decode(bad).is_err());
        }
    }
}
