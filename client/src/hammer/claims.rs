//! Claims signed before the clock starts, each as the very bytes that go out.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use proto::claim::{PAYLOAD_TYPE, Role};
use proto::dsse::Envelope;

use super::issuers::Issuer;
use super::random::{Random, nonce};
use super::target::Target;
use crate::clock;
use crate::error::Error;
use crate::http::ENVELOPE_TYPE;

/// Claims that are signed and kept together: few enough to share the work well, many enough to be no burden.
const SEGMENT: u64 = 512;
/// A file name of a claim may have 2,048 bytes; a little less leaves room for the division.
const NAME_BYTES: usize = 1900;
/// The largest payload with room for the rest of an entry of 65,535 bytes.
pub const MAX_PAYLOAD_BYTES: usize = 64_000;
/// The smallest payload that a release with one artifact and usual names fits.
pub const MIN_PAYLOAD_BYTES: usize = 512;

/// Makes claims: releases with digests and file names that are random text, so that no compressor shortens them.
#[derive(Debug)]
pub struct Maker {
    origin: String,
    issuers: Vec<Issuer>,
    role: Role,
    products: u64,
    payload_bytes: usize,
    asserted_at: String,
    run: u64,
}

impl Maker {
    /// Claims for the log of this origin, by these issuers in turn, about this many products of each, with payloads of
    /// exactly this many bytes.
    pub fn new(
        origin: &str,
        issuers: Vec<Issuer>,
        role: Role,
        products: u64,
        payload_bytes: usize,
    ) -> Result<Maker, Error> {
        if issuers.is_empty() || products == 0 {
            return Err(Error::usage("a load needs at least one issuer and one product"));
        }
        if !(MIN_PAYLOAD_BYTES..=MAX_PAYLOAD_BYTES).contains(&payload_bytes) {
            return Err(Error::usage(format!("a payload has from {MIN_PAYLOAD_BYTES} to {MAX_PAYLOAD_BYTES} bytes")));
        }
        let asserted_at = clock::rfc3339(clock::now());
        let run = nonce()?;
        Ok(Maker { origin: origin.to_owned(), issuers, role, products, payload_bytes, asserted_at, run })
    }

    /// The claim of this number, signed. Claims of different numbers or runs differ.
    pub fn envelope(&self, number: u64) -> Envelope {
        let (payload, issuer) = self.payload(number);
        Envelope::sign(PAYLOAD_TYPE, &payload, &[&issuer.sign])
    }

    fn payload(&self, number: u64) -> (Vec<u8>, &Issuer) {
        let count = self.issuers.len() as u64;
        let issuer = &self.issuers[usize::try_from(number % count).unwrap_or(0)];
        let (id, product) = (&issuer.id, number / count % self.products);
        let (origin, role, at, run) = (&self.origin, self.role.as_str(), &self.asserted_at, self.run);
        let mut out = Vec::with_capacity(self.payload_bytes);
        out.extend_from_slice(
            format!(
                r#"{{"type":"release/v1","logs":[{{"origin":"{origin}"}}],"issuer":"{id}","role":"{role}","subject":{{"manufacturer":"{id}","model":"CAM-{product}"}},"asserted_at":"{at}","rel":{{"kind":"new"}},"body":{{"version":"{run:x}.{number}","artifacts":["#
            )
            .as_bytes(),
        );
        self.artifacts(&mut Random::at(self.run, number), &mut out);
        out.extend_from_slice(END);
        (out, issuer)
    }

    /// As many artifacts as it takes, of about one length, up to the size of the payload.
    fn artifacts(&self, random: &mut Random, out: &mut Vec<u8>) {
        // The first one has no comma before it, so there is one byte more for names.
        let room = (self.payload_bytes + 1).saturating_sub(out.len() + END.len());
        let artifacts = room.div_ceil(ARTIFACT_BYTES + NAME_BYTES).max(1);
        for number in 0..artifacts {
            let share = room * (number + 1) / artifacts - room * number / artifacts;
            if number > 0 {
                out.push(b',');
            }
            out.extend_from_slice(ARTIFACT[0]);
            random.hex(DIGEST_DIGITS, out);
            out.extend_from_slice(ARTIFACT[1]);
            random.text(share.saturating_sub(ARTIFACT_BYTES).max(1), out);
            out.extend_from_slice(ARTIFACT[2]);
        }
    }
}

