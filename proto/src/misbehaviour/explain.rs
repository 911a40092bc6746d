//! A file in words, for people who know nothing of trees. It says what a holder of a key signed, never who did.

use super::verify::{Party, Proven};
use super::{Kind, Misbehaviour};

impl Proven {
    /// What was proven, in one sentence.
    pub fn headline(&self) -> String {
        let whose = match self.party {
            Party::Log => format!("the key of the log {}", self.origin),
            Party::LogTime => format!("the time key of the log {}", self.origin),
            Party::Witness => format!("the witness key {} at the log {}", self.accused.name(), self.origin),
        };
        let did = match self.kind {
            Kind::SameSize | Kind::Inconsistent | Kind::TwoEntries => "signed two histories that exclude each other",
            Kind::TimeBack => "signed a history in which time goes back",
            Kind::HeadTime => "stated a time that the entries contradict",
            Kind::DuplicateClaim => "signed a history in which one claim stands twice",
            Kind::AfterFreeze => "went on signing after the log was frozen",
            Kind::WrongLink => "signed an entry whose links are wrong",
            Kind::BrokenRule => "signed an entry that breaks the log's own rules",
        };
        format!("A holder of {whose} {did}.")
    }

    /// What it means, for people, a paragraph each.
    pub fn explain(&self) -> Vec<String> {
        vec![
            self.headline(),
            format!("What contradicts what: {}.", self.finding),
            meaning(self.kind, self.party).to_owned(),
            "It is proven by signatures and hashes alone: no server was asked, and anyone who has the file comes to the same \
             result."
                .to_owned(),
            "It does not say who did it: a key can be stolen, and a machine can fail. It says that whoever held the key signed \
             this, and that statements under this key cannot all be believed."
                .to_owned(),
            format!(
                "Whether the key matters to you is for your trust file to say. The convicted key is:\n{}",
                self.accused
            ),
        ]
    }
}

fn meaning(kind: Kind, party: Party) -> &'static str {
    match (kind, party) {
        (Kind::SameSize | Kind::Inconsistent | Kind::TwoEntries, Party::Witness) => {
            "A witness signs only what continues everything that it signed before for the same log. Here it signed two \
             histories of which only one can be the log's, so its signature is no longer a reason to believe in one."
        }
        (Kind::SameSize | Kind::Inconsistent | Kind::TwoEntries, _) => {
            "A log is one list that only grows. Here one key signed two lists that differ where they must be the same, so \
             that different people were, or could be, shown different histories. A log that works as it should cannot come to this."
        }
        (Kind::TimeBack, _) => {
            "Each entry carries the time at which the log took it, and the log promises that these never go back. Here a \
             later entry has an earlier time, so the times of the log cannot be relied on."
        }
        (Kind::HeadTime, _) => {
            "With each signed state of the list the log states a time: everything in the list was taken by then, everything \
             after it later. Here an entry's own time says otherwise, so one of the two was dated falsely."
        }
        (Kind::DuplicateClaim, _) => {
            "A log takes each claim once and answers with the first entry ever after. Here the same claim was taken twice, \
             so that it could be shown with two dates."
        }
        (Kind::AfterFreeze, _) => {
            "The log's operator declared its end, and nothing may follow that. Here the list goes on."
        }
        (Kind::WrongLink, _) => {
            "Each entry names the rules, the registered keys and the earlier claim that it was checked against. Here another \
             entry of the same list shows that one of these is not the right one: something was passed over."
        }
        (Kind::BrokenRule, _) => {
            "The log's rules are entries of the log itself, and anyone can apply them. Applied to this entry, they refuse \
             it: the log should never have taken it."
        }
    }
}

impl Misbehaviour {
    /// What the file accuses of, whether or not it proves it.
    pub fn accusation(&self) -> String {
        format!("a holder of the key {} is accused of {} at the log {}", self.accused, self.kind, self.origin)
    }
}
