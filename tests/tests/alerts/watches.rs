//! Watch lists on an honest log: what matched, on what, and what changed.

use claimtrail_log::testing::{ORIGIN, TestLog, body, number, sign, support_claim};
use proto::fold::Submission;
use serde_json::{Value, json};

use super::served::{Served, log_of, router};
use super::{alerts_in, file_of, monitor_with, to_file, until_in, wait};

/// Acme moves the end of support for a model; gives the id of the claim.
fn supersede(test: &TestLog, model: &str, from: &str, until: &str) -> String {
    let old = sign(&support_claim(model, from), &[number::ACME_SIGN]);
    let target = Submission::from_envelope(old).unwrap().id().to_string();
    let mut claim = support_claim(model, until);
    claim["rel"] = json!({"kind": "supersede", "target": {"id": target}, "reason": "costs"});
    let new = sign(&claim, &[number::ACME_SIGN]);
    test.time.pass(1000);
    wait(test.log.submit(body(&new))).expect("logged");
    Submission::from_envelope(new).unwrap().id().to_string()
}

const WATCHES: &str = "[[watch]]\nname = \"our cameras\"\nissuer = \"acme.example\"\nmodel = \"cam-1\"\n\
    [[watch]]\nname = \"shortened support\"\nfindings = [\"S1\"]\n\
    [[watch]]\nname = \"somebody else\"\nissuer = \"other.example\"\n";

fn told(alert: &Value) -> Vec<&str> {
    alert["watches"].as_array().unwrap().iter().map(|hit| hit["watch"].as_str().unwrap()).collect()
}

#[test]
fn an_alert_says_which_watch_matched_on_what_and_what_changed() {
    let test = log_of(&["CAM-1", "CAM-2"]);
    let served = Served::new(router(&test));
    let folder = tempfile::tempdir().unwrap();
    let (file, some) = (file_of(&folder), folder.path().join("some.jsonl"));
    let config = format!(
        "{WATCHES}{}{}classes = []\nwatches = [\"shortened support\"]\n",
        to_file("all", &file),
        to_file("some", &some)
    );
    let monitor = monitor_with(&served, &config);
    assert_eq!(monitor.once().0, 0);
    let first = alerts_in(&file);
    assert_eq!(first.iter().map(told).collect::<Vec<_>>(), [["our cameras"]], "{first:#?}");
    assert_eq!(first[0]["claim"]["rel"], "new");

    let ids = [supersede(&test, "CAM-1", "2031-03", "2029-01"), supersede(&test, "CAM-2", "2031-03", "2033-01")];
    assert_eq!(monitor.once().0, 0, "what a manufacturer says is nothing wrong with the log");
    let all = alerts_in(&file);
    assert_eq!(all.len(), 2, "later support is not shortened: {all:#?}");
    let alert = &all[1];
    assert_eq!(told(alert), ["our cameras", "shortened support"]);
    assert_eq!((&alert["severity"], &alert["code"]), (&"alarm".into(), &"S1".into()));
    let claim = &alert["claim"];
    assert_eq!(
        [&claim["id"], &claim["type"], &claim["issuer"], &claim["manufacturer"], &claim["model"], &claim["rel"]],
        [ids[0].as_str(), "support/v1", "acme.example", "acme.example", "CAM-1", "supersede"]
    );
    assert_eq!(
        claim["changed"],
        json!([{"pointer": "/security_until", "before": "\"2031-03\"", "after": "\"2029-01\""}])
    );
    assert_eq!((&claim["before"]["known"], &claim["before"]["index"]), (&true.into(), &2.into()), "{claim:#}");
    assert_eq!(
        alert["watches"][0]["on"],
        json!([{"field": "issuer", "value": "acme.example"}, {"field": "model", "value": "CAM-1"}])
    );
    let index = claim["index"].as_u64().unwrap();
    assert_eq!(alert["link"], format!("{}/v1/entries/{index}", served.url));
    assert_eq!(alert["origin"], ORIGIN);
    // The channel that is told of one watch hears nothing of the others.
    let some = alerts_in(&some);
    assert_eq!(some.iter().map(told).collect::<Vec<_>>(), [["shortened support"]], "{some:#?}");
    // The link leads to the entry.
    let path = alert["link"].as_str().unwrap().strip_prefix(&served.url).unwrap().to_owned();
    let http = client::http::Http::new(&served.url).unwrap();
    let entry: Value = serde_json::from_slice(&wait(http.get(&path, 1 << 20)).unwrap().body).unwrap();
    assert_eq!(entry["index"].as_u64(), Some(index), "{entry:#}");
}

#[test]
fn a_claim_read_before_it_was_watched_is_said_to_be_unknown_unless_it_is_mirrored() {
    for mirror in [false, true] {
        let test = log_of(&["CAM-1"]);
        let served = Served::new(router(&test));
        let folder = tempfile::tempdir().unwrap();
        let file = file_of(&folder);
        let monitor = harness::watcher::MonitorUnderTest::init(super::programs(), &super::trust(), &served.url, mirror);
        assert_eq!(monitor.once().0, 0);
        super::add_config(&monitor, &format!("{WATCHES}{}", to_file("all", &file)));
        supersede(&test, "CAM-1", "2031-03", "2029-01");
        assert_eq!(monitor.once().0, 0);
        let alerts = alerts_in(&file);
        assert_eq!(alerts.len(), 1, "{alerts:#?}");
        assert_eq!(alerts[0]["claim"]["before"]["known"], mirror);
        assert_eq!(alerts[0]["code"] == "S1", mirror, "{alerts:#?}");
        let says_so = alerts[0]["message"].as_str().unwrap().contains("what changed is not known");
        assert_eq!(says_so, !mirror);
    }
}

