//! One proven file of every kind that needs no rules, and files that prove nothing or are none.

use proto::entry::Entry;
use proto::misbehaviour::{Kind, Misbehaviour, Party};
use proto::num::Millis;
use serde_json::json;

use crate::forged::{Raw, raw_entry};
use crate::log::*;
use crate::world::*;

/// A proven file; the name begins with what is to be said to it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) file: Misbehaviour,
}

pub(crate) fn case(name: &'static str, file: Misbehaviour) -> Case {
    Case { name, file }
}

/// A log, and the same with another entry 4.
pub(crate) fn fork() -> (Log, Log) {
    let honest = Log::of_texts(&["a", "b", "c", "d", "e", "f", "g"]);
    let other = Log::of_texts(&["a", "b", "c", "d", "E", "f", "g"]);
    (honest, other)
}

/// Acme and a CSIRT are enrolled, acme speaks twice: entries 0 to 4, a second apart.
pub(crate) fn spoken() -> World {
    let mut world = World::settled();
    world.ok(&support("2031-03"), &["acme.example/sign"]);
    world.ok(&support("2032-03"), &["acme.example/sign"]);
    world
}

/// The freeze of the log that the harness founds.
pub(crate) fn freeze() -> serde_json::Value {
    set(log_v1(), "/body/freeze", json!({"successor": null}))
}

/// A claim that the log takes next, with its links, taken at `time`.
pub(crate) fn next(world: &World, time: u64) -> Entry {
    entry(&support("2033-03"), &["acme.example/sign"], time, links_to(0, Some(1), Some(world.entries.len() as u64 - 1)))
}

pub(crate) fn all() -> Vec<Case> {
    let (a, b) = fork();
    let (key, time_key, witness_key) = (log_key_of(), time_signer().vkey().clone(), witness().vkey().clone());
    let early = Log::of_texts(&["a", "x", "c", "d", "e"]);
    let inconsistent = |key, small: &Log, size, large: &Log| {
        Misbehaviour::inconsistent(ORIGIN, key, &small.head_at(size, 9), &large.head(), large.alternative(size))
            .unwrap()
    };
    let leaves = |key, one: &Log, other: &Log| {
        Misbehaviour::two_entries(ORIGIN, key, [(&one.head(), one.leaf(4)), (&other.head(), other.leaf(4))]).unwrap()
    };
    let shorter = Log { entries: a.entries[..5].to_vec() };
    let same_size = |key| Misbehaviour::same_size(ORIGIN, key, [&a.head(), &b.head()]).unwrap();
    let mut cases = vec![
        case("proven: same size, by the log", same_size(&key)),
        case("proven: same size, by a witness", same_size(&witness_key)),
        case("proven: same size, by the time key", same_size(&time_key)),
        case("proven: inconsistent, by the log", inconsistent(&key, &a, 5, &b)),
        case("proven: inconsistent, by a witness", inconsistent(&witness_key, &a, 6, &b)),
        case("proven: inconsistent, a full subtree", inconsistent(&key, &early, 4, &a)),
        case("proven: inconsistent, one entry", inconsistent(&key, &Log::of_texts(&["z"]), 1, &a)),
        case("proven: two entries, one size", leaves(&key, &a, &b)),
        case("proven: two entries, two sizes", leaves(&key, &shorter, &b)),
        case("proven: two entries, by a witness", leaves(&witness_key, &b, &shorter)),
    ];
    cases.extend(timed());
    cases
}

