//! `POST /add-checkpoint` and `GET /{hash}/checkpoint` (C2SP tlog-witness).
//!
//! | # | condition | status |
//! |---|---|---|
//! | 0 | the address sends too fast | 429 |
//! | 1 | the body does not parse | 400 |
//! | 2 | the origin is not known; nothing was verified yet | 404 |
//! | 3 | no signature of a trusted key, or a line of one that does not verify | 403 |
//! | 3a | it contradicts what the log signed before, though no file proves that yet | 422 |
//! | 4 | `old` is larger than the checkpoint | 400 |
//! | 5 | `old` is not the size of the last one cosigned | 409, body: that size, type `text/x.tlog.size` |
//! | 6 | size 0 with another root than the empty tree's | 422 |
//! | 7 | `old` is 0 and the proof is not empty | 422 |
//! | 8 | the same size and another root | 422 |
//! | 9 | the proof does not verify | 422 |
//! | 10 | all is good, and durable | 200, body: signature lines |

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use proto::checkpoint::{BadCheckpoint, CheckpointError};
use proto::code::Code;
use proto::policy::{CheckError, Checked};
use service::body::read_all;
use service::client_addr::ClientAddr;
use service::problem::Problem;

use super::Shared;
use crate::clock;
use crate::finding::code;
use crate::follow::{FollowedLog, Verdict};
use crate::witness::{Answer, BadRequest, MAX_BODY_BYTES, Request};

/// The type of an answer that says which size was cosigned last.
pub const SIZE_TYPE: HeaderValue = HeaderValue::from_static("text/x.tlog.size");

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// How long a head may take to become known: two looks of gossip at what is unread.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// After which it is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// When to ask again while this witness cosigns nothing for a reason that ends by itself. Peers answer within seconds of a start.
const ASK_AGAIN: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Label {
    status: u16,
}

/// Counts of answers to add-checkpoint.
#[derive(Debug, Clone, Default)]
pub struct Answers(Family<Label, Counter>);

impl Answers {
    /// New counters, registered.
    pub fn register(registry: &mut Registry) -> Answers {
        let answers = Answers::default();
        registry.register("witness_answers", "Answers to add-checkpoint, by status", answers.0.clone());
        answers
    }

    fn count(&self, status: StatusCode) {
        self.0.get_or_create(&Label { status: status.as_u16() }).inc();
    }
}

/// `POST /add-checkpoint`
pub(super) async fn add_checkpoint(
    State(shared): State<Shared>,
    ClientAddr(address): ClientAddr,
    body: Body,
) -> Response {
    let answered = answer(&shared, address, body).await;
    let response = answered.unwrap_or_else(IntoResponse::into_response);
    shared.0.answers.count(response.status());
    response
}

async fn answer(shared: &Shared, address: IpAddr, body: Body) -> Result<Response, Problem> {
    if shared.0.witness.is_none() {
        return Err(Problem::new(Code::RequestNotFound, "This monitor is no witness: it cosigns nothing."));
    }
    shared.0.rates.charge_asker(address)?;
    let body = read_all(body, MAX_BODY_BYTES).await?;
    let asked = shared.clone();
    // A head that is stored is also cosigned and shown, whether or not the client waits.
    let decided = shared.0.detached.run(async move { decide_in_time(&asked, body.to_vec().into()).await });
    decided.await?
}

