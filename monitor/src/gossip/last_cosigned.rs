//! Asking peers for this witness's own last cosignature.
//!
//! A note that a peer shows counts by the witness's own signature under it. That a peer has answered, also that it knows of none,
//! counts by the peer's signature over this very question: nobody on the way can answer for it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use client::trust::Trust;
use client::{Error, random};
use proto::checkpoint::CheckpointText;
use proto::hash::Hash;
use proto::last_cosigned::{CosignedHead, LastCosigned, Question};
use proto::note::{Note, Verifier, Vkey};
use service::record::SignedRecord;
use tokio::task::JoinSet;

use super::head;
use super::peer::{CosignedAnswer, Peer, is_refusal};
use crate::witness::{Known, PeerAnswer, Restored};

/// A log whose last cosignature is asked for.
#[derive(Debug, Clone)]
pub struct Asking {
    /// The log.
    pub origin: String,
    /// Whose signatures are believed.
    pub trust: Trust,
    /// The witness's own keys.
    pub own: Vec<Verifier>,
}

/// What peers said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// One of each peer that answered.
    pub answers: Vec<PeerAnswer>,
    /// The cosignatures that they showed.
    pub known: Vec<Known>,
    /// Who gave no answer that counts, and why not: also who does not keep this witness's cosignatures, or has no key. They may
    /// do so later, so they are asked again like those that say nothing.
    pub silent: Vec<(String, String)>,
}

/// What one peer said.
struct Said {
    known: Vec<Known>,
    last: Result<Option<SignedRecord>, String>,
}

/// The peers whose answers count: those with a key that is neither another's nor this witness's own.
pub fn counted<'a>(peers: &'a [Arc<Peer>], own: &[Verifier]) -> Vec<&'a Arc<Peer>> {
    let mut keys: BTreeSet<Vec<u8>> = own.iter().map(|key| key.vkey().key_bytes().to_vec()).collect();
    let key_of = |peer: &Arc<Peer>| Some(peer.verifier.as_ref()?.vkey().key_bytes().to_vec());
    peers.iter().filter(|peer| key_of(peer).is_some_and(|key| keys.insert(key))).collect()
}

impl Asking {
    /// About a log, for a witness with these keys.
    ///
    /// # Errors
    /// When a key is none that can be checked.
    pub fn new(origin: &str, trust: &Trust, keys: &[&Vkey]) -> Result<Asking, Error> {
        let verifier = |vkey: &&Vkey| Verifier::new(vkey).map_err(|e| Error::malformed(format!("the key {vkey}: {e}")));
        let own = keys.iter().map(verifier).collect::<Result<_, _>>()?;
        Ok(Asking { origin: origin.to_owned(), trust: trust.clone(), own })
    }

    /// Asks all of them at once. Each answers within its own deadline, or is silent.
    pub async fn ask(self: &Arc<Self>, peers: &[&Arc<Peer>]) -> Asked {
        let mut asked = JoinSet::new();
        for peer in peers {
            let (asking, peer) = (Arc::clone(self), Arc::clone(peer));
            asked.spawn(async move { (peer.config.name.clone(), asking.ask_one(&peer).await) });
        }
        let mut all = Asked::default();
        while let Some(done) = asked.join_next().await {
            // One that failed is silent like one that does not answer.
            let Ok((name, said)) = done else { continue };
            all.known.extend(said.known);
            match said.last {
                Ok(last) => all.answers.push(PeerAnswer { peer: name, last }),
                Err(why) => all.silent.push((name, why)),
            }
        }
        all.answers.sort_by(|a, b| a.peer.cmp(&b.peer));
        all.silent.sort();
        all
    }

    /// With several keys a peer may keep only the cosignatures of one; the highest of what it keeps is its answer.
    async fn ask_one(&self, peer: &Peer) -> Said {
        let mut all = Said { known: Vec::new(), last: Err("this witness has no key".to_owned()) };
        for key in &self.own {
            let said = match question(&self.origin, key.vkey()) {
                Ok(asked) => match peer.cosigned(&asked).await {
                    Ok(answer) => self.read(&asked, key, peer.verifier.as_ref(), &answer),
                    Err(error) => silent(&error),
                },
                Err(error) => silent(&error),
            };
            all.known.extend(said.known);
            let order = |last: &Option<SignedRecord>| last.map(|last| (last.size, last.time));
            all.last = match (all.last, said.last) {
                (Ok(a), Ok(b)) => Ok(if order(&a) < order(&b) { b } else { a }),
                (Ok(a), Err(_)) => Ok(a),
                (Err(_), last) => last,
            };
        }
        all
    }

