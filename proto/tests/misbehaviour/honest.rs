//! No honest log is framed: random logs that keep the rules, with changes of the rules, clock steps, heads stamped again,
//! revocations, recoveries, mandates, twins and a freeze. No file about any of their entries and heads is proven; and of
//! an entry that the rules refuse, no file says more than the fold. How a log is run is in `operated.rs`.

use proptest::prelude::*;
use proptest::sample::Index;
use proto::claim::ClaimId;
use proto::fold::{self, Stop};
use proto::misbehaviour::{CannotAccuse, Misbehaviour, NotProven};
use proto::num::LeafIndex;
use serde_json::{Value, json};

use crate::cases::freeze;
use crate::log::*;
use crate::world::*;

const ISSUERS: [&str; 3] = ["acme.example", "csirt.example", "late.example"];

/// One act as numbers, so that it shrinks well.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    pub(crate) act: u8,
    pub(crate) issuer: usize,
    pub(crate) signer: u8,
    pub(crate) model: u8,
    pub(crate) target: Index,
    pub(crate) step_ms: u64,
    pub(crate) wrong: u8,
}

pub(crate) fn dice() -> impl Strategy<Value = Dice> {
    let step = prop_oneof![Just(0u64), 1u64..3000, Just(DAY), Just(8 * DAY)];
    let wrong = prop_oneof![5 => Just(0u8), 1 => 1u8..5];
    (0u8..16, 0usize..3, 0u8..4, 0u8..2, any::<Index>(), step, wrong).prop_map(
        |(act, issuer, signer, model, target, step_ms, wrong)| Dice {
            act,
            issuer,
            signer,
            model,
            target,
            step_ms,
            wrong,
        },
    )
}

/// The claim of the dice and who signs it; whether the log takes it is for the rules.
pub(crate) fn claim_of(dice: &Dice, n: usize, world: &World) -> (Value, Vec<String>) {
    let issuer = ISSUERS[dice.issuer];
    let roles = ["manufacturer", "researcher", "authorised-representative"];
    let sign = match dice.signer {
        0 | 1 => format!("{issuer}/sign"),
        number => format!("{issuer} sign {number}"),
    };
    let (admin, new) = (format!("{issuer}/admin"), format!("{issuer} sign {}", dice.signer));
    let registry = |keys: &[(&str, &str)]| issuer_v1(issuer, &roles, keys);
    let target = Log::of(world).entry(dice.target.index(world.entries.len()) as u64);
    let target = ClaimId::of(&target.payload_type, &target.payload);
    let mut say = support("2031-03");
    say["issuer"] = json!(issuer);
    say["role"] = json!("researcher");
    say["subject"]["model"] = json!(format!("CAM-{}", dice.model));
    let (mut claim, signers) = match dice.act {
        0 => (registry(&[(&new, "sign")]), vec![admin, new.clone()]),
        1 => (operator_revokes(issuer, &[&sign]), vec!["registrar".into()]),
        2 => {
            let start = set(registry(&[(&new, "admin")]), "/body/recovery", json!({"kind": "start"}));
            (start, vec!["registrar".into(), new.clone()])
        }
        3 => {
            let veto = json!({"kind": "veto", "claim": target.to_string()});
            (set(registry(&[]), "/body/recovery", veto), vec![admin])
        }
        4 => {
            let from = ISSUERS[(dice.issuer + 1) % 3];
            let mandate = set(registry(&[]), "/body/mandate", json!({"mandator": from}));
            (mandate, vec![admin, format!("{from}/admin")])
        }
        5 => {
            let mut change = set(log_v1(), "/body/delta_seconds", json!(60 + n));
            change["effective"] = json!(proto::num::Millis(world.now + 2 * DAY).to_rfc3339());
            if dice.signer == 3 {
                change["body"]["rules_version"] = json!(2);
            }
            (change, vec!["operator".into()])
        }
        6 if n > 20 => (freeze(), vec!["operator".into()]),
        7 => (registry(&[(&new, "sign"), (&admin, "admin")]), vec!["registrar".into(), new.clone(), admin.clone()]),
        8 | 9 => (related(say, "supersede", &target), vec![sign]),
        10 => {
            let mut used = related(say, "amend", &target);
            used["authority"] = json!(target.to_string());
            (used, vec![sign])
        }
        11..=13 => {
            let kind = ["withdraw", "confirm", "dispute"][usize::from(dice.act - 11)];
            let mut about = related(say, kind, &target);
            about["body"] = json!({});
            (about, vec![sign])
        }
        _ => (say, vec![sign]),
    };
    if dice.act != 15 {
        claim["rel"]["note"] = json!(format!("step {n}")); // act 15 makes twins
    }
    (claim, signers)
}

