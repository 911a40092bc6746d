//! Statements that heads stay unavailable: taken from whoever hands them in, and asked for where peers keep them.
//!
//! A statement is signed by the peer that made it, so it does not matter who passes it on. One that was sent while this monitor
//! was away is found in the list of any peer that has it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use client::Error;
use proto::note::{Note, Verifier};
use proto::num::Millis;
use proto::unavailable::Unavailable;

use super::core::{Head, Input, Source};
use super::log::{LogGossip, now};
use super::own::Own;
use super::peer::{Peer, StatementMessage};
use super::run::Gossip;
use crate::store::{Batch, GossipStep, KeptStatement, MOST_STATEMENTS_OF_ONE};

/// Statements in a page of a list: each is at most 64 KiB with its head, and a page of a peer at most 4 MiB.
pub const STATEMENTS_PAGE: usize = 50;

/// Why a statement is not kept.
#[derive(Debug)]
pub enum NotKept {
    /// It is about a log that is not followed here.
    OtherLog,
    /// No peer whose key is known here made it.
    NoPeer,
    /// The peer did not sign it so, or the head beside it is none of the log's or another one.
    Wrong(String),
    /// It could not be kept here: not the sender's fault.
    Own(Error),
}

impl fmt::Display for NotKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotKept::OtherLog => f.write_str("it is about a log that is not followed here"),
            NotKept::NoPeer => f.write_str("no peer whose key is known here made it"),
            NotKept::Wrong(why) => f.write_str(why),
            NotKept::Own(error) => f.write_str(&error.message),
        }
    }
}

impl Gossip {
    /// Keeps what a peer stated, whoever hands it in, and judges the head that it is about as any other. `shown_by` is the peer
    /// that hands it in: who made it may be away, and anybody can pass it on.
    ///
    /// Waits for the disk: call it off the async threads.
    ///
    /// # Errors
    /// When it is not one to keep.
    pub fn keep_statement(
        self: &Arc<Self>,
        message: &StatementMessage,
        shown_by: Option<&Peer>,
        now: Millis,
    ) -> Result<(), NotKept> {
        let origin = message.checkpoint.lines().next().unwrap_or_default();
        let log = self.log(origin).ok_or(NotKept::OtherLog)?;
        let by = message.statement.lines().last().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
        let made_it = |peer: &&Arc<Peer>| peer.verifier.as_ref().is_some_and(|key| key.vkey().name().as_str() == by);
        let key = self.peers().iter().find(made_it).and_then(|peer| peer.verifier.as_ref()).ok_or(NotKept::NoPeer)?;
        let shown = log.take_statement(message, (by, key), now)?;
        // The head is one like any other: perhaps the tree here shows what it is.
        let source = shown_by.and_then(|peer| log.peer(&peer.config.name)).map_or(Source::Anyone, Source::Peer);
        let input = |head, random| Input::Received { head, source, proof: None, random };
        let (_, acts) = log.take(&shown, input, now).map_err(NotKept::Own)?;
        self.act(log, acts);
        Ok(())
    }

    /// Asks a peer for a page of its list behind this place; the place to go on from, nothing to begin again. A page at a time,
    /// round and round: the list is in the order of heads, so that what is new may stand anywhere in it.
    pub(super) async fn pull_statements(
        self: &Arc<Self>,
        log: &Arc<LogGossip>,
        peer: &Arc<Peer>,
        place: Option<String>,
    ) -> Option<String> {
        let page = peer.statements(log.log().origin(), place.as_deref()).await.ok()?;
        if !page.statements.is_empty() {
            let (gossip, log, by) = (self.clone(), log.clone(), peer.clone());
            let listed = page.statements.into_iter().take(STATEMENTS_PAGE).map(StatementMessage::from).collect();
            let taken = move || gossip.take_listed(&log, &by, listed);
            if let Err(error) = tokio::task::spawn_blocking(taken).await {
                tracing::error!(peer = peer.config.name, %error, "statements of a peer");
            }
        }
        page.next_cursor
    }

