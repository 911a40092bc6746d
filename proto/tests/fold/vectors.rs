//! Rules version 1, frozen: envelopes under test keys, the log's time, and what becomes of them. Whoever changes what the
//! fold does under that name fails here; a mended rule is a new version.
//!
//! `CLAIMTRAIL_BLESS=1 cargo test -p claimtrail-proto --test fold vectors` writes the file again. Before the first release
//! that is an edit to review like code; after it, never.

use std::cell::RefCell;
use std::path::PathBuf;

use proto::claim::ClaimId;
use proto::dsse::Envelope;
use serde_json::{Value, json};

use crate::stories::whole_story;
use crate::world::*;
use crate::{constitution, recovery, registry, rights, slots, submission};

/// The file is read by people too.
const MAX_VECTOR_BYTES: usize = 300 * 1024;

pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)
}

/// Compares `found` with the file, or writes the file when blessing.
pub(crate) fn compare_or_bless(name: &str, found: &Value) {
    let text = format!("{}\n", pretty(found));
    assert!(text.len() < MAX_VECTOR_BYTES, "{name} has {} bytes", text.len());
    if std::env::var_os("CLAIMTRAIL_BLESS").is_some() {
        std::fs::write(path(name), text).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}; see its test"));
    let kept: Value = serde_json::from_str(&kept).unwrap();
    for (member, found) in found.as_object().unwrap() {
        match (found.as_array(), kept[member].as_array()) {
            (Some(found), Some(kept)) => {
                for (n, (found, kept)) in found.iter().zip(kept).enumerate() {
                    assert_eq!(found, kept, "{name}, {member} {n}: rules version 1 changed");
                }
                assert_eq!(found.len(), kept.len(), "{name}: {member} grew or shrank");
            }
            _ => assert_eq!(found, &kept[member], "{name}, {member}"),
        }
    }
}

/// One line for each item of a list, so that a change is a change of lines.
fn pretty(value: &Value) -> String {
    let member = |(name, value): (&String, &Value)| match value {
        Value::Array(list) => {
            let lines: Vec<_> = list.iter().map(|item| format!("  {item}")).collect();
            format!("{}:[\n{}\n]", json!(name), lines.join(",\n"))
        }
        other => format!("{}:{other}", json!(name)),
    };
    let members: Vec<_> = value.as_object().unwrap().iter().map(member).collect();
    format!("{{\n{}\n}}", members.join(",\n"))
}

thread_local! {
    /// What the harness submitted, in order, while [`record`] runs.
    static STEPS: RefCell<Option<Vec<Value>>> = const { RefCell::new(None) };
}

/// Called by the harness after every submission.
pub(crate) fn note(world: &World, envelope: &Envelope, now: u64, result: Value) {
    STEPS.with_borrow_mut(|steps| {
        let Some(steps) = steps else { return };
        let mut step = json!({
            "time": now,
            "payload": String::from_utf8(envelope.payload.clone()).unwrap(),
            "signatures": envelope.signatures.iter()
                .map(|by| json!([by.key_id.to_string(), proto::b64::encode(&by.signature.0)])).collect::<Vec<_>>(),
            "result": result,
        });
        if step["result"].is_array() {
            step["state"] = json!(world.digest().to_string()); // what is refused changes nothing
        }
        steps.push(step);
    });
}

/// What one log took and refused.
fn record(story: fn()) -> Vec<Value> {
    STEPS.set(Some(Vec::new()));
    story();
    STEPS.take().unwrap()
}

