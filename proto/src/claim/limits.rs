//! The limits of claims under rules version 1. They never change under that name.

/// Logs a claim can be meant for: own log, a mirror run by an authority, and room for a move.
pub const MAX_LOGS: usize = 4;
/// Product ids in a subject, vulnerability ids, and every list that has no number of its own (DECISIONS 4).
pub const MAX_IDS: usize = 64;
/// Status rows of a vulnerability, and versions in one row or subject (DECISIONS 4).
pub const MAX_STATUS: usize = 512;
/// Artifacts of a release (DECISIONS 4).
pub const MAX_ARTIFACTS: usize = 256;
/// Documents of a claim (DECISIONS 4).
pub const MAX_DOCS: usize = 64;
/// Markets: there are about 250 country codes.
pub const MAX_MARKETS: usize = 256;
/// Keys or revocations in one registry claim: each added key signs, and an entry has room for that many signatures.
pub const MAX_KEYS: usize = 16;
/// Witnesses a log names.
pub const MAX_WITNESSES: usize = 32;
/// Refusal codes a constitution may list.
pub const MAX_REFUSAL_CODES: usize = 256;
/// Free text, in Unicode scalar values: longer text travels as a document by digest (no natural persons, no essays).
pub const FREE_TEXT_CHARS: usize = 200;
/// Names, ids, versions and URIs, in bytes of UTF-8.
pub const TEXT_BYTES: usize = 2048;
/// Tokens such as a scheme, a channel or a category, in bytes.
pub const TOKEN_BYTES: usize = 64;
/// Longest domain name in text form, in bytes (RFC 1035 §2.3.4 allows 255 octets on the wire, 253 in text).
pub const DOMAIN_BYTES: usize = 253;
/// Longest label of a domain name, in bytes (RFC 1035 §2.3.4).
pub const LABEL_BYTES: usize = 63;
/// Longest origin, in bytes: cosigned messages keep a name in one byte, and `<origin>/time` must fit as well.
pub const ORIGIN_BYTES: usize = 250;
/// Sizes of files, in bytes: what every JSON reader keeps exact.
pub const MAX_FILE_BYTES: i64 = crate::json::MAX_NUMBER;
/// Days promised for an answer: a hundred years are more than any promise.
pub const MAX_DAYS: i64 = 36_525;
/// Largest entry a log may allow, in bytes: entry bundles keep its length in 16 bits.
pub const MAX_ENTRY_BYTES: i64 = 65_535;
/// Largest envelope body a log may allow, in bytes (DECISIONS 3).
pub const MAX_ENVELOPE_BYTES: i64 = 128 * 1024;
/// Largest δ, in seconds: one day; a log that needs longer makes no promise.
pub const MAX_DELTA_SECONDS: i64 = 86_400;