    /// Keeps of a peer's page what is new and made by a peer that is known here.
    fn take_listed(self: &Arc<Self>, log: &LogGossip, peer: &Peer, listed: Vec<StatementMessage>) {
        let known: BTreeSet<String> = match log.log().store.statements() {
            Ok(kept) => kept.into_iter().map(|kept| kept.statement).collect(),
            Err(error) => {
                return tracing::error!(origin = log.log().origin(), error = error.message, "kept statements");
            }
        };
        for message in listed.into_iter().filter(|one| !known.contains(&one.statement)) {
            match self.keep_statement(&message, Some(peer), now()) {
                Ok(()) => {}
                Err(NotKept::Own(error)) => {
                    tracing::error!(origin = log.log().origin(), error = error.message, "a statement cannot be kept");
                }
                Err(why) => tracing::debug!(peer = peer.config.name, "a listed statement is not taken: {why}"),
            }
        }
    }
}

impl LogGossip {
    /// Keeps a peer's statement that a head stays unavailable, if that says anything here, and gives that head to be judged as any
    /// other.
    ///
    /// # Errors
    /// When the peer did not make it, or not about this head; or the failure to keep it.
    pub fn take_statement(
        &self,
        message: &StatementMessage,
        (by, verifier): (&str, &Verifier),
        now: Millis,
    ) -> Result<proto::policy::Checked, NotKept> {
        let wrong = |why: &dyn fmt::Display| NotKept::Wrong(why.to_string());
        let said = Unavailable::verify(message.statement.as_bytes(), verifier).map_err(|why| wrong(&why))?;
        let note = Note::parse(message.checkpoint.as_bytes()).map_err(|why| wrong(&why))?;
        let checked = self.check(note).map_err(|why| wrong(&why))?;
        if !said.is_about(checked.checkpoint.text()) {
            return Err(wrong(&"it is not about the head beside it"));
        }
        let head = Head { size: said.size, root: said.root };
        let checkpoint = String::from_utf8_lossy(&checked.checkpoint.to_bytes()).into_owned();
        let kept = KeptStatement { by: by.to_owned(), statement: message.statement.clone(), checkpoint };
        if self.says_something(head, &kept).map_err(NotKept::Own)? {
            let statements_over = self.statements_over(by).map_err(NotKept::Own)?;
            let gossip = GossipStep { statements: vec![(head, kept)], statements_over, ..GossipStep::default() };
            self.log().store.commit_batch(&Batch { gossip, ..Batch::default() }, now).map_err(NotKept::Own)?;
        }
        Ok(checked)
    }

    /// A head that is a state of the own tree is available, whatever is stated of it; and what is kept says nothing twice.
    fn says_something(&self, head: Head, new: &KeptStatement) -> Result<bool, Error> {
        let is_kept = self.log().store.statement(head, &new.by)?.as_ref() == Some(new);
        Ok(!is_kept && !Own::of(self.log())?.has(head)?)
    }

    /// Where the room of a peer is full: what it stated of heads that are states of the own tree by now.
    fn statements_over(&self, by: &str) -> Result<Vec<(Head, String)>, Error> {
        let heads = self.log().store.stated_by(by)?;
        if heads.len() < MOST_STATEMENTS_OF_ONE {
            return Ok(Vec::new());
        }
        let (own, mut over) = (Own::of(self.log())?, Vec::new());
        for head in heads {
            if own.has(head)? {
                over.push((head, by.to_owned()));
            }
        }
        Ok(over)
    }
}

#[cfg(test)]
mod tests {
    use client::follow::{Cursor, Kv as _, Step};
    use proto::checkpoint::CheckpointText;
    use proto::cosignature::Cosigner;
    use proto::ed25519::SecretKey;
    use proto::hash::Hash;
    use proto::note::KeyName;
    use proto::num::{Seconds, TreeSize};

    use super::super::tests::{World, head};
    use super::*;
    use crate::store::MOST_STATEMENTS_OF_ONE as MOST;

    const NOW: Millis = Millis(1_000_000);

    fn maker(name: &str) -> Cosigner {
        Cosigner::new(KeyName::parse(name).unwrap(), SecretKey::from_seed(&[5; 32])).unwrap() // a test key
    }

