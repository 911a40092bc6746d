use axum::body::{Body, Bytes};
use claimtrail_log::testing::{self, number};
use futures_util::stream;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Request};
use proto::merkle::verify_inclusion;
use proto::receipt::Receipt;
use proto::tlog_proof::TlogProof;
use serde_json::json;

use crate::support::{Site, id_of};

#[tokio::test]
async fn a_new_claim_is_201_and_the_same_again_200_with_the_same_index() {
    let site = Site::with_acme().await;
    let envelope = testing::support("CAM-3", "2031-03");
    let first = site.submit(&envelope).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let receipt = Receipt::parse(&first.body).expect("a receipt");
    assert_eq!(first.header("location"), format!("/v1/claims/{}", receipt.claim_id));
    assert_eq!((receipt.index.0, first.header("cache-control")), (2, "no-store"));
    let again = site.submit(&envelope).await;
    assert_eq!(again.status, 200);
    let repeated = Receipt::parse(&again.body).expect("a receipt");
    assert_eq!((repeated.index, repeated.timestamp), (receipt.index, receipt.timestamp));

    // The receipt proves the very entry.
    let entry = receipt.entry(&envelope.payload).expect("rebuilt").encode().expect("encodes");
    let (size, root) = head_of(&receipt.checkpoint);
    verify_inclusion(receipt.index, size, proto::hash::Hash::leaf(&entry), &receipt.inclusion, &root).expect("proven");
}

fn head_of(checkpoint: &str) -> (proto::num::TreeSize, proto::hash::Hash) {
    let lines: Vec<&str> = checkpoint.lines().collect();
    let size = proto::num::TreeSize(lines[1].parse().expect("a size"));
    (size, proto::hash::Hash::from_base64(lines[2]).expect("a root"))
}

#[tokio::test]
async fn content_types_and_codings() {
    let site = Site::with_acme().await;
    let types = ["application/json", "Application/JSON; charset=utf-8", "application/vnd.dsse.envelope.v1+json"];
    for (number, content_type) in types.into_iter().enumerate() {
        let body = testing::support(&format!("T-{number}"), "2031-03").to_json();
        assert_eq!(site.post("/v1/claims", content_type, body).await.status, 201, "{content_type}");
    }
    let bare = Request::post("/v1/claims").body(Body::from(testing::support("bare", "2031-03").to_json()));
    assert_eq!(site.send(bare.expect("a request")).await.status, 201);
    let refused = site.post("/v1/claims", "text/plain", "{}").await;
    assert_eq!(refused.problem(), (415, "request.content_type".into()));
    let packed = Request::post("/v1/claims").header(CONTENT_TYPE, "application/json").header(CONTENT_ENCODING, "gzip");
    let refused = site.send(packed.body(Body::from("x")).expect("a request")).await;
    assert_eq!(refused.problem(), (415, "request.content_type".into()));
    let refused = site.post("/v1/claims?wait=1", "application/json", "{}").await;
    assert_eq!(refused.problem(), (400, "request.invalid".into()));
}

