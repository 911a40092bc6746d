//! The operator's side of gossip: peers, and the ways out.

use std::net::IpAddr;
use std::num::NonZeroU64;
use std::time::Duration;

use client::Error;
use client::egress::Egress;
use client::http::Http;
use proto::note::{SignatureType, Verifier, Vkey};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use service::client_addr::{Network, TrustedProxies};

/// How often peers are asked for what a push did not bring, and logs are looked at by another way out.
const DEFAULT_EVERY: NonZeroU64 = NonZeroU64::new(10).expect("not zero");
/// How long one answer of a peer may take. It is a head, a proof or a page of heads.
const DEFAULT_ANSWER: NonZeroU64 = NonZeroU64::new(10).expect("not zero");
/// Peers at most: with more of them each head would be sent more often than it is worth.
const MOST_PEERS: usize = 64;

/// Another monitor.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerConfig {
    /// Its name: that of its witness key, or the `gossip.name` that its operator set.
    pub name: String,
    /// Its public address.
    #[serde(deserialize_with = "address")]
    pub url: String,
    /// Its witness key, a vkey of type 04: with it its signed statements are taken.
    #[serde(default, deserialize_with = "key")]
    pub vkey: Option<String>,
    /// The way out to it; `direct` if absent.
    #[serde(default)]
    pub egress: Egress,
    /// Addresses or networks that its requests come from. From there a request that names it is this peer's: it counts at the rate
    /// of a peer, what it brings is said to be the peer's, and shows that the peer is there. Absent: the address in `url`, if it is
    /// written there as a number; with a name in `url` no request counts as the peer's, since names are not looked up. What comes
    /// from elsewhere is taken like anybody's, and what a peer has is asked of it at its `url` all the same.
    #[serde(default)]
    pub addresses: TrustedProxies,
}

/// How peers and logs are asked for what others were shown.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GossipConfig {
    /// The name that this monitor has among its peers; that of its witness key if absent.
    pub name: Option<String>,
    /// Seconds between two looks: at what a peer has, and at a log by the next way out.
    pub every_seconds: NonZeroU64,
    /// How many peers may be bad: lie, or not know of this witness's last cosignature. A witness that does not know itself what
    /// it cosigned last goes on when more peers than these have answered. Half of those with a `vkey` if absent, at least one.
    pub bad_peers: Option<usize>,
    /// Whether the witness cosigns after a start before more peers than may be bad have said what they know of its last
    /// cosignature. A machine that was put back whole cannot be told from one that was not; with `false` it signs nothing below
    /// what it signed before, and nothing at all until so many peers answer.
    pub cosign_before_peers_answer: bool,
    /// Seconds in which a peer's answer must have come in full.
    pub answer_seconds: NonZeroU64,
    /// The ways out to logs: `direct`, or `socks5://host:port`. Logs are followed by the first; in turn each of them is used to
    /// look at the head that is shown there.
    #[serde(deserialize_with = "some_way")]
    pub egress: Vec<Egress>,
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let url = String::deserialize(deserializer)?;
    Http::check(&url).map_err(|e| D::Error::custom(e.message))?;
    Ok(url)
}

fn key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.as_deref().map(witness_key).transpose().map_err(D::Error::custom)?;
    Ok(text)
}

fn some_way<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Egress>, D::Error> {
    let ways = Vec::<Egress>::deserialize(deserializer)?;
    match ways.is_empty() {
        true => Err(D::Error::custom("an empty list is no way out; leave it away for \"direct\"")),
        false => Ok(ways),
    }
}

/// A vkey with which cosignatures can be checked.
fn witness_key(text: &str) -> Result<Vkey, String> {
    let vkey = Vkey::parse(text).map_err(|e| e.to_string())?;
    Verifier::new(&vkey).map_err(|e| e.to_string())?;
    match vkey.signature_type() {
        SignatureType::CosignatureV1 => Ok(vkey),
        other => Err(format!("it is of type {other}; a witness's is of type 04")),
    }
}

impl Default for GossipConfig {
    fn default() -> GossipConfig {
        GossipConfig {
            name: None,
            every_seconds: DEFAULT_EVERY,
            bad_peers: None,
            cosign_before_peers_answer: true,
            answer_seconds: DEFAULT_ANSWER,
            egress: vec![Egress::Direct],
        }
    }
}

impl GossipConfig {
    /// The way out by which logs are followed.
    pub fn first_way(&self) -> Egress {
        self.egress.first().cloned().unwrap_or_default()
    }

    /// How many of so many peers may be bad.
    pub fn bad_of(&self, peers: usize) -> usize {
        self.bad_peers.unwrap_or((peers / 2).max(1))
    }

    /// How many of so many peers are to answer at a start: more than may be bad, or all that there are.
    pub fn needed_of(&self, peers: usize) -> usize {
        self.bad_of(peers).saturating_add(1).min(peers)
    }

    /// Whether so many peers with a key are enough for what is asked of them.
    ///
    /// # Errors
    /// When they can never be.
    pub fn check_peers(&self, peers: usize) -> Result<(), Error> {
        if self.cosign_before_peers_answer || peers > self.bad_of(peers) {
            return Ok(());
        }
        Err(Error::malformed(format!(
            "gossip.cosign_before_peers_answer = false needs answers of {} peers, and {peers} with a vkey of their own are named: \
             nothing would ever be cosigned. Name more with their vkeys, or set gossip.bad_peers",
            self.bad_of(peers).saturating_add(1)
        )))
    }

