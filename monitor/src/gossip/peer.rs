//! Another monitor over HTTP. Nothing that it says is believed: heads are verified, proofs checked, files judged.
//!
//! Every answer is bounded in bytes and in time, whatever the peer sends.

use std::sync::Mutex;
use std::time::Duration;

use client::Error;
use client::http::{Answer, Http, encode_segment};
use proto::hash::Hash;
use proto::last_cosigned::Question;
use proto::merkle::MAX_PROOF_HASHES;
use proto::misbehaviour::MAX_FILE_BYTES;
use proto::note::{Note, Verifier, Vkey};
use proto::num::{LeafIndex, Millis, TreeSize};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::config::PeerConfig;
use super::core::{Head, Proof};
use super::head::MAX_GOSSIP_BYTES;
use super::refused::Sent;

/// A proof of 64 hashes in JSON.
const MAX_PROOF_BYTES: usize = 16 * 1024;
/// A page of 200 heads, each with many cosignatures.
const MAX_PAGE_BYTES: usize = 4 << 20;
/// Heads in a page of a peer's list that are taken.
pub(super) const HEADS_PAGE: usize = 200;
/// The media type of notes and of what begins with them.
const TEXT_TYPE: &str = "text/plain; charset=utf-8";
const JSON_TYPE: &str = "application/json";

/// A proof as it travels.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProofAnswer {
    /// Where it begins.
    pub from: TreeSize,
    /// The head's size.
    pub to: TreeSize,
    /// The root of the first `from` entries, in base64.
    pub root: String,
    /// The consistency proof, in base64.
    pub proof: Vec<String>,
    /// Where the head's history parts from the one that is followed, if it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts_at: Option<LeafIndex>,
}

impl ProofAnswer {
    /// As it is sent.
    pub fn new(proof: &Proof, to: TreeSize) -> ProofAnswer {
        ProofAnswer {
            from: proof.from,
            to,
            root: proof.root.unwrap_or(Hash::EMPTY_ROOT).to_base64(),
            proof: proof.hashes.iter().map(Hash::to_base64).collect(),
            parts_at: None,
        }
    }

    /// As it came; nothing when it is none.
    fn read(self) -> Option<Proof> {
        if self.proof.len() > MAX_PROOF_HASHES {
            return None;
        }
        let hashes = self.proof.iter().map(|text| Hash::from_base64(text).ok()).collect::<Option<_>>()?;
        Some(Proof { from: self.from, root: Some(Hash::from_base64(&self.root).ok()?), hashes })
    }
}

/// A statement that a head stays unavailable, as it travels.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementMessage {
    /// The signed note.
    pub statement: String,
    /// The head, as the log signed it.
    pub checkpoint: String,
}

/// A monitor's answer to a witness that asks for its own last cosignature, as it travels.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CosignedAnswer {
    /// The highest head that is known to be cosigned under the key, with the log's lines and that key's alone.
    pub checkpoint: Option<String>,
    /// The same signed by the monitor, or that it knows of none; nothing when the monitor has no key.
    pub statement: Option<String>,
}

/// A page of a peer's list of heads.
#[derive(Debug, Deserialize)]
pub(super) struct HeadsPage {
    pub(super) heads: Vec<ListedHead>,
    #[serde(default)]
    pub(super) next_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ListedHead {
    pub(super) time: u64,
    pub(super) checkpoint: String,
}

/// A page of a peer's list of evidence.
#[derive(Debug, Deserialize)]
pub(super) struct EvidencePage {
    pub(super) evidence: Vec<ListedEvidence>,
}

/// A page of a peer's list of statements. Who made each is read from the statement itself.
#[derive(Debug, Deserialize)]
pub(super) struct StatementsPage {
    pub(super) statements: Vec<ListedStatement>,
    #[serde(default)]
    pub(super) next_cursor: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ListedStatement {
    statement: String,
    checkpoint: String,
}

impl From<ListedStatement> for StatementMessage {
    fn from(listed: ListedStatement) -> StatementMessage {
        StatementMessage { statement: listed.statement, checkpoint: listed.checkpoint }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ListedEvidence {
    pub(super) number: u64,
    pub(super) id: String,
}

/// How a peer is, for those who look.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PeerSeen {
    /// When it last answered.
    pub last_seen: Option<Millis>,
    /// How often in turn it did not.
    pub failures: u64,
    /// What it said or did last time that it did not.
    pub last_error: Option<String>,
}

/// Another monitor.
pub struct Peer {
    /// As it is configured.
    pub config: PeerConfig,
    /// Its witness key: with it its statements are taken.
    pub verifier: Option<Verifier>,
    http: Http,
    /// The name of this monitor among its peers.
    me: String,
    seen: Mutex<PeerSeen>,
}

impl Peer {
    /// A peer, whose answers take at most so long.
    ///
    /// # Errors
    /// When its address or key is none.
    pub fn new(config: PeerConfig, me: &str, answer: Duration) -> Result<Peer, Error> {
        let wrong = |e: Error| Error { message: format!("the peer {}: {}", config.name, e.message), ..e };
        // Not tried again here: the machine does that, when it is time.
        let http = Http::via(&config.url, &config.egress).map_err(wrong)?;
        let http = http.with_deadline(Duration::ZERO).with_whole_timeout(answer);
        let verifier = |vkey: Vkey| {
            Verifier::new(&vkey).map_err(|e| Error::malformed(format!("the vkey of the peer {}: {e}", config.name)))
        };
        let verifier = config.key()?.map(verifier).transpose()?;
        Ok(Peer { config, verifier, http, me: me.to_owned(), seen: Mutex::default() })
    }