/// Puts a claim into the log, signed by Acme; gives its id.
fn log_claim(test: &TestLog, claim: &Value) -> String {
    let envelope = sign(claim, &[number::ACME_SIGN]);
    test.time.pass(1000);
    wait(test.log.submit(body(&envelope))).expect("logged");
    Submission::from_envelope(envelope).unwrap().id().to_string()
}

#[test]
fn a_watch_for_a_vulnerability_hears_that_the_claim_about_it_is_taken_back() {
    let test = log_of(&["CAM-1"]);
    let served = Served::new(router(&test));
    let folder = tempfile::tempdir().unwrap();
    let file = file_of(&folder);
    let watch = "[[watch]]\nname = \"the zero day\"\nid = { scheme = \"vulnerability\", value = \"cve-2027-12345\" }\n";
    let mut monitor = monitor_with(&served, &format!("{watch}{}", to_file("all", &file)));
    monitor.serve();
    let about = |body: Value| {
        let mut claim = support_claim("CAM-1", "2031-03");
        (claim["type"], claim["body"]) = ("vulnerability/v1".into(), body);
        claim
    };
    let other = json!({"ids": ["CVE-2027-54321"], "status": [{"versions": ["1.x"], "state": "under_investigation"}]});
    let affected = json!({"ids": ["CVE-2027-12345"], "status": [{"versions": ["1.x"], "state": "affected"}]});
    log_claim(&test, &about(other));
    let id = log_claim(&test, &about(affected));
    assert_eq!(until_in(&file, 1)[0]["claim"]["id"], id);

    // The body of a withdrawal names nothing; who waits for this id is told all the same.
    let mut withdrawal = about(json!({}));
    withdrawal["rel"] = json!({"kind": "withdraw", "target": {"id": id}, "reason": "not affected after all"});
    let taken_back = log_claim(&test, &withdrawal);
    let alerts = until_in(&file, 2);
    let (alert, claim) = (&alerts[1], &alerts[1]["claim"]);
    assert_eq!(
        (&claim["id"], &claim["rel"], &alert["code"]),
        (&taken_back.as_str().into(), &"withdraw".into(), &"withdrawn".into())
    );
    let on = json!([{"field": "id", "value": "vulnerability CVE-2027-12345 (of the claim before)"}]);
    assert_eq!((told(alert), &alert["watches"][0]["on"]), (vec!["the zero day"], &on), "{alert:#}");
    assert_eq!((&claim["before"]["id"], &claim["before"]["known"]), (&id.as_str().into(), &true.into()));
    monitor.stop();
    assert_eq!(alerts_in(&file).len(), 2, "the other vulnerability is nobody's affair");
}

/// What one place says is held against what stands in another; it is told by the watch, and nothing is wrong with the log.
#[test]
fn a_watch_for_a_finding_hears_of_what_two_claims_of_one_issuer_show_together() {
    let test = log_of(&["CAM-1"]);
    let served = Served::new(router(&test));
    let folder = tempfile::tempdir().unwrap();
    let file = file_of(&folder);
    let watch = "[[watch]]\nname = \"sold too long\"\nfindings = [\"S5\", \"S7\"]\nseverity = \"warning\"\n";
    let monitor = monitor_with(&served, &format!("{watch}{}", to_file("all", &file)));
    assert_eq!(monitor.once().0, 0);
    let about = |claim_type: &str, model: &str, body: Value| {
        let mut claim = support_claim(model, "2031-03");
        (claim["type"], claim["body"]) = (claim_type.into(), body);
        claim
    };
    let product =
        json!({"name": "Cam", "category": "camera", "placed_on_market": "2026-01", "end_of_placing": "2033-01"});
    let declared = |until: &str| json!({"scheme": "psti-soc", "status": "issued", "issued_at": "2026-01-01", "support_until_stated": until});
    let sold = log_claim(&test, &about("product/v1", "CAM-1", product));
    log_claim(&test, &about("conformity/v1", "CAM-1", declared("2031-03")));
    log_claim(&test, &about("conformity/v1", "CAM-2", declared("2032-03")));
    let other = log_claim(&test, &support_claim("CAM-2", "2031-03"));
    let (code, status) = monitor.once();
    assert_eq!((code, status["open"].as_array().map(Vec::len)), (0, Some(0)), "{status:#}");
    let alerts = alerts_in(&file);
    let shown = |alert: &Value| (alert["claim"]["id"].clone(), alert["code"].clone(), alert["severity"].clone());
    let wanted = [(sold, "S7"), (other, "S5")].map(|(id, code)| (id.into(), code.into(), "warning".into()));
    assert_eq!(alerts.iter().map(shown).collect::<Vec<_>>(), wanted, "{alerts:#?}");
}