    /// Between two looks.
    pub fn every(&self) -> Duration {
        Duration::from_secs(self.every_seconds.get())
    }

    /// For one answer.
    pub fn answer(&self) -> Duration {
        Duration::from_secs(self.answer_seconds.get())
    }
}

impl PeerConfig {
    /// Its witness key.
    ///
    /// # Errors
    /// When it is none, or of a type that makes no cosignatures.
    pub fn key(&self) -> Result<Option<Vkey>, Error> {
        let Some(text) = &self.vkey else { return Ok(None) };
        let wrong = |why: String| Error::malformed(format!("the vkey of the peer {}: {why}", self.name));
        witness_key(text).map(Some).map_err(wrong)
    }

    /// Whether no request can be told to be this peer's.
    pub fn sends_from_anywhere(&self) -> bool {
        self.addresses.0.is_empty() && self.url_network().is_none()
    }

    /// Whether a request from this address may be this peer's.
    pub fn sends_from(&self, address: IpAddr) -> bool {
        if !self.addresses.0.is_empty() {
            return self.addresses.contains(address);
        }
        self.url_network().is_some_and(|network| network.contains(address))
    }

    /// The address in the URL, if it is a number.
    fn url_network(&self) -> Option<Network> {
        let rest = self.url.split_once("://")?.1;
        let authority = rest.split('/').next()?;
        let host = match authority.strip_prefix('[') {
            Some(v6) => v6.split(']').next()?,
            None => authority.split(':').next()?,
        };
        host.parse().ok()
    }
}

/// Names are told apart, and there are not too many.
///
/// # Errors
/// Otherwise.
pub fn check(peers: &[PeerConfig]) -> Result<(), Error> {
    if peers.len() > MOST_PEERS {
        return Err(Error::malformed(format!("there are {} [[peer]] entries; {MOST_PEERS} are the most", peers.len())));
    }
    for (number, peer) in peers.iter().enumerate() {
        if peer.name.is_empty() || peers[..number].iter().any(|other| other.name == peer.name) {
            return Err(Error::malformed(format!("[[peer]] number {}: its name is empty or another's", number + 1)));
        }
        peer.key()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_used_is_refused_when_it_is_read() {
        // Of a test key; the first is a log's.
        let (log, witness) = (vkey(SignatureType::Ed25519), vkey(SignatureType::CosignatureV1));
        let peer = |url: &str, vkey: &str| {
            serde_json::from_value::<PeerConfig>(json!({ "name": "a", "url": url, "vkey": vkey }))
        };
        assert!(peer("https://a.example/x", &witness).is_ok());
        for (url, vkey, why) in [
            ("ftp://a.example", &witness, "address"),
            ("a.example", &witness, "URL"),
            ("https://a.example?x", &witness, "address"),
            ("https://a.example", &log, "type 04"),
            ("https://a.example", &"nonsense".to_owned(), "vkey"),
        ] {
            let error = peer(url, vkey).unwrap_err().to_string();
            assert!(error.contains(why), "{url} {vkey}: {error}");
        }
        let ways = |ways: serde_json::Value| serde_json::from_value::<GossipConfig>(json!({ "egress": ways }));
        assert!(ways(json!([])).unwrap_err().to_string().contains("no way out"));
        assert_eq!(ways(json!(["direct"])).unwrap().first_way(), Egress::Direct);
    }

    fn vkey(kind: SignatureType) -> String {
        use proto::cosignature::Cosigner;
        use proto::ed25519::SecretKey;
        use proto::note::{KeyName, NoteSigner};
        let (name, key) = (KeyName::parse("a.example").unwrap(), SecretKey::from_seed(&[1; 32]));
        match kind {
            SignatureType::CosignatureV1 => Cosigner::new(name, key).unwrap().vkey().to_string(),
            _ => NoteSigner::new(name, key).vkey().to_string(),
        }
    }

    fn peer(url: &str, addresses: &[&str]) -> PeerConfig {
        PeerConfig {
            name: "a".into(),
            url: url.into(),
            vkey: None,
            egress: Egress::Direct,
            addresses: TrustedProxies(addresses.iter().map(|text| text.parse().unwrap()).collect()),
        }
    }

    #[test]
    fn a_peer_is_known_by_where_it_sends_from() {
        let address: IpAddr = "192.0.2.7".parse().unwrap();
        assert!(peer("http://192.0.2.7:8090/x", &[]).sends_from(address));
        assert!(!peer("http://192.0.2.8:8090", &[]).sends_from(address));
        assert!(!peer("https://monitor.example", &[]).sends_from(address), "a name is not looked up");
        assert!(peer("https://monitor.example", &["192.0.2.0/24"]).sends_from(address));
        assert!(!peer("http://192.0.2.7", &["198.51.100.1"]).sends_from(address), "what is written counts");
        assert!(peer("http://[2001:db8::1]:80/", &[]).sends_from("2001:db8::1".parse().unwrap()));
        assert!(peer("https://monitor.example", &[]).sends_from_anywhere());
        let known = [peer("http://192.0.2.7", &[]), peer("https://monitor.example", &["192.0.2.0/24"])];
        assert!(!known.iter().any(PeerConfig::sends_from_anywhere));
    }

    #[test]
    fn names_are_told_apart() {
        assert!(check(&[peer("http://a", &[]), peer("http://b", &[])]).is_err());
        assert!(check(&[peer("http://a", &[])]).is_ok());
        let bad = PeerConfig { vkey: Some("nonsense".into()), ..peer("http://a", &[]) };
        assert!(bad.key().unwrap_err().message.contains("peer a"));
    }
}