    /// What an answer says: the note by the own signature, the answer by the peer's.
    fn read(&self, asked: &Question, own: &Verifier, peer: Option<&Verifier>, answer: &CosignedAnswer) -> Said {
        let known = answer.checkpoint.as_ref().and_then(|note| self.own_line(own, note.as_bytes()));
        let last = || {
            let peer = peer.ok_or("its vkey is not configured")?;
            let statement = answer.statement.as_ref().ok_or("it has no key, and signs no answers")?;
            let said = LastCosigned::verify(statement.as_bytes(), peer, asked);
            let last = said.map_err(|why| format!("its answer is not taken: {why}"))?.last.map(record);
            if last != known.as_ref().map(|known| known.record) {
                return Err("it does not show the cosignature that it names".to_owned());
            }
            Ok(last)
        };
        let last = last();
        Said { last, known: known.into_iter().collect() }
    }

    /// The own cosignature in a note of the log, if it has one.
    pub fn own_line(&self, own: &Verifier, note: &[u8]) -> Option<Known> {
        let note = Note::parse(note).ok().filter(|note| note.claimed_origin() == self.origin)?;
        let log = head::check(self.trust.policy(), &self.origin, note.clone()).ok()?.checkpoint;
        let verified = note.only_signed_by(own.vkey()).ok()?.verify(std::slice::from_ref(own)).ok()?;
        CheckpointText::parse(verified.text()).ok().filter(|text| text == log.text())?;
        let time = verified.signature_by(own.vkey())?.time()?;
        let record = SignedRecord { size: log.size(), root: log.root(), time };
        Some(Known { record, note: log.to_bytes() })
    }
}

fn record(head: CosignedHead) -> SignedRecord {
    let CosignedHead { size, root, time } = head;
    SignedRecord { size, root, time }
}

fn question(origin: &str, vkey: &Vkey) -> Result<Question, Error> {
    Ok(Question { origin: origin.to_owned(), vkey: vkey.clone(), nonce: Hash(*random::seed()?) })
}

fn silent(error: &Error) -> Said {
    // What stands before a peer, such as a proxy, can answer 404, too: that says nothing of the peer.
    let why = match is_refusal(error) {
        true => format!("it keeps no cosignatures of this witness ({})", error.message),
        false => error.message.clone(),
    };
    Said { known: Vec::new(), last: Err(why) }
}

/// What came of asking, for the operator.
pub fn words(outcome: &Restored, asked: &Asked, peers: usize) -> String {
    let mut text = match outcome {
        Restored::From(from) => format!("it goes on from the head of {} entries at {}", from.size, from.time),
        Restored::TooFew { counted, needed, .. } if *needed > peers => format!(
            "{counted} of {peers} peers with a vkey answered and {needed} are needed, more than there are; name more with their \
             vkeys, or set gossip.bad_peers"
        ),
        Restored::TooFew { counted, needed, .. } => {
            format!("{counted} of {peers} peers with a vkey gave an answer that counts, and {needed} are needed")
        }
        Restored::Nothing => "neither this witness nor they know of a cosignature; that decides nothing".to_owned(),
        Restored::TwoRoots(size) => {
            format!(
                "two roots were cosigned for {size} entries; this witness must not cosign again: make one with a new key"
            )
        }
    };
    // Writing to a string cannot fail.
    asked.silent.iter().for_each(|(peer, why)| _ = write!(text, "; {peer}: {why}"));
    if let Restored::TooFew { below, .. } = outcome {
        below.iter().for_each(|peer| _ = write!(text, "; {peer} knows of less than this witness itself"));
    }
    text
}

#[cfg(test)]
mod tests {
    use proto::cosignature::Cosigner;
    use proto::ed25519::SecretKey;
    use proto::note::{KeyName, NoteSigner};
    use proto::num::{Seconds, TreeSize};

    use super::*;

    const ORIGIN: &str = "log.example";

    // All keys here are test keys.
    fn cosigner(name: &str, seed: u8) -> Cosigner {
        Cosigner::new(KeyName::parse(name).unwrap(), SecretKey::from_seed(&[seed; 32])).unwrap()
    }

