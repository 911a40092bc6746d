//! Looking at what an issuer publishes about its keys: TXT records, or a file on its https server.
//!
//! Whoever is asked may be anyone: answers are bounded in size and time, nothing is followed elsewhere, and what was found is
//! shown with control characters escaped.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;

use crate::error::Error;
use crate::{files, http, identity};

/// A file or a set of records with the ids of a few keys, and other people's lines beside them.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
/// A bundle of certificates of authorities.
const MAX_CA_BYTES: usize = 1 << 20;

/// How to look, where the system's way is not the right one.
#[derive(Debug, Args)]
pub(super) struct Lookup {
    /// With --check, ask this DNS server, not the system's; for the TXT records and for the address of the https server
    #[arg(long, value_name = "ADDR:PORT", requires = "check", conflicts_with = "checked")]
    resolver: Option<SocketAddr>,
    /// With --check, connect to this address for the issuer's https server; its certificate must still be for the issuer's name
    #[arg(long, value_name = "ADDR:PORT", requires = "check", conflicts_with = "checked")]
    connect_to: Option<SocketAddr>,
    /// With --check, trust the authorities in this PEM file for https, not the system's
    #[arg(long, value_name = "FILE", requires = "check", conflicts_with = "checked")]
    ca_file: Option<PathBuf>,
    /// With --check, how long to wait for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    check_timeout: u64,
}

impl Lookup {
    /// The TXT records for the keys of an issuer, each with its parts joined; none is an answer too.
    pub(super) async fn txt(&self, issuer: &str) -> Result<Vec<String>, Error> {
        let name = identity::dns_name(issuer);
        let what = format!("the TXT records of {name}");
        let found = match self.in_time(&what, self.resolver()?.txt_lookup(name.as_str())).await? {
            Ok(found) => found,
            Err(e) if e.is_no_records_found() => return Ok(Vec::new()),
            Err(e) => return Err(cannot_be_had(&what, &e, "check the name, or state --checked dns")),
        };
        let texts = found.answers().iter().filter_map(|record| match &record.data {
            RData::TXT(txt) => Some(txt.to_string()),
            _ => None,
        });
        let texts: Vec<String> = texts.collect();
        let bytes: usize = texts.iter().map(String::len).sum();
        if bytes > MAX_ANSWER_BYTES {
            let message = format!("{what} have {bytes} bytes, where {MAX_ANSWER_BYTES} are the most");
            return Err(Error::unreachable(message));
        }
        Ok(texts)
    }

    /// The lines of the issuer's well-known file, and where it is.
    pub(super) async fn well_known(&self, issuer: &str) -> Result<(String, Vec<String>), Error> {
        let url = format!("https://{issuer}{}", identity::WELL_KNOWN_PATH);
        let client = self.https(issuer).await?;
        let text = self.in_time(&url, file(&client, &url)).await??;
        Ok((url, text.lines().map(str::to_owned).collect()))
    }

    fn resolver(&self) -> Result<TokioResolver, Error> {
        let fail = |e: &NetError| Error::local(format!("names cannot be looked up: {e}; give --resolver ADDR:PORT"));
        let mut builder = match self.resolver {
            None => TokioResolver::builder_tokio().map_err(|e| fail(&e))?,
            Some(server) => {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                    connection.port = server.port();
                    connection
                });
                let server = NameServerConfig::new(server.ip(), true, connections.into());
                let config = ResolverConfig::from_name_servers(vec![server]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        builder.options_mut().cache_size = 0; // one question, and the answer of now
        builder.build().map_err(|e| fail(&e))
    }

    /// A client for this one name, which follows nothing.
    async fn https(&self, issuer: &str) -> Result<reqwest::Client, Error> {
        http::install_tls();
        let mut builder = reqwest::Client::builder()
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(http::USER_AGENT);
        if let Some(path) = &self.ca_file {
            let pem = files::read(path, MAX_CA_BYTES)?;
            let authorities = reqwest::Certificate::from_pem_bundle(&pem).ok().filter(|found| !found.is_empty());
            let authorities = authorities
                .ok_or_else(|| Error::malformed(format!("{} has no certificate in PEM form", path.display())))?;
            builder = builder.tls_certs_only(authorities);
        }
        if let Some(address) = self.connect_to {
            builder = builder.no_proxy().resolve(issuer, address);
        } else if self.resolver.is_some() {
            builder = builder.no_proxy().resolve_to_addrs(issuer, &self.addresses(issuer).await?);
        }
        builder.build().map_err(|e| Error::local(format!("TLS cannot be set up: {}", http::chain(&e))))
    }

    /// The issuer's addresses by the resolver that was given; port 0 leaves the port to the URL.
    async fn addresses(&self, issuer: &str) -> Result<Vec<SocketAddr>, Error> {
        let what = format!("the address of {issuer}");
        let found = self.in_time(&what, self.resolver()?.lookup_ip(format!("{issuer}."))).await?;
        let found = found.map_err(|e| cannot_be_had(&what, &e, "check the name, or give --connect-to ADDR:PORT"))?;
        Ok(found.iter().map(|ip| SocketAddr::new(ip, 0)).collect())
    }

    /// Waits for all of it, whatever comes in between.
    async fn in_time<T>(&self, what: &str, answer: impl Future<Output = T>) -> Result<T, Error> {
        let limit = self.check_timeout;
        tokio::time::timeout(Duration::from_secs(limit), answer).await.map_err(|_| {
            Error::unreachable(format!("{what}: no whole answer within {limit} s; try again, or raise --check-timeout"))
        })
    }
}

fn cannot_be_had(what: &str, error: &NetError, advice: &str) -> Error {
    Error::unreachable(format!("{what} cannot be had: {error}; {advice}"))
}

/// A small text that must be at this very URL.
async fn file(client: &reqwest::Client, url: &str) -> Result<String, Error> {
    let advice = "check the server, or state --checked certificate";
    let fail = |e: &reqwest::Error| Error::unreachable(format!("{url} cannot be had: {}; {advice}", http::chain(e)));
    let mut response = client.get(url).send().await.map_err(|e| fail(&e))?;
    let status = response.status().as_u16();
    if (300..400).contains(&status) {
        let to = response.headers().get("location").map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
        let to = to.unwrap_or_else(|| "elsewhere".into()).escape_debug().take(200).collect::<String>();
        let message = format!("{url} answers {status} and points to {to}; the file must be there itself");
        return Err(Error::not_proven(message));
    }
    if status != 200 {
        return Err(Error::not_proven(format!("{url} answers {status}; the issuer must publish the file there")));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| fail(&e))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_ANSWER_BYTES {
            let message = format!("{url} has more than {MAX_ANSWER_BYTES} bytes, which is no list of keys");
            return Err(Error::unreachable(message));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