/// Each of these fills one log, founded by its first step.
const STORIES: &[(&str, fn())] = &[
    ("a log lives and ends", || drop(whole_story())),
    ("threshold of operators", constitution::exactly_the_threshold_of_old_keys_and_every_new_key_sign),
    ("a change waits", constitution::a_change_waits_24_hours_of_log_time),
    ("fixed for ever", constitution::origin_and_log_keys_are_fixed_for_ever),
    ("a freeze", constitution::a_freeze_holds_at_once_and_carries_nothing_else),
    ("first entry of an issuer", registry::the_first_entry_needs_every_key_and_one_registrar),
    ("change of an issuer", registry::a_change_needs_the_admins_and_links_to_the_last_registry_entry),
    ("threshold of an issuer", registry::the_threshold_is_exact),
    ("a key once", registry::a_key_is_enrolled_once_for_ever),
    ("revocation", registry::a_revoked_key_is_silent_from_the_next_entry_on),
    ("validity", registry::a_key_speaks_before_its_until),
    ("recovery", recovery::the_keys_speak_after_seven_days),
    ("recovery and veto only", recovery::a_recovery_only_adds_keys_and_a_veto_only_stops_it),
    ("signatures of a claim", rights::a_claim_has_one_signature_by_a_signing_key_of_its_issuer),
    ("roles", rights::roles_are_the_enrolled_ones),
    ("own products", rights::a_maker_speaks_about_its_own_products_only),
    ("mandate", rights::a_representative_names_its_mandate),
    ("mandated replacement", rights::a_mandated_replacement_belongs_to_the_makers_slot),
    ("heads", slots::a_head_in_the_middle_leaves_its_neighbours_linked),
    ("branch", slots::a_branch_is_accepted_and_contests),
    ("others", slots::others_confirm_and_dispute_in_the_targets_slot),
    ("targets", slots::targets_exist_below_and_are_not_withdrawn),
    ("own claims", slots::only_claims_with_a_body_are_replaced_and_only_by_their_issuer),
    ("other logs", slots::a_target_of_another_log_is_kept_as_not_checked),
    ("address and time", submission::the_claim_is_for_this_log_and_in_time),
    ("twins", submission::a_claim_id_stands_once_whatever_signs_it),
];

#[test]
fn rules_version_1_is_frozen() {
    let about = "Rules version 1 of Claimtrail. All keys are test keys. Each step is a DSSE payload with its signatures \
        [keyid, sig] submitted at a log time in ms; result is [index, claim id, constitution, registry, previous] \
        or {code, pointer}, which changes nothing; state is SHA-256 over the sorted state, each key and value after its length as eight \
        big-endian bytes. A step with log begins a new, empty log.";
    let mut all = Vec::new();
    for (name, story) in STORIES {
        let mut steps = record(*story);
        steps[0]["log"] = json!(name);
        all.extend(steps);
    }
    compare_or_bless("rules-v1.json", &json!({"about": about, "steps": all}));
}

/// The file alone, without the program that wrote it: what is accepted is stepped from its bytes.
#[test]
fn the_vectors_lead_to_their_results() {
    let text = std::fs::read_to_string(path("rules-v1.json")).unwrap();
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let mut world = World::empty();
    let steps = vectors["steps"].as_array().unwrap();
    assert!(steps.len() > 200);
    for step in steps {
        if step.get("log").is_some() {
            world = World::empty();
        }
        world.now = step["time"].as_u64().unwrap();
        let mut signatures = Vec::new();
        for pair in step["signatures"].as_array().unwrap() {
            signatures.push(json!({"keyid": pair[0], "sig": pair[1]}));
        }
        let payload = proto::b64::encode(step["payload"].as_str().unwrap().as_bytes());
        let envelope = json!({"payloadType": proto::claim::PAYLOAD_TYPE, "payload": payload, "signatures": signatures})
            .to_string();
        let envelope = Envelope::parse(envelope.as_bytes()).unwrap();
        let before = world.digest();
        let result = result_of(&world.submit_envelope(&envelope));
        assert_eq!(result, step["result"]);
        let state = step["state"].as_str().map_or_else(|| before.to_string(), str::to_owned);
        assert_eq!(world.digest().to_string(), state);
    }
}

pub(crate) fn result_of(result: &Result<Taken, proto::code::Refused>) -> Value {
    match result {
        Ok(taken) => {
            let (constitution, registry, previous) = links(taken);
            let id: ClaimId = taken.id;
            json!([taken.index, id.to_string(), constitution, registry, previous])
        }
        Err(refused) => json!({"code": refused.code.as_str(), "pointer": refused.pointer}),
    }
}
