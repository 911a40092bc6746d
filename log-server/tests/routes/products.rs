use claimtrail_log::testing;
use serde_json::{Value, json};

use crate::support::{Site, indices};

const CAM: &str = "/v1/products/acme.example/CAM-3";

#[tokio::test]
async fn the_trail_says_what_is_current_and_how_it_came() {
    let site = Site::with_acme().await;
    let first = site.support("CAM-3", "2031-03").await; // 2
    let second = site.answer_to(&first, "supersede", "cam-3", "2032-03").await; // 3, another spelling
    site.support("CAM-30", "2031-03").await; // 4, another product
    let trail = site.get_json("/v1/products/acme.example/%20cam-3").await;
    assert_eq!((indices(&trail["current"]), indices(&trail["history"])), (vec![3], vec![2, 3]));
    assert_eq!(trail["current"][0]["body"], json!({"security_until": "2032-03"}));
    assert_eq!(trail["current_complete"], true);
    assert_eq!(trail["product"]["model_key"], "cam-3");
    assert_eq!(trail["history"][0]["status"]["current"], false);
    assert_eq!(trail["history"][1]["target"]["id"], first);

    // A second new claim contests the slot; a withdrawal of it mends that.
    let third = site.support("CAM-3", "2029-01").await; // 5
    let trail = site.get_json(CAM).await;
    assert_eq!(indices(&trail["current"]), [5]);
    assert_eq!(trail["current"][0]["status"]["contested"], true);
    site.answer_to(&third, "withdraw", "CAM-3", "2029-01").await; // 6
    let trail = site.get_json(CAM).await;
    assert_eq!((indices(&trail["current"]), indices(&trail["history"])), (vec![3], vec![2, 3, 5, 6]));
    let standing = |trail: &Value, at: usize| trail["history"][at]["status"].clone();
    assert_eq!(standing(&trail, 2), json!({"current": false, "head": false, "withdrawn": true, "contested": false}));
    // Folding the rows and reading the state agree.
    for (at, id) in [(0, &first), (1, &second), (2, &third)] {
        assert_eq!(standing(&trail, at), site.get_json(&format!("/v1/claims/{id}")).await["status"]);
    }
}

#[tokio::test]
async fn as_of_a_day_a_moment_or_a_size() {
    let site = Site::with_acme().await;
    let first = site.support("CAM-3", "2031-03").await; // 2027-02-01T12:00:00Z
    site.log.time.pass(11 * 3_600_000 + 59 * 60_000 + 59_999); // the last millisecond of the day
    let second = site.answer_to(&first, "supersede", "CAM-3", "2032-03").await;
    site.log.time.pass(1);
    site.answer_to(&second, "supersede", "CAM-3", "2033-03").await;
    let current = async |query: &str| indices(&site.get_json(&format!("{CAM}?{query}")).await["current"]);
    assert_eq!(current("").await, [4]);
    assert_eq!(current("as_of=2027-02-01").await, [3]);
    assert_eq!(current("as_of=2027-02-02").await, [4]);
    assert_eq!(current("as_of=2999-01-01").await, [4]);
    assert_eq!(current("as_of_time=2027-02-01T12:00:00Z").await, [2]);
    assert_eq!(current("as_of_time=2027-02-01T23:59:59.998Z").await, [2]);
    assert_eq!(current("as_of_time=2027-02-01T23:59:59.999Z").await, [3]);
    assert_eq!(current("as_of_time=2027-02-02T01:00:00%2B01:00").await, [4]);
    assert_eq!(current("as_of_size=4").await, [3]);
    for nothing in ["as_of=2027-01-31", "as_of_time=1970-01-01T00:00:00Z", "as_of_size=2", "as_of_size=0"] {
        let answer = site.get(&format!("{CAM}?{nothing}")).await;
        assert_eq!(answer.problem(), (404, "request.not_found".into()), "{nothing}");
    }
    assert_eq!(site.get(&format!("{CAM}?as_of_size=6")).await.problem(), (404, "request.beyond_tree".into()));
    for bad in
        ["as_of=2027-02", "as_of=tomorrow", "as_of_time=2027-02-01", "as_of_size=01", "as_of=2027-02-01&as_of_size=3"]
    {
        assert_eq!(site.get(&format!("{CAM}?{bad}")).await.problem(), (400, "request.invalid".into()), "{bad}");
    }
    // A single claim's standing at the size of a list's first page comes out of its slot's links.
    let old = site.get_json(&format!("{CAM}?as_of_size=4")).await;
    assert_eq!(old["history"][1]["status"]["head"], true);
}

#[tokio::test]
async fn both_lists_are_paged_under_one_tree() {
    let site = Site::with_acme().await;
    for n in 0..7 {
        let mut claim = testing::claim(
            "release/v1",
            "acme.example",
            "manufacturer",
            json!({"version": format!("1.{n}"), "artifacts": [{"role": "firmware", "sha256": "00".repeat(32)}]}),
        );
        claim["subject"] = json!({"manufacturer": "acme.example", "model": "CAM-3"});
        site.accept(&testing::sign(&claim, &[testing::number::ACME_SIGN])).await;
    }
    site.support("CAM-3", "2031-03").await; // 9
    let (mut current, mut history, mut cursor) = (vec![], vec![], String::new());
    for page in 0.. {
        let trail = site.get_json(&format!("{CAM}?limit=3{cursor}")).await;
        assert_eq!(trail["size"], 10);
        current.extend(indices(&trail["current"]));
        history.extend(indices(&trail["history"]));
        if page == 0 {
            site.support("CAM-3", "2035-03").await; // not in the tree of the first page
        }
        match trail["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
        assert!(page < 5, "it ends");
    }
    assert_eq!(current, (2..10).rev().collect::<Vec<_>>());
    assert_eq!(history, (2..10).collect::<Vec<_>>());
    let filtered = site.get_json(&format!("{CAM}?type=support/v1&issuer=acme.example")).await;
    assert_eq!((indices(&filtered["current"]), indices(&filtered["history"])), (vec![10], vec![9, 10]));
    let none = site.get_json(&format!("{CAM}?issuer=other.example")).await;
    assert_eq!((indices(&none["current"]), indices(&none["history"])), (vec![], vec![]));
    let other = site.get(&format!("{CAM}?limit=3&type=support/v1{cursor}")).await;
    assert_eq!(other.problem(), (400, "request.invalid".into()), "a cursor of another list");
}

#[tokio::test]
async fn products_that_nobody_spoke_about_and_malformed_names() {
    let site = Site::with_acme().await;
    assert_eq!(site.get(CAM).await.problem(), (404, "request.not_found".into()));
    for bad in ["ACME/x", "name:/x", "acme.example/%20", "acme.example/a%00b", "acme/x"] {
        let answer = site.get(&format!("/v1/products/{bad}")).await;
        assert_eq!(answer.problem(), (400, "request.invalid".into()), "{bad}");
    }
    let escaped = site.get("/v1/products/acme.example/a%2Fb").await;
    assert_eq!(escaped.problem(), (404, "request.not_found".into()));
    assert!(escaped.text().contains("a/b"), "an escaped slash is part of the model");
}
