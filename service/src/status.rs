//! The one place that turns a code into an HTTP status and a title. Inner code knows neither.

use http::StatusCode;
use proto::code::Code;

/// The status with which a code is answered.
pub fn status_of(code: Code) -> StatusCode {
    match code {
        Code::EnvelopeMalformed | Code::EnvelopeDuplicateMember | Code::EnvelopeBase64 | Code::EnvelopeKeyId => {
            StatusCode::BAD_REQUEST
        }
        Code::PayloadTypeUnsupported | Code::RequestContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::RequestHost => StatusCode::MISDIRECTED_REQUEST,
        Code::SizeEnvelope | Code::SizeEntry => StatusCode::PAYLOAD_TOO_LARGE,
        Code::KeyUnknown | Code::KeyRevoked | Code::KeyExpired => StatusCode::FORBIDDEN,
        Code::KeyWeak | Code::KeyNoPossession => StatusCode::UNPROCESSABLE_ENTITY,
        Code::KeyTaken => StatusCode::CONFLICT,
        Code::SignatureInvalid | Code::SignatureMissing | Code::SignatureExtra => StatusCode::UNPROCESSABLE_ENTITY,
        Code::ClaimJson
        | Code::ClaimDuplicateKey
        | Code::ClaimDepth
        | Code::ClaimNumber
        | Code::ClaimUnknownMember
        | Code::ClaimMissing
        | Code::ClaimWrongType
        | Code::ClaimValue
        | Code::ClaimDate
        | Code::ClaimTooLong
        | Code::ClaimTooMany
        | Code::ClaimUnknownType
        | Code::ClaimWrongLog
        | Code::ClaimTooLate => StatusCode::UNPROCESSABLE_ENTITY,
        Code::RightIssuer
        | Code::RightOtherIssuer
        | Code::RightRole
        | Code::RightUse
        | Code::RightRegistrar
        | Code::RightOperator
        | Code::RightAuthority
        | Code::RightTarget => StatusCode::FORBIDDEN,
        Code::TargetUnknown | Code::TargetType | Code::TargetSlot | Code::TargetWithdrawn | Code::TargetKind => {
            StatusCode::CONFLICT
        }
        Code::SlotOtherSignatures | Code::SlotConstitution | Code::SlotRecovery | Code::AnchorFork => {
            StatusCode::CONFLICT
        }
        Code::CheckpointSignature => StatusCode::FORBIDDEN,
        Code::CheckpointInconsistent => StatusCode::UNPROCESSABLE_ENTITY,
        Code::LimitIssuer | Code::LimitAddress | Code::LimitGlobal => StatusCode::TOO_MANY_REQUESTS,
        Code::QueueFull
        | Code::DiskLow
        | Code::ModeReadOnly
        | Code::ModeFrozen
        | Code::ModeRecovering
        | Code::ModeStopping
        | Code::ModeUnwitnessed
        | Code::ClockJump
        | Code::WitnessStopped
        | Code::WitnessWaits => StatusCode::SERVICE_UNAVAILABLE,
        Code::RequestNotFound | Code::RequestBeyondTree => StatusCode::NOT_FOUND,
        Code::RequestMethod => StatusCode::METHOD_NOT_ALLOWED,
        Code::RequestInvalid => StatusCode::BAD_REQUEST,
        Code::RequestIncomplete => StatusCode::REQUEST_TIMEOUT,
        Code::HeadMalformed | Code::HeadFork | Code::HeadTime => StatusCode::INTERNAL_SERVER_ERROR,
        Code::EntryMalformed | Code::EntryLink | Code::EntryTime | Code::EntryDuplicate | Code::ServerInternal => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

/// The title of a problem: the same for every occurrence of a code (RFC 9457 §3.1.3). The detail says more.
pub fn title_of(code: Code) -> &'static str {
    match code {
        Code::RequestNotFound => "There is nothing here",
        Code::RequestMethod => "The method is not allowed here",
        Code::RequestInvalid => "The request is malformed",
        Code::RequestBeyondTree => "The index or size is beyond the tree",
        Code::RequestIncomplete => "The request did not arrive in time",
        Code::RequestHost => "This address is not that host's",
        Code::RequestContentType => "The content type is not taken here",
        _ => title_of_family(code),
    }
}

fn title_of_family(code: Code) -> &'static str {
    match code.as_str().split_once('.').map_or("", |(family, _)| family) {
        "envelope" => "The envelope is malformed",
        "payload_type" => "The payload type is not taken here",
        "size" => "Too large",
        "key" => "The key may not be used for this",
        "signature" => "The signatures are not those the rule demands",
        "claim" => "The claim breaks a rule of form",
        "right" => "No right to say this",
        "target" => "The target cannot be replaced or answered so",
        "slot" => "The claim contradicts what is in the log",
        "anchor" => "The claim is anchored to a head that is not this log's",
        "checkpoint" => "The checkpoint is not cosigned",
        "witness" => "The witness does not cosign now",
        "limit" => "Too many requests",
        "queue" | "disk" => "The log is at its limit",
        "mode" | "clock" => "The log takes no claims now",
        _ => "The server failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the documentation, by prefix; the longest matching prefix decides.
    const TABLE: &[(&str, u16)] = &[
        ("envelope.", 400),
        ("payload_type.", 415),
        ("size.", 413),
        ("key.unknown", 403),
        ("key.revoked", 403),
        ("key.expired", 403),
        ("key.weak", 422),
        ("key.no_possession", 422),
        ("key.taken", 409),
        ("signature.", 422),
        ("claim.", 422),
        ("right.", 403),
        ("target.", 409),
        ("slot.", 409),
        ("anchor.", 409),
        ("checkpoint.signature", 403),
        ("checkpoint.inconsistent", 422),
        ("witness.", 503),
        ("limit.", 429),
        ("queue.", 503),
        ("disk.", 503),
        ("mode.", 503),
        ("clock.", 503),
        ("request.not_found", 404),
        ("request.method", 405),
        ("request.invalid", 400),
        ("request.beyond_tree", 404),
        ("request.incomplete", 408),
        ("request.content_type", 415),
        ("request.host", 421),
        ("server.internal", 500),
        ("entry.", 500),
        ("head.", 500),
    ];

    #[test]
    fn every_code_has_the_status_of_the_table_and_a_title() {
        for code in Code::ALL {
            let rows: Vec<_> = TABLE.iter().filter(|(prefix, _)| code.as_str().starts_with(prefix)).collect();
            assert_eq!(rows.len(), 1, "the table must name {code} once");
            assert_eq!(status_of(*code).as_u16(), rows[0].1, "{code}");
            let in_audits = ["entry.", "head."].iter().any(|family| code.as_str().starts_with(family));
            let own_title = matches!(code.as_str(), "server.internal") || in_audits;
            assert_eq!(title_of(*code) == "The server failed", own_title, "{code} has no title of its own");
        }
    }
}
