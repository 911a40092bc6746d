//! No file is proven but those in which the accused key really signed what contradicts: valid files of every kind are
//! flipped, cut, swapped and put together from parts of each other and of an honest log, by the ten thousand.

use proptest::prelude::*;
use proptest::sample::Index;
use proto::misbehaviour::{Kind, Misbehaviour};

use crate::cases::{all, spoken};
use crate::forged::{Raw, raw_entry};
use crate::log::*;
use crate::rules::rule_cases;

/// Every proven file of the tests, and files of the same forms in which everything comes from one honest log.
fn proven() -> Vec<Raw> {
    all().iter().chain(&rule_cases()).map(|case| Raw::of(&case.file)).collect()
}

/// What an honest log and its witness signed: every head, at two times, and every entry under the last one.
struct Honest {
    log: Log,
    heads: Vec<proto::note::Note>,
}

fn honest() -> Honest {
    let log = Log::of(&spoken());
    let stamped = |size: u64| {
        let time = log.entry(size - 1).timestamp.seconds().0;
        [log.head_at(size, time), log.head_at(size, time + u64::from(size == log.size()) * 30)]
    };
    let heads = (1..=log.size()).flat_map(stamped).collect();
    Honest { log, heads }
}

/// Everything in the file comes from the honest log.
fn of_honest(raw: &Raw, honest: &Honest, picks: &[Index]) -> Raw {
    let mut raw = raw.clone();
    let mut picks = picks.iter().cycle();
    let mut pick = |n: usize| picks.next().unwrap().index(n);
    let heads = raw.heads.len();
    for n in 0..heads {
        raw = raw.with_head(n, &honest.heads[pick(honest.heads.len())]);
    }
    // The entries are proven under the last head, so that nothing but the accusation is wrong.
    let last = proto::note::Note::parse(raw.heads[heads - 1].as_bytes()).unwrap();
    let size = (1..=honest.log.size())
        .find(|size| last.to_bytes().starts_with(format!("{}\n{size}\n", crate::world::ORIGIN).as_bytes()))
        .unwrap();
    let count = raw.entries.len().min(usize::try_from(size).unwrap());
    let mut indices: Vec<u64> = Vec::new();
    while indices.len() < count {
        let index = pick(usize::try_from(size).unwrap()) as u64;
        let free = (0..size).map(|n| (index + n) % size).find(|index| !indices.contains(index));
        indices.push(free.unwrap());
    }
    let sorted_from = usize::from(matches!(raw.kind.as_str(), "wrong-link" | "broken-rule" | "after-freeze"));
    if let Some(rest) = indices.get_mut(sorted_from..) {
        rest.sort_unstable();
    }
    raw.entries = indices.iter().map(|index| raw_entry(&honest.log, *index, size)).collect();
    for leaf in &mut raw.leaves {
        let index = pick(usize::try_from(size).unwrap()) as u64;
        let shown = honest.log.shown_at(index, size);
        leaf.index = index.to_string();
        leaf.leaf = proto::hash::Hash::leaf(&shown.entry).to_base64();
        leaf.proof = shown.proof.iter().map(proto::hash::Hash::to_base64).collect();
    }
    if let Some(alternative) = &mut raw.alternative {
        let old = 1 + pick(usize::try_from(size).unwrap()) as u64;
        let tree = honest.log.tree();
        let (old, new) = (proto::num::TreeSize(old), proto::num::TreeSize(size));
        let proof = proto::merkle::consistency_proof(&tree, old, new).unwrap();
        alternative.root = honest.log.root(old.0).to_base64();
        alternative.proof = proof.iter().map(proto::hash::Hash::to_base64).collect();
    }
    raw
}

