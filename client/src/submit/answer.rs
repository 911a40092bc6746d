//! The answer of the log to a stream, line by line.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::BytesMut;
use proto::receipt::Receipt;
use serde_json::Value;

use crate::error::Error;

/// A line of an answer is a receipt or a head, with room.
const MAX_LINE_BYTES: usize = proto::receipt::MAX_RECEIPT_BYTES + 64 * 1024;
/// Heads that are kept for receipts to refer to.
const KEPT_HEADS: usize = 16;

/// Bounded list of the heads that receipts of one answer refer to.
#[derive(Default)]
pub(super) struct Heads(VecDeque<(u64, String)>);

impl Heads {
    /// Receipts refer to the head of their own batch; a few are kept for repeats.
    pub(super) fn push(&mut self, head: (u64, String)) {
        self.0.push_back(head);
        while self.0.len() > KEPT_HEADS {
            self.0.pop_front();
        }
    }
}

/// What was read of one answer.
#[derive(Default)]
pub(super) struct Answer {
    /// Bytes that are no whole line yet.
    pub(super) buffer: BytesMut,
    /// The heads that receipts refer to.
    pub(super) heads: Heads,
    /// The longest wait that a line asked for.
    pub(super) longest_wait: Option<Duration>,
}

impl Answer {
    /// The next whole line.
    pub(super) fn next_line(&mut self) -> Result<Option<BytesMut>, Error> {
        match self.buffer.iter().position(|byte| *byte == b'\n') {
            Some(end) => Ok(Some(self.buffer.split_to(end + 1))),
            None if self.buffer.len() > MAX_LINE_BYTES => {
                Err(Error::unreachable("the log's answer has an endless line"))
            }
            None => Ok(None),
        }
    }

    /// Puts the head back into a receipt that only names its size.
    pub(super) fn complete(&self, mut receipt: serde_json::Map<String, Value>) -> Result<Receipt, String> {
        if let Some(size) = receipt.remove("checkpoint_size") {
            let head = self.heads.0.iter().rev().find(|(of, _)| size.as_u64() == Some(*of));
            let (_, note) =
                head.ok_or_else(|| format!("a receipt refers to a head of {size} entries that was not sent"))?;
            receipt.insert("checkpoint".into(), Value::String(note.clone()));
        }
        Receipt::parse(Value::Object(receipt).to_string().as_bytes()).map_err(|e| e.to_string())
    }
}
