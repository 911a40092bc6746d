//! Alerts by mail, over SMTP with TLS.
//!
//! The server's answer that it took the mail acknowledges the alert. The `Message-ID` is the same for every try. The connection
//! goes to an address that was checked, and the certificate must be the server's name's.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use client::{Error, files};
use lettre::message::{Mailbox, Message, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{SmtpTransport, Transport as _};
use serde::Deserialize;

use super::{How, NotTaken, Places};
use crate::alert::address::{Allowed, resolve};
use crate::alert::message::Alert;

/// A password is a line.
const MAX_PASSWORD_BYTES: usize = 4096;

/// Some hundred certificates.
const MAX_CA_BYTES: usize = 1 << 20;

/// Characters of a subject: more is cut by readers of mail anyway.
const MAX_SUBJECT_CHARS: usize = 160;

/// How the connection is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// STARTTLS; without it nothing is sent. Port 587 unless set.
    #[default]
    Starttls,
    /// TLS from the first byte. Port 465 unless set.
    Tls,
    /// None: for a server on this machine or in a private network. Port 25 unless set.
    None,
}

/// The server, the addresses and the credentials.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpConfig {
    /// The server's name or address.
    pub server: String,
    /// Its port, if it is not the usual one.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is protected: `starttls`, `tls`, or `none` with `allow_private = true`.
    #[serde(default)]
    pub security: Security,
    /// A file with certificates in PEM: the server's must be of one of these authorities, and the system's are not asked. For a
    /// mail server with an authority of its own.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Who logs in; nobody unless set.
    #[serde(default)]
    pub user: Option<String>,
    /// The file with the password, a line that only its owner can read (mode 0600).
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// From whom.
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
}

