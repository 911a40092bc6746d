//! Damaged input: no panic, every row accounted for, every draft a claim.

use proptest::prelude::*;
use serde_json::{Value, json};

use proto::claim::{Claim, Role};
use proto::import::csaf::CsafImport;
use proto::import::firmware::FirmwareImport;
use proto::import::{Draft, Makers, Report};

use crate::data::frame;

/// A document that uses every part which the importer reads.
fn document() -> Value {
    let leaf = |name: &str, id: &str| {
        let helper = json!({ "model_numbers": ["C-3"], "skus": ["S"], "purl": "pkg:generic/acme/cam" });
        let product = json!({ "name": name, "product_id": id, "product_identification_helper": helper });
        json!({ "category": "product_version", "name": name, "product": product })
    };
    let product = json!({ "category": "product_name", "name": "Cam", "branches": [leaf("1", "a"), leaf("2", "b")] });
    json!({
        "document": {
            "csaf_version": "2.0", "category": "csaf_vex", "title": "t",
            "distribution": { "tlp": { "label": "WHITE" } },
            "publisher": { "category": "vendor", "name": "ACME", "namespace": "https://acme.example" },
            "references": [{ "category": "self", "summary": "s", "url": "https://acme.example/a.json" }],
            "tracking": { "id": "A-1", "version": "1", "status": "final", "initial_release_date": "2026-01-01T00:00:00Z" },
        },
        "product_tree": {
            "branches": [{ "category": "vendor", "name": "ACME", "branches": [product] }],
            "full_product_names": [{ "name": "Box", "product_id": "c" }],
            "product_groups": [{ "group_id": "g", "product_ids": ["a", "c"] }],
            "relationships": [{
                "category": "installed_on", "product_reference": "a", "relates_to_product_reference": "c",
                "full_product_name": { "name": "1 on Box", "product_id": "d" },
            }],
        },
        "vulnerabilities": [{
            "cve": "CVE-2026-1000", "ids": [{ "system_name": "x", "text": "X-1" }], "release_date": "2026-01-01",
            "product_status": { "known_affected": ["a", "d"], "first_fixed": ["b"], "known_not_affected": ["c"] },
            "flags": [{ "label": "component_not_present", "group_ids": ["g"] }],
            "threats": [{ "category": "impact", "details": "none", "product_ids": ["c"] }],
            "scores": [{ "products": ["a"], "cvss_v3": { "vectorString": "V", "baseScore": 5 } }],
            "remediations": [
                { "category": "vendor_fix", "details": "Update.", "url": "https://acme.example", "group_ids": ["g"],
                  "date": "2026-01-02" },
            ],
        }],
    })
}

/// Every place in a value, as pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| places(member, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| places(item, &format!("{at}/{i}"), found));
        }
        _ => {}
    }
}

fn check(drafts: &[Draft], report: &Report) {
    assert!(report.adds_up(), "{report:?}");
    assert_eq!(report.claims, u64::try_from(drafts.len()).unwrap());
    for draft in drafts {
        Claim::parse(&draft.payload(&frame("csirt.example", Role::Csirt)).unwrap()).unwrap();
    }
}

fn other_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        Just(json!([["a"]])),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        Just(Value::from("x".repeat(300))),
        Just(Value::from("\u{0}\u{202E}\r\n")),
        prop_oneof!["a", "b", "c", "d", "g"].prop_map(Value::from),
    ]
}

#[test]
fn the_whole_document_gives_two_claims() {
    // Cam, and Box by itself and with something installed on it, which is one product.
    let makers = Makers::none();
    let mut import = CsafImport::new(&makers);
    let drafts = import.document("d", document().to_string().as_bytes());
    check(&drafts, import.report());
    assert_eq!(drafts.len(), 2);
}

proptest! {
    #[test]
    fn documents_with_other_values_in_two_places(
        changes in prop::collection::vec((any::<prop::sample::Index>(), other_value()), 1..3),
    ) {
        let mut changed = document();
        for (index, value) in changes {
            let mut all = Vec::new();
            places(&changed, "", &mut all);
            let place = index.get(&all).clone();
            *changed.pointer_mut(&place).unwrap() = value;
        }
        let makers = Makers::none();
        let mut import = CsafImport::new(&makers);
        let drafts = import.document("d", changed.to_string().as_bytes());
        check(&drafts, import.report());
    }

    #[test]
    fn documents_with_a_member_taken_away(index in any::<prop::sample::Index>()) {
        let mut changed = document();
        let mut all = Vec::new();
        places(&changed, "", &mut all);
        let (parent, name) = index.get(&all).rsplit_once('/').unwrap_or(("", "document"));
        match changed.pointer_mut(parent).unwrap() {
            Value::Object(members) => drop(members.remove(name)),
            Value::Array(items) => drop(items.remove(name.parse().unwrap())),
            _ => unreachable!("a parent holds something"),
        }
        let makers = Makers::none();
        let mut import = CsafImport::new(&makers);
        let drafts = import.document("d", changed.to_string().as_bytes());
        check(&drafts, import.report());
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let makers = Makers::none();
        let mut import = CsafImport::new(&makers);
        check(&import.document("d", &bytes), import.report());
        let mut import = FirmwareImport::new(&makers);
        check(&import.rows("r", &bytes), import.report());
    }

    #[test]
    fn rows_with_other_values(
        members in prop::collection::vec(
            (prop_oneof!["manufacturerCode", "imageType", "fileVersion", "sha512", "fileSize", "first_seen", "url", "modelId"],
             other_value()),
            0..4,
        ),
    ) {
        let mut row = json!({
            "manufacturerCode": 4476, "imageType": 1, "fileVersion": 1, "fileSize": 7, "sha512": "ab".repeat(64),
            "first_seen": "2023-01-01", "url": "https://fw.example/1",
        });
        for (name, value) in members {
            row[name] = value;
        }
        let makers = Makers::replay();
        let mut import = FirmwareImport::new(&makers);
        check(&import.rows("r", format!("{row}\n{row}\n").as_bytes()), import.report());
        prop_assert_eq!(import.report().rows, 2);
    }
}
