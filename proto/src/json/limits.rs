//! How much JSON is taken, and which codes say no.

use crate::code::Code;

/// Largest magnitude of a number, 2^53: beyond it JavaScript and many JSON readers silently change integers.
pub const MAX_NUMBER: i64 = 1 << 53;

/// The code for each way in which a document can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codes {
    /// Not JSON, not UTF-8, or bytes after the end.
    pub syntax: Code,
    /// A member stands twice.
    pub duplicate: Code,
    /// Nested too deeply.
    pub depth: Code,
    /// A number beyond 2^53 or not finite.
    pub number: Code,
    /// A text is too long.
    pub too_long: Code,
    /// A list is too long.
    pub too_many: Code,
    /// An unknown member.
    pub unknown_member: Code,
    /// A required member is missing.
    pub missing: Code,
    /// Another JSON type than expected.
    pub wrong_type: Code,
    /// A value that is not allowed.
    pub value: Code,
    /// Not a date of the allowed forms.
    pub date: Code,
}

impl Codes {
    /// The codes of claims.
    pub const CLAIM: Codes = Codes {
        syntax: Code::ClaimJson,
        duplicate: Code::ClaimDuplicateKey,
        depth: Code::ClaimDepth,
        number: Code::ClaimNumber,
        too_long: Code::ClaimTooLong,
        too_many: Code::ClaimTooMany,
        unknown_member: Code::ClaimUnknownMember,
        missing: Code::ClaimMissing,
        wrong_type: Code::ClaimWrongType,
        value: Code::ClaimValue,
        date: Code::ClaimDate,
    };

    /// One code for everything, save duplicate members.
    pub const fn uniform(code: Code, duplicate: Code) -> Codes {
        Codes {
            syntax: code,
            duplicate,
            depth: code,
            number: code,
            too_long: code,
            too_many: code,
            unknown_member: code,
            missing: code,
            wrong_type: code,
            value: code,
            date: code,
        }
    }
}

/// Bounds of a document. The size of the whole is the caller's check: it is known before parsing begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Deepest nesting of arrays and objects; a top-level object counts 1. At most [`Limits::MAX_DEPTH`] has effect.
    pub depth: usize,
    /// Longest string or member name, in bytes of UTF-8 after escapes are resolved.
    pub string_bytes: usize,
    /// The codes of refusals.
    pub codes: &'static Codes,
}

impl Limits {
    /// Depths beyond this are refused by the JSON reader itself, as a syntax error, to protect the stack.
    pub const MAX_DEPTH: usize = 120;

    /// Claims, rules version 1 (DECISIONS 4): depth 16, strings of 4 KiB.
    pub const CLAIM: Limits = Limits { depth: 16, string_bytes: 4096, codes: &Codes::CLAIM };

    /// Envelopes: the payload is one string, so strings may be as long as the largest envelope body, 128 KiB.
    pub const ENVELOPE: Limits = Limits {
        depth: 16,
        string_bytes: 128 * 1024,
        codes: &Codes::uniform(Code::EnvelopeMalformed, Code::EnvelopeDuplicateMember),
    };
}