#[tokio::test]
async fn bad_envelopes_are_refused_with_their_reason_and_change_nothing() {
    let site = Site::with_acme().await;
    let good = testing::support("CAM-3", "2031-03");
    let mut tampered = good.clone();
    tampered.payload[10] ^= 1;
    let mut other = testing::support_claim("CAM-4", "2031-03");
    other["logs"] = json!([{"origin": "other.example"}]);
    let mut date = testing::support_claim("CAM-5", "soon");
    date["body"] = json!({"security_until": "soon"});
    let cases: Vec<(String, u16, &str, Option<&str>)> = vec![
        ("".into(), 400, "envelope.malformed", None),
        ("{".into(), 400, "envelope.malformed", None),
        ("[]".into(), 400, "envelope.malformed", None),
        (good.to_json().replacen('{', r#"{"payload":"","#, 1), 400, "envelope.duplicate_member", None),
        (good.to_json().replace("keyid\":\"", "keyid\":\"X"), 400, "envelope.keyid", None),
        (good.to_json().replace("claim.v1", "claim.v9"), 415, "payload_type.unsupported", None),
        (testing::sign(&other, &[number::ACME_SIGN]).to_json(), 422, "claim.wrong_log", Some("/logs")),
        (testing::sign(&date, &[number::ACME_SIGN]).to_json(), 422, "claim.date", Some("/body/security_until")),
        (testing::sign(&testing::support_claim("K", "2031-03"), &[77]).to_json(), 403, "key.unknown", None),
    ];
    for (body, status, code, pointer) in cases {
        let answer = site.post("/v1/claims", "application/json", body.clone()).await;
        assert_eq!(answer.problem(), (status, code.into()), "{body}");
        if let Some(pointer) = pointer {
            assert_eq!(answer.json()["pointer"], pointer);
        }
    }
    let answer = site.submit(&tampered).await;
    let (status, code) = answer.problem();
    assert!((status, code.as_str()) == (422, "signature.invalid") || code.starts_with("claim."), "{status} {code}");
    assert_eq!(site.get_json("/v1/log").await["size"], 2);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413_with_the_limit() {
    let site = Site::start();
    let pieces = (0..40).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 8192])));
    for body in [Body::from(vec![b'x'; 131_073]), Body::from_stream(stream::iter(pieces))] {
        let answer = site.post("/v1/claims", "application/json", body).await;
        assert_eq!(answer.problem(), (413, "size.envelope".into()));
        assert_eq!(answer.json()["limit"], 131_072);
    }
    let broken = stream::iter([Ok(Bytes::from("{")), Err(std::io::Error::other("gone"))]);
    let answer = site.post("/v1/claims", "application/json", Body::from_stream(broken)).await;
    assert_eq!(answer.problem(), (408, "request.incomplete".into()));
}

#[tokio::test]
async fn the_same_payload_with_other_signatures_is_409_with_the_receipt() {
    let site = Site::with_acme().await;
    let good = testing::support("CAM-3", "2031-03");
    let receipt = site.accept(&good).await;
    let other = testing::sign(&testing::support_claim("CAM-3", "2031-03"), &[number::ACME_ADMIN]);
    let answer = site.submit(&other).await;
    assert_eq!(answer.problem(), (409, "slot.other_signatures".into()));
    assert_eq!(answer.json()["receipt"]["index"], receipt["index"]);
    assert_eq!(answer.json()["claim_id"], receipt["claim_id"]);
}

#[tokio::test]
async fn a_validly_signed_claim_that_is_refused_gets_a_signed_refusal() {
    let site = Site::with_acme().await;
    let mut claim = testing::support_claim("CAM-3", "2031-03");
    claim["role"] = json!("importer");
    let answer = site.submit(&testing::sign(&claim, &[number::ACME_SIGN])).await;
    assert_eq!(answer.problem(), (403, "right.role".into()));
    let problem = answer.json();
    let refusal = problem["refusal"].as_str().expect("a signed refusal");
    assert!(refusal.starts_with("claimtrail/refusal/v1\n"), "{refusal}");
    assert!(refusal.contains(problem["claim_id"].as_str().expect("a claim id")));
}

#[tokio::test]
async fn a_mode_without_claims_is_503_and_reads_go_on() {
    let site = Site::with_acme().await;
    let id = site.support("CAM-3", "2031-03").await;
    site.log.log.modes().set_disk_low(true);
    let answer = site.submit(&testing::support("CAM-4", "2031-03")).await;
    assert_eq!(answer.problem(), (503, "disk.low".into()));
    assert_eq!(answer.header("retry-after"), "60");
    // A repeat asks for nothing new.
    assert_eq!(site.submit(&testing::support("CAM-3", "2031-03")).await.status, 200);
    assert_eq!(site.get_json(&format!("/v1/claims/{id}")).await["index"], 2);
    assert_eq!(site.get_json("/v1/log").await["mode"]["name"], "disk_low");
}

