//! Fuzz targets: functions of any bytes that panic when a rule of the formats does not hold.
//!
//! The same functions run in two places. `fuzz/libfuzzer` hands them to libFuzzer, which looks for new paths (`make fuzz`);
//! the tests of this crate run them over the kept corpus and mutations of it, on any compiler (`make unit`).
//!
//! What must hold, for whatever comes in:
//! - nothing panics, and nothing is read that is larger than its limit;
//! - what is read and written again is the same; of formats that are signed or hashed there is exactly one encoding;
//! - a claim that is refused changes nothing, links point back and name each entry once, and a second fold over the
//!   entries gives the same state and rows.

mod built;
mod documents;
mod fold;
mod formats;
pub mod mutate;
pub mod seeds;

/// A target: it takes any bytes and panics when a property does not hold.
pub type Target = fn(&[u8]);

/// All targets by name; a folder of the corpus and a program of `fuzz/libfuzzer` have the same name.
pub const TARGETS: [(&str, Target); 20] = [
    ("bundle", formats::bundle),
    ("checkpoint", formats::checkpoint),
    ("claim", documents::claim),
    ("cosignature", formats::cosignature),
    ("csaf", documents::csaf),
    ("dsse", documents::dsse),
    ("entry", formats::entry),
    ("firmware", documents::firmware),
    ("fold", fold::fold),
    ("formats", built::formats),
    ("json", documents::json),
    ("makers", documents::makers),
    ("misbehaviour", documents::misbehaviour),
    ("note", formats::note),
    ("policy", formats::policy),
    ("receipt", documents::receipt),
    ("statement", documents::statement),
    ("tile_path", formats::tile_path),
    ("tlog_proof", formats::tlog_proof),
    ("vkey", formats::vkey),
];

/// The target of this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}
