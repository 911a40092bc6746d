//! By which way requests leave this machine: directly, or through a SOCKS5 proxy such as that of another network.

use std::fmt;
use std::str::FromStr;

/// A way out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Egress {
    /// As the machine is connected, with the proxies that its environment names.
    #[default]
    Direct,
    /// Through this SOCKS5 proxy, `host:port`. It also looks up names: asking for a name from here would tell who asks.
    Socks5(String),
}

impl FromStr for Egress {
    type Err = String;

    fn from_str(text: &str) -> Result<Egress, String> {
        if text == "direct" {
            return Ok(Egress::Direct);
        }
        let wrong = || format!("{text:?} is no way out; write \"direct\" or \"socks5://host:port\"");
        let proxy = text.strip_prefix("socks5://").ok_or_else(wrong)?;
        let (host, port) = proxy.rsplit_once(':').ok_or_else(wrong)?;
        let is_host = !host.is_empty() && !host.contains(['/', '@', '?', '#', ' ']);
        let is_port = !port.starts_with('+') && port.parse::<u16>().is_ok_and(|port| port > 0);
        if is_host && is_port { Ok(Egress::Socks5(proxy.to_owned())) } else { Err(wrong()) }
    }
}

impl fmt::Display for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Egress::Direct => f.write_str("direct"),
            Egress::Socks5(proxy) => write!(f, "socks5://{proxy}"),
        }
    }
}

impl<'de> serde::Deserialize<'de> for Egress {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Egress, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_out_read_back_or_say_why_not() {
        for text in ["direct", "socks5://127.0.0.1:9050", "socks5://[::1]:9050", "socks5://proxy.example:1080"] {
            assert_eq!(text.parse::<Egress>().unwrap().to_string(), text);
        }
        for bad in
            ["", "Direct", "http://a:1", "socks5://a", "socks5://:1", "socks5://a:0", "socks5://a:b", "socks5://u@a:1"]
        {
            assert!(bad.parse::<Egress>().unwrap_err().contains("socks5://host:port"), "{bad}");
        }
    }
}
