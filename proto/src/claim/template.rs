//! Templates for people who write claims: JSON with comment lines.

use super::types::ClaimType;

/// A template of a claim of this type: JSON with `//` comment lines, every required member filled with an example and
/// every optional one commented out. After [`strip_comments`] it is a claim of valid form, save in `log/v1`, whose keys
/// stand as `<…>` and must be filled in first.
pub fn template(claim_type: &ClaimType) -> String {
    let is_registry = claim_type.is_registry();
    let role = if *claim_type == ClaimType::Log { "operator" } else { "manufacturer" };
    let subject = match claim_type {
        ClaimType::Log | ClaimType::Issuer => String::new(),
        ClaimType::Contact | ClaimType::Other(_) => include_str!("templates/subject_optional.txt").to_owned(),
        ClaimType::Support => {
            include_str!("templates/subject.txt").replace("{units}\n", include_str!("templates/units.txt"))
        }
        _ => include_str!("templates/subject.txt").replace("{units}\n", ""),
    };
    let logs_note = if is_registry { "exactly one log" } else { "1 to 4 logs; add size and root of a head you saw" };
    include_str!("templates/frame.txt")
        .replace("{logs_note}", logs_note)
        .replace("{role}", role)
        .replace("{type}", claim_type.as_str())
        .replace("{subject}\n", &subject)
        .replace("{body}\n", body(claim_type))
}

fn body(claim_type: &ClaimType) -> &'static str {
    match claim_type {
        ClaimType::Log => include_str!("templates/log.txt"),
        ClaimType::Issuer => include_str!("templates/issuer.txt"),
        ClaimType::Product => include_str!("templates/product.txt"),
        ClaimType::Support => include_str!("templates/support.txt"),
        ClaimType::Contact => include_str!("templates/contact.txt"),
        ClaimType::Release => include_str!("templates/release.txt"),
        ClaimType::Vulnerability => include_str!("templates/vulnerability.txt"),
        ClaimType::Conformity => include_str!("templates/conformity.txt"),
        ClaimType::Observation => include_str!("templates/observation.txt"),
        ClaimType::Other(_) => "    // whatever your type says\n",
    }
}

/// The text without lines that begin with `//`; other lines are kept byte for byte, and what `//` means inside a JSON
/// string is untouched.
pub fn strip_comments(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.trim_start().starts_with("//")).collect()
}
