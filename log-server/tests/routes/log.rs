use claimtrail_log::log::Trouble;
use claimtrail_log::testing::{self, ORIGIN, START_MS};
use serde_json::{Value, json};

use crate::support::Site;

#[tokio::test]
async fn the_log_says_what_it_is() {
    let site = Site::with_acme().await;
    let log = site.get_json("/v1/log").await;
    let keys = testing::log_keys();
    assert_eq!((&log["origin"], &log["size"]), (&json!(ORIGIN), &json!(2)));
    assert_eq!((&log["log_vkey"], &log["time_vkey"]), (&json!(keys.log_vkey()), &json!(keys.time_vkey())));
    assert_eq!(log["mode"], json!({"name": "normal"}));
    assert_eq!(log["constitution"]["claim_id"], site.get("/v1/entries/0").await.json()["claim_id"]);
    assert_eq!(log["limits"]["envelope_bytes"], 131_072);
    assert_eq!(log["root"], site.get("/checkpoint").await.text().lines().nth(2).expect("a root"));
    assert_eq!(site.get("/v1/log?x=1").await.problem(), (400, "request.invalid".into()));
}

#[tokio::test]
async fn why_the_log_recovers_is_for_the_operator_only() {
    let site = Site::start();
    let why = "disk /secret failed".to_owned();
    site.log.log.modes().set_recovering(Some(Trouble { why, is_passing: false }));
    let log = site.get("/v1/log").await;
    assert_eq!(Site::ok(&log)["mode"]["name"], "recovering");
    assert!(!log.text().contains("secret"), "{}", log.text());
    let refused = site.submit(&testing::acme()).await;
    assert_eq!(refused.problem(), (503, "mode.recovering".into()));
    assert!(!refused.text().contains("secret"), "{}", refused.text());
    assert_eq!(refused.header("retry-after"), "60", "only an operator can help");
}

fn sizes(heads: &Value) -> Vec<u64> {
    heads["heads"].as_array().expect("heads").iter().map(|head| head["size"].as_u64().expect("a size")).collect()
}

#[tokio::test]
async fn heads_before_and_after() {
    let site = Site::start(); // size 1 at START
    for n in 0..4 {
        site.log.time.pass(10_000);
        match n {
            0 => drop(site.accept(&testing::acme()).await),
            n => drop(site.support(&format!("M-{n}"), "2031-03").await),
        }
    }
    let start = START_MS / 1000;
    let heads = site.get_json("/v1/heads").await;
    assert_eq!(sizes(&heads), [5, 4, 3, 2, 1], "the newest first");
    let newest = &heads["heads"][0];
    assert_eq!(newest["checkpoint"], site.get("/checkpoint").await.text());
    assert_eq!((&newest["time"], &newest["root"]), (&json!(start + 40), &site.get_json("/v1/log").await["root"]));
    let times = async |query: String| sizes(&site.get_json(&format!("/v1/heads?{query}")).await);
    assert_eq!(times(format!("before={}", start + 20)).await, [2, 1]);
    assert_eq!(times(format!("after={}", start + 20)).await, [4, 5]);
    assert!(times("before=0".into()).await.is_empty());
    for query in ["before=9999999999", "after=0"] {
        let (mut all, mut cursor) = (vec![], String::new());
        for _ in 0..9 {
            let page = site.get_json(&format!("/v1/heads?{query}&limit=2{cursor}")).await;
            all.extend(sizes(&page));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3, 4, 5], "{query}");
    }
    assert_eq!(site.get("/v1/heads?before=1&after=1").await.problem(), (400, "request.invalid".into()));
}
