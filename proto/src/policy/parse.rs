//! Reading a policy file (C2SP tlog-policy).
//!
//! ```text
//! log <vkey> [<url>]
//! witness <name> <vkey> [<url>]
//! group <name> all|any|<k> <member>...
//! quorum <name>|none
//! ```

use std::collections::BTreeMap;

use super::quorum::{Group, Node, Quorum, Threshold};
use super::{Key, Log, MAX_POLICY_BYTES, MAX_POLICY_ITEMS, Policy, PolicyName, TIME_KEY_SUFFIX, Witness};
use crate::note::{BadVkey, Vkey};
use crate::num::parse_decimal;

/// A policy was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy, line {line}: {fault}")]
pub struct BadPolicy {
    /// The line, counted from 1; for what is missing at the end, the line after the last.
    pub line: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong in a line of a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file is too large.
    #[error("the file is larger than {MAX_POLICY_BYTES} bytes")]
    TooLarge,
    /// Too many logs, or too many witnesses and groups.
    #[error("a policy may have at most {MAX_POLICY_ITEMS} logs, and as many witnesses and groups")]
    TooMany,
    /// A control character other than tab and line feed.
    #[error("a control character that is not allowed; use line feeds without carriage returns")]
    Octet,
    /// The last line does not end.
    #[error("the last line must end with a line feed")]
    Unterminated,
    /// The line begins with no known word.
    #[error("a line begins with log, witness, group, quorum or #")]
    Keyword,
    /// The line has too few or too many fields.
    #[error("wrong number of fields; comments stand on lines of their own. Expected: {0}")]
    Fields(&'static str),
    /// A vkey is malformed.
    #[error(transparent)]
    Vkey(#[from] BadVkey),
    /// A vkey is not ASCII or UTF-8 text.
    #[error("a vkey must be UTF-8")]
    VkeyText,
    /// A witness has a key that does not make cosignatures.
    #[error("a witness needs a cosignature key (type 04 or 06), this one makes no cosignatures")]
    NotACosigner,
    /// A URL does not begin with https:// or http://.
    #[error("a URL begins with https:// or http://")]
    Url,
    /// The reserved name `none`.
    #[error("`none` is reserved and names no witness, group or member")]
    NoneName,
    /// The name stands for another witness or group already.
    #[error("the name {0} was given before")]
    SameName(PolicyName),
    /// The same public key in an earlier line.
    #[error("the same public key stands in line {0}: every role needs a key of its own")]
    SameKey(usize),
    /// The threshold is no number from 1 to the number of members.
    #[error("the threshold of a group is all, any, or a number from 1 to the number of its members")]
    Threshold,
    /// A name that no earlier line defines.
    #[error("{0} is not defined in an earlier line")]
    Undefined(PolicyName),
    /// A member of a group already.
    #[error("{0} is a member of a group already; each may be a member once")]
    MemberTwice(PolicyName),
    /// The log's own time key in a group or as quorum.
    #[error("{0} is the log's own time key, which counts for no quorum: remove it from this line")]
    TimeKeyCounts(PolicyName),
    /// A second quorum line.
    #[error("there is a quorum line already")]
    SecondQuorum,
    /// No quorum line.
    #[error("the quorum line is missing; without witnesses write: quorum none")]
    NoQuorum,
}

impl Policy {
    /// Reads a policy strictly; the error names the line. Keys are checked for their form and key id only: see
    /// [`Policy::check_keys`].
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Policy, BadPolicy> {
        let text = text.as_ref();
        if text.len() > MAX_POLICY_BYTES {
            return Err(BadPolicy { line: 1, fault: Fault::TooLarge });
        }
        let mut reader = Reader::default();
        // What follows the last line feed is no line, and must be empty.
        let mut lines: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
        let rest = lines.pop().unwrap_or_default();
        for (i, line) in lines.iter().enumerate() {
            reader.line(i + 1, line).map_err(|fault| BadPolicy { line: i + 1, fault })?;
        }
        let after = lines.len() + 1;
        if !rest.is_empty() {
            return Err(BadPolicy { line: after, fault: Fault::Unterminated });
        }
        reader.finish(after)
    }
}

/// What the lines so far have said.
#[derive(Default)]
struct Reader {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    /// The quorum line; the inner `None` is `quorum none`.
    decider: Option<Option<Node>>,
    names: BTreeMap<PolicyName, Node>,
    /// The line of each public key.
    keys: BTreeMap<Vec<u8>, usize>,
    /// Each use of a witness as member or quorum, with its line: a log line further down can still make it a time key.
    uses: Vec<(usize, usize)>,
    /// Which names are members already.
    members: Vec<Node>,
}

impl Reader {
    fn line(&mut self, number: usize, line: &[u8]) -> Result<(), Fault> {
        if line.iter().any(|b| (*b < b' ' && *b != b'\t') || *b == 0x7f) {
            return Err(Fault::Octet);
        }
        let fields: Vec<&[u8]> = line.split(|b| matches!(b, b' ' | b'\t')).filter(|f| !f.is_empty()).collect();
        match fields.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", rest @ ..] => self.log(number, rest),
            [b"witness", rest @ ..] => self.witness(number, rest),
            [b"group", rest @ ..] => self.group(number, rest),
            [b"quorum", rest @ ..] => self.quorum(number, rest),
            _ => Err(Fault::Keyword),
        }
    }

    fn log(&mut self, number: usize, fields: &[&[u8]]) -> Result<(), Fault> {
        let (vkey, url) = match fields {
            [vkey] => (vkey, None),
            [vkey, url] => (vkey, Some(parse_url(url)?)),
            _ => return Err(Fault::Fields("log <vkey> [<url>]")),
        };
        let key = self.key(number, vkey)?;
        if self.logs.len() == MAX_POLICY_ITEMS {
            return Err(Fault::TooMany);
        }
        self.logs.push(Log { key, url });
        Ok(())
    }

    fn witness(&mut self, number: usize, fields: &[&[u8]]) -> Result<(), Fault> {
        let (name, vkey, url) = match fields {
            [name, vkey] => (name, vkey, None),
            [name, vkey, url] => (name, vkey, Some(parse_url(url)?)),
            _ => return Err(Fault::Fields("witness <name> <vkey> [<url>]")),
        };
        let name = self.define(name, Node::Witness(self.witnesses.len()))?;
        let key = self.key(number, vkey)?;
        if !key.vkey.signature_type().is_cosignature() {
            return Err(Fault::NotACosigner);
        }
        self.witnesses.push(Witness { name, key, url, time_key_of: None });
        Ok(())
    }

    fn group(&mut self, number: usize, fields: &[&[u8]]) -> Result<(), Fault> {
        let [name, threshold, members @ ..] = fields else {
            return Err(Fault::Fields("group <name> all|any|<k> <member>..."));
        };
        if members.is_empty() {
            return Err(Fault::Fields("group <name> all|any|<k> <member>..., with at least one member"));
        }
        let threshold = parse_threshold(threshold, members.len())?;
        // The group's own name comes last: it cannot be its own member.
        let members = members.iter().map(|member| self.member(number, member)).collect::<Result<Vec<_>, _>>()?;
        let name = self.define(name, Node::Group(self.groups.len()))?;
        self.groups.push(Group { name, threshold, members });
        Ok(())
    }

    fn quorum(&mut self, number: usize, fields: &[&[u8]]) -> Result<(), Fault> {
        let [name] = fields else { return Err(Fault::Fields("quorum <name>|none")) };
        if self.decider.is_some() {
            return Err(Fault::SecondQuorum);
        }
        self.decider = Some(if *name == b"none" { None } else { Some(self.lookup(number, name)?) });
        Ok(())
    }

    fn member(&mut self, number: usize, name: &[u8]) -> Result<Node, Fault> {
        if name == b"none" {
            return Err(Fault::NoneName);
        }
        let node = self.lookup(number, name)?;
        if self.members.contains(&node) {
            return Err(Fault::MemberTwice(PolicyName(name.to_vec())));
        }
        self.members.push(node);
        Ok(node)
    }

    fn lookup(&mut self, number: usize, name: &[u8]) -> Result<Node, Fault> {
        let name = PolicyName(name.to_vec());
        let Some(node) = self.names.get(&name).copied() else { return Err(Fault::Undefined(name)) };
        if let Node::Witness(witness) = node {
            self.uses.push((number, witness));
        }
        Ok(node)
    }

    fn define(&mut self, name: &[u8], node: Node) -> Result<PolicyName, Fault> {
        if name == b"none" {
            return Err(Fault::NoneName);
        }
        let name = PolicyName(name.to_vec());
        if self.names.contains_key(&name) {
            return Err(Fault::SameName(name));
        }
        if self.names.len() == MAX_POLICY_ITEMS {
            return Err(Fault::TooMany);
        }
        self.names.insert(name.clone(), node);
        Ok(name)
    }

    fn key(&mut self, number: usize, text: &[u8]) -> Result<Key, Fault> {
        let vkey = Vkey::parse(std::str::from_utf8(text).map_err(|_| Fault::VkeyText)?)?;
        if let Some(earlier) = self.keys.insert(vkey.key_bytes().to_vec(), number) {
            return Err(Fault::SameKey(earlier));
        }
        Ok(Key::new(vkey))
    }

    fn finish(mut self, after: usize) -> Result<Policy, BadPolicy> {
        let decider = self.decider.ok_or(BadPolicy { line: after, fault: Fault::NoQuorum })?;
        for witness in &mut self.witnesses {
            witness.time_key_of = time_key_of(&self.logs, &witness.key.vkey);
        }
        for (line, witness) in self.uses {
            let witness = &self.witnesses[witness];
            if witness.time_key_of.is_some() {
                return Err(BadPolicy { line, fault: Fault::TimeKeyCounts(witness.name.clone()) });
            }
        }
        let quorum = Quorum { groups: self.groups, decider };
        Ok(Policy { logs: self.logs, witnesses: self.witnesses, quorum })
    }
}

/// The listed log whose time key this is, by its name.
fn time_key_of(logs: &[Log], vkey: &Vkey) -> Option<String> {
    let origin = vkey.name().as_str().strip_suffix(TIME_KEY_SUFFIX)?;
    logs.iter().any(|log| log.origin() == origin).then(|| origin.to_owned())
}

fn parse_url(field: &[u8]) -> Result<String, Fault> {
    let url = std::str::from_utf8(field).map_err(|_| Fault::Url)?;
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(Fault::Url);
    }
    Ok(url.to_owned())
}

fn parse_threshold(field: &[u8], members: usize) -> Result<Threshold, Fault> {
    match field {
        b"all" => Ok(Threshold::All),
        b"any" => Ok(Threshold::Any),
        number => {
            let number = std::str::from_utf8(number).map_err(|_| Fault::Threshold)?;
            let k = parse_decimal(number).ok().and_then(|k| usize::try_from(k).ok()).ok_or(Fault::Threshold)?;
            if !(1..=members).contains(&k) {
                return Err(Fault::Threshold);
            }
            Ok(Threshold::AtLeast(k))
        }
    }
}
