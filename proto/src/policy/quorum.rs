//! Groups and the quorum: which sets of witnesses are enough.

use super::{PolicyName, Witness};
use crate::num::Seconds;

/// How many members of a group must have cosigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threshold {
    /// Every one.
    All,
    /// At least one.
    Any,
    /// At least this many; between 1 and the number of members.
    AtLeast(usize),
}

impl Threshold {
    /// The threshold as a number, for a group of this many members.
    pub fn of(self, members: usize) -> usize {
        match self {
            Threshold::All => members,
            Threshold::Any => 1,
            Threshold::AtLeast(k) => k,
        }
    }
}

/// A member of a group, or the quorum itself: a witness or a group, by its place in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    Witness(usize),
    Group(usize),
}

/// A group; its members stand before it in the file, so no group can hold itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: PolicyName,
    pub(super) threshold: Threshold,
    pub(super) members: Vec<Node>,
}

/// The groups and which of them decides; no decider is `quorum none`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quorum {
    pub(super) groups: Vec<Group>,
    pub(super) decider: Option<Node>,
}

/// What the reader's quorum says of one head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumReport {
    /// Whether enough witnesses cosigned. With `quorum none` nothing is needed and this is true.
    pub met: bool,
    /// The smallest number of witnesses that can meet the quorum: the k of "k of n"; 0 with `quorum none`.
    pub needed: usize,
    /// How many witnesses the quorum counts: the n of "k of n".
    pub counted: usize,
    /// How many of those cosigned this head.
    pub cosigned: usize,
    /// The earliest time by which the witnesses that had cosigned were enough: for k of n, the k-th smallest time. "In
    /// the tree that k of n witnesses had seen at this time."
    pub seen_by: Option<Seconds>,
    /// The latest time from which on the cosignatures are enough: for k of n, the k-th largest time. "Not in the tree
    /// that k of n witnesses had seen at this time", for a head that does not hold the entry.
    pub still_seen_at: Option<Seconds>,
}

impl Quorum {
    pub(super) fn is_none(&self) -> bool {
        self.decider.is_none()
    }

    /// Judges the times of the witnesses, one place for each in the order of the policy.
    pub(super) fn judge(&self, times: &[Option<Seconds>]) -> QuorumReport {
        let counted = self.counted();
        let of = |witness: usize| times.get(witness).copied().flatten();
        let mut sorted: Vec<Seconds> = counted.iter().filter_map(|w| of(*w)).collect();
        sorted.sort_unstable();
        let asked = !self.is_none();
        let enough_at = |enough: &dyn Fn(Seconds, Seconds) -> bool, limit: Seconds| {
            asked && self.is_met(&|w| of(w).is_some_and(|time| enough(time, limit)))
        };
        QuorumReport {
            met: self.is_met(&|w| of(w).is_some()),
            needed: self.needed(),
            counted: counted.len(),
            cosigned: sorted.len(),
            seen_by: sorted.iter().copied().find(|limit| enough_at(&|t, l| t <= l, *limit)),
            still_seen_at: sorted.iter().rev().copied().find(|limit| enough_at(&|t, l| t >= l, *limit)),
        }
    }

