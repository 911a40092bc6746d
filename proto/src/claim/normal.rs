//! How models and makers' names are compared: NFKC, lower case, trimmed, white space collapsed (DECISIONS 7).
//!
//! Unicode keeps NFKC of assigned characters for ever (its stability policy); so only assigned characters are taken.
//! Which ones are assigned is a table of the `unicode-normalization` crate. A newer table lets in newer characters,
//! which is a new rules version; a test holds the table's version.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_public_assigned;

/// Normalising twice must be normalising once. Lower-casing can undo NFKC, and the reverse, so both are repeated until
/// nothing changes; real text is stable after one or two rounds, and this bound only guards against a table's cycle.
const MAX_ROUNDS: usize = 8;

/// The form in which models and makers' names are compared.
pub fn normalise(text: &str) -> String {
    if text.is_ascii() {
        return normalise_ascii(text); // NFKC leaves ASCII as it is
    }
    let mut current = round(text);
    for _ in 1..MAX_ROUNDS {
        let next = round(&current);
        if next == current {
            break;
        }
        current = next;
    }
    current
}

fn normalise_ascii(text: &str) -> String {
    let mut normal = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !normal.is_empty() {
            normal.push(' ');
        }
        normal.push_str(word);
    }
    normal.make_ascii_lowercase();
    normal
}

fn round(text: &str) -> String {
    let lower = text.nfkc().collect::<String>().to_lowercase();
    let spaced: Vec<&str> = lower.split_whitespace().collect();
    spaced.join(" ").nfkc().collect()
}

/// Whether a character may stand in a name that is compared: assigned, no control, and nothing invisible, which would
/// make two names of one look.
pub fn is_comparable(c: char) -> bool {
    is_public_assigned(c) && !c.is_control() && !is_invisible(c)
}

/// Characters that are drawn as nothing or turn the direction of text: Unicode's Default_Ignorable_Code_Point, line and
/// paragraph separators, and interlinear annotation marks.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
        | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_of_rules_version_1() {
        // A newer table takes newer characters: that is a new rules version, never a silent change.
        assert_eq!(unicode_normalization::UNICODE_VERSION, (18, 0, 0));
    }

    #[test]
    fn spellings_that_are_one() {
        for spelling in ["cam-3 pro", " CAM-3\u{a0} Pro ", "ＣＡＭ-3\u{3000}PRO", "Cam-3\tpro"] {
            assert_eq!(normalise(spelling), "cam-3 pro");
        }
        assert_eq!(normalise("\u{212B}ngstr\u{F6}m"), normalise("A\u{30A}NGSTRO\u{308}M"));
        assert_ne!(normalise("cam-3"), normalise("cam3"));
    }

    #[test]
    fn every_single_character_is_stable() {
        for c in ('\0'..=char::MAX).filter(|c| is_comparable(*c)) {
            let once = normalise(&c.to_string());
            assert_eq!(normalise(&once), once, "U+{:04X}", u32::from(c));
        }
    }

    proptest! {
        #[test]
        fn the_short_way_for_ascii_is_no_other_way(text in "[\\x00-\\x7f]{0,40}") {
            prop_assert_eq!(normalise_ascii(&text), round(&text));
        }

        #[test]
        fn normalising_twice_is_once(text in "\\PC{0,40}") {
            let once = normalise(&text);
            prop_assert_eq!(normalise(&once), once);
        }
    }
}
