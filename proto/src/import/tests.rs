//! Written documents for what the real ones do not have.

use serde_json::{Value, json};

use super::csaf::CsafImport;
use super::firmware::FirmwareImport;
use super::{Draft, Frame, MAX_ROW_BYTES, Makers, Reason, Report};
use crate::claim::{Instant, IssuerId, LogRef, Origin, Role};

fn frame() -> Frame {
    Frame {
        logs: vec![LogRef { origin: Origin::parse("log.example").unwrap(), size: None, root: None }],
        issuer: IssuerId::parse("csirt.example").unwrap(),
        role: Role::Csirt,
        asserted_at: Instant::parse("2027-01-01T00:00:00Z").unwrap(),
    }
}

/// A document with this tree and these vulnerabilities.
fn document(tree: Value, vulnerabilities: Value) -> Value {
    json!({
        "document": {
            "category": "csaf_security_advisory",
            "csaf_version": "2.0",
            "distribution": { "tlp": { "label": "WHITE" } },
            "publisher": { "category": "coordinator", "name": "CSIRT", "namespace": "https://csirt.example" },
            "references": [{ "category": "self", "summary": "this", "url": "https://csirt.example/a-1.json" }],
            "title": "Advisory",
            "tracking": {
                "id": "A-1", "version": "2", "status": "final", "initial_release_date": "2026-05-01T10:00:00.000Z",
                "current_release_date": "2026-06-01T10:00:00.000Z", "revision_history": [],
            },
        },
        "product_tree": tree,
        "vulnerabilities": vulnerabilities,
    })
}

fn leaf(name: &str, id: &str) -> Value {
    json!({ "category": "product_version", "name": name, "product": { "name": format!("Cam {name}"), "product_id": id } })
}

fn acme(branches: Value) -> Value {
    json!({ "branches": [{ "category": "vendor", "name": "ACME", "branches": [
        { "category": "product_family", "name": "Cams", "branches": [
            { "category": "product_name", "name": "Cam 3", "branches": branches }
        ]}
    ]}]})
}

fn import(document: &Value) -> (Vec<Value>, Report) {
    import_with(document, &Makers::none())
}

fn import_with(document: &Value, makers: &Makers) -> (Vec<Value>, Report) {
    let mut import = CsafImport::new(makers);
    let drafts = import.document("doc", document.to_string().as_bytes());
    let report = import.into_report();
    assert!(report.adds_up(), "{report:?}");
    (drafts.iter().map(payload).collect(), report)
}

fn payload(draft: &Draft) -> Value {
    serde_json::from_slice(&draft.payload(&frame()).unwrap()).unwrap()
}

fn document_refused(document: &Value) -> (Reason, String) {
    let (claims, report) = import(document);
    assert!(claims.is_empty() && report.rows == 0);
    let refused = &report.documents_refused[0];
    (refused.reason, refused.place.at.clone())
}

