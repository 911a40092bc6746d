//! `resume-origin --ask-peers`: what a running monitor does when it does not know what it cosigned last, done once.

use std::sync::Arc;
use std::time::Duration;

use client::api::Api;
use client::http::Http;
use proto::num::TreeSize;
use tokio::runtime::Runtime;

use super::why_not;
use crate::cli::{Exit, Failure, records_folder, say};
use crate::config::{Config, LogToFollow};
use crate::gossip::last_cosigned::{Asked, Asking, counted, words};
use crate::gossip::peer::Peer;
use crate::store::LogStore;
use crate::witness::{PeerAnswer, Restored, Witness, WitnessKeys, is_below};

pub(super) fn run(config: &Config, log: &LogToFollow, store: &LogStore) -> Result<(), Failure> {
    let witness = config.witness.as_ref().ok_or_else(|| Failure::new(Exit::Config, "this monitor is no witness"))?;
    let keys = WitnessKeys::load(&witness.keys)?;
    let asking = Arc::new(Asking::new(&log.origin, &log.trust, &keys.vkeys())?);
    let me = config.gossip.name.clone().or_else(|| keys.name()).unwrap_or_default();
    let logs = [(log.origin.clone(), log.trust.clone())];
    let witness = Witness::open(keys, &config.state, &records_folder(config), &logs)?;
    let peer =
        |one: &crate::gossip::config::PeerConfig| Peer::new(one.clone(), &me, config.gossip.answer()).map(Arc::new);
    let peers: Vec<Arc<Peer>> = config.peers.iter().map(peer).collect::<Result<_, _>>()?;
    let whom = counted(&peers, &asking.own);
    let runtime = Runtime::new().map_err(Failure::internal)?;
    let asked = runtime.block_on(asking.ask(&whom));
    // What the log and this monitor's own state show of it can raise it, too.
    let of_log = runtime.block_on(head_of(log, config.gossip.answer()));
    for own in &asking.own {
        let kept = store.cosigned_by(&own.vkey().to_string())?.map(|kept| kept.note);
        for note in kept.iter().chain(&of_log) {
            asking.own_line(own, note).iter().for_each(|seen| _ = witness.saw_own(&log.origin, seen));
        }
    }
    if witness.doubt(&log.origin).is_none() {
        asked.known.iter().for_each(|known| _ = witness.saw_own(&log.origin, known));
    }
    if witness.doubt(&log.origin).is_none() {
        return match witness.stopped(&log.origin) {
            Some(why) => Err(Failure::new(Exit::Io, format!("the peers can say nothing about this: {why}"))),
            None => {
                let own = witness.size(&log.origin).filter(|size| *size > TreeSize(0));
                agreed(log, store, &asked, own, (whom.len(), config.gossip.needed_of(whom.len())))
            }
        };
    }
    let outcome = witness.restore(&log.origin, &asked.answers, &asked.known, config.gossip.bad_of(whom.len()))?;
    finish(log, store, outcome, &asked, whom.len())
}

/// Nothing is in doubt: what that says hangs on how many have answered. Those that know less than this witness, whose last head is
/// `own`, count when all have answered.
fn agreed(
    log: &LogToFollow,
    store: &LogStore,
    asked: &Asked,
    own: Option<TreeSize>,
    (peers, needed): (usize, usize),
) -> Result<(), Failure> {
    let origin = &log.origin;
    if let Some(why) = why_not(store)? {
        return Err(super::stopped(format!("{origin}: database and record agree, but {why}. See --despite-evidence")));
    }
    let counts = |answer: &&PeerAnswer| asked.silent.is_empty() || !is_below(answer, own);
    let answered = asked.answers.iter().filter(counts).count();
    if answered < needed {
        let mut message = format!(
            "{origin}: database and record agree, and that may be since both were put back: {answered} of {peers} peers with a vkey \
             gave an answer that counts, and {needed} are needed. Start them and ask again"
        );
        asked.silent.iter().for_each(|(peer, why)| message.push_str(&format!("; {peer}: {why}")));
        return Err(super::stopped(message));
    }
    say(&format!("{origin}: database and record agree, and nobody knows of a later cosignature. Nothing is changed.\n"))
}

fn finish(
    log: &LogToFollow,
    store: &LogStore,
    outcome: Option<Restored>,
    asked: &Asked,
    peers: usize,
) -> Result<(), Failure> {
    let Some(outcome) = outcome else { return Err(Failure::new(Exit::Internal, "the doubt is over")) };
    let said = words(&outcome, asked, peers);
    match (&outcome, why_not(store)?) {
        (Restored::From(_), None) => say(&format!("{} is cosigned again: {said}.\n", log.origin)),
        (Restored::From(_), Some(why)) => {
            Err(super::stopped(format!("{} would be cosigned ({said}), but {why}. See --despite-evidence", log.origin)))
        }
        (Restored::TooFew { .. }, _) => Err(Failure::new(
            Exit::Unavailable,
            format!("{} is still not cosigned: {said}. Start the peers and ask again, or see --help", log.origin),
        )),
        (Restored::Nothing | Restored::TwoRoots(_), _) => {
            Err(Failure::new(Exit::Io, format!("{} is still not cosigned: {said}", log.origin)))
        }
    }
}

/// The head that the log shows, if it answers.
async fn head_of(log: &LogToFollow, answer: Duration) -> Option<Vec<u8>> {
    let http = Http::via(&log.url, &log.egress).ok()?.with_deadline(Duration::ZERO).with_whole_timeout(answer);
    Api::new(http).checkpoint().await.ok()
}
