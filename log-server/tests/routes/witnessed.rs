//! What changes when a log asks witnesses, and what happens to those who wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use claimtrail_log::http::{HttpOptions, public_router};
use claimtrail_log::testing::{self, ORIGIN, START_MS, TestLog, key, log_keys};
use claimtrail_log::witness::{Plan, WithoutQuorum, WitnessOptions, Witnesses};
use proto::checkpoint::CheckpointText;
use proto::cosignature::Cosigner;
use proto::note::KeyName;
use proto::num::Seconds;
use proto::policy::Policy;
use proto::receipt::Receipt;
use proto::tlog_proof::TlogProof;
use tokio_util::sync::CancellationToken;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::openapi::{conforms, document};
use crate::support::{Site, id_of};

/// A test key.
fn witness() -> Cosigner {
    Cosigner::new(KeyName::parse("w.example").expect("a name"), key(90)).expect("a short name")
}

/// Cosigns whatever comes while it is awake, without any of a witness's care.
struct Careless {
    awake: Arc<AtomicBool>,
}

impl Respond for Careless {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        if !self.awake.load(Ordering::SeqCst) {
            return ResponseTemplate::new(503);
        }
        let body = String::from_utf8(request.body.clone()).expect("text");
        let at = body.find(ORIGIN).expect("a head");
        let text = body[at..].split("\n\n").next().expect("a text").to_owned() + "\n";
        let head = CheckpointText::parse(&text).expect("a head");
        let line = witness().sign(&head, Seconds(START_MS / 1000)).expect("signed");
        ResponseTemplate::new(200).set_body_string(format!("{line}\n"))
    }
}

/// A site whose log asks one witness.
struct Witnessed {
    site: Site,
    awake: Arc<AtomicBool>,
    policy: String,
    stop: CancellationToken,
    /// What goes away with it.
    _held: (MockServer, tempfile::TempDir),
}

impl Witnessed {
    async fn start() -> Witnessed {
        let (awake, server) = (Arc::new(AtomicBool::new(false)), MockServer::start().await);
        let careless = Careless { awake: awake.clone() };
        Mock::given(path("/add-checkpoint")).respond_with(careless).mount(&server).await;
        let (log, folder) = (TestLog::start(), tempfile::tempdir().expect("a folder"));
        let keys = log_keys();
        let policy = format!("log {}\nwitness w {} {}\nquorum w\n", keys.log_vkey(), witness().vkey(), server.uri());
        let options = WitnessOptions {
            every: Duration::from_millis(20),
            timeout: Duration::from_secs(5),
            without_quorum: WithoutQuorum::Closed,
            wait: Duration::from_secs(1),
            record: folder.path().join("checkpoint"),
        };
        let plan = Plan::read(policy.as_bytes(), &keys.log_vkey()).expect("a plan");
        let stop = CancellationToken::new();
        let (clock, mut registry) = (Arc::new(log.time.clone()), prometheus_client::registry::Registry::default());
        let opened = Witnesses::open(&log.log, plan, &options, clock, &mut registry, stop.clone());
        let (witnesses, task) = opened.expect("nothing is in its way");
        tokio::spawn(task);
        let http = HttpOptions { witnesses: Some(witnesses), stop: stop.clone(), ..HttpOptions::default() };
        let router = public_router(log.log.clone(), http);
        Witnessed { site: Site { log, router }, awake, policy, stop, _held: (server, folder) }
    }

    fn wake(&self, awake: bool) {
        self.awake.store(awake, Ordering::SeqCst);
    }

    fn is_met(&self, checkpoint: &[u8]) -> bool {
        Policy::parse(&self.policy).expect("a policy").check(checkpoint).expect("signed").quorum.met
    }
}

#[tokio::test]
async fn a_log_without_witnesses_does_not_let_anyone_wait_for_them() {
    let site = Site::with_acme().await;
    let body = testing::support("CAM-3", "2031-03").to_json();
    let answer = site.post("/v1/claims?wait=witnessed", "application/json", body.clone()).await;
    assert_eq!(answer.problem(), (400, "request.invalid".into()));
    let size = site.log.log.published().head.size;
    assert_eq!(size.0, 2, "the claim was not taken");
    for path in ["/v1/claims?wait=long", "/v1/claims?waits=witnessed"] {
        let answer = site.post(path, "application/json", body.clone()).await;
        assert_eq!(answer.problem(), (400, "request.invalid".into()), "{path}");
    }
}

#[tokio::test]
async fn who_waits_gets_cosignatures_or_202_and_nobody_else_waits() {
    let (document, witnessed) = (document(), Witnessed::start().await);
    let site = &witnessed.site;
    let none = site.get("/checkpoint").await;
    assert_eq!(none.problem(), (503, "mode.unwitnessed".into()));
    assert_eq!(none.header("retry-after"), "1");
    conforms(&document, "get", "/checkpoint", &none);
    site.accept(&testing::acme()).await;

    let envelope = testing::support("CAM-3", "2031-03");
    let late = site.post("/v1/claims?wait=witnessed", "application/json", envelope.to_json()).await;
    assert_eq!(late.status, 202, "{}", late.text());
    conforms(&document, "post", "/v1/claims", &late);
    let receipt = Receipt::parse(&late.body).expect("a receipt");
    assert_eq!(late.header("location"), format!("/v1/claims/{}", receipt.claim_id));
    assert!(!witnessed.is_met(receipt.checkpoint.as_bytes()));
    let id = id_of(&late.json());
    for part in ["receipt", "proof"] {
        let answer = site.get(&format!("/v1/claims/{id}/{part}?wait=witnessed")).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        conforms(&document, "get", &format!("/v1/claims/{{id}}/{part}"), &answer);
    }

    witnessed.wake(true);
    let answer = loop {
        // The witness is left alone for a moment after each failure.
        let answer = site.post("/v1/claims?wait=witnessed", "application/json", envelope.to_json()).await;
        if answer.status != 202 {
            break answer;
        }
    };
    assert_eq!(answer.status, 200, "it was in the log before: {}", answer.text());
    let receipt = Receipt::parse(&answer.body).expect("a receipt");
    assert!(witnessed.is_met(receipt.checkpoint.as_bytes()));
    let fresh = testing::support("CAM-4", "2031-03");
    let answer = site.post("/v1/claims?wait=witnessed", "application/json", fresh.to_json()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let proof = site.get(&format!("/v1/claims/{id}/proof?wait=witnessed")).await;
    assert_eq!(proof.status, 200, "{}", proof.text());
    TlogProof::parse(&proof.body).expect("a proof");
    let shown = site.get("/checkpoint").await;
    conforms(&document, "get", "/checkpoint", &shown);
    assert!(witnessed.is_met(&shown.body));

    witnessed.stop.cancel();
    witnessed.wake(false);
    let answer =
        site.post("/v1/claims?wait=witnessed", "application/json", testing::support("L", "2031-03").to_json()).await;
    assert_eq!(answer.status, 202, "a log that stops keeps nobody waiting: {}", answer.text());
}