/// An artifact around its digest and its name.
const ARTIFACT: [&[u8]; 3] = [br#"{"role":"firmware","sha256":""#, br#"","filename":""#, br#""}"#];
/// SHA-256 in hex.
const DIGEST_DIGITS: usize = 64;
/// An artifact without its name, with a comma.
const ARTIFACT_BYTES: usize = ARTIFACT[0].len() + DIGEST_DIGITS + ARTIFACT[1].len() + ARTIFACT[2].len() + 1;
/// The end of a payload.
const END: &[u8] = b"]}}";

/// How signed claims are kept.
#[derive(Debug, Clone)]
pub enum Form {
    /// Each as a whole request.
    Requests(Target),
    /// Each as a line of a stream.
    Lines,
}

/// Signed claims, ready to be sent.
#[derive(Debug, Default)]
pub struct Claims {
    segments: Vec<Segment>,
}

/// Some claims, one after the other.
#[derive(Debug, Default, Clone)]
struct Segment {
    bytes: Vec<u8>,
    /// Of each claim: where it ends, and how long the head of its request is.
    ends: Vec<(usize, usize)>,
}

impl Claims {
    /// Signs the claims of these numbers, on all cores. `each` is told how many more are done.
    pub fn sign(maker: &Maker, numbers: Range<u64>, form: &Form, each: &(dyn Fn(u64) + Sync)) -> Claims {
        let count = numbers.end.saturating_sub(numbers.start);
        let segments = usize::try_from(count.div_ceil(SEGMENT)).unwrap_or(usize::MAX);
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<(usize, Segment)>> = Mutex::new(Vec::with_capacity(segments));
        let work = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= segments {
                    return;
                }
                let first = numbers.start + at as u64 * SEGMENT;
                let segment = Segment::sign(maker, first..(first + SEGMENT).min(numbers.end), form);
                each(segment.ends.len() as u64);
                done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((at, segment));
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
        let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        done.sort_by_key(|(at, _)| *at);
        Claims { segments: done.into_iter().map(|(_, segment)| segment).collect() }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.segments.iter().map(|segment| segment.ends.len() as u64).sum()
    }

    /// Bytes of all of them.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes.len() as u64).sum()
    }

    /// The bytes to send for a claim; `None` when there are no more.
    pub(super) fn whole(&self, number: u64) -> Option<&[u8]> {
        self.place(number).map(|(segment, at)| &segment.bytes[segment.begin(at)..segment.ends[at].0])
    }

    /// The envelope alone.
    pub(super) fn body(&self, number: u64) -> Option<&[u8]> {
        let (segment, at) = self.place(number)?;
        let (end, head) = segment.ends[at];
        Some(segment.bytes[segment.begin(at) + head..end].trim_ascii_end())
    }

    /// The bytes of up to `count` claims that lie together, and how many they are.
    pub(super) fn run(&self, number: u64, count: u64) -> Option<(&[u8], u64)> {
        let (segment, at) = self.place(number)?;
        let last = (at + usize::try_from(count).unwrap_or(usize::MAX)).min(segment.ends.len());
        Some((&segment.bytes[segment.begin(at)..segment.ends[last - 1].0], (last - at) as u64))
    }

    fn place(&self, number: u64) -> Option<(&Segment, usize)> {
        let segment = self.segments.get(usize::try_from(number / SEGMENT).ok()?)?;
        let at = usize::try_from(number % SEGMENT).ok()?;
        (at < segment.ends.len()).then_some((segment, at))
    }
}

impl Segment {
    fn sign(maker: &Maker, numbers: Range<u64>, form: &Form) -> Segment {
        let head = match form {
            Form::Requests(target) => target.post("/v1/claims", ENVELOPE_TYPE),
            Form::Lines => Vec::new(),
        };
        let mut segment = Segment::default();
        for number in numbers {
            let (begin, json) = (segment.bytes.len(), maker.envelope(number).to_json());
            if let Form::Requests(_) = form {
                segment.bytes.extend_from_slice(&head);
                segment.bytes.extend_from_slice(format!("{}\r\n\r\n", json.len()).as_bytes());
            }
            let head = segment.bytes.len() - begin;
            segment.bytes.extend_from_slice(json.as_bytes());
            if let Form::Lines = form {
                segment.bytes.push(b'\n');
            }
            segment.ends.push((segment.bytes.len(), head));
        }
        segment.bytes.shrink_to_fit();
        segment
    }

    fn begin(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| self.ends[before].0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::AtomicU64;

    use proto::claim::{Claim, ClaimId};

    use super::*;

    fn maker(payload_bytes: usize) -> Maker {
        Maker::new("log.example", Issuer::make(3).unwrap(), Role::Manufacturer, 7, payload_bytes).unwrap()
    }

    #[test]
    fn claims_of_every_size_have_their_form_and_exactly_that_size() {
        for payload_bytes in [MIN_PAYLOAD_BYTES, 1024, 2000, 2048, 2500, 4096, 10_000, 33_333, MAX_PAYLOAD_BYTES] {
            let envelope = maker(payload_bytes).envelope(1_234_567_890);
            assert_eq!(envelope.payload.len(), payload_bytes);
            Claim::parse(&envelope.payload).unwrap_or_else(|e| panic!("{payload_bytes}: {e}"));
            assert!(envelope.to_json().len() < proto::dsse::MAX_ENVELOPE_BYTES);
        }
        let issuers = || Issuer::make(1).unwrap();
        assert!(Maker::new("log.example", issuers(), Role::Manufacturer, 1, MIN_PAYLOAD_BYTES - 1).is_err());
        assert!(Maker::new("log.example", issuers(), Role::Manufacturer, 0, 1024).is_err());
    }

    #[test]
    fn signed_claims_are_found_by_number_in_both_forms() {
        let (maker, count) = (maker(600), SEGMENT + 5);
        let done = AtomicU64::new(0);
        let each = |more| {
            done.fetch_add(more, Ordering::Relaxed);
        };
        let target = Target::parse("http://127.0.0.1:1").unwrap();
        let requests = Claims::sign(&maker, 0..count, &Form::Requests(target), &each);
        let lines = Claims::sign(&maker, 0..count, &Form::Lines, &each);
        assert_eq!((requests.count(), lines.count(), done.into_inner()), (count, count, 2 * count));
        let mut ids = BTreeSet::new();
        for number in 0..count {
            let body = requests.body(number).unwrap();
            assert_eq!(Some(body), lines.body(number));
            let envelope = Envelope::parse(body).unwrap();
            ids.insert(ClaimId::of(&envelope.payload_type, &envelope.payload));
            let whole = String::from_utf8(requests.whole(number).unwrap().to_vec()).unwrap();
            assert!(whole.contains(&format!("content-length: {}\r\n\r\n{{", body.len())), "{whole}");
        }
        assert_eq!(ids.len() as u64, count, "no claim twice");
        assert!(requests.whole(count).is_none() && lines.body(count).is_none());
        let (run, claims) = lines.run(SEGMENT - 2, 10).unwrap();
        assert_eq!((claims, run.split(|b| *b == b'\n').count()), (2, 3), "a run ends with its segment");
    }
}