/// The dishonest ways of a log that takes what it should not.
fn spoil(dice: &Dice, signers: &mut Vec<String>, claim: &mut Value) {
    match dice.wrong {
        1 => signers.push("stranger".into()),
        2 => signers.push("registrar".into()),
        3 => _ = signers.pop(),
        4 => claim["role"] = json!("importer"),
        _ => {}
    }
    signers.sort();
    signers.dedup();
}

/// Runs the dice; what the rules refuse is not taken. Gives the log and, for each step that was refused, the entry that
/// a dishonest log would have made of it, with the links it would have had.
fn run(throws: &[Dice]) -> (World, Vec<(usize, proto::entry::Entry)>) {
    let mut world = World::settled();
    let mut refused = Vec::new();
    for (n, dice) in throws.iter().enumerate() {
        world.now += dice.step_ms;
        let (mut claim, mut signers) = claim_of(dice, n, &world);
        spoil(dice, &mut signers, &mut claim);
        let names: Vec<&str> = signers.iter().map(String::as_str).collect();
        if names.is_empty() || is_over(&world) {
            continue;
        }
        let before = world.now;
        if world.submit(&claim, &names).is_ok() {
            world.now = before; // twins in time: the next entry may have the same millisecond
            continue;
        }
        let registry = fold::read::issuer(&world.state, ISSUERS[dice.issuer]).unwrap().map(|issuer| issuer.last);
        let at = world.entries.len();
        let mut log = fold::constitution(&world.state).unwrap().unwrap();
        log.advance(proto::num::Millis(before));
        let links = links_to(log.current.index, registry, registry);
        refused.push((at, entry(&claim, &names, before, links)));
    }
    (world, refused)
}

/// Whether rules hold that nobody here knows.
pub(crate) fn is_over(world: &World) -> bool {
    let mut log = fold::constitution(&world.state).unwrap().unwrap();
    log.advance(proto::num::Millis(world.now));
    log.current.rules_version > fold::RULES_VERSION
}

fn not_proven(result: Result<Misbehaviour, CannotAccuse>, what: &str) -> Result<(), TestCaseError> {
    prop_assert!(matches!(result, Err(CannotAccuse::NotProven(_))), "{what}: {result:?}");
    Ok(())
}

