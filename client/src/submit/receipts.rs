//! Checking receipts as they come: the head once, then each proof under it.

use proto::hash::Hash;
use proto::merkle::verify_inclusion;
use proto::policy::Checked;
use proto::receipt::Receipt;

use super::Item;
use crate::error::Error;
use crate::head;
use crate::trust::Trust;

/// The heads that were verified last; a batch has one, so a few are enough.
const KEPT_HEADS: usize = 8;

/// Verifies receipts; a head that many of them share is verified once.
pub struct HeadCache<'a> {
    trust: &'a Trust,
    origin: &'a str,
    heads: Vec<(String, Checked)>,
}

impl<'a> HeadCache<'a> {
    /// For receipts of this log, under this trust.
    pub fn new(trust: &'a Trust, origin: &'a str) -> HeadCache<'a> {
        HeadCache { trust, origin, heads: Vec::new() }
    }

    /// Whether the receipt proves that exactly this envelope is in the log. Whether witnesses saw the head already is
    /// not asked: they come after the receipt. `true` says that the head is not one of those verified last.
    pub fn check(&mut self, item: &Item, receipt: &Receipt) -> Result<bool, Error> {
        let wrong = |what: String| {
            Error::not_proven(format!(
                "{}: the log's receipt does not prove what it should: {what}. Keep it and ask the operator",
                item.label
            ))
        };
        let entry = receipt.entry(&item.envelope.payload).map_err(|e| wrong(e.to_string()))?;
        if entry.signatures != item.envelope.signatures {
            return Err(wrong("it is for other signatures than the ones sent".into()));
        }
        let bytes = entry.encode().map_err(|e| wrong(e.to_string()))?;
        let (head, is_new) = self.head(&receipt.checkpoint).map_err(&wrong)?;
        let checkpoint = &head.checkpoint;
        if checkpoint.origin() != receipt.origin {
            return Err(wrong(format!("it says {} and its head {}", receipt.origin, checkpoint.origin())));
        }
        let (size, root) = (checkpoint.size(), checkpoint.root());
        verify_inclusion(receipt.index, size, Hash::leaf(&bytes), &receipt.inclusion, &root)
            .map_err(|e| wrong(e.to_string()))?;
        Ok(is_new)
    }

    fn head(&mut self, note: &str) -> Result<(&Checked, bool), String> {
        let known = self.heads.iter().position(|(kept, _)| kept == note);
        let at = match known {
            Some(at) => at,
            None => {
                let checked = head::of_log(self.trust, self.origin, note.as_bytes()).map_err(|e| e.message)?;
                if self.heads.len() == KEPT_HEADS {
                    self.heads.remove(0);
                }
                self.heads.push((note.to_owned(), checked));
                self.heads.len() - 1
            }
        };
        Ok((&self.heads[at].1, known.is_none()))
    }
}
