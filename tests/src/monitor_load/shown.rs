//! Heads that somebody shows a monitor, signed by the log's own keys.

use std::fmt::Write as _;

use claimtrail_log::log::Log;
use claimtrail_log::testing;
use client::http::Http;
use client::report::Answer;
use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::entry::Entry;
use proto::merkle::consistency_proof;
use proto::note::{KeyName, NoteSigner};
use proto::num::{LeafIndex, TreeSize};
use proto::policy::TIME_KEY_SUFFIX;

use super::{Result, Watched};

/// An answer of a monitor: a sentence and a head.
const MAX_ANSWER_BYTES: usize = 128 * 1024;

/// A head and what the monitor has to say to it.
pub(super) struct Shown {
    /// The body of the request: the proof, then the head.
    pub(super) body: String,
    /// The answer.
    pub(super) expected: &'static str,
}

impl Shown {
    pub(super) async fn hand_in(&self, monitor: &Http) -> Result<String> {
        let body = self.body.clone().into();
        let answer = monitor.post("/v1/report", "text/plain; charset=utf-8", body, MAX_ANSWER_BYTES).await?;
        Ok(serde_json::from_slice::<Answer>(&answer.body)?.verdict)
    }
}

/// Heads of sizes all over the log's past, which it might have signed: at the time of their last entries.
pub(super) fn smaller(log: &Log, count: u64) -> Result<Vec<Shown>> {
    let name = |text: String| KeyName::parse(&text).map_err(|e| format!("{text}: {e}"));
    let signer = NoteSigner::new(name(testing::ORIGIN.to_owned())?, testing::key(testing::number::LOG));
    let time_name = name(format!("{}{TIME_KEY_SUFFIX}", testing::ORIGIN))?;
    let time_key = Cosigner::new(time_name, testing::key(testing::number::TIME)).map_err(|e| e.to_string())?;
    let largest = log.published().head.size.0;
    let one = |number: u64| {
        // Odd distances, so that the sizes have all kinds of shapes.
        let size = TreeSize((1 + (number + 1) * (largest / (count + 1))) | 1);
        let last = LeafIndex(size.0 - 1);
        let entry = log.store().entry(last)?.ok_or("an entry is missing")?;
        let time = Entry::decode(&entry)?.timestamp.seconds();
        let text = CheckpointText::new(testing::ORIGIN, size, log.root_at(size)?).map_err(|e| e.to_string())?;
        let note = text.sign(&[&signer], &[(&time_key, time)]).map_err(|e| e.to_string())?;
        Ok(Shown { body: format!("old 0\n\n{note}"), expected: "known" })
    };
    (0..count).map(one).collect()
}

/// Heads that the log signs now, each with the proof from what the monitor has followed.
pub(super) fn larger(watched: &Watched<'_>, followed: TreeSize, count: u64) -> Result<Vec<Shown>> {
    let one = |_| {
        (watched.grow)(1)?;
        let published = watched.log.published();
        let size = published.head.size;
        let mut body = format!("old {followed}\n");
        for hash in consistency_proof(&watched.log.tree(size), followed, size)? {
            writeln!(body, "{}", proto::b64::encode(hash.0))?;
        }
        write!(body, "\n{}", String::from_utf8_lossy(&published.note))?;
        Ok(Shown { body, expected: "waits" })
    };
    (0..count).map(one).collect()
}