/// The way by mail.
#[derive(Debug, Clone)]
pub struct Mail {
    server: String,
    port: u16,
    security: Security,
    /// Whose certificates are believed; the system's authorities if nobody is named.
    authorities: Option<Certificate>,
    allowed: Allowed,
    timeout: Duration,
    places: Places,
    credentials: Option<Credentials>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mail {
    /// Checks what can be checked without the server.
    pub fn new(smtp: Option<&SmtpConfig>, allow_private: bool, timeout: Duration) -> Result<Mail, Error> {
        let bad = |text: String| Error::malformed(text);
        let smtp = smtp.ok_or_else(|| bad("give `smtp`, with `server`, `from` and `to`".to_owned()))?;
        let mailbox =
            |text: &String| text.parse::<Mailbox>().map_err(|e| bad(format!("{text:?} is no mail address: {e}")));
        if smtp.to.is_empty() {
            return Err(bad("`smtp.to` names nobody".to_owned()));
        }
        if smtp.security == Security::None && !allow_private {
            let text =
                "without TLS mail goes to private addresses only: set `allow_private = true`, or another `security`";
            return Err(bad(text.to_owned()));
        }
        let authorities = smtp.ca_file.as_deref().map(|path| authorities(path, smtp)).transpose()?;
        let credentials = match (&smtp.user, &smtp.password_file) {
            (Some(user), Some(path)) => {
                check_mode(path)?;
                let password = files::read(path, MAX_PASSWORD_BYTES)?;
                let password =
                    String::from_utf8(password).map_err(|_| bad(format!("{} is no text", path.display())))?;
                Some(Credentials::new(user.clone(), password.trim_end_matches(['\r', '\n']).to_owned()))
            }
            (None, None) => None,
            _ => return Err(bad("`smtp.user` and `smtp.password_file` go together".to_owned())),
        };
        let usual = match smtp.security {
            Security::Starttls => 587,
            Security::Tls => 465,
            Security::None => 25,
        };
        Ok(Mail {
            server: smtp.server.clone(),
            port: smtp.port.unwrap_or(usual),
            security: smtp.security,
            authorities,
            allowed: match (smtp.security, allow_private) {
                (Security::None, _) => Allowed::Local,
                (_, true) => Allowed::Any,
                (_, false) => Allowed::Public,
            },
            timeout,
            places: Places::default(),
            credentials,
            from: mailbox(&smtp.from)?,
            to: smtp.to.iter().map(mailbox).collect::<Result<_, _>>()?,
        })
    }

    /// Sends the alert and waits until the server has taken it.
    pub async fn send(&self, alert: &Alert) -> Result<(), NotTaken> {
        let message = self.message(alert)?;
        let addresses = resolve(&self.server, self.port, self.allowed).await.map_err(NotTaken::because)?;
        client::http::install_tls();
        let (mail, place) = (self.clone(), self.places.take()?);
        let send = move || {
            let _place = place; // this thread may outlive the time for the whole
            mail.send_to(&addresses, &message)
        };
        let lost = |e: tokio::task::JoinError| Err(NotTaken::because(format!("the try failed: {e}")));
        tokio::task::spawn_blocking(send).await.unwrap_or_else(lost)
    }

    fn send_to(&self, addresses: &[SocketAddr], message: &Message) -> Result<(), NotTaken> {
        let no = |how: How, why: &str| {
            let message = format!("{} did not take the mail: {}", self.server, why.escape_debug());
            Err(NotTaken::because(message).seen(how))
        };
        let mut last = "it has no address".to_owned();
        for address in addresses {
            let transport = match self.transport(&address.ip().to_string()) {
                Ok(transport) => transport,
                Err(why) => return no(How::NotReached, &why),
            };
            match transport.send(message) {
                Ok(_) => return Ok(()),
                // Another address helps only if this one was not reached.
                Err(e) if e.is_permanent() => return no(How::Refused, &client::http::chain(&e)),
                Err(e) if e.status().is_some() => return no(How::Failed, &client::http::chain(&e)),
                Err(e) => last = client::http::chain(&e),
            }
        }
        no(How::NotReached, &last)
    }

    fn message(&self, alert: &Alert) -> Result<Message, NotTaken> {
        let subject: String =
            format!("[{}] {}", alert.severity.name(), alert.subject).chars().take(MAX_SUBJECT_CHARS).collect();
        let domain = self.from.email.domain();
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .message_id(Some(format!("<{}@{domain}>", alert.token())))
            .header(header::ContentType::TEXT_PLAIN);
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        builder.body(alert.to_text()).map_err(|e| NotTaken::because(format!("the mail cannot be written: {e}")))
    }

    fn transport(&self, address: &str) -> Result<SmtpTransport, String> {
        let parameters = || parameters(&self.server, self.authorities.as_ref()).map_err(|e| client::http::chain(&e));
        let tls = match self.security {
            Security::Starttls => Tls::Required(parameters()?),
            Security::Tls => Tls::Wrapper(parameters()?),
            Security::None => Tls::None,
        };
        // `dangerous` is the name of a builder that decides nothing itself; TLS is decided above.
        let mut builder = SmtpTransport::builder_dangerous(address)
            .port(self.port)
            .tls(tls)
            .hello_name(ClientId::Domain(self.from.email.domain().to_owned()))
            .timeout(Some(self.timeout));
        if let Some(credentials) = &self.credentials {
            builder = builder.credentials(credentials.clone());
        }
        Ok(builder.build())
    }
}

/// What the server's certificate must be.
fn parameters(
    server: &str,
    authorities: Option<&Certificate>,
) -> Result<TlsParameters, lettre::transport::smtp::Error> {
    let builder = TlsParameters::builder(server.to_owned());
    match authorities {
        Some(certificate) => {
            builder.certificate_store(CertificateStore::None).add_root_certificate(certificate.clone()).build()
        }
        None => builder.build(),
    }
}

/// The certificates of a file, which can be used to check a server's.
fn authorities(path: &std::path::Path, smtp: &SmtpConfig) -> Result<Certificate, Error> {
    if smtp.security == Security::None {
        return Err(Error::malformed("`smtp.ca_file` means nothing without TLS: `security` is \"none\""));
    }
    let pem = files::read(path, MAX_CA_BYTES)?;
    let bad = |why: String| Error::malformed(format!("the certificates in {} cannot be used: {why}", path.display()));
    let has = |line: &[u8]| pem.windows(line.len()).any(|window| window == line);
    if !PEM_EDGES.into_iter().all(has) {
        return Err(bad("none in it is whole PEM".to_owned()));
    }
    let certificate = Certificate::from_pem(&pem).map_err(|e| bad(client::http::chain(&e)))?;
    client::http::install_tls();
    parameters(&smtp.server, Some(&certificate)).map_err(|e| bad(client::http::chain(&e)))?;
    Ok(certificate)
}

/// How a certificate in PEM begins and ends.
const PEM_EDGES: [&[u8]; 2] = [b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"];

/// A file that others can read is refused: whoever could read it may have the password.
fn check_mode(path: &std::path::Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = std::fs::metadata(path)
        .map_err(|e| Error::local(format!("the password file {} cannot be read: {e}", path.display())))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let message = format!(
            "{0} can be read or written by others (mode {mode:04o}); run `chmod 600 {0}`, and change the password",
            path.display()
        );
        return Err(Error::malformed(message));
    }
    Ok(())
}
