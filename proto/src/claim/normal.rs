//! How models and makers' names are compared: NFKC, lower case, trimmed, white space collapsed (DECISIONS 7).
//!
//! Unicode keeps NFKC and the case pairs of assigned characters for ever (its stability policies), so only characters that
//! Unicode 16.0 assigns are taken: `assigned.rs` has them. The compiler and the crate `unicode-normalization` may know newer
//! ones; what they make of those is never asked. A test holds the outcome for every character that is taken.

use unicode_normalization::UnicodeNormalization as _;

use super::assigned::is_assigned;

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

/// Whether a character may stand in a name that is compared: assigned in Unicode 16.0, no control, and nothing invisible, which would
/// make two names of one look.
pub fn is_comparable(c: char) -> bool {
    is_assigned(c) && !c.is_control() && !is_invisible(c)
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

    fn comparable() -> impl Iterator<Item = char> {
        ('\0'..=char::MAX).filter(|c| is_comparable(*c))
    }

    #[test]
    fn the_letters_of_unicode_17_had_a_lower_case_in_some_compilers_only() {
        for c in ['\u{A7CE}', '\u{A7CF}', '\u{A7D2}', '\u{16EA0}', '\u{16EBB}', '\u{11DE0}', '\u{20C1}'] {
            assert!(!is_comparable(c), "U+{:04X} came after Unicode 16", u32::from(c));
        }
        // New in 16.0: the capital and the small letter lambda with stroke, a digit of Garay.
        for c in ['\u{A7DC}', '\u{019B}', '\u{10D40}', 'a', '\u{3400}', '\u{10FFFD}', '\u{E000}', '\u{378}'] {
            assert_eq!(is_comparable(c), !matches!(c, '\u{10FFFD}' | '\u{E000}' | '\u{378}'), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn every_compiler_and_crate_normalises_alike() {
        // Each character alone, and where it decides whether a sigma ends a word.
        let mut all = String::new();
        for c in comparable() {
            all.extend([normalise(&c.to_string()), normalise(&format!("\u{391}{c}\u{3A3}")), "\n".into()]);
            all.push_str(&normalise(&format!("\u{391}\u{3A3}{c}\u{391}")));
        }
        assert_eq!(comparable().count(), COMPARABLE);
        assert_eq!(crate::hash::Hash::of(all.as_bytes()).to_string(), NORMALISED, "a form of rules version 1 changed");
    }

    /// How many characters are taken.
    const COMPARABLE: usize = 154_588;
    /// SHA-256 over what the test above makes of them.
    const NORMALISED: &str = "1455f99a7b1f9240ada7cab37ee8b3332fa04c1512f2b139920036146a496fdc";

    #[test]
    fn the_table_agrees_with_crate_and_compiler_as_far_as_they_are_of_its_version() {
        for c in '\0'..=char::MAX {
            let is_known = unicode_normalization::char::is_public_assigned(c);
            assert!(is_known || !is_assigned(c), "U+{:04X} is not assigned", u32::from(c));
            if char::UNICODE_VERSION == (16, 0, 0) && c.is_alphanumeric() {
                assert!(is_assigned(c), "U+{:04X} is assigned", u32::from(c));
            }
        }
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
        for c in comparable() {
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
