//! Who speaks in the story: those in whose name public facts are replayed, and a maker of its own.

use std::collections::BTreeMap;

use client::{clock, keyfile};
use harness::facts;
use proto::claim::PAYLOAD_TYPE;
use proto::dsse::Envelope;

use super::stage::{ORIGIN, Result, Stage, say};

/// The maker that exists only here.
pub(crate) const ACME: &str = "acme.example";

/// The two commands by which an issuer comes into the log: it asks, and the registrar admits it.
struct Enrolment {
    sign: String,
    admin: String,
    ask: Vec<String>,
    admit: Vec<String>,
}

impl Enrolment {
    fn of(issuer: &str, role: &str, replay: bool) -> Enrolment {
        let file = |end: &str| format!("{issuer}.{end}");
        let (sign, admin, request) = (file("sign.key"), file("admin.key"), file("enrol.envelope.json"));
        let ask =
            ["issuer", "request", "--issuer", issuer, "--legal-name", issuer, "--role", role, "--sign-key", &sign];
        let rest = ["--admin-key", &admin, "--identity", "paper", "-o", &request];
        let replay = if replay { &["--replay"][..] } else { &[] };
        let admit = ["issuer", "admit", &request, "--registrar-key", "log/keys/registrar.key", "--checked", "paper"];
        let owned = |args: &[&str]| args.iter().map(|&arg| arg.to_owned()).collect();
        Enrolment { ask: owned(&[&ask[..], &rest, replay].concat()), admit: owned(&admit), sign, admin }
    }

    fn commands(&self) -> [Vec<&str>; 4] {
        [
            vec!["key", "new", &self.sign],
            vec!["key", "new", &self.admin],
            self.ask.iter().map(String::as_str).collect(),
            self.admit.iter().map(String::as_str).collect(),
        ]
    }
}

/// Enrols everyone in whose name facts are replayed, the first one for all to see, and the maker.
pub(crate) fn enrol(stage: &Stage) -> Result<()> {
    for (number, replayed) in facts::issuers().iter().enumerate() {
        let enrolment = Enrolment::of(&replayed.issuer, replayed.role, true);
        for args in enrolment.commands() {
            match number {
                0 if args[0] == "key" => stage.claimtrail(&args, 0)?,
                0 => stage.online(&args)?,
                _ => drop(stage.quietly(&args)?),
            }
        }
        if number > 0 {
            say(&format!("   {} is enrolled as {} (replay)", replayed.issuer, replayed.role));
        }
    }
    for args in Enrolment::of(ACME, "manufacturer", false).commands() {
        stage.quietly(&args)?;
    }
    say(&format!("   {ACME} is enrolled as manufacturer; it exists only in this story"));
    Ok(())
}

/// Signs all facts into a folder of envelopes; how many they are.
pub(crate) fn sign_facts(stage: &Stage) -> Result<usize> {
    let keys = facts::issuers().into_iter().map(|replayed| {
        let path = stage.folder.join(format!("{}.sign.key", replayed.issuer));
        keyfile::load(&path).map(|key| (replayed.issuer, key))
    });
    let keys: BTreeMap<_, _> = keys.collect::<std::result::Result<_, _>>()?;
    let claims = facts::claims(ORIGIN, &clock::rfc3339(clock::now()));
    std::fs::create_dir(stage.folder.join("facts"))?;
    for (number, ready) in claims.iter().enumerate() {
        let key = keys.get(&ready.issuer).ok_or("an issuer has no key")?;
        let envelope = Envelope::sign(PAYLOAD_TYPE, &ready.payload, &[key]);
        let name = format!("facts/{number:04}-{}.envelope.json", ready.kind);
        std::fs::write(stage.folder.join(name), envelope.to_json())?;
    }
    Ok(claims.len())
}
