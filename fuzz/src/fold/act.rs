//! What to do next: a claim that fits the log so far, and then, now and then, a slip.

use arbitrary::{Result, Unstructured};
use proto::b64;
use proto::claim::ClaimId;
use proto::fold::read;
use proto::note::{KeyName, SignatureType, Vkey};
use serde_json::{Value, json};

use super::world::{START_MS, World};
use crate::seeds::{ORIGIN, key};

/// A claim and the names of the test keys that sign it.
#[derive(Debug)]
pub(super) struct Act {
    pub(super) claim: Value,
    pub(super) signers: Vec<String>,
}

const ISSUERS: [&str; 3] = ["a.example", "b.example", "c.example"];
/// Keys that an issuer can ever have, of each use.
const KEYS: usize = 4;
const HOUR_MS: u64 = 3_600_000;

/// A log with its constitution, and three issuers with a key of each use.
pub(super) fn founded() -> World {
    let mut world = World::default();
    world.now_ms = START_MS;
    let founding = Act { claim: log_v1(), signers: vec!["operator 0".into(), "registrar".into()] };
    assert!(world.submit(&founding), "the constitution is accepted");
    for issuer in ISSUERS {
        let keys = [(key_name(issuer, false, 0), "sign"), (key_name(issuer, true, 0), "admin")];
        let mut signers: Vec<String> = keys.iter().map(|(name, _)| name.clone()).collect();
        signers.push("registrar".into());
        assert!(world.submit(&Act { claim: issuer_v1(issuer, &keys), signers }), "{issuer} is enrolled");
    }
    world
}

/// The next claim. Time goes on by it; an error is the end of the input.
pub(super) fn next(input: &mut Unstructured<'_>, world: &mut World) -> Result<Act> {
    if input.is_empty() {
        return Err(arbitrary::Error::NotEnoughData);
    }
    if input.ratio(1, 3)? {
        world.now_ms += input.int_in_range(0..=40u64)? * HOUR_MS;
    }
    let issuer = *input.choose(&ISSUERS)?;
    let mut act = match input.int_in_range(0..=11u8)? {
        0 | 1 => registry(input, world, issuer)?,
        2 => constitution(input, world)?,
        _ => product(input, world, issuer)?,
    };
    // Every claim is another one, so that few are refused as known.
    act.claim["rel"]["note"] = json!(format!("{} {}", world.ids.len(), input.arbitrary::<u8>()?));
    if input.ratio(1, 5)? {
        slip(input, &mut act)?;
    }
    act.signers.sort();
    act.signers.dedup();
    Ok(act)
}

fn key_name(issuer: &str, admin: bool, n: usize) -> String {
    format!("{issuer} {} {n}", if admin { "admin" } else { "sign" })
}

fn key_id(name: &str) -> String {
    key(name).public().id().to_string()
}

/// The newest key of an issuer that is enrolled and not revoked.
fn alive(world: &World, issuer: &str, admin: bool) -> Option<String> {
    let names = (0..KEYS).rev().map(|n| key_name(issuer, admin, n));
    names.into_iter().find(|name| {
        let record = read::key(&world.state, &key(name).public().id()).ok().flatten();
        record.is_some_and(|record| record.revoked.is_none())
    })
}

fn frame(claim_type: &str, issuer: &str, role: &str, body: Value) -> Value {
    json!({
        "type": claim_type, "logs": [{"origin": ORIGIN}], "issuer": issuer, "role": role,
        "asserted_at": "2027-01-15T08:00:00Z", "rel": {"kind": "new"}, "body": body,
    })
}

fn enrolled(name: &str) -> Value {
    json!({"alg": "ed25519", "spki": b64::encode(key(name).public().to_spki())})
}

