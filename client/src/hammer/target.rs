//! Where requests go, and the bytes that every request begins with.

use crate::error::Error;

/// A server's address, taken apart once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// The name or address to connect to; IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What stands before the server's own paths; empty or beginning with a slash, never ending with one.
    pub prefix: String,
}

impl Target {
    /// Takes an `http` or `https` URL apart.
    pub fn parse(url: &str) -> Result<Target, Error> {
        let wrong = |why: &str| {
            Error::usage(format!("{url:?} is not the address of a server: {why}; it looks like http://127.0.0.1:8080"))
        };
        let parsed = reqwest::Url::parse(url).map_err(|e| wrong(&e.to_string()))?;
        let tls = match parsed.scheme() {
            "http" => false,
            "https" => true,
            other => return Err(wrong(&format!("{other} is not spoken here"))),
        };
        if parsed.query().is_some() || parsed.fragment().is_some() || !parsed.username().is_empty() {
            return Err(wrong("it has more than a host, a port and a path"));
        }
        let host = parsed.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it has no host"))?;
        let port = parsed.port_or_known_default().ok_or_else(|| wrong("it has no port"))?;
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Target { tls, host, port, prefix: parsed.path().trim_end_matches('/').to_owned() })
    }

    /// The URL again, without a slash at the end.
    pub fn base(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority(), self.prefix)
    }

    /// The value of the `Host` header.
    fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// A whole GET request.
    pub(super) fn get(&self, path: &str) -> Vec<u8> {
        let mut request = self.begin("GET", path);
        request.extend_from_slice(b"\r\n");
        request
    }

    /// A POST request up to the number in `content-length`.
    pub(super) fn post(&self, path: &str, content_type: &str) -> Vec<u8> {
        let mut request = self.begin("POST", path);
        request.extend_from_slice(format!("content-type: {content_type}\r\ncontent-length: ").as_bytes());
        request
    }

    /// The head of a POST request whose body comes in chunks.
    pub(super) fn post_chunked(&self, path: &str, content_type: &str) -> Vec<u8> {
        let mut request = self.begin("POST", path);
        request.extend_from_slice(
            format!("content-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n").as_bytes(),
        );
        request
    }

    fn begin(&self, method: &str, path: &str) -> Vec<u8> {
        let path = path.trim_start_matches('/');
        let agent = concat!("claimtrail-hammer/", env!("CARGO_PKG_VERSION"));
        let (prefix, host) = (&self.prefix, self.authority());
        format!("{method} {prefix}/{path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: {agent}\r\n").into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart_and_put_together() {
        for (url, host, port, prefix) in [
            ("http://127.0.0.1:8080/", "127.0.0.1", 8080, ""),
            ("https://log.example", "log.example", 443, ""),
            ("http://[::1]:81/a/b/", "::1", 81, "/a/b"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!((target.host.as_str(), target.port, target.prefix.as_str()), (host, port, prefix), "{url}");
            assert_eq!(Target::parse(&target.base()).unwrap(), target);
        }
        for bad in ["", "log.example", "ftp://x", "http://x/?a", "http://u@x"] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn requests_are_whole() {
        let target = Target::parse("http://[::1]:81/a").unwrap();
        let text = String::from_utf8(target.get("/checkpoint")).unwrap();
        assert!(text.starts_with("GET /a/checkpoint HTTP/1.1\r\nhost: [::1]:81\r\n") && text.ends_with("\r\n\r\n"));
    }
}
