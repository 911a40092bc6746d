//! An animal: how it lives, and who catches it.

use monitor::finding::Class;
use proto::misbehaviour::Kind;
use proto::num::Millis;

use super::show::Show;

/// What is shown, one after the other.
#[derive(Debug, Clone)]
pub struct Life {
    /// What an honest log showed before; the animal and its twin have it in common.
    pub before: Option<Show>,
    /// What the animal shows.
    pub odd: Show,
    /// What an honest log shows in its place: the same entries without the deviation.
    pub honest: Show,
}

impl Life {
    /// One that is odd from the first look on.
    pub fn new(odd: Show, honest: Show) -> Life {
        Life { before: None, odd, honest }
    }

    /// One that was honest before.
    pub fn after(before: Show, odd: Show, honest: Show) -> Life {
        Life { before: Some(before), odd, honest }
    }
}

/// What `claimtrail audit` says to it, once it audited what was shown before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audit {
    /// It ends with this code and says this somewhere.
    Says(u8, &'static str),
    /// Nothing is wrong that an audit looks for.
    Clean,
    /// It would wait for minutes, as it should for a person.
    NotAsked,
}

/// A log that misbehaves in one way.
#[derive(Debug)]
pub struct Animal {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub does: &'static str,
    /// The class of the monitor's finding, which gives the exit code of a single run.
    pub class: Class,
    /// The finding's code.
    pub code: &'static str,
    /// What misbehaviour files prove of it to anyone; nothing where the log did not sign itself into it.
    pub proven: &'static [Kind],
    /// Whether the finding ends when an honest log answers in its place. What a log signed never ends.
    pub ends: bool,
    /// What an audit says.
    pub audit: Audit,
    /// Its life, at this time.
    pub life: fn(Millis) -> Life,
}

impl Animal {
    /// Its row in the documentation.
    pub fn row(&self) -> String {
        let kinds: Vec<String> = self.proven.iter().map(|kind| format!("`{}`", kind.as_str())).collect();
        let proven = if kinds.is_empty() { "—".to_owned() } else { kinds.join(", ") };
        let audit = match self.audit {
            Audit::Clean => "0".to_owned(),
            Audit::NotAsked => "—".to_owned(),
            Audit::Says(code, _) => code.to_string(),
        };
        let (class, exit) = (self.class.name(), self.class.exit_code());
        let ends = if self.ends { "yes" } else { "no" };
        format!("| {} | {} | {class} {exit} | `{}` | {ends} | {proven} | {audit} |", self.name, self.does, self.code)
    }
}
