//! One question to one witness (C2SP tlog-witness, `add-checkpoint`), and everything that is checked of its answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use client::http::{Http, Reply};
use client::problem::Problem;
use futures_util::future::BoxFuture;
use proto::code::Code;
use proto::merkle::consistency_proof;
use proto::note::{MAX_NOTE_BYTES, Note, NoteSignature, Verifier};
use proto::num::{Seconds, TreeSize, parse_decimal};
use serde_json::Value;

use super::plan::PlanSeat;
use super::theirs::{self, Seen};
use crate::clock::TimeSource;
use crate::log::Log;
use crate::sequencer::Published;

/// Bytes of an answer at most: room for a line of Ed25519 and some of ML-DSA, each of 3.3 KB in base64.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// Requests for one cosignature at most: one that learns the witness's size, one with it, and one more for the case that
/// somebody else submitted a head in between.
pub(super) const MAX_TRIES: usize = 3;

/// Seconds by which the clock of a witness may differ from the log's. Readers are told the witness's time, so that a clock
/// that is further off is worse than no cosignature.
const MAX_CLOCK_DIFFERENCE_SECONDS: u64 = 300;

/// Characters of what a witness says of its refusal that the operator is shown.
const MAX_DETAIL_CHARS: usize = 200;

/// The media type of a size in a 409.
const SIZE_TYPE: &str = "text/x.tlog.size";

/// How a witness is asked; a trait so that tests need neither network nor waiting.
pub(super) trait Ask: Send + Sync {
    /// Asks for a cosignature of this head. `old` is the size that the witness cosigned last, as far as is known.
    fn ask(&self, old: TreeSize, head: Arc<Published>) -> BoxFuture<'static, Asked>;
}

/// What came of a question.
#[derive(Debug)]
pub(super) struct Asked {
    /// The size that the witness cosigned last, as it said itself.
    pub(super) known: TreeSize,
    /// Its verified line and time, or why there is none.
    pub(super) line: Result<(NoteSignature, Seconds), Trouble>,
    /// The other head of this log that it cosigned, when somebody else was faster.
    pub(super) seen: Option<Seen>,
}

impl Asked {
    /// Nothing came but this.
    pub(super) fn failed(known: TreeSize, trouble: Trouble) -> Asked {
        Asked { known, line: Err(trouble), seen: None }
    }
}

/// Why a witness did not cosign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// No answer came.
    #[error("it gives no answer: {0}")]
    Unreachable(String),
    /// None came in time.
    #[error("it did not answer in time")]
    TimedOut,
    /// It has too much to do, or asks to be left alone for a while.
    #[error("it asks to come back later (status {status}): {detail}")]
    Busy {
        /// Its status.
        status: u16,
        /// What it says.
        detail: String,
        /// When to come back, if it says so.
        wait: Option<Duration>,
    },
    /// It cosigns nothing of this log until its operator acts.
    #[error(
        "it has stopped to cosign this log until its operator acts ({0}); ask them why: they may hold proof of two histories"
    )]
    Stopped(String),
    /// It does not cosign for this log.
    #[error("it refuses (status {status}): {detail}")]
    Refused {
        /// Its status.
        status: u16,
        /// What it says.
        detail: String,
    },
    /// What it knows of this log is not what this log holds.
    #[error("{0}")]
    Contradicted(String),
    /// It has cosigned a newer head of this log already, which somebody else submitted.
    #[error("it has cosigned a newer head, of {0} entries")]
    Ahead(TreeSize),
    /// Whenever it was asked it had just cosigned another head, which somebody else submitted.
    #[error("somebody else submits heads to it faster than this log; it has cosigned one of {0} entries")]
    Outrun(TreeSize),
    /// Its answer is none, or not signed with the key of the policy.
    #[error("its answer is not a cosignature by the key in the policy: {0}")]
    Garbage(String),
    /// Its clock is not to be believed.
    #[error("its clock says {theirs}, this machine's says {ours}; one of them is wrong")]
    Clock {
        /// The time in the cosignature.
        theirs: Seconds,
        /// The log's.
        ours: Seconds,
    },
    /// The proof could not be made, which is no fault of the witness.
    #[error("the consistency proof could not be made here: {0}")]
    Own(String),
}