/// Decides; a head that is not known yet to be of the tree that is being read is looked at again for a moment: an honest log's few
/// newest entries, or the tiles above them, are read by then.
async fn decide_in_time(shared: &Shared, body: Arc<[u8]>) -> Result<Response, Problem> {
    let begun = Instant::now();
    loop {
        let (work, body) = (shared.clone(), body.clone());
        match shared.deciding(move || decide(&work, &body)).await? {
            Err(problem) if is_soon_known(&problem) && begun.elapsed() < LONGEST_WAIT => {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            decided => return decided,
        }
    }
}

/// Whether it is the head that is not known yet, and not the witness that cosigns nothing: that takes longer than a request may.
fn is_soon_known(problem: &Problem) -> bool {
    let soon = Problem::new(Code::WitnessWaits, "").retry_after(LOOK_AGAIN).retry_after_seconds();
    problem.code() == Code::WitnessWaits && problem.retry_after_seconds() == soon
}

fn decide(shared: &Shared, body: &[u8]) -> Result<Response, Problem> {
    let request = Request::parse(body).map_err(|why: BadRequest| malformed(why.to_string()))?;
    let origin = request.note.claimed_origin().to_owned();
    let unknown = || Problem::new(Code::RequestNotFound, "This witness does not cosign for the log of that origin.");
    let witness = shared.0.witness.as_ref().filter(|witness| witness.knows(&origin)).ok_or_else(unknown)?;
    let log = shared.log(&origin).ok_or_else(unknown)?;
    let old = request.old;
    // Anybody can add lines of keys that nobody here knows; what follows keeps none of them.
    let policy = log.config.trust.policy();
    let note = policy.only_known_lines(request.note);
    let head = match policy.check_note(note.clone()) {
        Ok(head) => head,
        Err(CheckError::Checkpoint(CheckpointError::Text(BadCheckpoint::EmptyRoot))) => {
            let answer = witness.refuse_empty_root(&origin, old).ok_or_else(unknown)?;
            return respond(answer, "a tree of size 0 has the root of the empty tree, SHA-256 of nothing");
        }
        Err(CheckError::Checkpoint(CheckpointError::Text(why))) => return Err(malformed(format!("{why}."))),
        Err(CheckError::Malformed(why)) => return Err(malformed(format!("{why}."))),
        Err(why) => {
            return Err(Problem::new(Code::CheckpointSignature, format!("The checkpoint is not taken: {why}.")));
        }
    };
    // Signed by the log, so it is kept whatever the answer will be, and held against what was followed: first, since a
    // contradiction that it shows ends cosigning.
    let contradicts = look_into(log, &head)?;
    if let Err(error) = log.keep_cosigned(&note, &head) {
        tracing::error!(origin, error = error.message, "cosignatures of others are not kept");
    }
    if contradicts {
        let why = "it contradicts what the log signed before";
        return Err(Problem::new(Code::CheckpointInconsistent, format!("Not cosigned: {why}.")));
    }
    if let Some(why) = log.forked() {
        return respond(Answer::Stopped(why), "");
    }
    if let Some(why) = log.store.stop().why() {
        return respond(Answer::Stopped(why), "");
    }
    if log.is_untied(&head).map_err(|error| Problem::internal(&error.message))? {
        let detail = "This head is smaller than one that the log showed here, and it is not known yet whether it is of that tree. \
                      Ask again, or for a newer head.";
        return Err(Problem::new(Code::WitnessWaits, detail).retry_after(LOOK_AGAIN));
    }
    // Anybody can cut a time line off: then the newest head's counts, if the log states times.
    let log_time = head.log_time.or_else(|| log.seen().head.and_then(|(_, time)| time));
    let answer = witness.cosign_at(old, &request.proof, &head.checkpoint, log_time, clock::now().seconds());
    respond(answer, "the proof does not lead from the last cosigned checkpoint to this one")
}

/// Keeps a head; whether it is of another history than the one that was followed. Both are signed by the log, so it is not
/// cosigned, with or without a file that proves it. A look that fails is no yes: it is not cosigned either.
fn look_into(log: &FollowedLog, head: &Checked) -> Result<bool, Problem> {
    let contradicts = match log.offer(head, clock::now()) {
        Ok(Verdict::Contradicts(finding)) => {
            tracing::error!(origin = log.origin(), code = finding.code, "{}", client::plain::plain(&finding.message));
            // A stop that evidence makes is said as one.
            finding.code == code::FORK && log.store.stop().why().is_none()
        }
        Ok(Verdict::Known | Verdict::Larger) => false,
        Err(error) => {
            let detail =
                "The head could not be held against what the log signed before, so it is not cosigned now. Ask again.";
            return Err(Problem::new(Code::WitnessWaits, detail).retry_after(ASK_AGAIN).because(error.message));
        }
    };
    Ok(contradicts)
}

fn malformed(detail: String) -> Problem {
    Problem::new(Code::RequestInvalid, detail)
}

fn respond(answer: Answer, not_proven: &str) -> Result<Response, Problem> {
    let inconsistent = |why: &str| Err(Problem::new(Code::CheckpointInconsistent, format!("Not cosigned: {why}.")));
    match answer {
        Answer::Cosigned(lines) => {
            let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
            Ok(([(CONTENT_TYPE, TEXT), (CACHE_CONTROL, NO_STORE)], body).into_response())
        }
        Answer::OldTooLarge => Err(malformed("The old size is larger than the checkpoint's.".to_owned())),
        Answer::Conflict(size) => {
            let headers = [(CONTENT_TYPE, SIZE_TYPE), (CACHE_CONTROL, NO_STORE)];
            Ok((StatusCode::CONFLICT, headers, format!("{size}\n")).into_response())
        }
        Answer::OtherRoot => inconsistent("another root was cosigned for this size"),
        Answer::NotProven => inconsistent(not_proven),
        // The reason is in the operator's log; it names local files.
        Answer::Stopped(why) => Err(Problem::new(
            Code::WitnessStopped,
            "This witness does not cosign for this log until its operator has looked into it.",
        )
        .because(why)),
        Answer::Waits(why) => Err(Problem::new(
            Code::WitnessWaits,
            "This witness does not cosign for this log now; that ends without its operator. Ask again.",
        )
        .retry_after(ASK_AGAIN)
        .because(why)),
    }
}

/// `GET /{hash}/checkpoint`: the last head cosigned. A monitor that is no witness shows the newest one that it followed.
pub(super) async fn checkpoint(State(shared): State<Shared>, Path(hash): Path<String>) -> Result<Response, Problem> {
    let log = shared.by_hash(&hash)?.clone();
    let witness = shared.0.witness.clone();
    let note = shared.blocking(move || match witness {
        Some(witness) => Ok(witness.checkpoint(log.origin())),
        None => log.followed_head(),
    });
    let nothing = || Problem::new(Code::RequestNotFound, "No checkpoint of this log was cosigned yet.");
    let note = note.await?.map_err(|error: client::Error| Problem::internal(error))?.ok_or_else(nothing)?;
    Ok(([(CONTENT_TYPE, TEXT), (CACHE_CONTROL, NO_STORE)], note).into_response())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proto::cosignature::Cosigner;
    use proto::ed25519::SecretKey;
    use proto::note::KeyName;
    use service::detached::Detached;

    use super::*;
    use crate::evidence::Source;
    use crate::evidence::tests::{Followed, NOW, ORIGIN, file, head, others, three};
    use crate::evidence::withheld::withheld;
    use crate::store::Batch;
    use crate::witness::{Witness, WitnessKeys};

    /// What add-checkpoint answers for this log; its witness has cosigned nothing before.
    struct Asked {
        shared: Shared,
        _records: tempfile::TempDir,
    }

    impl Asked {
        fn of(followed: &Followed) -> Asked {
            let records = tempfile::tempdir().unwrap();
            Witness::create_record(records.path(), ORIGIN).unwrap();
            // A test key.
            let key = Cosigner::new(KeyName::parse("own.example").unwrap(), SecretKey::from_seed(&[4; 32])).unwrap();
            let logs = [(ORIGIN.to_owned(), followed.log.config.trust.clone())];
            let state = records.path().join("state");
            let witness = Witness::open(WitnessKeys::ed25519(key), &state, records.path(), &logs).unwrap();
            witness.heed(ORIGIN, records.path(), followed.log.store.stop()).unwrap();
            let (logs, answers) = (vec![followed.log.clone()], Answers::default());
            let shared = Shared::new(logs, Some(Arc::new(witness)), Detached::new(), answers);
            Asked { shared, _records: records }
        }

        fn status(&self, old: u64, note: &[u8]) -> u16 {
            let body = [format!("old {old}\n\n").as_bytes(), note].concat();
            decide(&self.shared, &body).unwrap_or_else(IntoResponse::into_response).status().as_u16()
        }
    }

    #[test]
    fn a_fork_that_no_file_shows_is_refused_and_ends_cosigning_until_the_operator_acts() {
        let followed = withheld();
        // A state in which nothing proves it: the head before is not known either.
        followed.log.store.commit_batch(&Batch { read_head: Some(b"none"), ..Batch::default() }, NOW).unwrap();
        let asked = Asked::of(&followed);
        let (good, fork) = (head(&three(), 12), head(&others(1)[..2], 11));
        assert_eq!(asked.status(0, &good), 200);
        for _ in 0..2 {
            assert_eq!(asked.status(0, &fork), 422, "it contradicts what the log signed");
        }
        assert_eq!(asked.status(3, &good), 503, "nothing is cosigned while that is open");
        let names: Vec<String> = followed.log.store.unproven_forks().unwrap().into_iter().map(|fork| fork.id).collect();
        assert!(names.len() == 1 && followed.log.forked().unwrap().contains(&names[0]));

        let resume = |name: &str| followed.log.store.resume_despite_forks(&[name.to_owned()], NOW);
        assert!(resume("head.fork:other").unwrap_err().message.contains(&names[0]));
        resume(&names[0]).unwrap();
        followed.log.look(None).unwrap();
        assert_eq!(asked.status(3, &good), 200);
        assert_eq!(asked.status(3, &fork), 422, "the other history is cosigned by no act");
        // Another fork is another matter, and so is a file.
        assert_eq!(asked.status(0, &head(&others(0)[..1], 10)), 422);
        assert_eq!(asked.status(3, &good), 503);
        assert!(resume(&names[0]).is_err(), "that one is not open any more");
    }

    #[test]
    fn a_witness_that_waits_for_its_peers_is_not_one_that_needs_its_operator() {
        let followed = Followed::new();
        followed.follow(&three(), 12, None);
        let (asked, good) = (Asked::of(&followed), head(&three(), 12));
        let witness = asked.shared.0.witness.as_ref().unwrap();
        witness.wait_for_peers(ORIGIN);
        let refused = |note: &[u8]| decide(&asked.shared, &[b"old 0\n\n", note].concat()).unwrap_err();
        let waits = refused(&good);
        assert_eq!((waits.code(), waits.retry_after_seconds()), (Code::WitnessWaits, Some(5)));
        assert!(!is_soon_known(&waits), "it is answered at once");
        assert!(witness.stopped(ORIGIN).is_some() && !witness.needs_operator(ORIGIN));
        witness.peers_were_asked(ORIGIN);
        assert_eq!(asked.status(0, &good), 200);
        // What convicts is no matter of waiting, whoever is asked besides.
        witness.wait_for_peers(ORIGIN);
        followed.log.take_evidence(&file(10), Source::Report, NOW).unwrap();
        assert_eq!(refused(&good).code(), Code::WitnessStopped);
        assert!(witness.needs_operator(ORIGIN));
    }

    /// This machine's clock is decades ahead of the log's.
    #[test]
    fn a_head_whose_time_line_was_cut_off_is_cosigned_no_later_than_the_newest_allows() {
        let followed = Followed::new();
        followed.follow(&three(), 12, None);
        followed.log.look(None).unwrap();
        let asked = Asked::of(&followed);
        let is_line = |line: &&str| !line.starts_with(&format!("\u{2014} {ORIGIN}/time "));
        let stripped = String::from_utf8(head(&three(), 12)).unwrap();
        let stripped: String = stripped.lines().filter(is_line).map(|line| format!("{line}\n")).collect();
        assert_eq!(asked.status(0, stripped.as_bytes()), 200);
        let witness = asked.shared.0.witness.as_ref().unwrap();
        assert_eq!(witness.last_time(ORIGIN), Some(proto::num::Seconds(312)));
        assert_eq!(asked.status(3, &head(&three(), 12)), 200, "the log itself is cosigned on");
    }

    #[test]
    fn a_file_is_said_as_the_stop_that_it_is() {
        let followed = Followed::new();
        followed.follow(&three(), 12, None);
        let asked = Asked::of(&followed);
        let (good, fork) = (head(&three(), 12), head(&others(1), 12));
        assert_eq!(asked.status(0, &good), 200);
        assert_eq!(asked.status(3, &fork), 503, "the fork itself makes the file");
        assert_eq!(asked.status(3, &good), 503);
        let standing = followed.log.store.stop().standing();
        followed.log.store.resume_despite(&standing, NOW).unwrap();
        assert_eq!((asked.status(3, &good), asked.status(3, &fork)), (200, 422));
        followed.log.take_evidence(&file(10), Source::Report, NOW).unwrap();
        assert_eq!(asked.status(3, &good), 503);
    }

    #[test]
    fn a_head_that_cannot_be_held_against_what_is_known_is_not_cosigned() {
        let followed = Followed::new();
        followed.follow(&three(), 12, None);
        let asked = Asked::of(&followed);
        let good = head(&three(), 12);
        // What is kept as the newest head is none.
        followed.log.store.commit_batch(&Batch { newest: Some(b"damaged"), ..Batch::default() }, NOW).unwrap();
        for _ in 0..2 {
            let refused = decide(&asked.shared, &[b"old 0\n\n", good.as_slice()].concat()).unwrap_err();
            assert_eq!(refused.code(), Code::WitnessWaits, "it goes on by itself");
        }
        assert_eq!(asked.status(0, &head(&others(1), 12)), 503, "nor is one that would contradict it");
        followed.log.store.commit_batch(&Batch { newest: Some(&good), ..Batch::default() }, NOW).unwrap();
        assert_eq!(asked.status(0, &good), 200, "nothing was cosigned meanwhile, and it goes on by itself");
    }
}
