//! Statements that a log signs besides its heads: notes whose first line names the kind.
//!
//! A refusal says that a validly signed claim was refused, why and when, so that silence is the only unprovable no:
//!
//! ```text
//! claimtrail/refusal/v1
//! <origin>
//! <claim id>
//! <code>
//! <milliseconds since 1970>
//!
//! — <origin> <signature>
//! ```

use crate::claim::ClaimId;
use crate::code::Code;
use crate::note::{self, NoteSigner, Verifier};
use crate::num::{Millis, parse_decimal};

/// First line of a signed refusal.
pub const REFUSAL_KIND: &str = "claimtrail/refusal/v1";

/// A claim that the log refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The log's origin.
    pub origin: String,
    /// The claim.
    pub claim_id: ClaimId,
    /// Why.
    pub code: Code,
    /// The log's time.
    pub time: Millis,
}

/// Why a text is not a refusal signed by the log.
#[derive(Debug, thiserror::Error)]
pub enum BadRefusal {
    /// Not a note of this kind under the given key.
    #[error(transparent)]
    Note(#[from] note::BadKind),
    /// The lines are not those of a refusal.
    #[error("not the five lines of a refusal")]
    Malformed,
}

impl Refusal {
    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{REFUSAL_KIND}\n{}\n{}\n{}\n{}\n", self.origin, self.claim_id, self.code, self.time)
    }

    /// The signed note.
    pub fn sign(&self, signer: &NoteSigner) -> Result<String, note::CannotSign> {
        note::sign_text(&self.text(), &[signer])
    }

    /// Verifies a note and reads the refusal in it; the key's name must be the origin.
    pub fn verify(bytes: &[u8], log: &Verifier) -> Result<Refusal, BadRefusal> {
        let note = note::verify_kind(REFUSAL_KIND, bytes, std::slice::from_ref(log))?;
        let lines: Vec<&str> = note.text().lines().collect();
        let [_, origin, id, code, time] = lines.as_slice() else { return Err(BadRefusal::Malformed) };
        let refusal = Refusal {
            origin: (*origin).to_owned(),
            claim_id: ClaimId::parse(id).map_err(|_| BadRefusal::Malformed)?,
            code: Code::parse(code).ok_or(BadRefusal::Malformed)?,
            time: Millis(parse_decimal(time).map_err(|_| BadRefusal::Malformed)?),
        };
        if refusal.text() != note.text() || log.vkey().name().as_str() != refusal.origin {
            return Err(BadRefusal::Malformed);
        }
        Ok(refusal)
    }
}
