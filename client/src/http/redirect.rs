//! Where a server may send on to: itself. Whoever serves a log or is a peer must not make this program ask others, least of all
//! addresses that only this machine can reach.

use reqwest::Url;
use reqwest::redirect::Policy;

/// A server that moved a path needs one, a server that also wants TLS two.
const MOST_REDIRECTS: usize = 3;

/// Follows what stays on the server, also from `http` at its usual port to `https` at its usual port.
pub(super) fn same_server() -> Policy {
    Policy::custom(|attempt| {
        let from = attempt.previous().last();
        if attempt.previous().len() > MOST_REDIRECTS {
            return attempt.error("the server sends on and on");
        }
        match from.is_some_and(|from| is_same_server(from, attempt.url())) {
            true => attempt.follow(),
            false => {
                let why = format!("the server sends on to another one, {}", shown(attempt.url()));
                attempt.error(why)
            }
        }
    })
}

fn shown(url: &Url) -> String {
    format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default())
}

fn is_same_server(from: &Url, to: &Url) -> bool {
    let place = |url: &Url| (url.scheme().to_owned(), url.port_or_known_default());
    let is_upgrade = place(from) == ("http".to_owned(), Some(80)) && place(to) == ("https".to_owned(), Some(443));
    from.host() == to.host() && (place(from) == place(to) || is_upgrade)
}

#[cfg(test)]
mod tests {
    use wiremock::matchers::path;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;
    use crate::error::ErrorKind;
    use crate::http::Http;

    #[test]
    fn a_server_is_a_scheme_a_host_and_a_port() {
        let same = |from: &str, to: &str| is_same_server(&Url::parse(from).unwrap(), &Url::parse(to).unwrap());
        assert!(same("https://log.example/a", "https://log.example:443/b"));
        assert!(same("http://log.example/a", "https://log.example/a"), "TLS from now on");
        for (from, to) in [
            ("https://log.example/", "http://log.example/"),
            ("http://log.example:8080/", "https://log.example/"),
            ("http://log.example/", "https://log.example:8443/"),
            ("https://log.example/", "https://log.example.evil.example/"),
            ("http://127.0.0.1:8090/", "http://127.0.0.1:8091/"),
            ("https://log.example/", "http://169.254.169.254/"),
        ] {
            assert!(!same(from, to), "{from} {to}");
        }
    }

    #[tokio::test]
    async fn nobody_sends_this_program_elsewhere() {
        let (server, other) = (MockServer::start().await, MockServer::start().await);
        let secret = ResponseTemplate::new(200).set_body_string("secret");
        Mock::given(path("/inside")).respond_with(secret).expect(0).mount(&other).await;
        for (from, to) in [("/out", format!("{}/inside", other.uri())), ("/in", "/here".to_owned())] {
            let sent = ResponseTemplate::new(307).insert_header("location", to.as_str());
            Mock::given(path(from)).respond_with(sent).mount(&server).await;
        }
        Mock::given(path("/here")).respond_with(ResponseTemplate::new(200).set_body_string("yes")).mount(&server).await;
        let http = Http::new(&server.uri()).unwrap().with_deadline(std::time::Duration::ZERO);
        assert_eq!(http.get("/in", 10).await.unwrap().body, "yes");
        let error = http.get("/out", 10).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable);
        assert!(error.message.contains("another one"), "{error}");
    }
}
