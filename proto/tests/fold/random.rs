//! Random sequences of valid and invalid acts: the fold and the naive model take and refuse the same ones, give the same
//! links, and know the same slots, heads and keys.

use proptest::prelude::*;
use proptest::sample::Index;
use proto::claim::ClaimId;
use proto::fold;
use proto::hash::Hash;
use serde_json::{Value, json};

use crate::model::{Act, Kind, Line, Model, Registry};
use crate::world::*;

const ISSUERS: [&str; 3] = ["a.example", "b.example", "c.example"];

/// One act as numbers, so that it shrinks well.
#[derive(Debug, Clone)]
struct Dice {
    kind: u8,
    issuer: usize,
    other: usize,
    model: u8,
    target: Index,
    with_target: bool,
    key: u8,
    wrong_signer: u8,
    days: u64,
    /// The log's day, summed up when the sequence runs.
    now: u64,
}

fn dice() -> impl Strategy<Value = Dice> {
    let issuers = 0..ISSUERS.len();
    let odd = prop_oneof![6 => Just(0u8), 1 => 1u8..5];
    let days = prop_oneof![4 => Just(0u64), 1 => 1u64..5];
    (0u8..14, issuers.clone(), issuers, 0u8..2, any::<Index>(), any::<bool>(), 0u8..5, odd, days).prop_map(
        |(kind, issuer, other, model, target, with_target, key, wrong_signer, days)| Dice {
            kind,
            issuer,
            other,
            model,
            target,
            with_target,
            key,
            wrong_signer,
            days,
            now: 0,
        },
    )
}

fn key_name(issuer: &str, number: u8, admin: bool) -> String {
    format!("{issuer} {} {number}", if admin { "admin" } else { "sign" })
}

/// What the dice say, and who signs it if nobody errs.
fn act(dice: &Dice, model: &Model) -> (Act, Vec<String>) {
    let issuer = ISSUERS[dice.issuer].to_owned();
    let other = ISSUERS[dice.other].to_owned();
    // Mostly claims about products are targets, now and then whatever is in the log.
    let claims: Vec<usize> = (0..model.lines.len()).filter(|n| model.slot_name(*n).is_some()).collect();
    let target = match (dice.key, claims.is_empty()) {
        (0, _) | (_, true) => dice.target.index(model.lines.len()),
        _ => claims[dice.target.index(claims.len())],
    };
    let alive = |who: &str, admin| {
        let names = (0..5).map(|n| key_name(who, n, admin));
        names.rev().find(|name| is_known(model, name) && !model.revoked(name))
    };
    let (sign, admin) = (alive(&issuer, false), alive(&issuer, true));
    let registry = |keys: Vec<(String, bool)>, revoke, kind, mut signers: Vec<String>| {
        signers.extend(keys.iter().map(|(name, _)| name.clone()));
        (Act::Registry { issuer: issuer.clone(), keys, revoke, kind }, signers)
    };
    let registrar = || vec!["registrar".to_owned()];
    let admins = || admin.iter().cloned().collect::<Vec<_>>();
    let new_key = |is_admin| vec![(key_name(&issuer, dice.key, is_admin), is_admin)];
    match dice.kind {
        _ if model.registry(&issuer).is_empty() => {
            let keys = [new_key(false), new_key(true)].concat();
            registry(keys, vec![], Registry::Change, registrar())
        }
        0 => registry(new_key(dice.with_target), vec![], Registry::Change, admins()),
        1 => {
            let revoke = vec![key_name(&issuer, dice.key, dice.with_target)];
            let keys = if dice.model == 0 { vec![] } else { new_key(!dice.with_target) };
            registry(keys, revoke, Registry::Change, admins())
        }
        2 => registry(vec![], vec![key_name(&issuer, dice.key, dice.with_target)], Registry::Operator, registrar()),
        3 => registry(new_key(true), vec![], Registry::Start, registrar()),
        4 => {
            let started = model.waiting(&issuer, dice.now).filter(|_| dice.with_target);
            let last = started.or(model.registry(&issuer).into_iter().next_back()).unwrap_or(0);
            registry(vec![], vec![], Registry::Veto(last), vec![key_name(&issuer, dice.key, true)])
        }
        5 => {
            let signers = admins().into_iter().chain(alive(&other, true)).collect();
            registry(vec![], vec![], Registry::Mandate(other), signers)
        }
        6..=10 => {
            let registry = model.registry(&issuer);
            let given = registry.iter().rfind(|n| model.mandated(**n, &issuer).is_some()).or(registry.last());
            let mandate = given.filter(|_| dice.kind >= 9).copied();
            let replaces = (dice.with_target || mandate.is_some()).then_some(target);
            (Act::Say { issuer, model: dice.model, replaces, mandate }, sign.into_iter().collect())
        }
        n => {
            let kind = [Kind::Withdraw, Kind::Confirm, Kind::Dispute][usize::from(n % 3)];
            (Act::About { issuer, kind, target }, sign.into_iter().collect())
        }
    }
}

