//! Known answers for every verifier: files, and what is to be said to each.
//!
//! `CLAIMTRAIL_BLESS=1 cargo test -p claimtrail-proto --test misbehaviour vectors` writes the file again. Before the first
//! release that is an edit to review like code; after it, never.

use std::path::PathBuf;

use proto::dsse::Envelope;
use proto::misbehaviour::Misbehaviour;
use serde_json::{Value, json};

use crate::cases::{Case, refused_cases, spoiled_cases};
use crate::rules::rule_cases;
use crate::world::{Taken, World};
use crate::{cases, rules};

const NAME: &str = "misbehaviour-v1.json";

/// What the harness of the fold tells its own vectors; here nothing is recorded.
pub(crate) fn note(_: &World, _: &Envelope, _: u64, _: bool) {}

pub(crate) fn result_of(result: &Result<Taken, proto::code::Refused>) -> bool {
    result.is_ok()
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(NAME)
}

/// What a verifier says: the result, and of a proven file the convicted key and the code of the broken rule.
fn judged(file: &[u8]) -> Value {
    match Misbehaviour::parse(file).map(|file| file.verify()) {
        Err(_) => json!({"result": "malformed"}),
        Ok(Err(_)) => json!({"result": "not-proven"}),
        Ok(Ok(proven)) => json!({
            "result": "proven", "kind": proven.kind.as_str(), "accused": proven.accused.to_string(),
            "party": proven.party.to_string(), "code": proven.code.map(|code| code.as_str()),
        }),
    }
}

fn all() -> Vec<(String, String)> {
    let proven = |cases: Vec<Case>| cases.into_iter().map(|case| (case.name.to_owned(), case.file.to_text()));
    let mut all: Vec<(String, String)> = proven(cases::all()).chain(proven(rule_cases())).collect();
    all.extend(refused_cases());
    all.extend(rules::refused_cases());
    all.extend(spoiled_cases());
    all
}

#[test]
fn the_vectors_say_what_the_verifier_says() {
    let about = "Misbehaviour files of Claimtrail, claimtrail-misbehaviour/1. All keys are test keys. Each file is to be judged \
        alone: malformed, not-proven, or proven with the kind, the convicted key, whose it is, and the code of the broken rule.";
    let cases = all().into_iter().map(|(name, file)| {
        let mut case = json!({"name": name, "file": file});
        case.as_object_mut().unwrap().extend(judged(file.as_bytes()).as_object().unwrap().clone());
        case
    });
    let cases: Vec<Value> = cases.collect();
    if std::env::var_os("CLAIMTRAIL_BLESS").is_some() {
        let lines: Vec<_> = cases.iter().map(|case| format!("  {case}")).collect();
        let text = format!("{{\n\"about\":{},\n\"cases\":[\n{}\n]\n}}\n", json!(about), lines.join(",\n"));
        std::fs::write(path(), text).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(path()).unwrap_or_else(|error| panic!("{NAME}: {error}; see its test"));
    let kept: Value = serde_json::from_str(&kept).unwrap();
    let kept = kept["cases"].as_array().unwrap();
    for (found, kept) in cases.iter().zip(kept) {
        assert_eq!(found, kept, "{NAME}: {} changed", kept["name"]);
    }
    assert_eq!(cases.len(), kept.len(), "{NAME} grew or shrank");
}

#[test]
fn the_names_of_cases_say_their_results() {
    let mut names = std::collections::HashSet::new();
    for (name, file) in all() {
        assert!(names.insert(name.clone()), "{name} stands twice");
        let result = judged(file.as_bytes());
        let expected = name.split(':').next().unwrap();
        assert_eq!(
            result["result"],
            expected,
            "{name}: {:?}",
            Misbehaviour::parse(file.as_bytes()).map(|f| f.verify())
        );
    }
}