/// Kinds about times, ids and the freeze.
fn timed() -> Vec<Case> {
    let (key, time_key) = (log_key_of(), time_signer().vkey().clone());
    let world = spoken();
    let late = world.now - 1000;
    let back = Log::of(&world).with(&next(&world, late - 1));
    let twice = Log::of(&world);
    let again = Entry { timestamp: Millis(world.now), ..twice.entry(3) };
    let twice = twice.with(&again);
    let honest = Log::of(&world);
    let seconds = late / 1000;
    let head_time = |stated, shown: &Log, size, index| {
        let shown_head = shown.head_at(size, seconds + 60);
        let entry = shown.shown_at(index, size);
        Misbehaviour::head_time(ORIGIN, &time_key, &stated, &shown_head, entry).unwrap()
    };
    let mut ended = world.clone();
    ended.ok(&freeze(), &["operator"]);
    let ended = Log::of(&ended).with(&next(&world, ended.now));
    vec![
        case(
            "proven: time goes back by a millisecond",
            Misbehaviour::time_back(ORIGIN, &key, &back.head(), [back.shown(4), back.shown(5)]).unwrap(),
        ),
        case("proven: a head before its entry", head_time(honest.head_at(5, seconds - 1), &honest, 5, 4)),
        case("proven: a head before its entry, shown later", head_time(honest.head_at(5, seconds - 1), &back, 6, 4)),
        case("proven: an entry before the head it followed", head_time(honest.head_at(4, seconds + 1), &honest, 5, 4)),
        case(
            "proven: a claim twice",
            Misbehaviour::duplicate_claim(ORIGIN, &key, &twice.head(), [twice.shown(3), twice.shown(5)]).unwrap(),
        ),
        case(
            "proven: an entry after the freeze",
            Misbehaviour::after_freeze(ORIGIN, &key, &ended.head(), ended.shown(5), ended.shown(0)).unwrap(),
        ),
    ]
}

fn find(name: &str) -> Raw {
    Raw::of(&all().into_iter().find(|case| case.name == name).unwrap().file)
}

/// Files of the right form that prove nothing, most of them put together from what an honest log signed.
pub(crate) fn refused_cases() -> Vec<(String, String)> {
    let (a, b) = fork();
    let world = spoken();
    let honest = Log::of(&world);
    let seconds = honest.entry(4).timestamp.seconds().0;
    let same = find("proven: same size, by the log");
    let apart = find("proven: inconsistent, by the log");
    let leaves = find("proven: two entries, one size");
    let back = find("proven: time goes back by a millisecond");
    let timed = find("proven: a head before its entry");
    let twice = find("proven: a claim twice");
    let frozen = find("proven: an entry after the freeze");
    let mut signed = same.clone();
    signed.heads[0] = signed.heads[0].replace("— log.example/test ", "— log.example/test AAAA");
    let signed = re_sign(signed);
    let mut signed_root = apart.clone();
    signed_root.alternative = Raw::of(
        &Misbehaviour::inconsistent(ORIGIN, &log_key_of(), &b.head_at(5, 9), &a.head(), a.alternative(5)).unwrap(),
    )
    .alternative;
    let consistent = signed_root.clone().with_head(1, &a.head());
    let mut failing = apart.clone();
    failing.alternative.as_mut().unwrap().proof.pop();
    let mut empty = apart.clone().with_head(0, &Log::of_texts(&["z"]).head_at(0, 9));
    empty.alternative.as_mut().unwrap().proof.clear();
    let mut same_leaf = leaves.clone().with_head(1, &a.head());
    same_leaf.leaves[1] = same_leaf.leaves[0].clone();
    let mut other_index = leaves.clone();
    other_index.leaves[1].index = "5".into();
    let mut wrong_leaf = leaves.clone();
    wrong_leaf.leaves[1].leaf = proto::hash::Hash::of(b"no leaf").to_base64();
    let mut huge_index = leaves.clone();
    huge_index.leaves.iter_mut().for_each(|leaf| leaf.index = "9223372036854775807".into());
    let mut unfinished = frozen.clone().with_head(0, &Log { entries: ended_entries() }.head());
    unfinished.entries = [5, 0].map(|index| raw_entry(&Log { entries: ended_entries() }, index, 6)).to_vec();
    let fits =
        |head, index| timed.clone().with_head(0, &head).with_head(1, &honest.head()).with_entries(&honest, &[index]);
    let no_entry = Log::of_texts(&["a", "b", "c"]);
    let honest_pair = |raw: &Raw| raw.clone().with_head(0, &honest.head()).with_entries(&honest, &[3, 4]);
    let cases = [
        ("the same head twice", same.clone().with_head(1, &a.head()).with_head(0, &a.head())),
        ("two sizes", same.clone().with_head(1, &a.head_at(6, 9))),
        ("a head that was not signed", signed),
        ("a head of another log", of_another_log(same.clone())),
        ("consistent heads", consistent),
        ("another root, not this larger head's", signed_root),
        ("a consistency proof too short", failing),
        ("the smaller head is empty", empty),
        ("the heads in the wrong order", Raw { heads: apart.heads.iter().rev().cloned().collect(), ..apart.clone() }),
        ("one leaf twice", same_leaf),
        ("two leaves at two indices", other_index),
        ("a leaf that is in no tree", wrong_leaf),
        ("leaves beyond the tree", huge_index),
        ("times that do not go back", honest_pair(&back)),
        ("a claim once", honest_pair(&twice)),
        ("a head at its entry's second", fits(honest.head_at(5, seconds), 4)),
        ("a head long after its entry", fits(honest.head_at(5, seconds + 600), 4)),
        ("an entry in the second of the head it followed", fits(honest.head_at(4, seconds), 4)),
        ("a head stamped again", fits(honest.head_at(5, seconds + 30), 3)),
        ("no freeze", frozen.clone().with_head(0, &honest.head()).with_entries(&honest, &[3, 0])),
        ("nothing after the freeze", unfinished),
        ("a freeze without its constitution", frozen.clone().with_entries(&frozen_log(), &[5, 1])),
        ("bytes that are no entry", back.with_head(0, &no_entry.head()).with_entries(&no_entry, &[0, 1])),
    ];
    cases.map(|(name, raw)| (format!("not-proven: {name}"), raw.text())).to_vec()
}