fn is_known(model: &Model, name: &str) -> bool {
    let adds = |act: &Act| matches!(act, Act::Registry { keys, .. } if keys.iter().any(|(key, _)| key == name));
    model.lines.iter().filter_map(|line| line.act.as_ref()).any(adds)
}

/// The claim's JSON. `n` makes every claim another one.
fn payload(act: &Act, ids: &[ClaimId], n: usize, model: &Model) -> Value {
    let target = |target: usize| json!({"id": ids[target].to_string()});
    let researcher = |issuer: &str, of: u8, rel: Value, body: Value| {
        let mut claim = claim("support/v1", issuer, "researcher", rel, body);
        claim["subject"] = json!({"manufacturer": "name:Maker", "model": format!("M{of}")});
        claim
    };
    let note = format!("step {n}");
    match act {
        Act::Registry { issuer, revoke, kind: Registry::Operator, .. } => {
            let names: Vec<_> = revoke.iter().map(String::as_str).collect();
            set(operator_revokes(issuer, &names), "/rel/note", json!(note))
        }
        Act::Registry { issuer, keys, revoke, kind } => {
            let keys: Vec<_> =
                keys.iter().map(|(name, admin)| (name.as_str(), if *admin { "admin" } else { "sign" })).collect();
            let mut claim = set(issuer_v1(issuer, &["researcher"], &keys), "/rel/note", json!(note));
            if !revoke.is_empty() {
                let list: Vec<_> =
                    revoke.iter().map(|name| json!({"key_id": key_id(name), "reason": "lost"})).collect();
                claim["body"]["revoke"] = json!(list);
            }
            match kind {
                Registry::Start => claim["body"]["recovery"] = json!({"kind": "start"}),
                Registry::Veto(start) => {
                    claim["body"]["recovery"] = json!({"kind": "veto", "claim": ids[*start].to_string()});
                }
                Registry::Mandate(from) => claim["body"]["mandate"] = json!({"mandator": from}),
                Registry::Change | Registry::Operator => {}
            }
            claim
        }
        Act::Say { issuer, model: of, replaces, mandate } => {
            let rel = match replaces {
                Some(entry) => json!({"kind": "supersede", "target": target(*entry), "note": note}),
                None => json!({"kind": "new", "note": note}),
            };
            let mut claim = researcher(issuer, *of, rel, json!({"security_until": "2031-03"}));
            if let Some(entry) = mandate {
                claim["authority"] = json!(ids[*entry].to_string());
            }
            claim
        }
        Act::About { issuer, kind, target: entry } => {
            let kind = format!("{kind:?}").to_lowercase();
            let rel = json!({"kind": kind, "target": target(*entry), "reason": "a test", "note": note});
            let of = model.slot_name(*entry).map_or(0, |(_, of)| of);
            researcher(issuer, of, rel, json!({}))
        }
    }
}

