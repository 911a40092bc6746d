//! A log to be attacked, with limits of the test's choice, issuers, and claims of any number.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::cluster::{LogUnderTest, ORIGIN};
use harness::process::Programs;
use proto::claim::PAYLOAD_TYPE;
use proto::dsse::Envelope;
use proto::ed25519::SecretKey;
use proto::hash::Hash;
use serde_json::{Value, json};

use crate::wire::{Answer, Wire, get, post};

/// The thin programs of this very build.
pub(crate) fn programs() -> Programs {
    Programs {
        client: env!("CARGO_BIN_EXE_story-client").into(),
        log: env!("CARGO_BIN_EXE_story-log").into(),
        monitor: env!("CARGO_BIN_EXE_story-monitor").into(),
    }
}

/// The seed of a test's choices: a new one, or the one to run again.
pub(crate) fn seed(test: &str) -> u64 {
    let told = std::env::var("STORY_SEED").ok().and_then(|text| text.parse().ok());
    let seed = told.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        u64::from(now.subsec_nanos()) | (now.as_secs() << 32)
    });
    println!("{test}: seed {seed}; run it again with STORY_SEED={seed}");
    seed
}

/// Somebody whose claims the log takes.
#[derive(Clone)]
pub(crate) struct Issuer {
    pub(crate) name: &'static str,
    pub(crate) key: SecretKey,
}

/// A log that is served, with `acme.example` enrolled.
pub(crate) struct Site {
    pub(crate) log: LogUnderTest,
    pub(crate) acme: Issuer,
}

impl Site {
    /// Serves a new log with these lines under `[limits]`.
    pub(crate) fn start(limits: &str) -> Site {
        let mut log = Site::init(limits);
        log.serve();
        Site::of(log)
    }

    /// Makes a log with these lines under `[limits]`; it is not served yet.
    pub(crate) fn init(limits: &str) -> LogUnderTest {
        let log = LogUnderTest::init(programs());
        let config = log.data().join("config.toml");
        let text = std::fs::read_to_string(&config).expect("init wrote it");
        std::fs::write(&config, format!("{text}\n[limits]\n{limits}\n")).expect("written");
        log
    }

    /// Enrols Acme in a log that is served.
    pub(crate) fn of(log: LogUnderTest) -> Site {
        let acme = enrol(&log, "acme.example", "acme");
        Site { log, acme }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        address(self.log.url())
    }

    pub(crate) fn connect(&self) -> Wire {
        Wire::connect(self.address())
    }

    /// One read over a connection of its own.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.connect().ask(get(path))
    }

    /// One claim over a connection of its own.
    pub(crate) fn submit(&self, envelope: &str) -> Answer {
        self.connect().ask(post("/v1/claims", envelope))
    }

    /// The log takes the next good claim: it is none the worse.
    #[track_caller]
    pub(crate) fn takes_a_claim(&self) -> u64 {
        self.takes_a_claim_of(&self.acme)
    }

    #[track_caller]
    pub(crate) fn takes_a_claim_of(&self, issuer: &Issuer) -> u64 {
        let answer = self.submit(&issuer.claim());
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["index"].as_u64().expect("an index")
    }

    /// Entries in the newest head.
    pub(crate) fn size(&self) -> u64 {
        self.get("/v1/log").json()["size"].as_u64().expect("a size")
    }

    /// A number among the server's figures; 0 when nothing was counted yet.
    pub(crate) fn figure(&self, name: &str) -> u64 {
        let text =
            Wire::connect(address(self.log.admin())).ask("GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |value| value.trim().parse().expect("a whole number"))
    }

    /// Resident memory of the server, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.log.server().id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
        line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
    }

    /// Stops the server in order. The log agrees with itself and has this many entries.
    #[track_caller]
    pub(crate) fn ends_with(mut self, entries: u64) {
        self.log.stop();
        assert_eq!(checked(&self.log), entries);
    }

    /// The same, whatever their number: as many as the newest head says.
    #[track_caller]
    pub(crate) fn ends_well(self) {
        let size = self.size();
        self.ends_with(size);
    }
}

/// With the server stopped, the log agrees with itself; the entries that were derived again.
#[track_caller]
pub(crate) fn checked(log: &LogUnderTest) -> u64 {
    let printed = log.operator(&["check", "log", "--json"]);
    let report: Value = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
    assert_eq!(report["difference"], Value::Null, "{report}");
    report["checked"]["entries"].as_u64().expect("a check counts entries")
}

/// Enrols a manufacturer.
pub(crate) fn enrol(log: &LogUnderTest, name: &'static str, stem: &str) -> Issuer {
    log.enrol(name, stem, "manufacturer", false);
    let key = client::keyfile::load(&log.path().join(format!("{stem}.sign.key"))).expect("enrolled with it");
    Issuer { name, key }
}

pub(crate) fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").parse().expect("an address")
}

/// What tells all claims of this process apart.
static NEXT: AtomicUsize = AtomicUsize::new(0);

impl Issuer {
    /// A claim that nobody made before.
    pub(crate) fn claim(&self) -> String {
        self.large_claim(0)
    }

    /// The same with some 500 incompressible bytes for each of `documents`.
    pub(crate) fn large_claim(&self, documents: usize) -> String {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let payload = self.payload(number, documents);
        Envelope::sign(PAYLOAD_TYPE, payload.to_string().as_bytes(), &[&self.key]).to_json()
    }

    pub(crate) fn payload(&self, number: usize, documents: usize) -> Value {
        let digest = |n: usize, part: usize| Hash::of(format!("{number} {n} {part}").as_bytes()).to_base64();
        let uri = |n: usize| (0..9).map(|part| digest(n, part).replace('/', "_")).collect::<String>();
        let doc = |n: usize| json!({"rel": "sbom", "sha256": format!("{n:064x}"), "uri": format!("urn:x:{}", uri(n))});
        let mut claim = json!({
            "type": "support/v1",
            "logs": [{"origin": ORIGIN}],
            "issuer": self.name,
            "role": "manufacturer",
            "subject": {"manufacturer": self.name, "model": format!("M-{number}")},
            "asserted_at": "2026-11-24T12:00:00Z",
            "rel": {"kind": "new"},
            "body": {"security_until": "2031-03"},
        });
        if documents > 0 {
            claim["docs"] = (0..documents).map(doc).collect::<Value>();
        }
        claim
    }
}
