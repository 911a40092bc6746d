//! For whom the admin address answers: a request names an IP address, `localhost`, or a host that the operator named.
//!
//! A page in a browser of the operator's network can have its own name lead to this address (DNS rebinding) and then read what
//! is here as its own. Its requests still name that host.

use std::net::IpAddr;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::header::HOST;
use http::uri::Authority;
use proto::code::Code;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::problem::Problem;

/// What may stand in a DNS name besides letters and digits.
const OF_NAMES: [char; 3] = ['.', '-', '_'];

/// Names under which the admin address is asked besides `localhost` and IP addresses: `listen.admin_hosts`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdminHosts(Vec<String>);

impl AdminHosts {
    /// Whether a request for this `host` or `host:port` is meant for this address.
    fn takes(&self, authority: &str) -> bool {
        let Ok(authority) = authority.parse::<Authority>() else { return false };
        if authority.as_str().contains('@') {
            return false;
        }
        let host = authority.host();
        let number = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let name = host.strip_suffix('.').unwrap_or(host);
        number.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.0.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

impl<'de> Deserialize<'de> for AdminHosts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AdminHosts, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let is_name = |name: &String| {
            !name.is_empty()
                && !name.ends_with('.')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || OF_NAMES.contains(&c))
        };
        match names.iter().find(|name| !is_name(name)) {
            Some(bad) => Err(D::Error::custom(format!("{bad:?} is no DNS name; give it without a port"))),
            None => Ok(AdminHosts(names)),
        }
    }
}

/// Refuses what names another host with 421. HTTP/1.0 without a host is taken: no browser sends it.
pub fn guard(router: Router, hosts: AdminHosts) -> Router {
    router.layer(middleware::from_fn_with_state(hosts, check))
}

async fn check(State(hosts): State<AdminHosts>, request: Request, next: Next) -> Response {
    let in_field = request.headers().get(HOST).map(|host| host.to_str().unwrap_or_default());
    let in_target = request.uri().authority().map(Authority::as_str);
    if [in_field, in_target].into_iter().flatten().all(|host| hosts.takes(host)) {
        return next.run(request).await;
    }
    let detail = "The admin address answers requests for an IP address, for localhost, and for the names in `listen.admin_hosts` of \
                  the configuration; this one is for another host.";
    Problem::new(Code::RequestHost, detail).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(names: serde_json::Value) -> Result<AdminHosts, String> {
        serde_json::from_value(names).map_err(|e| e.to_string())
    }

    #[test]
    fn addresses_localhost_and_named_hosts_are_meant() {
        let hosts = hosts(serde_json::json!(["monitor.internal"])).unwrap();
        for good in [
            "127.0.0.1",
            "127.0.0.1:8091",
            "[::1]:8091",
            "192.0.2.1:80",
            "localhost",
            "LOCALHOST.:1",
            "monitor.internal:8091",
            "Monitor.Internal",
        ] {
            assert!(hosts.takes(good), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "localhost.evil.example",
            "evil.localhost",
            "127.0.0.1.evil.example",
            "a@127.0.0.1",
            "monitor.internal.evil.example",
            "127.0.0.1, evil",
            "::1",
        ] {
            assert!(!hosts.takes(bad), "{bad}");
        }
        assert!(!AdminHosts::default().takes("monitor.internal"));
    }

    #[test]
    fn only_names_are_configured() {
        for bad in ["", "a:80", "*", "a.example.", "http://a", "a b"] {
            assert!(hosts(serde_json::json!(["ok.example", bad])).unwrap_err().contains("DNS name"), "{bad:?}");
        }
    }
}