fn ended_entries() -> Vec<Vec<u8>> {
    let mut world = spoken();
    world.ok(&freeze(), &["operator"]);
    world.entries
}

fn frozen_log() -> Log {
    Log { entries: ended_entries() }.with(&next(&spoken(), spoken().now + 1000))
}

/// The first head's signature line with a flipped bit.
fn re_sign(mut raw: Raw) -> Raw {
    let (text, _) = raw.heads[1].split_once("\n\n").unwrap();
    let note = proto::note::Note::parse(raw.heads[1].as_bytes()).unwrap();
    let mut blob = [note.signatures()[0].key_hash().0.as_slice(), note.signatures()[0].blob()].concat();
    blob[20] ^= 1;
    raw.heads[0] = format!("{text}\n\n— {ORIGIN} {}\n", proto::b64::encode(blob));
    raw
}

/// The second head is of another origin, signed by the same key.
fn of_another_log(mut raw: Raw) -> Raw {
    let text = raw.heads[1].split_once("\n\n").unwrap().0.replacen(ORIGIN, "log.example/next", 1) + "\n";
    raw.heads[1] = proto::note::sign_text(&text, &[&log_signer()]).unwrap();
    raw
}

/// Texts that are no files.
pub(crate) fn spoiled_cases() -> Vec<(String, String)> {
    let raw = find("proven: same size, by the log");
    let good = raw.text();
    let two = find("proven: time goes back by a millisecond");
    let leaves = find("proven: two entries, one size");
    let other = proto::note::NoteSigner::new(proto::note::KeyName::parse("log.example/next").unwrap(), key("log"));
    let head = |raw: &Raw, head: String| Raw { heads: vec![head, raw.heads[1].clone()], ..raw.clone() }.text();
    let accused = |accused: String| Raw { accused, ..raw.clone() }.text();
    let witness_line = fork().0.head();
    let witness_line = String::from_utf8(witness_line.to_bytes()).unwrap();
    let index = |index: &str| {
        let mut raw = leaves.clone();
        raw.leaves[0].index = index.into();
        raw.text()
    };
    let reversed = Raw { entries: two.entries.iter().rev().cloned().collect(), ..two.clone() };
    let doubled = Raw { entries: vec![two.entries[0].clone(), two.entries[0].clone()], ..two.clone() };
    let long = Raw { alternative: None, ..find("proven: inconsistent, by the log") };
    let mut long_proof = leaves.clone();
    long_proof.leaves[0].proof = vec![proto::hash::Hash::of(b"x").to_base64(); 65];
    let weak = proto::note::Vkey::new(
        proto::note::KeyName::parse(ORIGIN).unwrap(),
        proto::note::SignatureType::Ed25519,
        vec![0; 32],
    );
    let mut bad_entry = two.clone();
    bad_entry.entries[0].entry.push('=');
    let cases = [
        ("empty", String::new()),
        ("no JSON", "claimtrail-misbehaviour/1\n".into()),
        ("no line feed at the end", good.trim_end().to_owned()),
        ("two line feeds at the end", format!("{good}\n")),
        ("a space", good.replacen(':', ": ", 1)),
        ("an escape that need not be", good.replacen("same-size", "same\\u002dsize", 1)),
        ("an unknown member", good.replacen('{', "{\"x\":1,", 1)),
        ("a member twice", good.replacen('{', "{\"kind\":\"same-size\",", 1)),
        ("members in another order", reordered(&good)),
        ("a list for the members", "[\"claimtrail-misbehaviour/1\"]\n".into()),
        ("version 2", good.replacen("misbehaviour/1", "misbehaviour/2", 1)),
        ("an unknown kind", raw.clone().with_kind("bad-luck").text()),
        ("a kind with other parts", raw.clone().with_kind("inconsistent").text()),
        ("an alternative too few", long.text()),
        ("no origin", Raw { origin: String::new(), ..raw.clone() }.text()),
        ("an origin with a line feed", Raw { origin: format!("{ORIGIN}\n"), ..raw.clone() }.text()),
        ("an origin too long", Raw { origin: "o".repeat(256), ..raw.clone() }.text()),
        ("a key that is no vkey", accused(ORIGIN.into())),
        ("a key id that is wrong", accused(raw.accused.replacen("test+", "test+0", 1))),
        ("a key named otherwise than the origin", accused(other.vkey().to_string())),
        ("a key of small order", accused(weak.unwrap().to_string())),
        ("a time key accused of an entry", Raw { accused: time_signer().vkey().to_string(), ..two.clone() }.text()),
        ("a head that is no note", head(&raw, "a head\n".into())),
        ("a head with three signature lines", head(&raw, witness_line)),
        ("a head under another key's line", accused(witness().vkey().to_string())),
        ("an index with a leading zero", index("04")),
        ("an index with a sign", index("+4")),
        ("an index that is too large", index("9223372036854775808")),
        ("an index as a number", leaves.text().replacen("\"index\":\"4\"", "\"index\":4", 1)),
        ("entries in the wrong order", reversed.text()),
        ("an entry twice", doubled.text()),
        ("a proof too long for any tree", long_proof.text()),
        ("an entry that is no base64", bad_entry.text()),
        ("null for an absent part", good.replacen("]}", "],\"alternative\":null}", 1)),
    ];
    cases.map(|(name, text)| (format!("malformed: {name}"), text)).to_vec()
}