    /// How it is.
    pub fn seen(&self) -> PeerSeen {
        self.seen.lock().map(|seen| seen.clone()).unwrap_or_default()
    }

    fn note<T>(&self, done: Result<T, Error>) -> Result<T, Error> {
        // A monitor's refusal is an answer: the peer is there. What a proxy before it says is none.
        let silent = done.as_ref().err().filter(|error| error.code().is_none());
        if let Ok(mut seen) = self.seen.lock() {
            match silent {
                None => *seen = PeerSeen { last_seen: Some(crate::clock::now()), ..PeerSeen::default() },
                Some(error) => {
                    seen.failures = seen.failures.saturating_add(1);
                    seen.last_error = Some(error.message.clone());
                }
            }
        }
        done
    }

    /// Sends a head; gives the peer's own newest one, if it has one.
    pub(super) async fn push(&self, body: Vec<u8>) -> Result<Option<Vec<u8>>, Error> {
        let path = format!("/v1/gossip?from={}", encode_segment(&self.me));
        let answer = self.http.post(&path, TEXT_TYPE, body.into(), MAX_GOSSIP_BYTES).await;
        let read = |answer: Answer| match answer.status {
            204 => Ok(None),
            _ => {
                let note = answer.body.to_vec();
                Note::parse(&note).map_err(|e| self.nonsense(&e))?;
                Ok(Some(note))
            }
        };
        self.note(answer.and_then(read))
    }

    /// Asks for the proof that leads to this head; nothing when the answer is none.
    pub(super) async fn proof(&self, origin: &str, head: Head, from: TreeSize) -> Result<Option<Proof>, Error> {
        let path = format!(
            "/v1/proof?origin={}&from={from}&to={}&root={}",
            encode_segment(origin),
            head.size,
            encode_segment(&head.root.to_base64())
        );
        let answer: ProofAnswer = self.json(&path, MAX_PROOF_BYTES).await?;
        Ok(answer.read().filter(|proof| proof.from == from))
    }

    /// Its heads after this time, from a cursor of its list on, the oldest first.
    pub(super) async fn heads(&self, origin: &str, after: u64, cursor: Option<&str>) -> Result<HeadsPage, Error> {
        let cursor = cursor.map(|cursor| format!("&cursor={}", encode_segment(cursor))).unwrap_or_default();
        let path = format!("/v1/heads?origin={}&after={after}&limit={HEADS_PAGE}{cursor}", encode_segment(origin));
        self.json(&path, MAX_PAGE_BYTES).await
    }

    /// Sends a piece of evidence; what the peer's monitor says to it.
    pub(super) async fn send_evidence(&self, file: Vec<u8>) -> Result<Sent, Error> {
        let path = format!("/v1/evidence?from={}", encode_segment(&self.me));
        let sent = self.note(self.http.post(&path, JSON_TYPE, file.into(), MAX_GOSSIP_BYTES).await);
        match sent {
            Ok(_) => Ok(Sent::Taken),
            Err(error) if is_refusal(&error) && status(&error) == Some(404) => {
                tracing::info!(peer = self.config.name, error = error.message, "evidence is not for this peer");
                Ok(Sent::NotForIt)
            }
            Err(error) if is_refusal(&error) => {
                tracing::error!(
                    peer = self.config.name,
                    error = error.message,
                    "a peer refuses evidence that verifies here"
                );
                Ok(Sent::Refused(error.problem.map(|problem| problem.detail).unwrap_or_default()))
            }
            Err(error) => Err(error),
        }
    }

