//! Lines that go through the log together, and what becomes of them.

use axum::body::Bytes;
use proto::code::Code;
use service::problem::Problem;

use super::lines::Line;
use crate::http::claims::problem_of;
use crate::log::{Answer, Declined};

/// The answer to one line.
pub(super) struct Answered {
    pub(super) number: u64,
    pub(super) result: Result<Answer, Problem>,
}

/// The answers to a group of lines.
pub(super) struct GroupAnswered {
    pub(super) bytes: usize,
    pub(super) lines: Vec<Answered>,
}

/// Lines that are submitted together: envelopes, or why a line is none.
#[derive(Default)]
pub(super) struct Group {
    pub(super) lines: Vec<Result<Bytes, Problem>>,
    pub(super) bytes: usize,
    pub(super) is_charged: bool,
}

impl Group {
    pub(super) fn take(&mut self, line: Line) {
        self.lines.push(match line {
            Line::Whole(envelope) => {
                self.bytes += envelope.len();
                Ok(envelope)
            }
            Line::Blank => Err(Problem::new(Code::EnvelopeMalformed, "The line is blank; each line is one envelope.")),
            Line::TooLong { limit } => {
                let detail = format!("The line is longer than {limit} bytes; it was skipped up to its end.");
                Err(Problem::new(Code::SizeEnvelope, detail).with("limit", limit))
            }
        });
    }

    /// The envelopes, and what is known of each line without them: only the log holds on to a line that waits for its answer.
    pub(super) fn split(self) -> (Vec<Bytes>, Vec<Result<(), Problem>>) {
        let mut envelopes = Vec::with_capacity(self.lines.len());
        let lines = self.lines.into_iter().map(|line| line.map(|envelope| envelopes.push(envelope))).collect();
        (envelopes, lines)
    }
}

/// Puts the answers, which only envelopes have, beside their lines.
pub(super) fn answer_lines(
    first: u64,
    lines: Vec<Result<(), Problem>>,
    answers: Result<Vec<Result<Answer, Declined>>, Problem>,
) -> Vec<Answered> {
    let (mut answers, failed) = match answers {
        Ok(answers) => (answers.into_iter(), None),
        Err(problem) => (Vec::new().into_iter(), Some(problem)),
    };
    let lost = || failed.clone().unwrap_or_else(|| Problem::internal("a line was lost on its way"));
    let answer = |(number, line): (u64, Result<(), Problem>)| {
        let result = line.and_then(|()| match answers.next() {
            Some(answered) => answered.map_err(problem_of),
            None => Err(lost()),
        });
        Answered { number, result }
    };
    (first..).zip(lines).map(answer).collect()
}
