//! What a witness learns from its peers at a start stays known, and what is no answer of theirs counts as none.

use axum::Router;
use axum::http::StatusCode;
use claimtrail_log::testing::{key, number};
use harness::process::until;
use monitor::finding::code;
use proto::cosignature::Cosigner;
use proto::note::KeyName;

use super::open;
use super::restored::{Witness, put_back, three};
use super::served::{Served, log_of, router};

fn until_open(witness: &Witness, code: &str, is_open: bool) {
    until(code, || (open(&witness.monitor.status()).iter().any(|open| open == code) == is_open).then_some(()));
}

#[test]
fn a_witness_that_was_put_back_and_learned_so_keeps_to_it_over_restarts_though_nobody_says_it_again() {
    let one = log_of(&["CAM-1"]);
    let log = Served::new(router(&one));
    let mut three = three(&log);
    put_back((&one, &log), &mut three);
    // One peer is there, which is not enough to go on.
    three[2].monitor.stop();
    three[0].serve();
    let why = until("it learned", || three[0].why_stopped().filter(|why| why.contains("5 entries")));
    assert!(why.contains("resume-origin"), "{why}");
    three[0].monitor.kill();
    three[1].monitor.stop();

    three[0].serve();
    until("it was asked", || three[0].why_stopped().filter(|why| why.contains("The peers were asked")));
    until_open(&three[0], code::DOUBT, true);
    until_open(&three[0], code::UNASKED, true);
    assert_eq!(three[0].cosign(&log).0, 503);
    three[0].monitor.stop();
    // The operator's act goes on from what was learned.
    let (code, said) = three[0].monitor.run(&["resume-origin", claimtrail_log::testing::ORIGIN]);
    assert!(code == 0 && said.contains("5 entries"), "{code} {said}");
    three[0].serve();
    assert_eq!(three[0].until_cosigned(&log), 5);
    assert_eq!(three[0].monitor.status()["cosigned"], 5);
    until_open(&three[0], code::DOUBT, false);
}

#[test]
fn a_page_is_no_answer_of_a_peer_and_who_wants_answers_first_cosigns_nothing() {
    let one = log_of(&["CAM-1"]);
    let log = Served::new(router(&one));
    let page = Served::new(Router::new().fallback(async || (StatusCode::NOT_FOUND, "<html>not found</html>")));
    let page_key = Cosigner::new(KeyName::parse("page.example").unwrap(), key(number::OPERATOR)).unwrap();
    let mut witness = Witness::new(0, &log.url);
    witness.knows("page.example", &page_key.vkey().to_string(), &page.url);
    witness.serve();
    assert_eq!(witness.until_cosigned(&log), 3, "alone it goes on");
    until_open(&witness, code::UNASKED, true);
    witness.monitor.stop();

    let strict = "bad_peers = 0\ncosign_before_peers_answer = false\n";
    let config = witness.monitor.path("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("[gossip]\n", &format!("[gossip]\n{strict}"))).unwrap();
    witness.serve();
    until_open(&witness, code::UNASKED, true);
    let why = until("it waits", || witness.why_stopped());
    assert!(why.contains("cosign_before_peers_answer"), "{why}");
    assert_eq!(witness.cosign(&log).0, 503);
}
