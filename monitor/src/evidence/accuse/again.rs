//! Which findings that have no file yet are tried again in a round.
//!
//! A log decides how many there are: it can list a thousand heads with false times and serve none of their entries. So a round
//! tries a bounded number of them, each ever more seldom. What needs nothing of the log, two histories, is tried in each round.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Finding, code};

/// Findings that a round tries again, and as many forks: most that are open at all with a log that only lost an entry.
const MOST_TRIES: usize = 16;
/// Tries double the rounds between them up to this: five minutes at a look every five seconds, as long as anybody waits for what a
/// log serves again.
const MOST_DOUBLINGS: u32 = 6;

/// What a process remembers of its tries.
#[derive(Debug, Default)]
pub(crate) struct Again {
    round: u64,
    waits: BTreeMap<String, Wait>,
}

#[derive(Debug, Default)]
struct Wait {
    tries: u32,
    /// The round before which it is not tried.
    due: u64,
}

impl Again {
    /// Those of all that are open whose turn it is in this round, the longest due first.
    pub(super) fn of_round(&mut self, open: Vec<Finding>) -> Vec<Finding> {
        self.round += 1;
        let names: BTreeSet<&str> = open.iter().map(|finding| finding.id.as_str()).collect();
        self.waits.retain(|name, _| names.contains(name.as_str()));
        let (forks, others): (Vec<_>, Vec<_>) = open.into_iter().partition(|finding| finding.code == code::FORK);
        let mut turn = self.due(forks, 0);
        turn.extend(self.due(others, MOST_DOUBLINGS));
        turn
    }

    fn due(&mut self, open: Vec<Finding>, most_doublings: u32) -> Vec<Finding> {
        let due = |finding: &Finding| self.waits.get(&finding.id).map_or(0, |wait| wait.due);
        let mut turn: Vec<(u64, Finding)> = open.into_iter().map(|finding| (due(&finding), finding)).collect();
        turn.retain(|(due, _)| *due <= self.round);
        turn.sort_by_key(|(due, _)| *due);
        turn.truncate(MOST_TRIES);
        for (_, finding) in &turn {
            let wait = self.waits.entry(finding.id.clone()).or_default();
            wait.due = self.round + (1 << wait.tries.min(most_doublings));
            wait.tries = wait.tries.saturating_add(1);
        }
        turn.into_iter().map(|(_, finding)| finding).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Class;

    fn open(code: &str, count: usize) -> Vec<Finding> {
        (0..count).map(|n| Finding::new(Class::Tamper, code, "").named(format!("{n:04}"))).collect()
    }

    #[test]
    fn every_finding_has_its_turn_and_ever_more_seldom() {
        let mut again = Again::default();
        let all = open(code::TIME, 100);
        let mut tries: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for round in 1..=2000 {
            let turn = again.of_round(all.clone());
            assert!(turn.len() <= MOST_TRIES);
            turn.into_iter().for_each(|finding| tries.entry(finding.id).or_default().push(round));
        }
        assert_eq!(tries.len(), all.len());
        for (name, rounds) in &tries {
            assert!(rounds.len() > 20 && rounds.len() < 50, "{name}: {rounds:?}");
            assert!(rounds.windows(2).all(|two| two[1] - two[0] <= 80), "{name}: {rounds:?}");
        }
    }

    #[test]
    fn forks_wait_for_nobody_and_what_is_over_is_forgotten() {
        let mut again = Again::default();
        let all = [open(code::TIME, 1000), open(code::FORK, 3)].concat();
        for _ in 0..20 {
            let turn = again.of_round(all.clone());
            assert_eq!(turn.iter().filter(|finding| finding.code == code::FORK).count(), 3);
            assert_eq!(turn.len(), MOST_TRIES + 3);
        }
        assert_eq!(again.of_round(Vec::new()), []);
        assert!(again.waits.is_empty());
    }
}
