//! A request that is sent once, whatever comes of it: for those who act on the status and try again by themselves.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;

use super::{Http, TooMuch, chain, read_body, retry_after};
use crate::error::Error;

/// An answer of any status, read in full.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The media type without its parameters, in lower case; empty when the answer has none.
    pub content_type: String,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Bytes,
}

impl Http {
    /// Posts a body once. An answer is one whatever its status; it is no answer when nothing came, or more than `limit`
    /// bytes.
    pub async fn post_once(&self, path: &str, content_type: &str, body: Bytes, limit: usize) -> Result<Reply, Error> {
        let request = self.client.post(self.url(path)).header(CONTENT_TYPE, content_type).body(body);
        let request = match self.whole {
            Some(whole) => request.timeout(whole),
            None => request,
        };
        let response = request.send().await.map_err(|error| self.broken(&error))?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let content_type = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        match read_body(response, limit, self.meter.as_deref()).await {
            Ok(body) => Ok(Reply { status, content_type, retry_after, body }),
            Err(TooMuch::Bytes(_)) => {
                Err(Error::unreachable(format!("{} answers with more than {limit} bytes", self.base)))
            }
            Err(TooMuch::Broken(error)) => Err(self.broken(&error)),
        }
    }

    fn broken(&self, error: &reqwest::Error) -> Error {
        Error::unreachable(format!("{} cannot be reached: {}", self.base, chain(error)))
    }
}

#[cfg(test)]
mod tests {
    use wiremock::matchers::path;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    #[tokio::test]
    async fn every_status_is_an_answer_and_nothing_is_sent_twice() {
        let server = MockServer::start().await;
        let conflict = ResponseTemplate::new(409).set_body_raw("7\n", "Text/X.tlog.size; charset=utf-8");
        Mock::given(path("/a")).respond_with(conflict).expect(1).mount(&server).await;
        let full = ResponseTemplate::new(503).insert_header("retry-after", "3").set_body_string("x".repeat(9));
        Mock::given(path("/b")).respond_with(full).expect(2).mount(&server).await;
        let http = Http::new(&server.uri()).unwrap();
        let reply = http.post_once("/a", "text/plain", Bytes::from_static(b"old 0\n"), 10).await.unwrap();
        assert_eq!((reply.status, reply.content_type.as_str(), &*reply.body), (409, "text/x.tlog.size", &b"7\n"[..]));
        let reply = http.post_once("/b", "text/plain", Bytes::new(), 9).await.unwrap();
        assert_eq!((reply.status, reply.retry_after), (503, Some(Duration::from_secs(3))));
        let error = http.post_once("/b", "text/plain", Bytes::new(), 8).await.unwrap_err();
        assert!(error.message.contains("more than 8 bytes"), "{error}");
    }
}
