//! What `status` says of peers and of heads that wait.

use std::fmt::Write as _;

use proto::num::{Seconds, TreeSize};
use serde::{Deserialize, Serialize};

use crate::gossip::Gossip;
use crate::gossip::peer::PeerSeen;

/// The gossip of one log.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct GossipStatus {
    /// Heads that others were shown, and that nothing ties to the tree yet.
    waiting: Vec<WaitingStatus>,
    /// Such heads that had no room, so far.
    discarded: u64,
    peers: Vec<PeerStatus>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct WaitingStatus {
    size: TreeSize,
    root: String,
    since: Seconds,
    /// Whether it was shown to extend the tree, as far as that was followed.
    extends: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct PeerStatus {
    name: String,
    url: String,
    /// The size of its newest head, by its last answer.
    head_size: Option<TreeSize>,
    /// The number up to which it has this log's evidence.
    evidence: u64,
    #[serde(flatten)]
    seen: PeerSeen,
}

impl GossipStatus {
    /// As it is now; nothing when gossip does not know the log.
    pub(super) fn of(gossip: &Gossip, origin: &str) -> Option<GossipStatus> {
        let log = gossip.log(origin)?;
        Some(log.look(|core| {
            GossipStatus {
                waiting: core
                    .waiting()
                    .map(|one| WaitingStatus {
                        size: one.head.size,
                        root: one.head.root.to_base64(),
                        since: one.since,
                        extends: one.tied.is_some(),
                    })
                    .collect(),
                discarded: core.discarded(),
                peers: gossip
                    .peers()
                    .iter()
                    .map(|peer| {
                        let known = log.peer(&peer.config.name).and_then(|id| core.peer(id));
                        PeerStatus {
                            name: peer.config.name.clone(),
                            url: peer.config.url.clone(),
                            head_size: known.and_then(|known| known.theirs()).map(|head| head.size),
                            evidence: known.map_or(0, |known| known.evidence()),
                            seen: peer.seen(),
                        }
                    })
                    .collect(),
            }
        }))
    }

    /// For people.
    pub(super) fn write(&self, out: &mut String) {
        // Writing to a string cannot fail.
        if !self.waiting.is_empty() || self.discarded > 0 {
            let _ = writeln!(out, "  {} heads wait, {} were discarded", self.waiting.len(), self.discarded);
        }
        for peer in &self.peers {
            let seen = peer.seen.last_seen.map_or_else(|| "never".to_owned(), |at| at.to_rfc3339());
            let size = peer.head_size.map(|size| format!(", has {size} entries")).unwrap_or_default();
            let _ = writeln!(out, "  peer {}: last answered {seen}{size}", peer.name);
            if let Some(error) = &peer.seen.last_error {
                let _ = writeln!(out, "    {} times in turn it did not: {error}", peer.seen.failures);
            }
        }
    }
}
