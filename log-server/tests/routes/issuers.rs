use claimtrail_log::testing::{self, number};
use serde_json::json;

use crate::support::{Site, indices};

#[tokio::test]
async fn issuers_are_listed_page_by_page() {
    let site = Site::with_acme().await;
    for (n, name) in ["zeta.example", "beta.example"].into_iter().enumerate() {
        let n = u8::try_from(n).expect("few");
        site.accept(&testing::enrolment(name, "researcher", 20 + 2 * n, 21 + 2 * n)).await;
    }
    let page = site.get_json("/v1/issuers?limit=2").await;
    let ids = |page: &serde_json::Value| {
        page["items"].as_array().expect("a list").iter().map(|i| i["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&page), ["acme.example", "beta.example"]);
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    let rest = site.get_json(&format!("/v1/issuers?limit=2&cursor={cursor}")).await;
    assert_eq!((ids(&rest), &rest["next_cursor"]), (vec![json!("zeta.example")], &json!(null)));
    let other = site.get(&format!("/v1/products?cursor={cursor}")).await;
    assert_eq!(other.problem(), (400, "request.invalid".into()));
    assert_eq!(site.get("/v1/issuers?cursor=AAAA").await.problem(), (400, "request.invalid".into()));
}

#[tokio::test]
async fn an_issuer_with_keys_and_claims() {
    let site = Site::with_acme().await;
    site.support("CAM-3", "2031-03").await;
    let issuer = site.get_json("/v1/issuers/acme.example").await;
    assert_eq!(issuer["registry"], json!({"first": 1, "last": 1, "entries": 1}));
    let keys = issuer["keys"].as_array().expect("keys");
    assert_eq!(keys.len(), 2);
    let key_ids: Vec<String> =
        [number::ACME_ADMIN, number::ACME_SIGN].map(|n| testing::key(n).public().id().to_string()).to_vec();
    assert_eq!((&keys[0]["key_id"], &keys[0]["use"]), (&json!(key_ids[0]), &json!("admin")));
    assert_eq!((&keys[1]["key_id"], &keys[1]["status"]), (&json!(key_ids[1]), &json!("active")));
    assert_eq!(indices(&issuer["claims"]["items"]), [1, 2]);

    let revocation = testing::claim(
        "issuer/v1",
        "acme.example",
        "manufacturer",
        json!({
            "legal_name": "acme.example", "roles": ["manufacturer"], "keys": [],
            "revoke": [{"key_id": key_ids[1], "reason": "superseded"}],
            "identity": {"method": "paper", "checked_at": "2027-02-01"},
        }),
    );
    site.accept(&testing::sign(&revocation, &[number::ACME_ADMIN])).await;
    let issuer = site.get_json("/v1/issuers/acme.example").await;
    assert_eq!((&issuer["keys"][1]["status"], &issuer["keys"][1]["revoked"]), (&json!("revoked"), &json!(3)));
    let refused = site.submit(&testing::support("CAM-4", "2031-03")).await;
    assert_eq!(refused.problem(), (403, "key.revoked".into()));
}

#[tokio::test]
async fn the_claims_of_an_issuer_go_on_with_the_cursor_of_the_first_page() {
    let site = Site::with_acme().await;
    for n in 0..60 {
        site.support(&format!("M-{n}"), "2031-03").await;
    }
    let issuer = site.get_json("/v1/issuers/acme.example").await;
    let first = indices(&issuer["claims"]["items"]);
    let cursor = issuer["claims"]["next_cursor"].as_str().expect("more than a page");
    // What comes later is not in the tree of the first page.
    site.support("later", "2031-03").await;
    let rest = site.get_json(&format!("/v1/issuers/acme.example/claims?cursor={cursor}&limit=100")).await;
    assert_eq!([first, indices(&rest["items"])].concat(), (1..62).collect::<Vec<_>>());
    assert_eq!((&rest["next_cursor"], &rest["size"]), (&json!(null), &json!(62)));
    let typed = site.get_json("/v1/issuers/acme.example/claims?type=issuer/v1").await;
    assert_eq!(indices(&typed["items"]), [1]);
    let operator = site.get_json("/v1/issuers/operator.example/claims").await;
    assert_eq!(indices(&operator["items"]), [0]);
}

#[tokio::test]
async fn unknown_issuers() {
    let site = Site::start();
    for rest in ["", "/claims"] {
        let answer = site.get(&format!("/v1/issuers/acme.example{rest}")).await;
        assert_eq!(answer.problem(), (404, "request.not_found".into()));
        let answer = site.get(&format!("/v1/issuers/ACME{rest}")).await;
        assert_eq!(answer.problem(), (400, "request.invalid".into()));
    }
}
