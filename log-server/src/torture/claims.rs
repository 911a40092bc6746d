//! The claims that schedules submit: signed once for all of them. Every key is a test key.

use std::sync::OnceLock;

use proto::claim::{ClaimId, PAYLOAD_TYPE};
use proto::dsse::Envelope;
use serde_json::json;

use super::random::Random;
use crate::testing::{ORIGIN, acme, claim, constitution_claim, enrolment, number, sign, support_claim};

/// Promises about different models; enough that no schedule runs out of new ones.
const MODELS: usize = 160;
/// Models whose promise is superseded, again and again.
const CHAINS: usize = 4;
/// Promises in such a chain.
const LINKS: usize = 12;
/// Further issuers, with keys that are not known before their enrolment.
const ISSUERS: u8 = 4;
/// The admin key's number of the first of them; its signing key's follows.
const FIRST_KEY: u8 = 20;
/// Nobody enrols this key.
const STRANGER: u8 = 90;

/// Claims of all kinds, each with its id.
pub(super) struct Claims {
    promises: Vec<Envelope>,
    chains: Vec<Vec<Envelope>>,
    enrolments: Vec<Envelope>,
    by_them: Vec<Envelope>,
    refused: Vec<Envelope>,
    freeze: Envelope,
}

/// The claims of all schedules.
pub(super) fn claims() -> &'static Claims {
    static CLAIMS: OnceLock<Claims> = OnceLock::new();
    CLAIMS.get_or_init(Claims::new)
}

/// The id of an envelope's claim.
pub(super) fn id(envelope: &Envelope) -> ClaimId {
    ClaimId::of(PAYLOAD_TYPE, &envelope.payload)
}

fn issuer(place: u8) -> String {
    format!("issuer-{place}.example")
}

impl Claims {
    fn new() -> Claims {
        let promise = |model: usize| sign(&support_claim(&format!("M-{model}"), "2031-03"), &[number::ACME_SIGN]);
        let enrolled = |place| {
            let admin = FIRST_KEY + 2 * place;
            enrolment(&issuer(place), "manufacturer", admin, admin + 1)
        };
        let by_them = (0..ISSUERS).flat_map(|place| (0..8).map(move |model| by_another(place, model)));
        let mut freeze = constitution_claim();
        freeze["body"]["freeze"] = json!({"successor": "log.example/next"});
        Claims {
            promises: (0..MODELS).map(promise).collect(),
            chains: (0..CHAINS).map(chain).collect(),
            enrolments: (0..ISSUERS).map(enrolled).chain([acme()]).collect(),
            by_them: by_them.collect(),
            refused: refused(),
            freeze: sign(&freeze, &[number::OPERATOR]),
        }
    }

    /// The promise of this number.
    pub(super) fn promise(&self, number: usize) -> &Envelope {
        &self.promises[number % MODELS]
    }

    /// Enrolments, Acme's last.
    pub(super) fn enrolments(&self) -> &[Envelope] {
        &self.enrolments
    }

    /// The claim that ends a log.
    pub(super) fn freeze(&self) -> &Envelope {
        &self.freeze
    }

    /// Any claim but the freeze: some twice in a schedule, some before what they rest on, some never right.
    pub(super) fn any(&self, random: &mut Random) -> &Envelope {
        let of = match random.below(16) {
            0..8 => &self.promises,
            8..11 => &self.chains[random.place(CHAINS)],
            11 => &self.enrolments,
            12..14 => &self.by_them,
            14 => return &self.promises[random.place(8)], // likely a repeat
            _ => &self.refused,
        };
        &of[random.place(of.len())]
    }
}

/// A promise of another issuer than Acme.
fn by_another(place: u8, model: u8) -> Envelope {
    let mut promise = claim("support/v1", &issuer(place), "manufacturer", json!({"security_until": "2030-01"}));
    promise["subject"] = json!({"manufacturer": issuer(place), "model": format!("N-{model}")});
    sign(&promise, &[FIRST_KEY + 2 * place + 1])
}

/// A promise and those that supersede it, each the one before.
fn chain(place: usize) -> Vec<Envelope> {
    let mut chain: Vec<Envelope> = Vec::new();
    for link in 0..LINKS {
        let mut promise = support_claim(&format!("CHAIN-{place}"), &format!("{}-01", 2030 + link));
        if let Some(before) = chain.last() {
            promise["rel"] = json!({"kind": "supersede", "target": {"id": id(before).to_string()}});
        }
        chain.push(sign(&promise, &[number::ACME_SIGN]));
    }
    chain
}

/// Claims that no log takes: of a wrong role, of a key that nobody enrols, with a broken signature, for another log, anchored
/// to a head that no log showed by a key that may be enrolled in the same batch.
fn refused() -> Vec<Envelope> {
    let mut role = support_claim("M-1", "2031-03");
    role["role"] = json!("researcher");
    let mut broken = sign(&support_claim("M-2", "2031-04"), &[number::ACME_SIGN]);
    broken.payload[10] ^= 1;
    let mut elsewhere = support_claim("M-3", "2031-03");
    elsewhere["logs"] = json!([{"origin": format!("{ORIGIN}/other")}]);
    let stranger = sign(&support_claim("M-4", "2031-03"), &[STRANGER]);
    let mut anchored = claim("support/v1", &issuer(0), "manufacturer", json!({"security_until": "2030-01"}));
    anchored["subject"] = json!({"manufacturer": issuer(0), "model": "ANCHORED"});
    anchored["logs"] = json!([{"origin": ORIGIN, "size": 1, "root": proto::hash::Hash::EMPTY_ROOT.to_base64()}]);
    let anchored = sign(&anchored, &[FIRST_KEY + 1]);
    vec![anchored, sign(&role, &[number::ACME_SIGN]), broken, sign(&elsewhere, &[number::ACME_SIGN]), stranger]
}