    /// Its evidence behind this number.
    pub(super) async fn evidence(&self, origin: &str, after: u64) -> Result<EvidencePage, Error> {
        let path = format!("/v1/evidence?origin={}&from={}", encode_segment(origin), after.saturating_add(1));
        self.json(&path, MAX_PAGE_BYTES).await
    }

    async fn json<T: DeserializeOwned>(&self, path: &str, limit: usize) -> Result<T, Error> {
        let answer = self.http.get(path, limit).await;
        self.note(answer.and_then(|answer| serde_json::from_slice(&answer.body).map_err(|e| self.nonsense(&e))))
    }

    /// One file.
    pub(super) async fn evidence_file(&self, id: &str) -> Result<Vec<u8>, Error> {
        let path = format!("/v1/evidence/{}", encode_segment(id));
        Ok(self.note(self.http.get(&path, MAX_FILE_BYTES).await)?.body.to_vec())
    }

    /// Sends a statement.
    pub(super) async fn send_statement(&self, message: &StatementMessage) -> Result<(), Error> {
        let body = serde_json::to_vec(message).map_err(|e| Error::local(e.to_string()))?;
        let path = format!("/v1/statements?from={}", encode_segment(&self.me));
        self.note(self.http.post(&path, JSON_TYPE, body.into(), MAX_GOSSIP_BYTES).await).map(drop)
    }

    /// A page of the statements that it keeps, behind this place of its list.
    pub(super) async fn statements(&self, origin: &str, place: Option<&str>) -> Result<StatementsPage, Error> {
        let cursor = place.map(|place| format!("&cursor={}", encode_segment(place))).unwrap_or_default();
        let path = format!("/v1/statements?origin={}{cursor}", encode_segment(origin));
        self.json(&path, MAX_PAGE_BYTES).await
    }

    /// Shows a head that this witness cosigned.
    pub(super) async fn send_cosigned(&self, note: Vec<u8>) -> Result<(), Error> {
        let path = format!("/v1/cosigned?from={}", encode_segment(&self.me));
        self.note(self.http.post(&path, TEXT_TYPE, note.into(), MAX_GOSSIP_BYTES).await).map(drop)
    }

    /// Asks what it knows of a witness's cosignatures.
    pub(super) async fn cosigned(&self, asked: &Question) -> Result<CosignedAnswer, Error> {
        let path = format!(
            "/v1/cosigned?origin={}&key={}&nonce={}",
            encode_segment(&asked.origin),
            encode_segment(&asked.vkey.to_string()),
            asked.nonce
        );
        self.json(&path, MAX_GOSSIP_BYTES).await
    }

    fn nonsense(&self, error: &dyn std::fmt::Display) -> Error {
        Error::unreachable(format!("the peer {} does not answer as a monitor does: {error}", self.config.name))
    }
}

/// Whether a monitor, not something before it, refuses what it was sent for good.
pub(super) fn is_refusal(error: &Error) -> bool {
    error.code().is_some() && matches!(status(error), Some(400 | 403 | 404 | 422))
}

fn status(error: &Error) -> Option<u16> {
    error.problem.as_ref().map(|problem| problem.status)
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("name", &self.config.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_monitor_refuses_for_good() {
        let refused =
            |status, body: &str| is_refusal(&client::problem::Problem::read(status, body.as_bytes()).into_error());
        assert!(refused(404, r#"{"code":"request.not_found","detail":"This monitor does not follow it."}"#));
        assert!(refused(422, r#"{"code":"request.invalid","detail":"no"}"#));
        for (status, body) in [
            (404, "<html>no such site</html>"),
            (403, ""),
            (502, "bad gateway"),
            (503, r#"{"code":"queue.full","detail":"later"}"#),
            (404, r#"{"code":"of.another.program","detail":"no"}"#),
        ] {
            assert!(!refused(status, body), "{status} {body}");
        }
    }

    #[test]
    fn proofs_read_back_and_longer_ones_are_none() {
        let proof = |count: usize| Proof {
            from: TreeSize(3),
            root: Some(Hash::of(b"root")),
            hashes: vec![Hash::of(b"hash"); count],
        };
        let sent = |count: usize| {
            let text = serde_json::to_vec(&ProofAnswer::new(&proof(count), TreeSize(9))).unwrap();
            assert!(text.len() < MAX_PROOF_BYTES, "it fits");
            serde_json::from_slice::<ProofAnswer>(&text).unwrap().read()
        };
        assert_eq!(sent(2), Some(proof(2)));
        assert_eq!(sent(MAX_PROOF_HASHES), Some(proof(MAX_PROOF_HASHES)));
        assert_eq!(sent(MAX_PROOF_HASHES + 1), None);
    }
}
