//! The reasons why something is refused: stable codes for programs, a message for people, the place for both.
//!
//! Inner code knows no HTTP: the edge of the server picks a status for each code. Codes are part of rules version 1;
//! one is never given another meaning.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A stable reason code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The code as it stands in answers, refusals and documentation.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// The envelope is not a DSSE JSON object of the expected shape.
    EnvelopeMalformed = "envelope.malformed",
    /// A member of the envelope appears twice.
    EnvelopeDuplicateMember = "envelope.duplicate_member",
    /// The payload or a signature is not canonical padded base64.
    EnvelopeBase64 = "envelope.base64",
    /// A key id is missing or not 64 lower-case hex digits.
    EnvelopeKeyId = "envelope.keyid",
    /// The payload type is not one this log takes.
    PayloadTypeUnsupported = "payload_type.unsupported",
    /// The envelope is larger than the limit.
    SizeEnvelope = "size.envelope",
    /// The entry would be larger than the limit.
    SizeEntry = "size.entry",
    /// The key is not enrolled.
    KeyUnknown = "key.unknown",
    /// The key was revoked.
    KeyRevoked = "key.revoked",
    /// The key's validity is over, or a recovery key's has not begun.
    KeyExpired = "key.expired",
    /// The key is malformed, not canonical, or of small order.
    KeyWeak = "key.weak",
    /// A key that is added did not sign.
    KeyNoPossession = "key.no_possession",
    /// The key was enrolled before, or is a key of the operator, the log or a witness.
    KeyTaken = "key.taken",
    /// A signature is not valid under strict Ed25519 verification.
    SignatureInvalid = "signature.invalid",
    /// A signature that the rule demands is not there.
    SignatureMissing = "signature.missing",
    /// A signature that the rule does not demand is there.
    SignatureExtra = "signature.extra",
    /// The payload is not JSON, or not UTF-8, or has bytes after its end.
    ClaimJson = "claim.json",
    /// A member appears twice in one object.
    ClaimDuplicateKey = "claim.duplicate_key",
    /// The JSON is nested too deeply.
    ClaimDepth = "claim.depth",
    /// A number is beyond 2^53 or not finite.
    ClaimNumber = "claim.number",
    /// A member that the rules do not know.
    ClaimUnknownMember = "claim.unknown_member",
    /// A required member is missing.
    ClaimMissing = "claim.missing",
    /// A member has another JSON type than the rules say.
    ClaimWrongType = "claim.wrong_type",
    /// A member's value is not one the rules allow.
    ClaimValue = "claim.value",
    /// Not a date or time of the allowed forms.
    ClaimDate = "claim.date",
    /// A text is longer than the limit.
    ClaimTooLong = "claim.too_long",
    /// A list has more items than the limit.
    ClaimTooMany = "claim.too_many",
    /// A short type name that the rules version does not know.
    ClaimUnknownType = "claim.unknown_type",
    /// The claim is not meant for this log.
    ClaimWrongLog = "claim.wrong_log",
    /// The log's time is past the claim's `submit_before`.
    ClaimTooLate = "claim.too_late",
    /// The issuer is not enrolled.
    RightIssuer = "right.issuer",
    /// The key belongs to another issuer.
    RightOtherIssuer = "right.other_issuer",
    /// The issuer was not enrolled in this role.
    RightRole = "right.role",
    /// The key's use does not allow this act.
    RightUse = "right.use",
    /// Only a registrar may do this.
    RightRegistrar = "right.registrar",
    /// Only the operator may do this.
    RightOperator = "right.operator",
    /// The issuer holds no mandate or succession for this act.
    RightAuthority = "right.authority",
    /// Only the issuer of the target, its successor or its representative may do this.
    RightTarget = "right.target",
    /// The target does not exist at a lower index.
    TargetUnknown = "target.unknown",
    /// The target has another type.
    TargetType = "target.type",
    /// The target belongs to another slot.
    TargetSlot = "target.slot",
    /// The target was withdrawn.
    TargetWithdrawn = "target.withdrawn",
    /// The target is no promise that can be replaced.
    TargetKind = "target.kind",
    /// The same payload is in the log with other signatures.
    SlotOtherSignatures = "slot.other_signatures",
    /// The claim contradicts what the constitution fixed for ever, or a change that is under way.
    SlotConstitution = "slot.constitution",
    /// The recovery that is vetoed does not exist or is in force already, or another one waits.
    SlotRecovery = "slot.recovery",
    /// The claim is anchored to a head that is not this log's.
    AnchorFork = "anchor.fork",
    /// The issuer submits too fast.
    LimitIssuer = "limit.issuer",
    /// The address sends too fast, or holds too many connections.
    LimitAddress = "limit.address",
    /// The log as a whole is asked too much.
    LimitGlobal = "limit.global",
    /// The queue is full.
    QueueFull = "queue.full",
    /// The disk reserve is reached.
    DiskLow = "disk.low",
    /// The log takes no claims; it can be read.
    ModeReadOnly = "mode.read_only",
    /// The log is frozen for ever.
    ModeFrozen = "mode.frozen",
    /// The log stopped taking claims after a write whose outcome is unknown; it recovers.
    ModeRecovering = "mode.recovering",
    /// The log is shutting down.
    ModeStopping = "mode.stopping",
    /// No quorum of witnesses has cosigned for too long, or ever; the log takes no claims until one does.
    ModeUnwitnessed = "mode.unwitnessed",
    /// The clock jumped; the operator must act.
    ClockJump = "clock.jump",
    /// A published head is not one that the log signed (only in audits).
    HeadMalformed = "head.malformed",
    /// The log signed another history than the one that is audited (only in audits).
    HeadFork = "head.fork",
    /// A head's time contradicts the entries, another head, or where it is listed (only in audits).
    HeadTime = "head.time",
    /// An entry in the log is not a valid encoding (only in audits).
    EntryMalformed = "entry.malformed",
    /// A link of an entry is wrong (only in audits).
    EntryLink = "entry.link",
    /// An entry's time is before its predecessor's (only in audits).
    EntryTime = "entry.time",
    /// A claim id stands twice in the log (only in audits).
    EntryDuplicate = "entry.duplicate",
    /// A checkpoint that a witness is to cosign lacks a good signature by the log (only at witnesses).
    CheckpointSignature = "checkpoint.signature",
    /// A checkpoint that a witness is to cosign is not proven to extend the last one it cosigned (only at witnesses).
    CheckpointInconsistent = "checkpoint.inconsistent",
    /// The witness does not cosign for this log until its operator acts (only at witnesses).
    WitnessStopped = "witness.stopped",
    /// The witness does not cosign yet, and that ends by itself: it does not know whether the head is of the tree that it is reading, asks
    /// its peers what it cosigned last, or cannot write; ask again in a moment (only at witnesses).
    WitnessWaits = "witness.waits",
    /// No such resource.
    RequestNotFound = "request.not_found",
    /// The request's method is not allowed here.
    RequestMethod = "request.method",
    /// A parameter or path part is malformed.
    RequestInvalid = "request.invalid",
    /// The index or size is beyond the tree.
    RequestBeyondTree = "request.beyond_tree",
    /// The body did not arrive in time or in full.
    RequestIncomplete = "request.incomplete",
    /// The content type or encoding is not one this endpoint takes.
    RequestContentType = "request.content_type",
    /// The request is for a host that this address is not (only at admin addresses).
    RequestHost = "request.host",
    /// The server failed; the operator finds the cause in its log.
    ServerInternal = "server.internal",
}

impl Code {
    /// The code with this text.
    pub fn parse(text: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.as_str() == text)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why something was refused: the code, a sentence for people, and a JSON pointer (RFC 6901) into the claim's payload
/// or the envelope where there is a place to name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}{}", pointer.as_ref().filter(|p| !p.is_empty()).map(|p| format!(" (at {p})")).unwrap_or_default())]
pub struct Refused {
    /// The stable reason.
    pub code: Code,
    /// What is wrong and, where it can be said, what to do.
    pub message: String,
    /// The place, as a JSON pointer; `""` is the whole document.
    pub pointer: Option<String>,
}

impl Refused {
    /// A refusal without a place.
    pub fn new(code: Code, message: impl Into<String>) -> Refused {
        Refused { code, message: message.into(), pointer: None }
    }

    /// A refusal that names its place.
    pub fn at(code: Code, pointer: impl Into<String>, message: impl Into<String>) -> Refused {
        Refused { code, message: message.into(), pointer: Some(pointer.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_read_back() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(*code), "two codes share the text {code}");
        }
    }
}
