//! What matches and on what; what does not.

use proptest::prelude::*;
use proto::num::Millis;
use proto::query::finding::{Place, shown};
use serde_json::{Value, json};

use super::*;
use crate::finding::{Class, code};
use crate::watch::config::{WatchConfig, watches};

const LOG: &str = "log.example/main";

fn list(toml: &str) -> Result<WatchList, String> {
    #[derive(serde::Deserialize)]
    struct Watches {
        watch: Vec<WatchConfig>,
    }
    let layers = service::config::Layers::new().file_text("test", toml).unwrap();
    let read: Watches = layers.load().map_err(|e| e.to_string())?;
    watches(&read.watch).map(WatchList::new).map_err(|e| e.message)
}

fn claim(edit: impl FnOnce(&mut Value)) -> Claim {
    let mut claim = json!({
        "type": "support/v1",
        "logs": [{"origin": LOG}],
        "issuer": "acme.example",
        "role": "manufacturer",
        "asserted_at": "2027-02-01T12:00:00Z",
        "subject": {"manufacturer": "acme.example", "model": "CAM-3", "ids": [{"scheme": "gtin", "value": "4006381333931"}]},
        "rel": {"kind": "new"},
        "body": {"security_until": "2031-03"},
    });
    edit(&mut claim);
    Claim::parse(claim.to_string().as_bytes()).unwrap()
}

/// The fields that a claim is hit on, by watch.
fn hits(list: &WatchList, claim: &Claim, owner: Option<&str>) -> Vec<String> {
    let place = Place { claim, time: Millis(1_801_526_400_000), before: None, beside: &[], heads: 1, replay: false };
    let facts = Facts { origin: LOG, claim, owner, before: None };
    let hits = list.of_claim(facts, &shown(place));
    assert!(hits.is_empty() || list.is_about(facts), "what matches is also what is kept");
    hits.iter().map(ToString::to_string).collect()
}

#[test]
fn every_condition_is_named_with_what_fulfilled_it() {
    let list = list(
        "[[watch]]\nname = 'all'\nlog = 'log.example/main'\nissuer = 'acme.example'\nmanufacturer = 'acme.example'\n\
         model = ' cam-3 '\nid = { scheme = 'gtin', value = '04006381333931' }\ntypes = ['release/v1', 'support/v1']\n\
         severity = 'info'\n[[watch]]\nname = 'other'\nmodel = 'CAM-4'\n",
    );
    let list = list.unwrap();
    let all = "all (on log log.example/main, issuer acme.example, types support/v1, manufacturer acme.example, model CAM-3, \
               id gtin 4006381333931, severity info)";
    assert_eq!(hits(&list, &claim(|_| {}), None), [all]);
    for edit in [
        |claim: &mut Value| claim["issuer"] = json!("other.example"),
        |claim: &mut Value| claim["subject"]["model"] = json!("CAM-5"),
        |claim: &mut Value| claim["subject"]["manufacturer"] = json!("other.example"),
        |claim: &mut Value| claim["subject"]["ids"] = json!([{"scheme": "sku", "value": "4006381333931"}]),
    ] {
        assert!(hits(&list, &claim(edit), None).is_empty(), "every condition must hold");
    }
}

#[test]
fn a_watch_for_an_issuer_hears_what_others_say_of_its_claims() {
    let list = list("[[watch]]\nname = 'acme'\nissuer = 'acme.example'\nfindings = ['disputed']\n").unwrap();
    let dispute = claim(|claim| {
        claim["issuer"] = json!("lab.example");
        claim["role"] = json!("researcher");
        claim["rel"] =
            json!({"kind": "dispute", "target": {"id": format!("sha256:{}", "ab".repeat(32))}, "reason": "no"});
        claim["body"] = json!({});
    });
    assert_eq!(hits(&list, &dispute, Some("acme.example")), ["acme (on issuer acme.example, findings disputed)"]);
    assert!(hits(&list, &dispute, Some("other.example")).is_empty());
    assert!(hits(&list, &claim(|_| {}), None).is_empty(), "nothing is disputed");
}

#[test]
fn vulnerabilities_are_found_by_their_ids() {
    let list = list("[[watch]]\nname = 'cve'\nid = { scheme = 'vulnerability', value = 'CVE-2027-12345' }\n").unwrap();
    let fix = claim(|claim| {
        claim["type"] = json!("release/v1");
        let artifacts = json!([{"role": "firmware", "sha256": "ab".repeat(32)}]);
        claim["body"] = json!({"version": "1", "artifacts": artifacts, "fixes": ["CVE-2027-12345"]});
    });
    assert_eq!(hits(&list, &fix, None), ["cve (on id vulnerability CVE-2027-12345)"]);
    assert!(hits(&list, &claim(|_| {}), None).is_empty());
    let list =
        self::list("[[watch]]\nname = 'c'\nid = { scheme = 'vulnerability', value = 'cve-2027-12345' }\n").unwrap();
    assert_eq!(hits(&list, &fix, None), ["c (on id vulnerability CVE-2027-12345)"], "case does not matter");
}