fn log_v1() -> Value {
    let vkey = |name: &str, kind, test_key: &str| {
        let name = KeyName::parse(name).expect("a key name");
        Vkey::new(name, kind, key(test_key).public().to_raw().to_vec()).expect("a test key").to_string()
    };
    let body = json!({
        "origin": ORIGIN, "log_vkey": vkey(ORIGIN, SignatureType::Ed25519, "log"),
        "time_vkey": vkey(&format!("{ORIGIN}/time"), SignatureType::CosignatureV1, "time"),
        "hash": "sha-256", "entry_format": 1, "operator_keys": [enrolled("operator 0")], "operator_threshold": 1,
        "registrar_keys": [enrolled("registrar")], "witnesses": [], "quorum": 0, "delta_seconds": 60,
        "rules_version": 1, "limits": {"entry_bytes": 65535, "envelope_bytes": 131_072}, "retention": "forever",
    });
    frame("log/v1", "operator.example", "operator", body)
}

fn issuer_v1(issuer: &str, keys: &[(String, &str)]) -> Value {
    let keys = keys.iter().map(|(name, use_)| {
        let mut added = enrolled(name);
        added["use"] = json!(use_);
        added
    });
    let roles = ["manufacturer", "authorised-representative", "researcher"];
    let body = json!({
        "legal_name": format!("{issuer} (test)"), "roles": roles, "keys": keys.collect::<Vec<_>>(),
        "identity": {"method": "dns", "checked_at": "2027-01-10"},
    });
    frame("issuer/v1", issuer, roles[0], body)
}

/// A change of the rules, a change of the operator's key, or the end of the log.
fn constitution(input: &mut Unstructured<'_>, world: &World) -> Result<Act> {
    let mut claim = log_v1();
    let mut signers = vec!["operator 0".to_owned()];
    match input.int_in_range(0..=9u8)? {
        0 => claim["body"]["freeze"] = json!({"successor": null}),
        1 => {
            claim["body"]["operator_keys"] = json!([enrolled("operator 0"), enrolled("operator 1")]);
            signers.push("operator 1".into());
        }
        2 => claim["body"]["rules_version"] = json!(input.int_in_range(1..=2u8)?),
        3 => claim["body"]["limits"]["entry_bytes"] = json!(input.int_in_range(1024..=65535u32)?),
        _ => claim["body"]["delta_seconds"] = json!(input.int_in_range(1..=600u32)?),
    }
    if claim["body"].get("freeze").is_none() {
        let days = (world.now_ms - START_MS) / (24 * HOUR_MS) + input.int_in_range(0..=4u64)?;
        claim["effective"] = json!(format!("2027-{:02}-{:02}", 1 + (14 + days) / 28 % 12, 1 + (14 + days) % 28));
    }
    Ok(Act { claim, signers })
}

/// Keys added and revoked, recoveries, vetoes, mandates.
fn registry(input: &mut Unstructured<'_>, world: &World, issuer: &str) -> Result<Act> {
    let admin = input.ratio(1, 2)?;
    let name = key_name(issuer, admin, input.int_in_range(0..=KEYS - 1)?);
    let added = [(name.clone(), if admin { "admin" } else { "sign" })];
    let own = alive(world, issuer, true).into_iter();
    let revoke = json!([{"key_id": key_id(&name), "reason": *input.choose(&["lost", "compromised", "superseded"])?}]);
    let (claim, signers): (Value, Vec<String>) = match input.int_in_range(0..=5u8)? {
        0 => (issuer_v1(issuer, &added), own.chain([name]).collect()),
        1 => {
            let mut claim = issuer_v1(issuer, &[]);
            claim["body"]["revoke"] = revoke;
            (claim, own.collect())
        }
        2 => (frame("issuer/v1", issuer, "operator", json!({"revoke": revoke})), vec!["registrar".into()]),
        3 => {
            let mut claim = issuer_v1(issuer, &added);
            claim["body"]["recovery"] = json!({"kind": "start"});
            (claim, vec!["registrar".into(), name])
        }
        4 => {
            let mut claim = issuer_v1(issuer, &[]);
            claim["body"]["recovery"] = json!({"kind": "veto", "claim": target(input, world)?.to_string()});
            (claim, own.collect())
        }
        _ => {
            let mandator = *input.choose(&ISSUERS)?;
            let mut claim = issuer_v1(issuer, &[]);
            let member = if input.ratio(1, 4)? { "successor_of" } else { "mandate" };
            let value = if member == "mandate" { json!({"mandator": mandator}) } else { json!(mandator) };
            claim["body"][member] = value;
            (claim, own.chain(alive(world, mandator, true)).collect())
        }
    };
    Ok(Act { claim, signers })
}

