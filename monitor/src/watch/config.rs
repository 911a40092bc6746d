//! `[[watch]]` entries: as they are written, and what is compared.

use client::Error;
use proto::claim::body::is_cve;
use proto::claim::normal::normalise;
use proto::claim::{ClaimType, IssuerId, Manufacturer, ProductKey, Scheme};
use proto::fold::VULNERABILITY_SCHEME;
use proto::query::finding::{self, CODES, Severity};
use serde::Deserialize;

use crate::finding::code;

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
        if watch.model.as_deref() == Some("") {
            return bad("`model` is empty".into());
        }
        if let Err(why) = watch.check_findings() {
            return bad(why);
        }
        if !watch.selects_claims() && watch.findings.is_empty() && watch.severity.is_none() {
            return bad("it matches everything; with `severity = \"info\"` that is meant".into());
        }
        Ok(watch)
    }
}

impl Watch {
    /// Refuses codes that nothing has, and conditions that nothing fulfils together.
    fn check_findings(&self) -> Result<(), String> {
        let selects = self.selects_claims();
        let mut worst = None;
        for code in &self.findings {
            let (of_claim, of_log) = (finding::severity_of(code), code::severity_of(code));
            if of_claim.is_none() && of_log.is_none() {
                let codes = CODES.join(", ");
                return Err(format!("{code} is no finding; claims show {codes}, logs such as head.fork"));
            }
            if of_claim.is_none() && selects {
                return Err(format!(
                    "{code} is found about a log, and the other conditions are about claims: two watches"
                ));
            }
            worst = worst.max(of_claim.max(of_log));
        }
        match (self.severity, worst) {
            (Some(least), Some(worst)) if worst < least => {
                Err(format!("none of its `findings` is {}; the worst of them is {}", least.name(), worst.name()))
            }
            _ => Ok(()),
        }
    }

    /// Whether it has a condition that only a claim can fulfil.
    pub(super) fn selects_claims(&self) -> bool {
        self.issuer.is_some()
            || self.manufacturer.is_some()
            || self.model.is_some()
            || self.id.is_some()
            || !self.types.is_empty()
    }
}

impl Watch {
    /// Whether a claim can match it.
    pub(super) fn is_for_claims(&self) -> bool {
        self.findings.is_empty() || self.findings.iter().any(|code| finding::severity_of(code).is_some())
    }

    /// Whether the claim before may fulfil one of its conditions.
    pub(super) fn looks_before(&self) -> bool {
        self.manufacturer.is_some() || self.model.is_some() || self.id.is_some() || !self.types.is_empty()
    }
}

impl IdConfig {
    fn read(&self) -> Result<(String, String), String> {
        if self.scheme == VULNERABILITY_SCHEME {
            return Ok((self.scheme.clone(), vulnerability(&self.value)?));
        }
        let names: Vec<&str> = Scheme::ALL.iter().map(|scheme| scheme.as_str()).collect();
        let scheme = Scheme::parse(&self.scheme)
            .ok_or_else(|| format!("{} is no scheme: {VULNERABILITY_SCHEME}, {}", self.scheme, names.join(", ")))?;
        let value = scheme.normalise(&self.value).map_err(|e| format!("`id`: {e}"))?;
        Ok((scheme.as_str().to_owned(), value))
    }
}

/// An id of a vulnerability as claims may write it. Case does not matter here: some systems' ids are written in either.
fn vulnerability(value: &str) -> Result<String, String> {
    if value.is_empty() || value.trim() != value || value.chars().any(char::is_control) {
        return Err(format!("`id`: {value:?} is no id of a vulnerability: it is empty, or has white space around it"));
    }
    let upper = value.to_ascii_uppercase();
    if upper.starts_with("CVE-") && !is_cve(&upper) {
        return Err(format!("`id`: {value:?} is no CVE id, such as CVE-2027-12345"));
    }
    Ok(value.to_owned())
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
