//! An entry that should not be there.

use std::collections::BTreeSet;

use client::Error;
use client::follow::Kv as _;
use proto::claim::{ClaimId, RelKind};
use proto::entry::{Entry, Links};
use proto::fold::{self, State, Stop, Submission, check_signatures, decide};
use proto::misbehaviour::{MAX_ENTRIES, Misbehaviour, ShownEntry};
use proto::note::Vkey;
use proto::num::LeafIndex;

use super::entries::{Asking, Entries};
use super::{Made, Why, first};
use crate::finding::Finding;
use crate::follow::FollowedLog;
use crate::store::LogStore;

/// The fold's state where the rules stopped: that of the entry before.
struct Before<'a>(&'a LogStore);

impl State for Before<'_> {
    type Error = Error;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.0.state(key)
    }
}

impl FollowedLog {
    /// The file of an entry at which the rules stopped, of the kind that its code asks for.
    pub(super) fn accuse_of_entry(&self, finding: &Finding, asking: &Asking) -> Made<Misbehaviour> {
        let index = finding.index.ok_or_else(|| Why::Never("no entry is named".to_owned()))?;
        if self.store.cursor()?.folded.next_index() != index {
            return Err(Why::Never(format!("the rules came past entry {index}")));
        }
        let accuser = Accuser { log: self, index, entries: Entries::open(self, asking)?, before: Before(&self.store) };
        let bytes = accuser.entries.bytes(index)?;
        let entry = Entry::decode(&bytes).map_err(|why| {
            Why::Never(format!(
                "entry {index} is malformed ({why}), which its head does not say: others must read the entry"
            ))
        })?;
        match finding.code.as_str() {
            "entry.time" => accuser.time_back(),
            "entry.duplicate" => accuser.duplicate(&entry),
            "mode.frozen" => accuser.after_freeze(),
            "entry.link" => accuser.wrong_link(&entry),
            "anchor.fork" => Err(Why::Never("what the claim's issuer was shown is in no signed head here".to_owned())),
            _ => accuser.broken_rule(&entry),
        }
    }
}

struct Accuser<'a> {
    log: &'a FollowedLog,
    index: LeafIndex,
    entries: Entries<'a>,
    before: Before<'a>,
}

