//! What every peer has: the own newest head, and the evidence.

use proto::num::{Seconds, TreeSize};

use super::{Core, Head, Output, PeerId, Source};

/// After which something is sent again that a peer did not take. Doubled each time.
pub const PUSH_AGAIN_SECONDS: u64 = 5;
/// The longest time between two tries: a peer that comes back learns of everything within it.
pub const LONGEST_PUSH_WAIT_SECONDS: u64 = 60;

/// A peer, as far as this log goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Peer {
    /// The last own head that it took.
    taken: Option<Head>,
    /// Its own newest head, by its last answer or by what it showed since.
    theirs: Option<Head>,
    /// It has the evidence up to this number.
    evidence: u64,
    /// How often in turn it did not answer.
    failures: u32,
    /// Before which it is not tried again.
    next: Seconds,
}

impl Peer {
    pub(super) fn with_evidence(evidence: u64) -> Peer {
        Peer { evidence, ..Peer::default() }
    }

    /// The number up to which it has the evidence.
    pub fn evidence(&self) -> u64 {
        self.evidence
    }

    /// The last own head that it took.
    pub fn taken(&self) -> Option<Head> {
        self.taken
    }

    /// Its own newest head, by its last answer.
    pub fn theirs(&self) -> Option<Head> {
        self.theirs
    }

    fn wait(&self) -> u64 {
        (PUSH_AGAIN_SECONDS << self.failures.min(8)).min(LONGEST_PUSH_WAIT_SECONDS)
    }

    fn tried(&mut self, now: Seconds) {
        self.next = Seconds(now.0.saturating_add(self.wait()));
    }
}

impl Core {
    /// The own head is new: every peer that answers is shown it at once, the others when their time comes.
    pub(super) fn push_own(&mut self, now: Seconds, out: &mut Vec<Output>) {
        let Some(own) = self.own else { return };
        for (id, peer) in &mut self.peers {
            if peer.taken != Some(own) && (peer.failures == 0 || now >= peer.next) {
                peer.tried(now);
                out.push(push(*id, peer, own));
            }
        }
    }

    /// What a peer does not have yet is sent again.
    pub(super) fn push_due(&mut self, now: Seconds, out: &mut Vec<Output>) {
        for (id, peer) in self.peers.iter_mut().filter(|(_, peer)| now >= peer.next) {
            let head = self.own.filter(|own| peer.taken != Some(*own));
            let evidence = (peer.evidence < self.evidence).then_some(peer.evidence + 1);
            if head.is_some() || evidence.is_some() {
                peer.tried(now);
            }
            out.extend(head.map(|head| push(*id, peer, head)));
            out.extend(evidence.map(|number| Output::SendEvidence { peer: *id, number }));
        }
    }

    /// A peer took a head.
    pub(super) fn taken(
        &mut self,
        now: Seconds,
        id: PeerId,
        pushed: Head,
        theirs: Option<Head>,
        out: &mut Vec<Output>,
    ) {
        let own = self.own;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let was_away = std::mem::take(&mut peer.failures) > 0;
        peer.theirs = theirs.or(peer.theirs);
        if own == Some(pushed) {
            peer.taken = own;
        }
        if was_away {
            // It is back: what it missed is sent now.
            peer.next = now;
            self.push_due(now, out);
        }
    }

    /// Something came from a peer that did not answer: it is back, and is sent what it missed at the next tick.
    pub(super) fn heard(&mut self, now: Seconds, source: Source, head: Head) {
        let Source::Peer(id) = source else { return };
        let is_within = self.own.is_some_and(|own| head.size <= own.size);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        // One that is larger may be somebody else's, which it only asks about.
        if is_within && peer.theirs.is_none_or(|theirs| theirs.size < head.size) {
            peer.theirs = Some(head);
        }
        if peer.failures > 0 {
            peer.failures = 0;
            peer.next = now;
        }
    }

    /// A peer did not answer.
    pub(super) fn not_taken(&mut self, now: Seconds, id: PeerId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.failures = peer.failures.saturating_add(1).min(16);
            peer.tried(now);
        }
    }

    /// There is more evidence: every peer is sent it at once, also one that did not answer last time.
    pub(super) fn evidence_until(&mut self, now: Seconds, last: u64, out: &mut Vec<Output>) {
        if last <= self.evidence {
            return;
        }
        self.evidence = last;
        for (id, peer) in &mut self.peers {
            if peer.evidence < last {
                peer.tried(now);
                out.push(Output::SendEvidence { peer: *id, number: peer.evidence + 1 });
            }
        }
    }

    /// A peer has evidence; the next piece follows.
    pub(super) fn evidence_taken(&mut self, now: Seconds, id: PeerId, number: u64, out: &mut Vec<Output>) {
        let last = self.evidence;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.failures = 0;
        peer.evidence = peer.evidence.max(number.min(last));
        if peer.evidence < last {
            peer.tried(now);
            out.push(Output::SendEvidence { peer: id, number: peer.evidence + 1 });
        }
    }
}

fn push(id: PeerId, peer: &Peer, own: Head) -> Output {
    let old = peer.theirs.map_or(TreeSize(0), |theirs| theirs.size).min(own.size);
    Output::Push { peer: id, head: own, old }
}