/// Takes a part of `other` into its place in `raw`.
fn splice(raw: &mut Raw, other: &Raw, part: usize, pick: &Index) {
    match part {
        0 => raw.kind.clone_from(&other.kind),
        1 => raw.accused.clone_from(&other.accused),
        2 => raw.heads.clone_from(&other.heads),
        3 => {
            let (n, from) = (pick.index(raw.heads.len()), pick.index(other.heads.len()));
            raw.heads[n].clone_from(&other.heads[from]);
        }
        4 => raw.alternative.clone_from(&other.alternative),
        5 => raw.leaves.clone_from(&other.leaves),
        6 => raw.entries.clone_from(&other.entries),
        7 => raw.leaves.reverse(),
        8 if !raw.entries.is_empty() && !other.entries.is_empty() => {
            let (n, from) = (pick.index(raw.entries.len()), pick.index(other.entries.len()));
            raw.entries[n].clone_from(&other.entries[from]);
        }
        9 if !raw.entries.is_empty() => drop(raw.entries.remove(pick.index(raw.entries.len()))),
        10 if !raw.entries.is_empty() => {
            let last = raw.entries.len() - 1;
            raw.entries.swap(pick.index(last + 1), last);
        }
        _ => raw.heads.reverse(),
    }
}

fn judged(text: &[u8]) -> Option<(Kind, Misbehaviour)> {
    let file = Misbehaviour::parse(text).ok()?;
    file.verify().ok().map(|proven| (proven.kind, file))
}

/// The heads of a file as the accused signed them: what a mutation cannot make anew.
fn signed(raw: &Raw) -> Vec<String> {
    let mut heads = raw.heads.clone();
    heads.sort();
    heads
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    /// A file of one byte less, more or other is malformed or not proven: nothing in it is there for nothing.
    #[test]
    fn one_byte_more_less_or_other(which: Index, place: Index, byte: u8, how in 0u8..3) {
        thread_local!(static FILES: Vec<Raw> = proven());
        let mut bytes = FILES.with(|files| files[which.index(files.len())].text()).into_bytes();
        let before = bytes.clone();
        let at = place.index(bytes.len());
        match how {
            0 => bytes[at] = byte,
            1 => drop(bytes.remove(at)),
            _ => bytes.insert(at, byte),
        }
        prop_assume!(bytes != before);
        prop_assert!(judged(&bytes).is_none(), "{}", String::from_utf8_lossy(&bytes));
    }

    /// Whatever an honest log signed, put together in the form of any kind: nobody is convicted.
    #[test]
    fn an_honest_log_in_every_place(which: Index, picks in prop::collection::vec(any::<Index>(), 12)) {
        thread_local!(static FILES: (Vec<Raw>, Honest) = (proven(), honest()));
        let raw = FILES.with(|(files, honest)| of_honest(&files[which.index(files.len())], honest, &picks));
        prop_assert!(judged(raw.text().as_bytes()).is_none(), "{}", raw.text());
    }

    /// Parts of proven files in the places of others: what is still proven stands on heads that were signed for it. The
    /// accused of the log's files is never convicted by honest heads alone.
    #[test]
    fn parts_of_different_files(which: Index, others in prop::collection::vec((any::<Index>(), 0usize..12, any::<Index>()), 1..4)) {
        thread_local!(static FILES: (Vec<Raw>, Honest) = (proven(), honest()));
        FILES.with(|(files, honest)| {
            let mut raw = files[which.index(files.len())].clone();
            for (other, part, pick) in &others {
                splice(&mut raw, &files[other.index(files.len())], *part, pick);
            }
            if let Some((kind, file)) = judged(raw.text().as_bytes()) {
                // Convicted again: only by heads of which honest ones are at most one.
                let known: Vec<String> = honest.heads.iter().map(|head| text_of(&head.to_bytes())).collect();
                let heads: Vec<String> = file.heads().iter().map(|head| text_of(&head.to_bytes())).collect();
                let foreign = heads.iter().filter(|head| !known.contains(head)).count();
                prop_assert!(foreign >= 1 || kind == Kind::HeadTime, "{kind}: {}", raw.text());
                prop_assert_eq!(signed(&Raw::of(&file)), signed(&raw));
            }
            Ok(())
        })?;
    }
}

/// The signed text of a head, without its lines.
fn text_of(note: &[u8]) -> String {
    String::from_utf8_lossy(note).split("\n\n").next().unwrap().to_owned()
}