impl Trouble {
    /// Its name in metrics.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Trouble::Unreachable(_) => "unreachable",
            Trouble::TimedOut => "timed_out",
            Trouble::Busy { .. } => "busy",
            Trouble::Stopped(_) => "stopped",
            Trouble::Refused { .. } => "refused",
            Trouble::Contradicted(_) => "contradicted",
            Trouble::Ahead(_) => "ahead",
            Trouble::Outrun(_) => "outrun",
            Trouble::Garbage(_) => "garbage",
            Trouble::Clock { .. } => "clock",
            Trouble::Own(_) => "own",
        }
    }
}

/// A witness over HTTP.
#[derive(Clone)]
pub(super) struct HttpAsk {
    http: Http,
    /// The same address, for what it shows to everybody.
    shows: Http,
    log: Arc<Log>,
    verifier: Verifier,
    clock: Arc<dyn TimeSource>,
}

impl HttpAsk {
    pub(super) fn new(log: Arc<Log>, seat: &PlanSeat, clock: Arc<dyn TimeSource>) -> Result<HttpAsk, client::Error> {
        let http = Http::new(&seat.url)?;
        let shows = http.clone().with_deadline(Duration::ZERO).with_whole_timeout(theirs::TIMEOUT);
        Ok(HttpAsk { http, shows, log, verifier: seat.verifier.clone(), clock })
    }

    async fn asked(self, old: TreeSize, head: Arc<Published>) -> Asked {
        let mut known = old;
        let line = self.line(&mut known, &head).await;
        let seen = match &line {
            Err(Trouble::Ahead(_) | Trouble::Outrun(_)) => self.seen().await,
            _ => None,
        };
        Asked { known: seen.as_ref().map_or(known, |seen| seen.size.max(known)), line, seen }
    }

    async fn line(&self, known: &mut TreeSize, head: &Arc<Published>) -> Result<(NoteSignature, Seconds), Trouble> {
        for _ in 0..MAX_TRIES {
            let old = *known;
            if old > head.head.size {
                return Err(Trouble::Ahead(old));
            }
            let reply = self.post(old, head).await?;
            match reply.status {
                200 => {
                    let found = self.verified(&reply.body, &head.note)?;
                    *known = head.head.size;
                    return Ok(found);
                }
                409 => *known = self.size_of(&reply, old)?,
                _ => return Err(refused(&reply, old)),
            }
        }
        Err(Trouble::Outrun(*known))
    }

    /// What the witness shows as the last head that it cosigned, if it is one of this log and its line is good. Whoever submits
    /// newer heads to it as fast as they are signed would else keep this log from every cosignature.
    async fn seen(&self) -> Option<Seen> {
        let answer = self.shows.get(&theirs::path(self.log.origin()), MAX_NOTE_BYTES).await.ok()?;
        let (log, note) = (self.log.clone(), answer.body.clone());
        let (size, own) = tokio::task::spawn_blocking(move || theirs::own_head(&log, &note)).await.ok()??;
        let note = Note::parse(&answer.body).ok()?;
        let (line, time) = self.checked(note.signatures().to_vec(), &own).ok()?;
        Some(Seen { size, own, line, time })
    }

    async fn post(&self, old: TreeSize, head: &Arc<Published>) -> Result<Reply, Trouble> {
        let (log, proven) = (self.log.clone(), head.clone());
        let body = tokio::task::spawn_blocking(move || body(&log, old, &proven)).await;
        let body = body.map_err(|error| Trouble::Own(error.to_string()))??;
        let reply = self.http.post_once("add-checkpoint", "text/plain; charset=utf-8", body, MAX_ANSWER_BYTES).await;
        reply.map_err(|error| Trouble::Unreachable(error.message))
    }

    /// The line in an answer.
    fn verified(&self, answer: &[u8], head: &Bytes) -> Result<(NoteSignature, Seconds), Trouble> {
        let answer = std::str::from_utf8(answer).map_err(|error| garbage(&error))?;
        let lines = NoteSignature::parse_lines(answer).map_err(|error| garbage(&error))?;
        self.checked(lines, head)
    }