impl Accuser<'_> {
    fn first(
        &self,
        make: impl Fn(&Vkey) -> Result<Misbehaviour, proto::misbehaviour::CannotAccuse>,
    ) -> Made<Misbehaviour> {
        first(self.log.log_keys(), make)
    }

    fn two(&self, other: LeafIndex) -> Made<[ShownEntry; 2]> {
        Ok([self.entries.shown(other)?, self.entries.shown(self.index)?])
    }

    fn time_back(&self) -> Made<Misbehaviour> {
        let before = self.index.0.checked_sub(1).map(LeafIndex);
        let both = self.two(before.ok_or_else(|| Why::Never("entry 0 has none before it".to_owned()))?)?;
        self.first(|key| Misbehaviour::time_back(self.log.origin(), key, self.entries.head(), both.clone()))
    }

    fn duplicate(&self, entry: &Entry) -> Made<Misbehaviour> {
        let id = ClaimId::of(&entry.payload_type, &entry.payload);
        let earlier = self.claim_at(&id)?.ok_or_else(|| Why::Never("the first of the two is not known".to_owned()))?;
        let both = self.two(earlier)?;
        self.first(|key| Misbehaviour::duplicate_claim(self.log.origin(), key, self.entries.head(), both.clone()))
    }

    fn after_freeze(&self) -> Made<Misbehaviour> {
        let log = fold::constitution(&self.before).map_err(stopped)?;
        let freeze = log.map(|log| LeafIndex(log.current.index));
        let freeze = freeze.ok_or_else(|| Why::Never("there is no freeze".to_owned()))?;
        let constitution = self.entries.entry(freeze).and_then(|entry| entry.links.constitution);
        let constitution = constitution.ok_or_else(|| Why::NotYet(format!("entry {freeze} cannot be read")))?;
        let (freeze, constitution) = (self.entries.shown(freeze)?, self.entries.shown(constitution)?);
        self.first(|key| {
            let (freeze, constitution) = (freeze.clone(), constitution.clone());
            Misbehaviour::after_freeze(self.log.origin(), key, self.entries.head(), freeze, constitution)
        })
    }

    /// With what the entry links to, what the rules say that it should, and what those need.
    fn wrong_link(&self, entry: &Entry) -> Made<Misbehaviour> {
        let mut wanted = BTreeSet::new();
        let links = [Some(entry.links), self.right_links(entry)?];
        let of = |links: Links| [links.constitution, links.registry, links.previous];
        let linked = links.into_iter().flatten().flat_map(of).flatten().filter(|link| *link < self.index);
        // The entry before was taken by the constitution in force, and so names it.
        let before = self.index.0.checked_sub(1).map(LeafIndex);
        for link in linked.chain(before) {
            self.want(link, &mut wanted);
        }
        self.want_target(entry, &mut wanted)?;
        let (entry, others) = self.about(wanted)?;
        self.first(|key| {
            let (entry, others) = (entry.clone(), others.clone());
            Misbehaviour::wrong_link(self.log.origin(), key, self.entries.head(), entry, others)
        })
    }

    fn broken_rule(&self, entry: &Entry) -> Made<Misbehaviour> {
        let mut wanted = BTreeSet::new();
        self.want_target(entry, &mut wanted)?;
        let (entry, others) = self.about(wanted)?;
        self.first(|key| {
            let (entry, others) = (entry.clone(), others.clone());
            Misbehaviour::broken_rule(self.log.origin(), key, self.entries.head(), entry, others)
        })
    }

    /// The links that the rules give; nothing when they refuse the claim for another reason as well.
    fn right_links(&self, entry: &Entry) -> Made<Option<Links>> {
        let Ok(submission) = Submission::from_entry(entry) else { return Ok(None) };
        let decided = check_signatures(submission, &self.before)
            .and_then(|checked| decide(self.index, entry.timestamp, &checked, &self.before));
        match decided {
            Ok(decision) => Ok(Some(decision.links)),
            Err(Stop::State(error)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    /// An entry and what a verifier follows from it.
    fn want(&self, index: LeafIndex, wanted: &mut BTreeSet<LeafIndex>) {
        wanted.insert(index);
        wanted.extend(Misbehaviour::supporting_entries(index, |at| self.entries.entry(at)));
    }

    /// The claim that the entry is about, and the one that withdrew it.
    fn want_target(&self, entry: &Entry, wanted: &mut BTreeSet<LeafIndex>) -> Made<()> {
        let Ok(submission) = Submission::from_entry(entry) else { return Ok(()) };
        let Some(target) = &submission.claim().rel.target else { return Ok(()) };
        let Some(record) = fold::read::claim(&self.before, &target.id).map_err(stopped)? else { return Ok(()) };
        self.want(LeafIndex(record.index), wanted);
        if record.withdrawn
            && let Some(withdrawal) = self.withdrawal(&target.id, record.slot)?
        {
            self.want(withdrawal, wanted);
        }
        Ok(())
    }

    /// Where a claim was withdrawn: somewhere in its slot's chain, which is followed back from its end.
    fn withdrawal(&self, target: &ClaimId, slot: Option<u64>) -> Made<Option<LeafIndex>> {
        let Some(slot) = slot else { return Ok(None) };
        let record = fold::read::slot(&self.before, slot).map_err(stopped)?;
        let mut next = record.map(|record| LeafIndex(record.last));
        for _ in 0..MAX_ENTRIES {
            let Some(at) = next else { break };
            let Some(entry) = self.entries.entry(at) else { break };
            let withdraws = |claim: &Submission| {
                let rel = &claim.claim().rel;
                rel.kind == RelKind::Withdraw && rel.target.as_ref().is_some_and(|named| named.id == *target)
            };
            if Submission::from_entry(&entry).is_ok_and(|claim| withdraws(&claim)) {
                return Ok(Some(at));
            }
            next = entry.links.previous.filter(|previous| *previous < at);
        }
        Ok(None)
    }

    /// The entry in question, and others with what it needs itself.
    fn about(&self, mut wanted: BTreeSet<LeafIndex>) -> Made<(ShownEntry, Vec<ShownEntry>)> {
        wanted.extend(Misbehaviour::supporting_entries(self.index, |at| self.entries.entry(at)));
        wanted.remove(&self.index);
        let entry = self.entries.shown(self.index)?;
        let others = wanted.into_iter().map(|at| self.entries.shown(at)).collect::<Made<_>>()?;
        Ok((entry, others))
    }

    fn claim_at(&self, id: &ClaimId) -> Made<Option<LeafIndex>> {
        let record = fold::read::claim(&self.before, id).map_err(stopped)?;
        Ok(record.map(|record| LeafIndex(record.index)))
    }
}

fn stopped(stop: Stop<Error>) -> Why {
    match stop {
        Stop::State(error) => error.into(),
        other => Why::NotYet(other.to_string()),
    }
}