/// Any claim of the log, the newest more often.
fn target(input: &mut Unstructured<'_>, world: &World) -> Result<ClaimId> {
    let last = world.ids.len() - 1;
    let back = if input.ratio(1, 2)? { input.int_in_range(0..=last.min(3))? } else { input.int_in_range(0..=last)? };
    Ok(world.ids[last - back])
}

/// A claim about a product: new, or about an earlier one, at times for another issuer.
fn product(input: &mut Unstructured<'_>, world: &World, issuer: &str) -> Result<Act> {
    let kind = *input.choose(&["new", "new", "amend", "supersede", "withdraw", "confirm", "dispute"])?;
    let role = *input.choose(&["manufacturer", "researcher", "authorised-representative"])?;
    let mut claim = match input.ratio(1, 2)? {
        true => frame("support/v1", issuer, role, json!({"security_until": "2031-03"})),
        false => {
            let artifact = json!({"role": "firmware", "sha256": "ab".repeat(32)});
            let version = input.int_in_range(1..=2u8)?.to_string();
            frame("release/v1", issuer, role, json!({"version": version, "artifacts": [artifact]}))
        }
    };
    let model = *input.choose(&["CAM-3", "cam-3 ", "Ｃam-4"])?;
    claim["subject"] = json!({"manufacturer": *input.choose(&["a.example", "name:Maker"])?, "model": model});
    if kind != "new" {
        let id = target(input, world)?;
        // Mostly of the target's own slot, else nearly all would be refused for their subject.
        let of = world
            .ids
            .iter()
            .position(|known| *known == id)
            .map(|n| &world.claims[n])
            .filter(|of| of.get("subject").is_some());
        if let Some(of) = of.filter(|_| !input.ratio(1, 10).unwrap_or(true)) {
            for member in ["type", "subject", "body"] {
                claim[member] = of[member].clone();
            }
        }
        claim["rel"] = json!({"kind": kind, "target": {"id": id.to_string()}, "reason": "a test"});
        if input.ratio(1, 24)? {
            claim["rel"]["target"]["origin"] = json!("other-log.example");
        }
    }
    if ["withdraw", "confirm", "dispute"].contains(&kind) {
        claim["body"] = json!({});
    }
    if input.ratio(1, 6)? {
        claim["authority"] = json!(target(input, world)?.to_string());
    }
    Ok(Act { claim, signers: alive(world, issuer, false).into_iter().collect() })
}

/// Something that is not as it should be: a signer too many, too few or wrong, a member changed or taken away.
fn slip(input: &mut Unstructured<'_>, act: &mut Act) -> Result<()> {
    let issuer = *input.choose(&ISSUERS)?;
    match input.int_in_range(0..=6u8)? {
        0 => drop(act.signers.pop()),
        1 => act.signers.push(key_name(issuer, input.arbitrary()?, input.int_in_range(0..=KEYS - 1)?)),
        2 => act.signers = vec![input.choose(&["registrar", "operator 0", "stranger", "log"])?.to_string()],
        3 => act.claim["issuer"] = json!(issuer),
        4 => act.claim["on_behalf_of"] = json!(issuer),
        5 => act.claim["submit_before"] = json!("2027-01-20T00:00:00Z"),
        _ => {
            let member = *input.choose(&["/rel/kind", "/body", "/subject", "/role", "/type", "/logs", "/body/keys"])?;
            if let Some(place) = act.claim.pointer_mut(member) {
                *place = match input.int_in_range(0..=3u8)? {
                    0 => Value::Null,
                    1 => json!({}),
                    2 => json!(input.arbitrary::<&str>()?),
                    _ => json!([input.arbitrary::<i32>()?]),
                };
            }
        }
    }
    Ok(())
}
