//! What the constitution says of witnesses, against whom the operator's policy asks.
//!
//! The constitution is signed and public: readers may expect its witnesses and its quorum. A policy that differs is no reason to
//! stand still, since a witness may have to be replaced before a change of the constitution is in force a day later; it is said
//! at every start.

use proto::policy::{Policy, Witness};

/// Where the two differ, a sentence each. `witnesses` are the vkeys of the constitution in force, of whom `quorum` must cosign;
/// `policy` is the one by which witnesses are asked, if any are.
pub(crate) fn differences(witnesses: &[String], quorum: u32, policy: Option<&Policy>) -> Vec<String> {
    let Some(policy) = policy else {
        return match quorum {
            0 => Vec::new(),
            _ => vec![format!(
                "the constitution promises heads with cosignatures of {quorum} of {} witnesses, and none is asked: set `witness.policy`",
                witnesses.len()
            )],
        };
    };
    let is_named = |witness: &Witness| witnesses.contains(&witness.vkey().to_string());
    let asked = policy.witnesses().iter().filter(|witness| witness.time_key_of().is_none());
    let strangers: Vec<String> =
        asked.filter(|witness| !is_named(witness)).map(|witness| witness.name().to_string()).collect();
    let is_asked = |vkey: &&String| !policy.witnesses().iter().any(|witness| witness.vkey().to_string() == **vkey);
    let missing: Vec<&str> = witnesses.iter().filter(is_asked).map(String::as_str).collect();
    let fewest = policy.fewest_of(|_, witness| is_named(witness));
    let mut found = Vec::new();
    if !missing.is_empty() {
        found.push(format!("the constitution names witnesses that the policy does not have: {}", missing.join(", ")));
    }
    if !strangers.is_empty() {
        found.push(format!("the policy has witnesses that the constitution does not name: {}", strangers.join(", ")));
    }
    if u64::from(quorum) > fewest as u64 {
        found.push(format!(
            "the policy's quorum is met with {fewest} of the constitution's witnesses, which promises {quorum}"
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use proto::cosignature::Cosigner;
    use proto::note::KeyName;

    use super::*;
    use crate::testing::{key, log_keys};

    fn vkey(number: u8) -> String {
        let name = KeyName::parse(&format!("w{number}.example")).unwrap();
        Cosigner::new(name, key(number)).unwrap().vkey().to_string()
    }

    fn policy(quorum: &str) -> Policy {
        let keys = log_keys();
        let mut text = format!("log {}\nwitness log-time {}\n", keys.log_vkey(), keys.time_vkey());
        for number in 20..23 {
            text.push_str(&format!("witness w{number} {} http://w{number}.example\n", vkey(number)));
        }
        Policy::parse(format!("{text}{quorum}\n")).unwrap()
    }

    #[test]
    fn a_policy_that_keeps_what_the_constitution_promises_is_no_difference() {
        let promised: Vec<String> = (20..23).map(vkey).collect();
        let found = |witnesses: &[String], quorum: u32, text: &str| differences(witnesses, quorum, Some(&policy(text)));
        let two = "group g 2 w20 w21 w22\nquorum g";
        assert_eq!(found(&promised, 2, two), Vec::<String>::new());
        assert_eq!(found(&promised, 1, two), Vec::<String>::new(), "stricter is no breach");
        assert_eq!(differences(&[], 0, None), Vec::<String>::new());
        assert_eq!(differences(&promised, 0, None), Vec::<String>::new(), "nothing is promised");
    }

    #[test]
    fn every_difference_is_said() {
        let promised: Vec<String> = (20..23).map(vkey).collect();
        let found = |witnesses: &[String], quorum: u32, text: &str| {
            differences(witnesses, quorum, Some(&policy(text))).join("; ")
        };
        assert!(differences(&promised, 2, None)[0].contains("2 of 3 witnesses, and none is asked"));
        let two = "group g 2 w20 w21 w22\nquorum g";
        assert!(found(&promised, 3, two).contains("met with 2 of the constitution's witnesses, which promises 3"));
        assert!(found(&promised, 1, "quorum none").contains("met with 0 of"), "nobody is needed");
        let said = found(&promised[..2], 2, two);
        assert!(said.contains("does not name: w22") && said.contains("met with 1 of"), "{said}");
        let said = found(&[vkey(20), vkey(21), vkey(22), vkey(30)], 2, two);
        assert!(said.contains(&vkey(30)) && !said.contains("w20.example"), "{said}");
        let said = found(&[], 0, two);
        assert!(said.contains("does not name: w20, w21, w22") && !said.contains("promises"), "{said}");
    }
}
