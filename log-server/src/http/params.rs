//! Parameters of requests: strict, so that a misspelled filter is an error and never a longer list.

use axum::extract::Query;
use http::Uri;
use proto::claim::{ClaimId, ClaimType, IssuerId};
use proto::code::Code;
use proto::num::{LeafIndex, parse_decimal};
use proto::query::search::FoundId;
use proto::query::trail::TrailFilter;
use service::problem::Problem;

/// Items in a page unless asked for otherwise.
pub const DEFAULT_LIMIT: usize = 50;

/// Items in a page at most. A page of large entries ends earlier, at [`proto::query::MAX_PAGE_BYTES`].
pub const MAX_LIMIT: usize = 200;

pub(super) fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(Code::RequestInvalid, detail)
}

/// The parameters behind the `?`, each taken once by name.
#[derive(Debug)]
pub(super) struct Params {
    left: Vec<(String, String)>,
    /// Everything but the cursor, in order of name: what a cursor belongs to.
    scope: String,
    known: Vec<&'static str>,
}

impl Params {
    pub(super) fn parse(uri: &Uri) -> Result<Params, Problem> {
        let Query(mut left) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| invalid("The parameters behind `?` are not percent-encoded UTF-8."))?;
        left.sort();
        if let Some(twice) = left.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(invalid(format!("The parameter `{}` is given twice.", twice[0].0)));
        }
        let filters = left.iter().filter(|(name, _)| name != "cursor" && name != "limit");
        let scope = filters.map(|(name, value)| format!("{name}={value}\0")).collect();
        Ok(Params { left, scope, known: Vec::new() })
    }

    /// What a cursor of this request belongs to: all parameters but `cursor` and `limit`.
    pub(super) fn scope(&self) -> &str {
        &self.scope
    }

    pub(super) fn take(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let at = self.left.iter().position(|(found, _)| found == name)?;
        Some(self.left.remove(at).1)
    }

    /// A canonical decimal.
    pub(super) fn number(&mut self, name: &'static str) -> Result<Option<u64>, Problem> {
        let parse = |text: String| parse_decimal(&text).map_err(|error| invalid(format!("`{name}`: {error}.")));
        self.take(name).map(parse).transpose()
    }

    /// `true` or `false`; absent is false.
    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool, Problem> {
        match self.take(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(invalid(format!("`{name}` is true or false."))),
        }
    }

    /// Items in a page.
    pub(super) fn limit(&mut self) -> Result<usize, Problem> {
        let limit = self.number("limit")?.map_or(DEFAULT_LIMIT, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        if (1..=MAX_LIMIT).contains(&limit) {
            return Ok(limit);
        }
        Err(invalid(format!("`limit` is 1 to {MAX_LIMIT}.")).with("limit", MAX_LIMIT))
    }

    /// `issuer` and `type`.
    pub(super) fn trail_filter(&mut self) -> Result<TrailFilter, Problem> {
        Ok(TrailFilter { issuer: self.trail_issuer()?, claim_type: self.claim_type()? })
    }

    /// `issuer`.
    pub(super) fn trail_issuer(&mut self) -> Result<Option<String>, Problem> {
        self.take("issuer").map(|text| issuer_id(&text)).transpose()
    }

    /// `type`.
    pub(super) fn claim_type(&mut self) -> Result<Option<String>, Problem> {
        self.take("type").map(|text| claim_type(&text)).transpose()
    }

    /// `id`, as `scheme:value`.
    pub(super) fn found_id(&mut self) -> Result<Option<FoundId>, Problem> {
        let message = "`id` is scheme:value with a scheme of product ids (gtin, purl, cpe23, …) or `vulnerability`, and a \
                       value of that scheme.";
        self.take("id").map(|text| FoundId::parse(&text).ok_or_else(|| invalid(message))).transpose()
    }

    /// Refuses what nobody asked for.
    pub(super) fn finish(self) -> Result<(), Problem> {
        match self.left.first() {
            None => Ok(()),
            Some((name, _)) if self.known.is_empty() => {
                Err(invalid(format!("There is no parameter `{}` here; this path takes none.", shown(name))))
            }
            Some((name, _)) => {
                let known = self.known.join(", ");
                Err(invalid(format!("There is no parameter `{}` here; known are: {known}.", shown(name))))
            }
        }
    }
}

/// Names are the client's invention; a long one is cut.
fn shown(name: &str) -> String {
    name.chars().take(40).collect()
}

/// Refuses all parameters.
pub(super) fn none(uri: &Uri) -> Result<(), Problem> {
    Params::parse(uri)?.finish()
}

pub(super) fn issuer_id(text: &str) -> Result<String, Problem> {
    match IssuerId::parse(text) {
        Ok(id) => Ok(id.as_str().to_owned()),
        Err(error) => Err(invalid(format!("{error}."))),
    }
}

fn claim_type(text: &str) -> Result<String, Problem> {
    if ClaimType::known(text).is_some() || (text.contains(':') && !text.contains('\0')) {
        return Ok(text.to_owned());
    }
    let known = ClaimType::KNOWN.map(|known| known.as_str().to_owned()).join(", ");
    Err(invalid(format!("`type` is one of {known}, or an absolute URI.")))
}

pub(super) fn claim_id(text: &str) -> Result<ClaimId, Problem> {
    ClaimId::parse(text).map_err(|error| invalid(format!("{error}.")))
}

pub(super) fn leaf_index(text: &str) -> Result<LeafIndex, Problem> {
    parse_decimal(text).map(LeafIndex).map_err(|error| invalid(format!("The index is {error}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Result<Params, Problem> {
        Params::parse(&format!("/v1/x?{query}").parse().expect("a URI"))
    }

    #[test]
    fn unknown_doubled_and_malformed_parameters_are_refused() {
        let mut good = params("limit=7&issuer=acme.example").expect("parses");
        assert_eq!(good.limit().expect("in range"), 7);
        assert_eq!(good.trail_filter().expect("valid").issuer.as_deref(), Some("acme.example"));
        good.finish().expect("nothing left");
        for (query, message) in [
            ("isuer=x", "no parameter `isuer`"),
            ("limit=1&limit=2", "`limit` is given twice"),
            ("limit=0", "1 to 200"),
            ("limit=201", "1 to 200"),
            ("limit=07", "canonical"),
            ("issuer=ACME", "not an issuer id"),
            ("type=suport/v1", "`type` is one of"),
            ("id=gtin:12", "`id` is scheme:value"),
        ] {
            let read = |mut params: Params| {
                params.limit()?;
                params.trail_filter()?;
                params.found_id()?;
                params.finish()
            };
            let problem = params(query).and_then(read).expect_err(query);
            assert_eq!(problem.code(), Code::RequestInvalid);
            assert!(problem.detail().contains(message), "{query}: {}", problem.detail());
        }
    }

    #[test]
    fn the_scope_is_the_filters_in_one_order() {
        let scope = |query| params(query).expect("parses").scope().to_owned();
        assert_eq!(scope("b=2&a=1&cursor=x&limit=3"), scope("a=1&b=2"));
        assert_ne!(scope("a=1"), scope("a=2"));
    }
}
