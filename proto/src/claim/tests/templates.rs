//! Templates become claims.

use super::examples;
use crate::claim::{Claim, ClaimType, strip_comments, template};

/// What a person would fill into the constitution's template.
fn filled(text: &str) -> String {
    text.replace("<vkey of type 01 named log.example/main>", &examples::vkey("log.example/main", 1, 10))
        .replace("<vkey of type 04 named log.example/main/time>", &examples::vkey("log.example/main/time", 4, 11))
        .replace("<base64 of the operator key's SubjectPublicKeyInfo>", &examples::spki(12))
        .replace("<base64 of the registrar key's SubjectPublicKeyInfo>", &examples::spki(13))
}

#[test]
fn a_stripped_template_is_a_claim() {
    let other = ClaimType::Other("https://acme.example/types/energy".into());
    for claim_type in ClaimType::KNOWN.iter().chain([&other]) {
        let text = template(claim_type);
        let json = filled(&strip_comments(&text));
        let claim = Claim::parse(json.as_bytes()).unwrap_or_else(|error| panic!("{claim_type}: {error}\n{text}"));
        assert_eq!(&claim.claim_type, claim_type);
        assert!(!text.contains('{') || !text.contains("{subject}") && !text.contains("{body}"), "{text}");
    }
}

#[test]
fn uncommented_members_are_known() {
    // Every optional member of a body, its comment marks taken away, is one that the rules know.
    for claim_type in ClaimType::KNOWN {
        let text: String = template(&claim_type)
            .lines()
            .map(|line| match line.trim_start().strip_prefix("// ") {
                Some(member) if member.starts_with('"') && member.ends_with(',') && line.starts_with("    ") => member,
                _ => line,
            })
            .collect::<Vec<_>>()
            .join("\n");
        let digits = text.replace("<64 hex digits>", examples::DIGEST);
        let root = digits.replace("<base64 of the root hash>", &crate::hash::Hash::EMPTY_ROOT.to_base64());
        let json = filled(&strip_comments(&root));
        Claim::parse(json.as_bytes()).unwrap_or_else(|error| panic!("{claim_type}: {error}\n{json}"));
    }
}

#[test]
fn only_comment_lines_go() {
    assert_eq!(strip_comments("{\n  // x\n\"a\": \"http://b\"\n}//"), "{\n\"a\": \"http://b\"\n}//");
}
