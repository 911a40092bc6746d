//! Alerts for a program elsewhere: a signed POST, in the form of the Standard Webhooks specification.
//!
//! | header | what |
//! |---|---|
//! | `webhook-id` | the same for every try: whoever has seen it drops a repeat |
//! | `webhook-timestamp` | when this try was signed, in seconds since 1970 |
//! | `webhook-signature` | `v1a,` and the Ed25519 signature in base64 over id, `.`, timestamp, `.`, body |
//!
//! An answer of 200 to 299 acknowledges the alert. No redirect is followed and no proxy asked, and the connection goes to an
//! address that was checked ([`crate::alert::address`]).

use std::path::Path;
use std::time::Duration;

use client::http::{USER_AGENT, chain, install_tls, retry_after};
use client::{Error, keyfile};
use proto::ed25519::SecretKey;
use proto::num::Millis;
use reqwest::{StatusCode, Url};

use super::{How, NotTaken};
use crate::alert::address::{Allowed, resolve};
use crate::alert::message::Alert;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a refusal that are shown to the operator: a line that says why.
const MAX_SHOWN_BYTES: usize = 300;

/// What the public key begins with where it is written as text, by the Standard Webhooks specification.
const PUBLIC_PREFIX: &str = "whpk_";

/// Where to, and the key that signs.
pub struct Webhook {
    url: Url,
    host: String,
    port: u16,
    allowed: Allowed,
    timeout: Duration,
    key: SecretKey,
}

impl Webhook {
    /// Checks the address, not whether anybody answers there.
    pub fn new(url: Option<&str>, key: &Path, allow_private: bool, timeout: Duration) -> Result<Webhook, Error> {
        let bad = |why: &str| Error::malformed(format!("`url`: {why}; it looks like https://alerts.example/hook"));
        let url = url.ok_or_else(|| bad("it is missing"))?;
        let url = Url::parse(url).map_err(|e| bad(&e.to_string()))?;
        let allowed = match url.scheme() {
            "https" if allow_private => Allowed::Any,
            "https" => Allowed::Public,
            "http" if allow_private => Allowed::Local,
            "http" => return Err(bad("without TLS alerts go to private addresses only, with `allow_private = true`")),
            _ => return Err(bad("only https is sent to")),
        };
        let host = url.host_str().ok_or_else(|| bad("it names no host"))?.to_owned();
        let port = url.port_or_known_default().ok_or_else(|| bad("it names no port"))?;
        let key = keyfile::load(key).map_err(|e| Error {
            message: format!("webhooks are signed: {}; `claimtrail-monitor alert key` makes the key", e.message),
            ..e
        })?;
        Ok(Webhook { url, host, port, allowed, timeout, key })
    }

    /// Sends the alert and waits for the answer.
    pub async fn send(&self, alert: &Alert, now: Millis) -> Result<(), NotTaken> {
        let addresses = resolve(&self.host, self.port, self.allowed).await.map_err(NotTaken::because)?;
        install_tls();
        let client = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(self.timeout)
            .resolve_to_addrs(&self.host, &addresses)
            .build()
            .map_err(|e| NotTaken::because(format!("TLS cannot be set up: {}", chain(&e))))?;
        let (id, time, body) = (alert.token(), now.seconds().0.to_string(), alert.to_json());
        let signature = signature(&self.key, &id, &time, &body);
        let request = client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", time)
            .header("webhook-signature", signature)
            .body(body);
        // The address may hold a secret: it is kept out of what is shown.
        let lost = |e: reqwest::Error| {
            // Without an answer over a connection that stands: a gateway may have cut it for what it read.
            let how = if e.is_connect() { How::NotReached } else { How::Failed };
            NotTaken::because(format!("{} cannot be reached: {}", self.host, chain(&e.without_url()))).seen(how)
        };
        let answer = request.send().await.map_err(lost)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let wait = retry_after(answer.headers());
        let said = beginning(answer).await;
        let how = if is_refusal(status) { How::Refused } else { How::Failed };
        Err(NotTaken { how, message: format!("{} answers {status}{said}", self.host), wait })
    }
}

/// Whether a status says that this very request is not taken, now or later.
fn is_refusal(status: StatusCode) -> bool {
    let later = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    status.is_client_error() && !later.contains(&status)
}

/// The value of `webhook-signature`.
fn signature(key: &SecretKey, id: &str, time: &str, body: &str) -> String {
    let signature = key.sign(format!("{id}.{time}.{body}").as_bytes());
    format!("v1a,{}", proto::b64::encode(signature.0))
}

/// The public half of the key in a file, as receivers need it.
pub fn public_key(path: &Path) -> Result<String, Error> {
    Ok(format!("{PUBLIC_PREFIX}{}", proto::b64::encode(keyfile::load_public(path)?.to_raw())))
}

/// The beginning of a refusal, in printable form.
async fn beginning(mut answer: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_SHOWN_BYTES
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        bytes.extend_from_slice(&chunk[..chunk.len().min(MAX_SHOWN_BYTES)]);
    }
    bytes.truncate(MAX_SHOWN_BYTES);
    let text = String::from_utf8_lossy(&bytes);
    if text.trim().is_empty() { String::new() } else { format!(": {}", text.trim().escape_debug()) }
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("host", &self.host).finish_non_exhaustive()
    }
}