/// `kind` before `format`.
fn reordered(text: &str) -> String {
    text.replacen(
        "{\"format\":\"claimtrail-misbehaviour/1\",\"kind\":\"same-size\"",
        "{\"kind\":\"same-size\",\"format\":\"claimtrail-misbehaviour/1\"",
        1,
    )
}

#[test]
fn every_kind_without_rules_convicts_the_right_key() {
    let mut kinds = std::collections::BTreeSet::new();
    for Case { name, file } in all() {
        let proven = file.verify().unwrap();
        kinds.insert(proven.kind);
        let party = match name {
            _ if name.ends_with("witness") => Party::Witness,
            _ if name.ends_with("time key") || name.contains("head") => Party::LogTime,
            _ => Party::Log,
        };
        assert_eq!((proven.party, &proven.accused), (party, file.accused()), "{name}");
        assert_eq!(Misbehaviour::parse(file.to_text().as_bytes()).as_ref(), Ok(&file), "{name}");
    }
    let rest = [Kind::WrongLink, Kind::BrokenRule];
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        Kind::ALL.into_iter().filter(|k| !rest.contains(k)).collect::<Vec<_>>()
    );
}

#[test]
fn the_same_two_heads_make_the_same_file() {
    let (a, b) = fork();
    let file = |one: &Log, other: &Log| Misbehaviour::same_size(ORIGIN, &log_key_of(), [&one.head(), &other.head()]);
    assert_eq!(file(&a, &b), file(&b, &a));
}

#[test]
fn the_constructors_make_no_file_that_proves_nothing() {
    let (a, _) = fork();
    let key = log_key_of();
    assert!(Misbehaviour::same_size(ORIGIN, &key, [&a.head(), &a.head()]).is_err());
    assert!(Misbehaviour::inconsistent(ORIGIN, &key, &a.head_at(5, 9), &a.head(), a.alternative(5)).is_err());
    let same = [(&a.head(), a.leaf(4)), (&a.head(), a.leaf(4))];
    assert!(Misbehaviour::two_entries(ORIGIN, &key, same).is_err());
    // A head without the accused's line.
    let stranger =
        proto::cosignature::Cosigner::new(proto::note::KeyName::parse("w2.example").unwrap(), crate::world::key("w2"));
    assert!(Misbehaviour::same_size(ORIGIN, stranger.unwrap().vkey(), [&a.head(), &a.head()]).is_err());
}
