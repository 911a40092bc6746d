use proto::hash::Hash;

use crate::support::Site;

#[tokio::test]
async fn entries_by_index_never_change() {
    let site = Site::with_acme().await;
    let answer = site.get("/v1/entries/1").await;
    assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
    let entry = Site::ok(&answer);
    assert_eq!((&entry["index"], &entry["type"]), (&1.into(), &"issuer/v1".into()));
    let bytes = proto::b64::decode(entry["entry"].as_str().expect("an entry")).expect("base64");
    assert_eq!(entry["leaf_hash"], Hash::leaf(&bytes).to_base64());
    assert_eq!(site.get("/tile/0/000.p/2").await.body[32..], Hash::leaf(&bytes).0);
}

#[tokio::test]
async fn indices_are_canonical_and_within_the_tree() {
    let site = Site::start();
    for (index, problem) in [
        ("1", (404, "request.beyond_tree")),
        ("9223372036854775807", (404, "request.beyond_tree")),
        ("00", (400, "request.invalid")),
        ("+0", (400, "request.invalid")),
        ("-1", (400, "request.invalid")),
        ("9223372036854775808", (400, "request.invalid")),
        ("x", (400, "request.invalid")),
    ] {
        let answer = site.get(&format!("/v1/entries/{index}")).await;
        assert_eq!(answer.problem(), (problem.0, problem.1.into()), "{index}");
    }
    assert_eq!(site.get("/v1/entries/1").await.json()["size"], 1);
}