#[tokio::test]
async fn a_claim_with_all_that_became_of_it() {
    let site = Site::with_acme().await;
    let first = site.support("CAM-3", "2031-03").await;
    let shown = site.get_json(&format!("/v1/claims/{first}")).await;
    assert_eq!(shown["status"], json!({"current": true, "head": true, "withdrawn": false, "contested": false}));
    assert_eq!(shown["slot"]["model"], "cam-3");
    assert_eq!(shown["claim"]["body"]["security_until"], "2031-03");
    let entry = proto::b64::decode(shown["entry"].as_str().expect("an entry")).expect("base64");
    let entry = proto::entry::Entry::decode(&entry).expect("an entry");
    assert_eq!(entry.payload, proto::b64::decode(shown["payload"].as_str().expect("a payload")).expect("base64"));

    let second = site.answer_to(&first, "supersede", "CAM-3", "2032-03").await;
    let first = site.get_json(&format!("/v1/claims/{first}")).await;
    assert_eq!(first["status"], json!({"current": false, "head": false, "withdrawn": false, "contested": false}));
    site.answer_to(&second, "withdraw", "CAM-3", "2032-03").await;
    let second = site.get_json(&format!("/v1/claims/{second}")).await;
    assert_eq!(second["status"], json!({"current": false, "head": false, "withdrawn": true, "contested": false}));
}

#[tokio::test]
async fn receipts_and_proofs_of_logged_claims() {
    let site = Site::with_acme().await;
    let id = id_of(&site.accept(&testing::support("CAM-3", "2031-03")).await);
    site.support("CAM-4", "2031-03").await;
    let receipt = site.get(&format!("/v1/claims/{id}/receipt")).await;
    let receipt = Receipt::parse(&receipt.body).expect("a receipt");
    assert_eq!(receipt.index.0, 2);
    assert!(receipt.checkpoint.starts_with("log.example/test\n4\n"), "under the newest head");
    let proof = site.get(&format!("/v1/claims/{id}/proof")).await;
    assert_eq!(proof.header("content-type"), "text/plain; charset=utf-8");
    let proof = TlogProof::parse(&proof.body).expect("a proof");
    assert_eq!((proof.index(), proof.hashes()), (receipt.index, receipt.inclusion.as_slice()));

    let unknown = format!("sha256:{}", "0".repeat(64));
    for rest in ["", "/receipt", "/proof"] {
        let answer = site.get(&format!("/v1/claims/{unknown}{rest}")).await;
        assert_eq!(answer.problem(), (404, "request.not_found".into()));
        for bad in ["sha256:00", "x", &id.to_uppercase()] {
            let answer = site.get(&format!("/v1/claims/{bad}{rest}")).await;
            assert_eq!(answer.problem(), (400, "request.invalid".into()), "{bad}{rest}");
        }
    }
}

#[tokio::test]
async fn other_methods_and_preflights() {
    let site = Site::start();
    let answer = site.post("/v1/log", "application/json", "{}").await;
    assert_eq!(answer.problem(), (405, "request.method".into()));
    assert!(answer.header("allow").contains("GET"));
    let answer = site.get("/v1/nothing").await;
    assert_eq!(answer.problem(), (404, "request.not_found".into()));
    let head = Request::head("/v1/log").body(Body::empty()).expect("a request");
    let head = site.send(head).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    let mut headers = HeaderMap::new();
    headers.insert("access-control-request-method", "POST".parse().expect("a header"));
    let mut preflight = Request::options("/v1/claims").body(Body::empty()).expect("a request");
    *preflight.headers_mut() = headers;
    assert_eq!(site.send(preflight).await.header("access-control-allow-methods"), "", "no page submits");
}