#[test]
fn every_state_groups_flags_and_the_best_score() {
    let tree = {
        let mut tree = acme(json!([leaf("1.0", "v1"), leaf("1.1", "v2"), leaf("2.0", "v3"), leaf("3.0", "v4")]));
        tree["product_groups"] = json!([{ "group_id": "g", "product_ids": ["v1", "v2"] }]);
        tree
    };
    let long = "x".repeat(201);
    let (claims, report) = import(&document(
        tree,
        json!([{
            "cve": "CVE-2026-1234",
            "ids": [{ "system_name": "tracker", "text": "T-9" }, { "system_name": "cve", "text": "CVE-2026-1234" }],
            "release_date": "2026-04-30",
            "product_status": {
                "first_affected": ["v1"], "known_affected": ["v1", "v2"], "first_fixed": ["v3"], "fixed": ["v3"],
                "known_not_affected": ["v4"],
            },
            "flags": [{ "label": "vulnerable_code_not_present", "product_ids": ["v4"] }],
            "scores": [
                { "products": ["v1"], "cvss_v2": { "vectorString": "AV:N/AC:L/Au:N/C:C/I:C/A:C", "baseScore": 10.0 } },
                { "products": ["v1"], "cvss_v3": { "vectorString": "CVSS:3.1/A", "baseScore": 5.5 } },
                { "products": ["v2"], "cvss_v3": { "vectorString": "CVSS:3.1/B", "baseScore": 7.5 } },
                { "products": ["other"], "cvss_v3": { "vectorString": "CVSS:3.1/C", "baseScore": 9.9 } },
            ],
            "remediations": [
                { "category": "vendor_fix", "details": "Update.", "group_ids": ["g"], "date": "2026-05-03T00:00:00Z" },
                { "category": "vendor_fix", "details": "Update.", "product_ids": ["v1"], "date": "2026-05-02T00:00:00Z" },
                { "category": "mitigation", "details": long, "url": "https://acme.example/m" },
                { "category": "workaround", "details": "Not for it.", "product_ids": ["other"] },
            ],
        }]),
    ));
    let subject = &claims[0]["subject"];
    assert_eq!((&subject["manufacturer"], &subject["model"]), (&json!("name:ACME"), &json!("Cam 3")));
    assert_eq!(
        claims[0]["body"],
        json!({
            "ids": ["CVE-2026-1234", "T-9"],
            "status": [
                { "versions": ["1.0", "1.1"], "state": "affected" },
                { "versions": ["2.0"], "state": "fixed" },
                { "versions": ["3.0"], "state": "not_affected", "justification": "vulnerable_code_not_present" },
            ],
            "severity": { "vector": "CVSS:3.1/B", "score": 7.5 },
            "times": { "public": "2026-04-30", "fixed": "2026-05-02T00:00:00Z" },
            "fix_release": "2.0",
            "remediation": [
                { "category": "vendor_fix", "details": "Update." },
                { "category": "mitigation", "url": "https://acme.example/m" },
            ],
            "advisory": { "tracking_id": "A-1", "version": "2" },
        })
    );
    assert_eq!(claims[0]["docs"][0]["uri"], "https://csirt.example/a-1.json");
    assert_eq!(claims.len(), 1);
    assert_eq!(report.not_mapped["remediations/details"].count, 1);
    assert_eq!(report.not_mapped["product_status: the same version again"].count, 2);
    assert_eq!(report.unplaced_makers["ACME"], 1);
}

#[test]
fn what_is_installed_on_a_thing_is_said_about_the_thing() {
    let mut tree = acme(json!([leaf("rev. A", "hardware")]));
    tree["branches"][0]["branches"].as_array_mut().unwrap().push(json!(
        { "category": "product_name", "name": "Firmware", "branches": [leaf("4.2", "firmware")] }
    ));
    let relation = |id: &str, name: &str, reference: &str, whole: &str| {
        json!({
            "category": "installed_on", "product_reference": reference, "relates_to_product_reference": whole,
            "full_product_name": { "name": name, "product_id": id },
        })
    };
    // The second one builds on the first but stands before it.
    let both = relation("both", "Plug-in in firmware 4.2 on Cam 3", "firmware", "on");
    tree["relationships"] = json!([both, relation("on", "Firmware 4.2 on Cam 3", "firmware", "hardware")]);
    let affected = json!([{ "cve": "CVE-2026-1", "product_status": { "known_affected": ["on", "both"] } }]);
    // A CVE id has four digits at least; the draft is read back as a claim, and that is where it shows.
    let (claims, report) = import(&document(tree.clone(), affected));
    assert!(claims.is_empty());
    assert_eq!(report.refused[0].reason, Reason::Form);
    let affected = json!([{ "cve": "CVE-2026-1000", "product_status": { "known_affected": ["on", "both"] } }]);
    let (claims, _) = import(&document(tree.clone(), affected.clone()));
    assert_eq!(claims[0]["subject"]["model"], "Cam 3");
    assert_eq!(
        claims[0]["body"]["status"][0]["versions"],
        json!(["Firmware 4.2 on Cam 3", "Plug-in in firmware 4.2 on Cam 3"])
    );
    // In a circle there is no thing at the end.
    tree["relationships"] = json!([relation("a", "a", "firmware", "b"), relation("b", "b", "firmware", "a")]);
    assert_eq!(document_refused(&document(tree, affected)).0, Reason::Shape);
}