    /// Takes what somebody states of a head, as it is signed.
    fn take(gossip: &LogGossip, by: &Cosigner, note: &[u8]) {
        let checkpoint = String::from_utf8(note.to_vec()).unwrap();
        let (text, _) = checkpoint.split_once("\n\n").unwrap();
        let text = CheckpointText::parse(&format!("{text}\n")).unwrap();
        let statement = Unavailable::new(&text, Seconds(1), Seconds(90_000)).sign(by).unwrap();
        let verifier = Verifier::new(by.vkey()).unwrap();
        let message = StatementMessage { statement, checkpoint };
        gossip.take_statement(&message, (by.vkey().name().as_str(), &verifier), NOW).unwrap();
    }

    fn kept(gossip: &LogGossip, by: &str) -> usize {
        gossip.log().store.stated_by(by).unwrap().len()
    }

    /// The own tree grows to so many entries.
    fn grow(gossip: &LogGossip, to: u32) -> Hash {
        let (mut cursor, mut nodes) = (gossip.log().store.cursor().unwrap(), Vec::new());
        for index in u32::try_from(cursor.range.size().0).unwrap()..to {
            let leaf = Hash::leaf(&index.to_be_bytes());
            cursor.range.append_collect(leaf, &mut |level, index, hash| nodes.push((level, index, hash)));
        }
        cursor.folded = cursor.range.size();
        let cursor: &Cursor = &cursor;
        gossip.log().store.commit(&Step { cursor, state: vec![], bundles: &[], nodes: &nodes, remarks: &[] }).unwrap();
        cursor.range.root()
    }

    #[test]
    fn one_peer_takes_no_room_from_others_and_the_own_ones_are_always_kept() {
        let world = World::new();
        let gossip = world.open();
        let (busy, other) = (maker("busy.example"), maker("other.example"));
        for size in 0..=MOST as u64 {
            take(&gossip, &busy, &head(1000 + size));
        }
        assert_eq!(kept(&gossip, "busy.example"), MOST);
        take(&gossip, &other, &head(1000));
        assert_eq!(kept(&gossip, "other.example"), 1);
        let own = |size: u64| {
            let head = Head { size: TreeSize(size), root: Hash::EMPTY_ROOT };
            let (statement, checkpoint) = (String::new(), String::new());
            (head, KeptStatement { by: "busy.example".to_owned(), statement, checkpoint })
        };
        let gossip_step = GossipStep { own_statements: (0..3).map(own).collect(), ..GossipStep::default() };
        gossip.log().store.commit_batch(&Batch { gossip: gossip_step, ..Batch::default() }, NOW).unwrap();
        assert_eq!(kept(&gossip, "busy.example"), MOST + 3, "what this monitor stated itself has room");
    }

    #[test]
    fn heads_of_the_own_tree_are_available_whatever_is_stated() {
        let world = World::new();
        let gossip = world.open();
        let by = maker("peer.example");
        let root = grow(&gossip, 3);
        take(&gossip, &by, &world.head(3, root));
        assert_eq!(kept(&gossip, "peer.example"), 0);
        // What was stated before the tree grew so far makes room when that is needed.
        let roots: Vec<(u64, Hash)> = {
            let (ahead, sizes) = (World::new(), 4..10);
            let ahead = ahead.open();
            sizes.map(|size| (u64::from(size), grow(&ahead, size))).collect()
        };
        roots.iter().for_each(|(size, root)| take(&gossip, &by, &world.head(*size, *root)));
        for size in 0..(MOST - roots.len()) as u64 {
            take(&gossip, &by, &head(1000 + size));
        }
        assert_eq!(kept(&gossip, "peer.example"), MOST);
        take(&gossip, &by, &head(2000));
        assert_eq!(kept(&gossip, "peer.example"), MOST, "full");
        grow(&gossip, 9);
        take(&gossip, &by, &head(2000));
        assert_eq!(kept(&gossip, "peer.example"), MOST - roots.len() + 1);
    }
}