#[test]
fn what_the_claim_before_said_counts_as_well() {
    let list = list(
        "[[watch]]\nname = 'cve'\nid = { scheme = 'vulnerability', value = 'CVE-2027-12345' }\n\
         [[watch]]\nname = 'gtin'\nid = { scheme = 'gtin', value = '4006381333931' }\n",
    );
    let list = list.unwrap();
    let release = |fixes: Value, ids: Value| {
        claim(|claim| {
            claim["type"] = json!("release/v1");
            claim["subject"]["ids"] = ids;
            let artifacts = json!([{"role": "firmware", "sha256": "ab".repeat(32)}]);
            claim["body"] = json!({"version": "1", "artifacts": artifacts, "fixes": fixes});
        })
    };
    let gtin = json!([{"scheme": "gtin", "value": "4006381333931"}]);
    let (before, after) = (release(json!(["CVE-2027-12345"]), gtin), release(json!(["CVE-2027-9999"]), json!([])));
    let told = |claim: &Claim, before: Option<&Claim>| -> Vec<String> {
        let facts = Facts { origin: LOG, claim, owner: None, before };
        list.of_claim(facts, &[]).iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        told(&after, Some(&before)),
        [
            "cve (on id vulnerability CVE-2027-12345 (of the claim before))",
            "gtin (on id gtin 4006381333931 (of the claim before))"
        ]
    );
    assert!(told(&after, None).is_empty());
    assert_eq!(told(&before, Some(&after)).len(), 2);
}

#[test]
fn findings_about_logs_match_by_code_severity_and_log() {
    let list = list(
        "[[watch]]\nname = 'forks'\nfindings = ['head.fork']\n[[watch]]\nname = 'bad'\nlog = 'log.example/main'\nseverity = 'alarm'\n\
         [[watch]]\nname = 'acme'\nissuer = 'acme.example'\nseverity = 'info'\n",
    );
    let list = list.unwrap();
    let names = |origin: &str, finding: &Finding| -> Vec<String> {
        list.of_finding(origin, finding).into_iter().map(|hit| hit.watch).collect()
    };
    let fork = Finding::new(Class::Tamper, code::FORK, "two trees");
    assert_eq!(names(LOG, &fork), ["forks", "bad"]);
    assert_eq!(names("other.example", &fork), ["forks"]);
    assert!(names(LOG, &Finding::new(Class::Degraded, code::OLD, "old")).is_empty());
}

#[test]
fn what_could_never_match_is_refused() {
    for (toml, part) in [
        ("name = 'a'", "matches everything"),
        ("name = 'a'\nissuer = 'ACME'", "`issuer`"),
        ("name = 'a'\nmanufacturer = 'name:'", "`manufacturer`"),
        ("name = 'a'\nid = { scheme = 'ean', value = '1' }", "no scheme"),
        ("name = 'a'\nid = { scheme = 'gtin', value = '1' }", "GTIN"),
        ("name = 'a'\ntypes = ['support']", "no type"),
        ("name = 'a'\nfindings = ['S9']", "no finding"),
        ("name = 'a'\nfindings = ['head.forks']", "no finding"),
        ("name = 'a'\nfindings = ['witness.silant']", "no finding"),
        ("name = 'a'\nfindings = ['queue.full']", "no finding"),
        ("name = 'a'\nissuer = 'acme.example'\nfindings = ['head.fork']", "about a log"),
        ("name = 'a'\nseverity = 'alarm'\nfindings = ['U4', 'V2']", "none of its"),
        ("name = 'a'\nseverity = 'alarm'\nfindings = ['head.old']", "none of its"),
        ("name = 'a'\nid = { scheme = 'vulnerability', value = 'CVE-2027-1' }", "no CVE"),
        ("name = 'a'\nid = { scheme = 'vulnerability', value = 'GHSA-x ' }", "white space"),
        ("name = 'a'\nmodel = ' '", "`model` is empty"),
        ("name = ''\nmodel = 'x'", "empty"),
        ("name = 'a'\nmodel = 'x'\n[[watch]]\nname = 'a'\nmodel = 'y'", "two [[watch]]"),
        ("name = 'a'\nmodell = 'x'", "modell"),
    ] {
        let error = list(&format!("[[watch]]\n{toml}\n")).unwrap_err();
        assert!(error.contains(part), "{toml}: {error}");
    }
}

proptest! {
    /// A watch with more conditions never matches more claims.
    #[test]
    fn conditions_only_narrow(issuer in 0usize..2, model in 0usize..2, with_type: bool) {
        let issuers = ["acme.example", "other.example"];
        let models = ["CAM-3", "CAM-4"];
        let wide = list(&format!("[[watch]]\nname = 'w'\nissuer = '{}'\n", issuers[issuer])).unwrap();
        let types = if with_type { "types = ['release/v1']\n" } else { "" };
        let narrow = format!("[[watch]]\nname = 'n'\nissuer = '{}'\nmodel = '{}'\n{types}", issuers[issuer], models[model]);
        let narrow = list(&narrow).unwrap();
        let claim = claim(|_| {});
        prop_assert!(hits(&narrow, &claim, None).len() <= hits(&wide, &claim, None).len());
        let expected = usize::from(issuer == 0 && model == 0 && !with_type);
        prop_assert_eq!(hits(&narrow, &claim, None).len(), expected);
    }
}
