//! From makers' names, as sources spell them, to issuer ids.

use std::collections::HashMap;

use super::spellings::REPLAY_MAKERS;
use super::{MAX_ROW_BYTES, ROW_JSON, SOURCE_CODES};
use crate::claim::normal::normalise;
use crate::claim::{IssuerId, Manufacturer};
use crate::code::{Code, Refused};
use crate::json::{self, Item};

/// Names in a table of one's own: there are some tens of thousands of makers in all public advisories.
const MAX_SPELLINGS: usize = 100_000;
/// Largest table of one's own, in bytes.
const MAX_TABLE_BYTES: usize = MAX_ROW_BYTES * 128;

/// Which spelling means which issuer. Spellings are compared like models: case and white space do not count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Makers {
    ids: HashMap<String, IssuerId>,
}

impl Makers {
    /// An empty table: every maker stays a name.
    pub fn none() -> Makers {
        Makers::default()
    }

    /// The makers of public data under replay ids, `replay.<name>.example`: for demonstrations and tests, since none
    /// of them signed anything here.
    pub fn replay() -> Makers {
        let rows = REPLAY_MAKERS.iter().flat_map(|(name, spellings)| {
            let id = IssuerId::parse(&format!("replay.{name}.example")).ok();
            spellings.iter().filter_map(move |spelling| Some((normalise(spelling), id.clone()?)))
        });
        Makers { ids: rows.collect() }
    }

    /// A table of one's own: a JSON object with spellings as members and issuer ids as values.
    ///
    /// # Errors
    /// When the bytes are not such an object, a value is no issuer id, or two spellings that are one differ in their id.
    pub fn parse(bytes: &[u8]) -> Result<Makers, Refused> {
        if bytes.len() > MAX_TABLE_BYTES {
            let message = format!("a table of makers of more than {MAX_TABLE_BYTES} bytes");
            return Err(Refused::new(Code::RequestInvalid, message));
        }
        let value = json::parse(bytes, &ROW_JSON)?;
        let json::Value::Object(members) = value else {
            return Err(Refused::at(Code::RequestInvalid, "", "expected an object: spellings and their issuer ids"));
        };
        if members.len() > MAX_SPELLINGS {
            return Err(Refused::at(Code::RequestInvalid, "", format!("more than {MAX_SPELLINGS} spellings")));
        }
        let mut ids = HashMap::new();
        for (spelling, value) in members {
            let at = |refused: Refused| Refused { pointer: Some(json::child("", &spelling)), ..refused };
            let text = Item::document(value, &SOURCE_CODES).text().map_err(at)?;
            let id = text.parsed(IssuerId::parse).map_err(at)?;
            let earlier = ids.insert(normalise(&spelling), id.clone());
            if earlier.is_some_and(|earlier| earlier != id) {
                let message = "the same spelling (case and white space do not count) stands above with another id";
                return Err(at(Refused::new(Code::RequestInvalid, message)));
            }
        }
        Ok(Makers { ids })
    }

    /// The maker that this spelling means: an issuer, or the name itself.
    pub fn place(&self, spelling: &str) -> Manufacturer {
        match self.ids.get(&normalise(spelling)) {
            Some(id) => Manufacturer::Issuer(id.clone()),
            None => Manufacturer::Name(spelling.to_owned()),
        }
    }

    /// Every issuer id of the table, ascending, none twice.
    pub fn ids(&self) -> Vec<&IssuerId> {
        let mut ids: Vec<_> = self.ids.values().collect();
        ids.sort();
        ids.dedup();
        ids
    }
}