#[test]
fn flat_products_belong_to_the_vendor_that_publishes() {
    let tree = json!({ "full_product_names": [{
        "name": "Cam 4", "product_id": "c",
        "product_identification_helper": {
            "cpe": "cpe:2.3:h:acme:cam_4:-:*:*:*:*:*:*:*", "purl": "pkg:generic/acme/cam-4", "skus": ["C4"],
            "model_numbers": ["C-4"], "serial_numbers": ["1"],
        },
    }]});
    let mut whole = document(
        tree,
        json!([{
            "ids": [{ "system_name": "ACME", "text": "ACME-7" }], "product_status": { "under_investigation": ["c"] },
        }]),
    );
    let (claims, report) = import(&whole);
    assert!(claims.is_empty());
    assert_eq!(report.refused[0].reason, Reason::NoMaker);
    whole["document"]["publisher"] =
        json!({ "category": "vendor", "name": " acme ", "namespace": "https://a.example" });
    let makers = Makers::parse(br#"{"ACME": "acme.example"}"#).unwrap();
    let (claims, report) = import_with(&whole, &makers);
    assert_eq!(claims[0]["subject"]["manufacturer"], "acme.example");
    assert_eq!(claims[0]["subject"]["manufacturer_name"], " acme ");
    assert_eq!(claims[0]["subject"]["ids"].as_array().unwrap().len(), 4);
    assert_eq!(claims[0]["body"]["ids"], json!(["ACME-7"]));
    assert_eq!(claims[0]["body"]["status"], json!([{ "versions": ["vers:all/*"], "state": "under_investigation" }]));
    assert_eq!(claims[0]["body"]["times"]["public"], "2026-05-01T10:00:00.000Z");
    assert_eq!(report.not_mapped["product_identification_helper/serial_numbers"].count, 1);
}

#[test]
fn rows_that_cannot_be_claims_are_listed_with_their_reason() {
    let tree = acme(json!([leaf("1.0", "v1")]));
    let affected = json!({ "known_affected": ["v1"] });
    let (claims, report) = import(&document(
        tree,
        json!([
            { "cve": "CVE-2026-1001", "product_status": affected },
            { "cve": "CVE-2026-1001", "product_status": { "fixed": ["v1"] } },
            { "product_status": affected },
            { "cve": "CVE-2026-1002", "product_status": { "recommended": ["v1"] } },
            { "cve": "CVE-2026-1003", "product_status": { "fixed": ["nowhere"] } },
            { "cve": "CVE-2026-1004" },
            { "cve": "CVE-2026-1001", "product_status": affected },
        ]),
    ));
    let reasons: Vec<_> = report.refused.iter().map(|row| row.reason).collect();
    assert_eq!((report.rows, claims.len(), report.seen_again.len()), (7, 1, 1));
    use Reason::{NoId, NoState, SlotTaken, UnknownProduct};
    assert_eq!(reasons, [SlotTaken, NoId, NoState, UnknownProduct, NoState]);
    assert_eq!(report.refused[1].place.to_string(), "doc: /vulnerabilities/2 (Cam 3)");
}

#[test]
fn documents_that_are_not_for_the_public_or_not_final_are_refused() {
    let good = document(acme(json!([leaf("1.0", "v1")])), json!([]));
    assert_eq!(import(&good).1.documents_read, 1);
    let changed = |pointer: &str, value: Value| {
        let mut document = good.clone();
        *document.pointer_mut(pointer).unwrap() = value;
        document_refused(&document)
    };
    let at = |pointer: &str| pointer.to_owned();
    assert_eq!(
        changed("/document/distribution/tlp/label", json!("AMBER")),
        (Reason::NotPublic, at("/document/distribution/tlp"))
    );
    assert_eq!(
        changed("/document/tracking/status", json!("draft")),
        (Reason::NotFinal, at("/document/tracking/status"))
    );
    assert_eq!(changed("/document/csaf_version", json!("1.9")), (Reason::Kind, at("/document/csaf_version")));
    assert_eq!(changed("/vulnerabilities", json!({})), (Reason::Shape, at("/vulnerabilities")));
    assert_eq!(changed("/document/tracking/id", json!(1)), (Reason::Shape, at("/document/tracking/id")));
    let makers = Makers::none();
    let mut import = CsafImport::new(&makers);
    assert!(import.document("twice", br#"{"document":{},"document":{}}"#).is_empty());
    assert_eq!(import.report().documents_refused[0].reason, Reason::Json);
    assert!(import.document("large", &vec![b' '; super::MAX_DOCUMENT_BYTES + 1]).is_empty());
    assert_eq!(import.report().documents_refused[1].reason, Reason::TooLarge);
    assert!(import.report().adds_up());
}

fn firmware_row(more: Value) -> String {
    let mut row = json!({
        "first_seen": "2021-02-04T18:11:50+01:00", "vendor_dir": "Elsewhere", "manufacturerCode": 4476, "imageType": 1,
        "fileVersion": 4_000_000_000_u32, "fileSize": 7, "sha512": "ab".repeat(64), "url": "https://fw.example/a.ota",
    });
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row.to_string()
}

#[test]
fn firmware_rows_by_code_model_and_digest() {
    let other_digest = firmware_row(json!({ "sha512": "cd".repeat(64) }));
    let lines = [
        firmware_row(json!({})),
        firmware_row(json!({ "url": "https://mirror.example/a.ota", "fileSize": 8 })),
        other_digest,
        firmware_row(json!({ "modelId": "Bulb", "url": "no uri", "first_seen": "yesterday" })),
        firmware_row(json!({ "manufacturerCode": 65535 })),
        firmware_row(json!({ "manufacturerCode": 65536 })),
        firmware_row(json!({ "sha512": "AB".repeat(64) })),
        String::new(),
        "{".to_owned(),
        format!("{{\"x\":\"{}\"}}", "x".repeat(MAX_ROW_BYTES)),
    ];
    let makers = Makers::replay();
    let mut import = FirmwareImport::new(&makers);
    let drafts = import.rows("rows", (lines.join("\n") + "\n").as_bytes());
    let report = import.into_report();
    assert!(report.adds_up(), "{report:?}");
    let claims: Vec<Value> = drafts.iter().map(payload).collect();
    assert_eq!((report.rows, claims.len(), report.seen_again.len(), report.refused.len()), (10, 4, 1, 5));
    assert_eq!(report.seen_again[0].at, "line 2");
    let reasons: Vec<_> = report.refused.iter().map(|row| row.reason).collect();
    assert_eq!(reasons, [Reason::Shape, Reason::Form, Reason::Json, Reason::Json, Reason::TooLarge]);
    assert_eq!(
        claims[0]["subject"],
        json!({
            "manufacturer": "replay.ikea.example", "model": "zigbee:4476:1",
            "ids": [{ "scheme": "zigbee", "value": "4476:1" }], "manufacturer_name": "IKEA of Sweden",
        })
    );
    assert_eq!(
        claims[0]["body"],
        json!({
            "version": "4000000000",
            "artifacts": [{ "role": "firmware", "sha512": "ab".repeat(64), "size": 7 }],
            "observed_at": "2021-02-04T18:11:50+01:00",
            "urls": ["https://fw.example/a.ota"],
        })
    );
    assert_eq!(claims[2]["subject"]["model"], "Bulb");
    assert_eq!((claims[2]["body"].get("urls"), claims[2]["body"].get("observed_at")), (None, None));
    assert_eq!((report.not_mapped["url"].count, report.not_mapped["first_seen"].count), (1, 1));
    assert_eq!(claims[3]["subject"]["manufacturer"], "name:zigbee manufacturer 65535");
}

#[test]
fn tables_of_makers() {
    let wrong = [
        &b"[]"[..],
        br#"{"A": 1}"#,
        br#"{"A": "no id"}"#,
        br#"{"A": "a.example", " a": "b.example"}"#,
        br#"{"A": "a.example", "A": "a.example"}"#,
    ];
    for table in wrong {
        assert!(Makers::parse(table).is_err(), "{}", String::from_utf8_lossy(table));
    }
    let twice = Makers::parse(br#"{"A": "a.example", " a": "a.example"}"#).unwrap();
    assert_eq!(twice.place("a ").to_string(), "a.example");
    assert_eq!(twice.place("B").to_string(), "name:B");
    // Every row of the built-in table makes an id, and no spelling stands for two.
    let rows = super::spellings::REPLAY_MAKERS;
    assert_eq!(Makers::replay().ids().len(), rows.len());
    for (name, spellings) in rows {
        for spelling in *spellings {
            assert_eq!(Makers::replay().place(spelling).to_string(), format!("replay.{name}.example"));
        }
    }
}

#[test]
fn a_frame_that_no_product_claim_has_is_refused() {
    let whole = document(
        acme(json!([leaf("1.0", "v1")])),
        json!([{ "cve": "CVE-2026-1001", "product_status": { "fixed": ["v1"] } }]),
    );
    let makers = Makers::none();
    let draft = &CsafImport::new(&makers).document("doc", whole.to_string().as_bytes())[0];
    assert!(draft.payload(&frame()).is_ok());
    assert!(draft.payload(&Frame { role: Role::Operator, ..frame() }).is_err());
    assert!(draft.payload(&Frame { logs: Vec::new(), ..frame() }).is_err());
}
