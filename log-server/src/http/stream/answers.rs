//! Answers as lines.

use proto::num::TreeSize;
use proto::receipt::Receipt;
use serde::Serialize;
use serde_json::Value;
use service::problem::Problem;

#[derive(Serialize)]
pub(super) struct ReceiptLine<R> {
    pub(super) line: u64,
    pub(super) status: u16,
    pub(super) receipt: R,
}

pub(super) fn write_line(out: &mut Vec<u8>, line: &impl Serialize) {
    // Numbers, texts and lists always serialise, and a Vec takes every byte. JSON text has no line feeds outside of escapes.
    let written = serde_json::to_writer(&mut *out, line);
    debug_assert!(written.is_ok(), "{written:?}");
    out.push(b'\n');
}

/// The problem, with what a response of its own would say in its Retry-After header.
pub(super) fn problem_json(problem: &Problem) -> Value {
    let mut value = problem.to_json();
    if let (Value::Object(members), Some(seconds)) = (&mut value, problem.retry_after_seconds()) {
        members.insert("retry_after_seconds".to_owned(), seconds.into());
    }
    value
}

pub(super) fn size_of_head(receipt: &Receipt) -> Result<TreeSize, Problem> {
    let size = receipt.checkpoint.lines().nth(1).and_then(|line| proto::num::parse_decimal(line).ok());
    size.map(TreeSize).ok_or_else(|| Problem::internal("a head without a size was to be sent"))
}