/// A story with everything that the fold knows, and a second one with thresholds.
#[test]
fn no_entry_of_a_whole_story_is_convicted() {
    let mut strict = World::settled();
    let roles = ["manufacturer", "authorised-representative"];
    let claim = issuer_v1("acme.example", &roles, &[("admin 2", "admin"), ("admin 3", "admin")]);
    strict.ok(&set(claim, "/body/admin_threshold", json!(2)), &["acme.example/admin", "admin 2", "admin 3"]);
    let claim = issuer_v1("acme.example", &roles, &[("acme 2", "sign")]);
    strict.ok(&claim, &["admin 2", "acme.example/admin", "acme 2"]);
    let claim = set(issuer_v1("acme.example", &roles, &[]), "/body/admin_threshold", json!(1));
    strict.ok(&claim, &["admin 2", "admin 3"]);
    strict.ok(&issuer_v1("acme.example", &roles, &[("acme 3", "sign")]), &["admin 3", "acme 3"]);
    for world in [crate::stories::whole_story(), strict] {
        let log = Log::of(&world);
        let all: Vec<u64> = (0..log.size()).collect();
        for index in 0..log.size() {
            for others in [&[][..], &all] {
                assert!(log.wrong_link(index, others).is_err(), "links of entry {index}");
                assert!(log.broken_rule(index, others).is_err(), "entry {index}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_honest_entry_is_convicted(throws in prop::collection::vec(dice(), 1..40), picks in prop::collection::vec(any::<Index>(), 6)) {
        let (world, _) = run(&throws);
        let log = Log::of(&world);
        let key = log_key_of();
        let besides: Vec<u64> = picks.iter().map(|pick| pick.index(world.entries.len()) as u64).collect();
        let head = log.head();
        for index in 0..log.size() {
            // With what it leans on, with a few others, and with everything there is.
            let all: Vec<u64> = (0..log.size()).collect();
            for others in [&[][..], &besides, &all] {
                let support = log.support(index, others);
                let shown = log.shown(index);
                not_proven(Misbehaviour::wrong_link(ORIGIN, &key, &head, shown.clone(), support.clone()), "link")?;
                let rule = Misbehaviour::broken_rule(ORIGIN, &key, &head, shown, support);
                not_proven(rule, "rule")?;
            }
            let constitution = log.entry(index).links.constitution.map_or(0, |link| link.0);
            if constitution != index {
                let ended = Misbehaviour::after_freeze(ORIGIN, &key, &head, log.shown(index), log.shown(constitution));
                not_proven(ended, "freeze")?;
            }
        }
        for pair in besides.windows(2).filter(|pair| pair[0] != pair[1]) {
            let shown = [log.shown(pair[0]), log.shown(pair[1])];
            not_proven(Misbehaviour::time_back(ORIGIN, &key, &head, shown.clone()), "time")?;
            not_proven(Misbehaviour::duplicate_claim(ORIGIN, &key, &head, shown), "twice")?;
        }
    }

    /// A head's time is between those of its last entry and the next one, and may be stamped again in between. The
    /// clock may stand still, or be held after a step back.
    #[test]
    fn no_honest_time_is_convicted(throws in prop::collection::vec(dice(), 1..30), size: Index, index: Index, shown: Index, late: u64) {
        let (world, _) = run(&throws);
        let log = Log::of(&world);
        let size = 1 + size.index(world.entries.len()) as u64;
        let index = index.index(world.entries.len()) as u64;
        let shown = index + 1 + shown.index(world.entries.len() - usize::try_from(index).unwrap()) as u64;
        let seconds = |at: u64| log.entry(at).timestamp.seconds().0;
        let until = if size < log.size() { seconds(size) } else { seconds(size - 1) + 600 };
        let time = seconds(size - 1) + late % (until - seconds(size - 1) + 1);
        let (stated, shown_head) = (log.head_at(size, time), log.head_at(shown, seconds(shown - 1)));
        let key = time_signer().vkey().clone();
        let file = Misbehaviour::head_time(ORIGIN, &key, &stated, &shown_head, log.shown_at(index, shown));
        not_proven(file, "head time")?;
        // A second too early or too late is proven, with the entry that shows it.
        let early = log.head_at(size, seconds(size - 1) - 1);
        prop_assert!(Misbehaviour::head_time(ORIGIN, &key, &early, &log.head(), log.shown(size - 1)).is_ok());
        if size < log.size() {
            let late = log.head_at(size, seconds(size) + 1);
            prop_assert!(Misbehaviour::head_time(ORIGIN, &key, &late, &log.head(), log.shown(size)).is_ok());
        }
    }

    /// A log that takes what the rules refuse: a file convicts it only where the fold, which knows everything, refuses too.
    #[test]
    fn the_fold_refuses_what_a_file_convicts(throws in prop::collection::vec(dice(), 1..40)) {
        let (world, refused) = run(&throws);
        let mut replayed = World::settled();
        for (at, forged) in refused {
            while replayed.entries.len() < at {
                let bytes = world.entries[replayed.entries.len()].clone();
                let next = proto::entry::Entry::decode(&bytes).unwrap();
                let index = LeafIndex(replayed.entries.len() as u64);
                replayed.apply(fold::step(index, &next, &replayed.state).unwrap());
                replayed.entries.push(bytes);
            }
            let log = Log { entries: world.entries[..at].to_vec() }.with(&forged);
            let all: Vec<u64> = (0..at as u64).collect();
            let support = log.support(at as u64, &all);
            let file = Misbehaviour::broken_rule(ORIGIN, &log_key_of(), &log.head(), log.shown(at as u64), support);
            let says = fold::step(LeafIndex(at as u64), &forged, &replayed.state);
            match file {
                Ok(_) => prop_assert!(matches!(says, Err(Stop::Refused(_))), "{says:?}"),
                Err(CannotAccuse::NotProven(NotProven::Harmless(_) | NotProven::NotShown(_))) => {}
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }
}