    /// The line of this very witness, verified over the head; lines of other keys are ignored, as C2SP has it.
    fn checked(&self, lines: Vec<NoteSignature>, head: &Bytes) -> Result<(NoteSignature, Seconds), Trouble> {
        let vkey = self.verifier.vkey();
        let own = lines.into_iter().find(|line| line.name() == vkey.name() && line.key_hash() == vkey.key_hash());
        let line = own.ok_or_else(|| garbage(&format_args!("no line of {}", vkey.name())))?;
        let note = Note::parse(head).and_then(|note| note.with_signatures(vec![line.clone()]));
        let note = note.map_err(|error| garbage(&error))?;
        let note = note.verify(std::slice::from_ref(&self.verifier)).map_err(|error| garbage(&error))?;
        let time = note.signature_by(vkey).and_then(|signature| signature.time());
        let theirs = time.ok_or_else(|| garbage(&"it has no time"))?;
        let ours = Seconds(self.clock.wall_ms() / 1000);
        if theirs.0.abs_diff(ours.0) > MAX_CLOCK_DIFFERENCE_SECONDS {
            return Err(Trouble::Clock { theirs, ours });
        }
        Ok((line, theirs))
    }

    /// The size that the witness says in a 409. More than this log has, or the very size that was sent, is a contradiction
    /// between the two.
    fn size_of(&self, reply: &Reply, sent: TreeSize) -> Result<TreeSize, Trouble> {
        let text = std::str::from_utf8(&reply.body).unwrap_or_default();
        let size = text.strip_suffix('\n').and_then(|text| parse_decimal(text).ok()).map(TreeSize);
        let Some(size) = size.filter(|_| reply.content_type == SIZE_TYPE) else {
            return Err(Trouble::Garbage(format!("a 409 without a size: {}", detail_of(&reply.body))));
        };
        let newest = self.log.published().head.size;
        if size > newest {
            return Err(Trouble::Contradicted(format!(
                "it has cosigned a head of {size} entries under this log's key, and this log has {newest}: either this log was \
                 restored from an old backup, or somebody else signs with its key"
            )));
        }
        if size == sent {
            return Err(Trouble::Contradicted(format!(
                "it has cosigned another head of {size} entries under this log's key than this log has"
            )));
        }
        Ok(size)
    }
}

impl Ask for HttpAsk {
    fn ask(&self, old: TreeSize, head: Arc<Published>) -> BoxFuture<'static, Asked> {
        Box::pin(self.clone().asked(old, head))
    }
}

/// The body of add-checkpoint: the size that the witness has, the proof from there, the head as the log signed it. Blocks.
fn body(log: &Log, old: TreeSize, head: &Published) -> Result<Bytes, Trouble> {
    let size = head.head.size;
    let proof = match old {
        TreeSize(0) => Vec::new(),
        old if old == size => Vec::new(),
        old => consistency_proof(&log.tree(size), old, size).map_err(|error| Trouble::Own(error.to_string()))?,
    };
    let mut body = format!("old {old}\n");
    for hash in &proof {
        body.push_str(&hash.to_base64());
        body.push('\n');
    }
    body.push('\n');
    let mut body = body.into_bytes();
    body.extend_from_slice(&head.note);
    Ok(body.into())
}

fn garbage(why: &dyn std::fmt::Display) -> Trouble {
    Trouble::Garbage(why.to_string())
}

fn refused(reply: &Reply, old: TreeSize) -> Trouble {
    let (status, detail) = (reply.status, detail_of(&reply.body));
    if Problem::read(status, &reply.body).code() == Some(Code::WitnessStopped) {
        return Trouble::Stopped(detail);
    }
    match status {
        422 => Trouble::Contradicted(format!(
            "it says that this log's head does not extend the {old} entries that it has cosigned ({detail}); if that is so, this \
             log has shown two histories: stop it and run `claimtrail-log check`"
        )),
        408 | 429 | 500..=599 => Trouble::Busy { status, detail, wait: reply.retry_after },
        _ => Trouble::Refused { status, detail },
    }
}

/// What a stranger says, cut and without control characters: it goes into the operator's log.
fn detail_of(body: &[u8]) -> String {
    let problem: Option<Value> = serde_json::from_slice(body).ok();
    let said = problem.as_ref().and_then(|problem| problem["detail"].as_str().map(str::to_owned));
    let said = said.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let shown: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_DETAIL_CHARS).collect();
    if shown.trim().is_empty() { "it says nothing more".to_owned() } else { shown.trim().to_owned() }
}
