//! `[[watch]]` entries: as they are written, and what is compared.

use client::Error;
use proto::claim::normal::normalise;
use proto::claim::{ClaimType, IssuerId, Manufacturer, ProductKey, Scheme};
use proto::fold::VULNERABILITY_SCHEME;
use proto::query::finding::{CODES, Severity};
use serde::Deserialize;

/// Something to watch, `[[watch]]` each. Every key that is given must match; within a list, one of them. A watch without
/// `issuer`, `manufacturer`, `model`, `id` and `types` also matches what is found about logs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchConfig {
    /// What alerts call it.
    pub name: String,
    /// Only in the log of this origin.
    #[serde(default)]
    pub log: Option<String>,
    /// Claims by this issuer, and claims of others about them, such as disputes.
    #[serde(default)]
    pub issuer: Option<String>,
    /// Claims about products of this maker: an issuer id, or `name:` and a name.
    #[serde(default)]
    pub manufacturer: Option<String>,
    /// Claims about this model; compared like products are.
    #[serde(default)]
    pub model: Option<String>,
    /// Claims that name this id: `{ scheme = "gtin", value = "…" }`; the scheme `vulnerability` has CVE ids.
    #[serde(default)]
    pub id: Option<IdConfig>,
    /// Claims of these types.
    #[serde(default)]
    pub types: Vec<String>,
    /// What shows one of these findings: `S1`, `U1` and so on, or a code of a finding about a log, such as `head.fork`.
    #[serde(default)]
    pub findings: Vec<String>,
    /// What is at least this bad: `info`, `notice`, `warning` or `alarm`.
    #[serde(default)]
    pub severity: Option<Severity>,
}

/// An id of a product or vulnerability.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdConfig {
    /// Its scheme.
    pub scheme: String,
    /// Its value.
    pub value: String,
}

/// A watch in the form in which it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// Its name.
    pub name: String,
    pub(super) log: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) manufacturer: Option<String>,
    pub(super) model: Option<String>,
    /// Scheme and normalised value.
    pub(super) id: Option<(String, String)>,
    pub(super) types: Vec<String>,
    pub(super) findings: Vec<String>,
    pub(super) severity: Option<Severity>,
}

impl WatchConfig {
    /// What is compared.
    pub fn read(&self) -> Result<Watch, Error> {
        let bad = |text: String| Err(Error::malformed(format!("the watch {:?}: {text}", self.name)));
        let watch = Watch {
            name: self.name.clone(),
            log: self.log.clone(),
            issuer: self.issuer.clone(),
            manufacturer: match self.manufacturer.as_deref().map(maker) {
                Some(None) => {
                    return bad("`manufacturer` is an issuer id such as acme.example, or name: and a name".into());
                }
                other => other.flatten(),
            },
            model: self.model.as_deref().map(normalise),
            id: match self.id.as_ref().map(IdConfig::read).transpose() {
                Ok(id) => id,
                Err(why) => return bad(why),
            },
            types: self.types.clone(),
            findings: self.findings.clone(),
            severity: self.severity,
        };
        if self.name.is_empty() {
            return bad("`name` is empty".into());
        }
        if let Some(issuer) = &watch.issuer
            && let Err(e) = IssuerId::parse(issuer)
        {
            return bad(format!("`issuer`: {e}"));
        }
        // What can never match would be a watch that the operator believes in.
        let is_type = |name: &&String| ClaimType::known(name).is_none() && !name.contains(':');
        if let Some(unknown) = watch.types.iter().find(is_type) {
            return bad(format!("{unknown} is no type of claim; such as support/v1, or a URI"));
        }
        let is_code = |code: &&String| !CODES.contains(&code.as_str()) && !code.contains('.');
        if let Some(unknown) = watch.findings.iter().find(is_code) {
            let codes = CODES.join(", ");
            return bad(format!("{unknown} is no finding; claims show {codes}, logs such as head.fork"));
        }
        if !watch.selects_claims() && watch.findings.is_empty() && watch.severity.is_none() {
            return bad("it matches everything; with `severity = \"info\"` that is meant".into());
        }
        Ok(watch)
    }
}

impl Watch {
    /// Whether it has a condition that only a claim can fulfil.
    pub(super) fn selects_claims(&self) -> bool {
        self.issuer.is_some()
            || self.manufacturer.is_some()
            || self.model.is_some()
            || self.id.is_some()
            || !self.types.is_empty()
    }
}

impl IdConfig {
    fn read(&self) -> Result<(String, String), String> {
        if self.scheme == VULNERABILITY_SCHEME {
            return Ok((self.scheme.clone(), self.value.clone()));
        }
        let names: Vec<&str> = Scheme::ALL.iter().map(|scheme| scheme.as_str()).collect();
        let scheme = Scheme::parse(&self.scheme)
            .ok_or_else(|| format!("{} is no scheme: {VULNERABILITY_SCHEME}, {}", self.scheme, names.join(", ")))?;
        let value = scheme.normalise(&self.value).map_err(|e| format!("`id`: {e}"))?;
        Ok((scheme.as_str().to_owned(), value))
    }
}

/// A maker in the form in which it is compared.
fn maker(text: &str) -> Option<String> {
    // The model does not matter here.
    ProductKey::parse(text, "any").map(|key| key.manufacturer)
}

/// The maker of a claim's product, as it is compared.
pub(super) fn maker_of(manufacturer: &Manufacturer) -> String {
    manufacturer.key()
}

/// The watches that are configured, no two of one name.
pub fn watches(entries: &[WatchConfig]) -> Result<Vec<Watch>, Error> {
    let mut watches: Vec<Watch> = Vec::new();
    for entry in entries {
        let watch = entry.read()?;
        if watches.iter().any(|known| known.name == watch.name) {
            return Err(Error::malformed(format!(
                "two [[watch]] entries are named {:?}; give each its own",
                watch.name
            )));
        }
        watches.push(watch);
    }
    Ok(watches)
}