/// The fold's view of every slot and key against the model's.
fn compare(world: &World, model: &Model, ids: &[ClaimId]) {
    for (n, id) in ids.iter().enumerate() {
        let Some(name) = model.slot_name(n) else { continue };
        let expected = model.slot(&name);
        let found = fold::read::claim(&world.state, id).unwrap().unwrap();
        assert_eq!(found.slot, Some(expected.entries[0] as u64), "slot of entry {n}");
        assert_eq!((found.head, found.withdrawn), (expected.heads.contains(&n), model.withdrawn(n)), "entry {n}");
        let slot = fold::read::slot(&world.state, expected.entries[0] as u64).unwrap().unwrap();
        let last = *expected.entries.last().unwrap() as u64;
        let counts = (expected.heads.len() as u64, expected.entries.len() as u64, last);
        assert_eq!((slot.heads, slot.entries, slot.last), counts);
        assert_eq!(listed_heads(world, slot.current), expected.heads.iter().map(|n| *n as u64).collect::<Vec<_>>());
    }
    for issuer in ISSUERS {
        let found = fold::read::issuer(&world.state, issuer).unwrap();
        let entries = model.registry(issuer);
        assert_eq!(found.as_ref().map_or(0, |found| found.entries), entries.len() as u64);
        assert_eq!(found.map(|found| found.last), entries.last().map(|n| *n as u64));
        for (n, admin) in (0..5).flat_map(|n| [(n, false), (n, true)]) {
            let name = key_name(issuer, n, admin);
            let record = fold::read::key(&world.state, &key(&name).public().id()).unwrap();
            let revoked = record.as_ref().map(|record| record.revoked.is_some());
            assert_eq!(revoked, is_known(model, &name).then(|| model.revoked(&name)), "{name}");
        }
    }
}

/// Indices of a slot's heads, ascending, by its list from the end.
fn listed_heads(world: &World, current: Option<[u8; 32]>) -> Vec<u64> {
    let mut heads = Vec::new();
    let mut next = current;
    while let Some(id) = next {
        let record = fold::read::claim(&world.state, &ClaimId(Hash(id))).unwrap().unwrap();
        heads.insert(0, record.index);
        next = record.head_before;
    }
    heads
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_fold_does_what_the_naive_model_does(throws in prop::collection::vec(dice(), 1..90)) {
        let mut world = World::founded();
        let mut model = Model { lines: vec![Line { day: 0, act: None }] };
        let founding = ClaimId::of(proto::claim::PAYLOAD_TYPE, &serde_json::to_vec(&log_v1()).unwrap());
        let mut ids = vec![founding];
        let mut day = 0;
        for (n, dice) in throws.iter().enumerate() {
            day += dice.days;
            world.now = START + day * DAY + 1000; // whole days: a recovery waits exactly seven
            let (act, mut signers) = act(&Dice { now: day, ..dice.clone() }, &model);
            match dice.wrong_signer {
                1 => signers.push("registrar".into()),
                2 => drop(signers.pop()),
                3 => signers.push(key_name(ISSUERS[dice.other], dice.key, dice.with_target)),
                4 => signers.push("stranger".into()),
                _ => {}
            }
            signers.sort();
            signers.dedup();
            if signers.is_empty() {
                continue; // no envelope is without a signature
            }
            let claim = payload(&act, &ids, n, &model);
            let names: Vec<_> = signers.iter().map(String::as_str).collect();
            let result = world.submit(&claim, &names);
            let accepted = model.accepts(&act, &signers, day);
            prop_assert_eq!(result.is_ok(), accepted, "step {}: {:?} by {:?}: {:?}", n, act, signers, result);
            if let Ok(taken) = result {
                let (registry, previous) = model.links(&act, day);
                let expected = (Some(0), registry.map(|n| n as u64), previous.map(|n| n as u64));
                prop_assert_eq!(links(&taken), expected, "step {}: {:?}", n, act);
                model.lines.push(Line { day, act: Some(act) });
                ids.push(taken.id);
            }
        }
        compare(&world, &model, &ids);
    }
}