    pub(super) fn is_met(&self, has_cosigned: &dyn Fn(usize) -> bool) -> bool {
        // Members stand before their group, so one pass in order knows each member before it is asked for.
        let mut group_met: Vec<bool> = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let count = group.members.iter().filter(|node| node_met(**node, &group_met, has_cosigned)).count();
            group_met.push(count >= group.threshold.of(group.members.len()));
        }
        self.decider.is_none_or(|node| node_met(node, &group_met, has_cosigned))
    }

    /// The smallest number of witnesses that meets the quorum.
    fn needed(&self) -> usize {
        self.fewest_of(&|_| true)
    }

    /// How many of these witnesses are in every set that meets the quorum, at least: each group takes its cheapest members, and
    /// the others cost nothing. Each name is a member once, so that no choice in one group bears on another.
    pub(super) fn fewest_of(&self, counts: &dyn Fn(usize) -> bool) -> usize {
        let mut cost: Vec<usize> = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let mut members: Vec<usize> = group.members.iter().map(|node| node_cost(*node, &cost, counts)).collect();
            members.sort_unstable();
            cost.push(members.iter().take(group.threshold.of(members.len())).sum());
        }
        self.decider.map_or(0, |node| node_cost(node, &cost, counts))
    }

    /// The witnesses under the decider. Each name is a member once in the file, so none comes twice.
    pub(super) fn counted(&self) -> Vec<usize> {
        let mut open: Vec<Node> = self.decider.into_iter().collect();
        let mut witnesses = Vec::new();
        while let Some(node) = open.pop() {
            match node {
                Node::Witness(witness) => witnesses.push(witness),
                Node::Group(group) => open.extend(&self.groups[group].members),
            }
        }
        witnesses.sort_unstable();
        witnesses
    }

    pub(super) fn write(&self, witnesses: &[Witness], out: &mut Vec<u8>) {
        let name_of = |node: &Node| match node {
            Node::Witness(witness) => witnesses[*witness].name.as_bytes(),
            Node::Group(group) => self.groups[*group].name.as_bytes(),
        };
        for group in &self.groups {
            out.extend_from_slice(b"group ");
            out.extend_from_slice(group.name.as_bytes());
            let threshold = match group.threshold {
                Threshold::All => " all".to_owned(),
                Threshold::Any => " any".to_owned(),
                Threshold::AtLeast(k) => format!(" {k}"),
            };
            out.extend_from_slice(threshold.as_bytes());
            for member in &group.members {
                out.push(b' ');
                out.extend_from_slice(name_of(member));
            }
            out.push(b'\n');
        }
        out.extend_from_slice(b"quorum ");
        out.extend_from_slice(self.decider.as_ref().map_or(b"none".as_slice(), name_of));
        out.push(b'\n');
    }
}

fn node_met(node: Node, group_met: &[bool], has_cosigned: &dyn Fn(usize) -> bool) -> bool {
    match node {
        Node::Witness(witness) => has_cosigned(witness),
        Node::Group(group) => group_met[group],
    }
}

fn node_cost(node: Node, groups: &[usize], counts: &dyn Fn(usize) -> bool) -> usize {
    match node {
        Node::Witness(witness) => usize::from(counts(witness)),
        Node::Group(group) => groups[group],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quorum(groups: Vec<(Threshold, Vec<Node>)>, decider: Option<Node>) -> Quorum {
        let group = |(threshold, members)| Group { name: PolicyName(b"g".to_vec()), threshold, members };
        Quorum { groups: groups.into_iter().map(group).collect(), decider }
    }

    fn times(times: &[u64]) -> Vec<Option<Seconds>> {
        times.iter().map(|t| Some(Seconds(*t)).filter(|t| t.0 != 0)).collect()
    }

    #[test]
    fn bounds_are_the_kth_times() {
        let members = (0..4).map(Node::Witness).collect();
        let two_of_four = quorum(vec![(Threshold::AtLeast(2), members)], Some(Node::Group(0)));
        let report = two_of_four.judge(&times(&[50, 0, 20, 30]));
        assert_eq!((report.met, report.needed, report.counted, report.cosigned), (true, 2, 4, 3));
        assert_eq!(report.seen_by, Some(Seconds(30)), "the second smallest");
        assert_eq!(report.still_seen_at, Some(Seconds(30)), "the second largest");
        let report = two_of_four.judge(&times(&[0, 0, 20, 0]));
        assert_eq!((report.met, report.seen_by, report.still_seen_at), (false, None, None));
    }

    #[test]
    fn nested_groups_need_their_cheapest_members() {
        let any = (Threshold::Any, vec![Node::Witness(0), Node::Witness(1)]);
        let two = (Threshold::AtLeast(2), vec![Node::Witness(2), Node::Witness(3), Node::Witness(4)]);
        let both = (Threshold::All, vec![Node::Group(0), Node::Group(1)]);
        let nested = quorum(vec![any, two, both], Some(Node::Group(2)));
        let report = nested.judge(&times(&[70, 10, 20, 0, 90]));
        assert_eq!((report.met, report.needed, report.counted, report.cosigned), (true, 3, 5, 4));
        assert_eq!((report.seen_by, report.still_seen_at), (Some(Seconds(90)), Some(Seconds(20))));
        assert_eq!(nested.fewest_of(&|w| w != 1), 2, "the one that does not count stands for its group");
        assert_eq!(nested.fewest_of(&|w| w == 4), 0, "two others are enough");
        assert_eq!(nested.fewest_of(&|w| w >= 2), 2);
    }

    #[test]
    fn no_quorum_asks_for_nothing_and_says_nothing() {
        let report = quorum(Vec::new(), None).judge(&times(&[70, 10]));
        assert_eq!((report.met, report.needed, report.counted, report.cosigned), (true, 0, 0, 0));
        assert_eq!((report.seen_by, report.still_seen_at), (None, None));
    }
}
