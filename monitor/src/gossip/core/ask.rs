//! Whom to ask for what waits, and what to tell when nobody answers.

use proto::num::{Seconds, TreeSize};

use super::{Core, Head, Output, Source, Told, Whom};

/// After which a head that waits is asked for everywhere. The log and the sender had many tries by then, and a log that is
/// honest has been read up to the head ten times.
pub const ASK_ALL_SECONDS: u64 = 60;
/// After which it is told that a head still waits and nothing ties it: longer than any restart of a log or a peer.
pub const ALERT_SECONDS: u64 = 600;
/// After which it is stated, signed: a day, in which operators on every side can have mended what was only broken.
pub const STATEMENT_SECONDS: u64 = 86_400;
/// So often it is kept how long a head was asked for: what a crash costs of it. Then the statement is made so much later.
pub const COUNTED_SECONDS: u64 = 3600;
/// The longest time between two rounds of questions; they begin at [`ASK_ALL_SECONDS`] and double.
pub const LONGEST_ASK_WAIT_SECONDS: u64 = 3600;

impl Core {
    /// Asks the log and whoever showed the head.
    pub(super) fn ask_few(&mut self, now: Seconds, head: Head, out: &mut Vec<Output>) {
        let Some(waiting) = self.table.get_mut(head) else { return };
        let sender = match waiting.source {
            Source::Peer(peer) => Some(Whom::Peer(peer)),
            Source::Log | Source::Anyone => None,
        };
        let all = waiting.since.0.saturating_add(ASK_ALL_SECONDS);
        let next = if now.0 < all { all } else { now.0.saturating_add(ASK_ALL_SECONDS) };
        waiting.next_ask = Seconds(next);
        self.ask(head, [Whom::Log].into_iter().chain(sender).collect(), out);
    }

    /// A peer shows a head that waits already. It can be asked, where whoever showed it before could not.
    pub(super) fn shown_again(&mut self, head: Head, source: Source, out: &mut Vec<Output>) {
        let Source::Peer(peer) = source else { return };
        let Some(waiting) = self.table.get_mut(head) else { return };
        if !matches!(waiting.source, Source::Peer(_)) {
            waiting.source = source;
            if waiting.tied.is_none() {
                self.ask(head, vec![Whom::Peer(peer)], out);
            }
        }
    }

    /// Asks everybody, and shows the head to every peer: one whose tree is larger sees at once whether it is a state of it. A
    /// head that is tied is shown, too: a log that shows this monitor nothing beyond what two histories have in common would
    /// otherwise let both their heads wait here side by side.
    fn ask_all(&mut self, now: Seconds, head: Head, out: &mut Vec<Output>) {
        let peers: Vec<_> = self.peers.keys().copied().collect();
        let Some(waiting) = self.table.get_mut(head) else { return };
        let wait = ASK_ALL_SECONDS << waiting.asked_all.min(u64::BITS - 8);
        waiting.next_ask = Seconds(now.0.saturating_add(wait.min(LONGEST_ASK_WAIT_SECONDS)));
        waiting.asked_all = waiting.asked_all.saturating_add(1).min(16);
        let shown = peers.iter().filter(|peer| Source::Peer(**peer) != waiting.source);
        out.extend(shown.map(|peer| Output::Push { peer: *peer, head, old: TreeSize(0) }));
        if waiting.tied.is_some() {
            return; // there is nothing to prove before the own tree has grown
        }
        self.ask(head, [Whom::Log].into_iter().chain(peers.into_iter().map(Whom::Peer)).collect(), out);
    }

    fn ask(&mut self, head: Head, whom: Vec<Whom>, out: &mut Vec<Output>) {
        // Every tree extends the empty one: without a tree of one's own there is nothing to prove.
        let Some(own) = self.own.filter(|own| own.size > TreeSize(0) && own.size < head.size) else { return };
        let Some(waiting) = self.table.get_mut(head) else { return };
        waiting.pending.extend(whom.iter().copied());
        out.extend(whom.into_iter().map(|whom| Output::Ask { whom, head, from: own.size }));
    }

    /// An answer came for an own tree that has grown since: it is asked for again.
    pub(super) fn answered_late(&mut self, now: Seconds, head: Head, whom: Whom, out: &mut Vec<Output>) {
        let Some(waiting) = self.table.get_mut(head) else { return };
        let was_asked = waiting.pending.remove(&whom);
        if was_asked && waiting.pending.is_empty() && waiting.tied.is_none() {
            self.ask_few(now, head, out);
        }
    }

    /// Somebody who was asked has answered. When the log and the sender have and it still waits, all are asked.
    pub(super) fn answered(&mut self, now: Seconds, head: Head, whom: Whom, out: &mut Vec<Output>) {
        let Some(waiting) = self.table.get_mut(head) else { return };
        let was_asked = waiting.pending.remove(&whom);
        if was_asked && waiting.pending.is_empty() && waiting.tied.is_none() && waiting.asked_all == 0 {
            self.ask_all(now, head, out);
        }
    }

    /// The process ran for so long, and asked for all that waits. How long that was altogether is kept now and then.
    pub(super) fn ran(&mut self, seconds: u64, out: &mut Vec<Output>) {
        // One that is tied is not asked for.
        for waiting in self.table.iter_mut().filter(|waiting| waiting.tied.is_none()) {
            let before = waiting.asked_for;
            waiting.asked_for = before.saturating_add(seconds);
            if waiting.asked_for / COUNTED_SECONDS > before / COUNTED_SECONDS {
                out.push(Output::Waits(waiting.clone()));
            }
        }
    }

    /// What time brings about.
    pub(super) fn ask_due(&mut self, now: Seconds, out: &mut Vec<Output>) {
        let mut due = Vec::new();
        for waiting in self.table.iter_mut() {
            let age = now.0.saturating_sub(waiting.since.0);
            // Nothing is said of one that is tied: the log showed that it is of the own history, whose entries are still to come.
            let in_doubt = waiting.tied.is_none().then(|| now.0.saturating_sub(waiting.untied.0));
            if waiting.told == Told::Nothing && in_doubt.is_some_and(|age| age >= ALERT_SECONDS) {
                waiting.told = Told::Alerted;
                out.push(Output::Alert(waiting.clone()));
            }
            // Of what is signed nothing may hang on a clock that was wrong when the head came, or is now.
            let in_vain = in_doubt.map(|age| age.min(waiting.asked_for));
            if waiting.told == Told::Alerted && in_vain.is_some_and(|age| age >= STATEMENT_SECONDS) {
                waiting.told = Told::Stated;
                out.push(Output::State(waiting.clone()));
            }
            if now >= waiting.next_ask && (waiting.tied.is_none() || age >= ASK_ALL_SECONDS) {
                due.push((waiting.head, age));
            }
        }
        for (head, age) in due {
            if age >= ASK_ALL_SECONDS { self.ask_all(now, head, out) } else { self.ask_few(now, head, out) }
        }
    }
}