    fn log() -> NoteSigner {
        NoteSigner::new(KeyName::parse(ORIGIN).unwrap(), SecretKey::from_seed(&[1; 32]))
    }

    fn verifier(of: &Cosigner) -> Verifier {
        Verifier::new(of.vkey()).unwrap()
    }

    fn asking() -> Asking {
        let trust = Trust::parse(format!("log {} https://x\nquorum none\n", log().vkey()).as_bytes()).unwrap();
        Asking::new(ORIGIN, &trust, &[cosigner("me.example", 2).vkey()]).unwrap()
    }

    fn text() -> CheckpointText {
        CheckpointText::new(ORIGIN, TreeSize(7), Hash::of(b"root")).unwrap()
    }

    fn seven() -> CosignedHead {
        CosignedHead { size: TreeSize(7), root: Hash::of(b"root"), time: Seconds(100) }
    }

    fn answer(asked: &Question, by: &Cosigner, last: Option<CosignedHead>, note: Option<String>) -> CosignedAnswer {
        let statement = LastCosigned { question: asked.clone(), last, at: Seconds(200) }.sign(by).unwrap();
        CosignedAnswer { checkpoint: note, statement: Some(statement) }
    }

    #[test]
    fn an_answer_counts_by_the_peers_signature_and_a_head_by_the_own_one() {
        let (asking, me, peer) = (asking(), cosigner("me.example", 2), cosigner("p.example", 3));
        let asked = question(ORIGIN, me.vkey()).unwrap();
        let read = |answer: &CosignedAnswer| {
            let said = asking.read(&asked, &verifier(&me), Some(&verifier(&peer)), answer);
            (said.known.first().map(|known| known.record), said.last)
        };
        let note = text().sign(&[&log()], &[(&me, Seconds(100)), (&cosigner("other.example", 9), Seconds(5))]).unwrap();
        let seven = record(seven());
        let full = answer(&asked, &peer, Some(self::seven()), Some(note.clone()));
        assert_eq!(read(&full), (Some(seven), Ok(Some(seven))));
        assert_eq!(read(&answer(&asked, &peer, None, None)), (None, Ok(None)), "none is an answer");

        // By another key, to another question, or not at all: the head counts, the answer does not.
        let stranger = answer(&asked, &cosigner("p.example", 4), Some(self::seven()), Some(note.clone()));
        let before = answer(&question(ORIGIN, me.vkey()).unwrap(), &peer, Some(self::seven()), Some(note.clone()));
        let unsigned = CosignedAnswer { checkpoint: Some(note.clone()), statement: None };
        for bad in [stranger, before, unsigned] {
            let (known, last) = read(&bad);
            assert!(known == Some(seven) && last.is_err(), "{last:?}");
        }
        // What it names must be what it shows, under the own signature and the log's.
        let forged = text().sign(&[&log()], &[(&cosigner("me.example", 8), Seconds(100))]).unwrap();
        let of_nobody = text().sign(&[], &[(&me, Seconds(100))]).unwrap();
        let later = text().sign(&[&log()], &[(&me, Seconds(101))]).unwrap();
        for note in [None, Some(forged), Some(of_nobody), Some(later), Some("garbage".to_owned())] {
            assert!(read(&answer(&asked, &peer, Some(self::seven()), note)).1.is_err());
        }
        assert!(read(&answer(&asked, &peer, None, Some(note))).1.is_err(), "it says none, and shows one");
    }

    #[test]
    fn peers_are_told_apart_by_their_keys() {
        let peer = |name: &str, key: Option<&Cosigner>| {
            let config = crate::gossip::config::PeerConfig {
                name: name.to_owned(),
                url: "http://127.0.0.1:9".to_owned(),
                vkey: key.map(|key| key.vkey().to_string()),
                egress: client::egress::Egress::Direct,
                addresses: service::client_addr::TrustedProxies::default(),
            };
            Arc::new(Peer::new(config, "me", std::time::Duration::from_secs(1)).unwrap())
        };
        let (me, a, b) = (cosigner("me.example", 2), cosigner("a", 3), cosigner("b", 4));
        let peers =
            [peer("a", Some(&a)), peer("a2", Some(&a)), peer("me", Some(&me)), peer("no", None), peer("b", Some(&b))];
        let names: Vec<&str> = counted(&peers, &[verifier(&me)]).iter().map(|peer| peer.config.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
