use std::ffi::OsString;

use serde::Deserialize;

use super::{ConfigError, Layers, Origin};
use crate::client_addr::TrustedProxies;
use crate::logging::{LogConfig, LogFormat};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    origin: String,
    #[serde(default)]
    listen: Listen,
    #[serde(default)]
    log: LogConfig,
    #[serde(default)]
    peers: Vec<Peer>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Listen {
    address: std::net::SocketAddr,
    max_connections: u16,
    share: f64,
    offset: i32,
    keep: bool,
    token: Option<String>,
    trusted_proxies: TrustedProxies,
    ports: Vec<u16>,
}

impl Default for Listen {
    fn default() -> Listen {
        Listen {
            address: ([127, 0, 0, 1], 8080).into(),
            max_connections: 100,
            share: 0.5,
            offset: 0,
            keep: false,
            token: None,
            trusted_proxies: TrustedProxies::default(),
            ports: vec![1],
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Peer {
    url: String,
}

const FILE: &str = "origin = \"log.example/1\"\n\n[listen]\nmax_connections = 7\nshare = 0.25\nports = [2, 3]\n";

fn file(text: &str) -> Layers {
    Layers::new().file_text("log.toml", text).expect("valid TOML")
}

fn environment(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn refused(layers: Layers) -> String {
    layers.load::<Config>().expect_err("must be refused").to_string()
}

#[test]
fn each_layer_overrides_the_ones_before() {
    let defaults: Config = file("origin = \"x\"").load().expect("loads");
    assert_eq!((defaults.listen.max_connections, defaults.listen.share), (100, 0.5));

    let from_file: Config = file(FILE).load().expect("loads");
    assert_eq!((from_file.listen.max_connections, &from_file.listen.ports), (7, &vec![2, 3]));
    assert_eq!(from_file.listen.address.port(), 8080, "what the file does not name keeps its default");

    let variables = environment(&[("CT_LISTEN__MAX_CONNECTIONS", "8"), ("OTHER_LISTEN__SHARE", "9"), ("CT", "no")]);
    let over = file(FILE).environment("CT", variables);
    let from_environment: Config = over.clone().load().expect("loads");
    assert_eq!((from_environment.listen.max_connections, from_environment.listen.share), (8, 0.25));

    let flags = over.flag("--max", "listen.max_connections", Some(9)).flag("--share", "listen.share", None::<f64>);
    let from_flags: Config = flags.load().expect("loads");
    assert_eq!((from_flags.listen.max_connections, from_flags.listen.share), (9, 0.25));
    assert_eq!(from_flags.origin, "log.example/1");
}

#[test]
fn text_is_read_as_the_type_that_is_asked_for() {
    let variables = environment(&[
        ("CT_ORIGIN", "42"),
        ("CT_LISTEN__ADDRESS", "[::1]:0"),
        ("CT_LISTEN__SHARE", "1"),
        ("CT_LISTEN__OFFSET", "-3"),
        ("CT_LISTEN__KEEP", "true"),
        ("CT_LISTEN__TOKEN", "007"),
        ("CT_LISTEN__TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("CT_LISTEN__PORTS", "[4, 5]"),
        ("CT_LOG__FORMAT", "json"),
    ]);
    let config: Config =
        file("peers = [{ url = \"https://peer.example\" }]").environment("CT", variables).load().expect("loads");
    assert_eq!(config.origin, "42");
    assert_eq!(config.peers[0].url, "https://peer.example");
    assert!(config.listen.address.is_ipv6() && config.listen.keep);
    assert_eq!((config.listen.share, config.listen.offset), (1.0, -3));
    assert_eq!(config.listen.token.as_deref(), Some("007"));
    assert_eq!(config.listen.trusted_proxies.0.len(), 2);
    assert_eq!(config.listen.ports, [4, 5]);
    assert_eq!(config.log.format, LogFormat::Json);
    let none: Config =
        file("origin = \"x\"").environment("CT", environment(&[("CT_LISTEN__PORTS", "")])).load().expect("loads");
    assert!(none.listen.ports.is_empty(), "an empty text is an empty list");
}

#[test]
fn unknown_keys_are_refused_with_place_and_suggestion() {
    assert_eq!(
        refused(file("origin = \"x\"\n[listen]\n# more\nmax_conections = 7\n")),
        "log.toml, line 4: key `listen.max_conections`: there is no such key; did you mean `max_connections`?"
    );
    assert_eq!(
        refused(file("origin = \"x\"\n\n[listne]\nshare = 1\n")),
        "log.toml, line 3: key `listne`: there is no such key; did you mean `listen`?"
    );
    assert_eq!(
        refused(file("origin = \"x\"\n[[peers]]\nurl = \"a\"\n[[peers]]\nurl = \"b\"\nsecret = 1\n")),
        "log.toml, line 6: key `peers.1.secret`: there is no such key; known here: url"
    );
    assert_eq!(
        refused(file(FILE).environment("CT", environment(&[("CT_LISTEN__SHRAE", "1")]))),
        "environment variable CT_LISTEN__SHRAE: key `listen.shrae`: there is no such key; did you mean `share`?"
    );
    assert!(refused(file(FILE).flag("--set", "lisen.share", Some(1))).starts_with("flag --set: key `lisen`: "));
}

#[test]
fn wrong_values_are_refused_with_their_place() {
    for (layers, wanted) in [
        (file("origin = \"x\"\n[listen]\nkeep = \"yes\"\n"), "log.toml, line 3: key `listen.keep`: invalid type"),
        (file("origin = \"x\"\nlisten.max_connections = 70000\n"), "log.toml, line 2: key `listen.max_connections`: "),
        (file("origin = \"x\"\nlisten.ports = [\n1,\n\"b\"]\n"), "log.toml, line 4: key `listen.ports.1`: "),
        (file("origin = \"x\"\nlisten = 3\n"), "log.toml, line 2: key `listen`: invalid type"),
        (
            file(FILE).environment("CT", environment(&[("CT_LISTEN__KEEP", "yes")])),
            "environment variable CT_LISTEN__KEEP: key `listen.keep`: \"yes\" is not true or false",
        ),
        (
            file(FILE).environment("CT", environment(&[("CT_LISTEN__TRUSTED_PROXIES", "10.0.0.1/8")])),
            "environment variable CT_LISTEN__TRUSTED_PROXIES: key `listen.trusted_proxies.0`: \"10.0.0.1/8\" is no network",
        ),
        (file(FILE).flag("--log", "log.format", Some("xml")), "flag --log: key `log.format`: unknown variant `xml`"),
        (file("[listen]\n"), "configuration: key `origin`: this key must be set"),
    ] {
        let message = refused(layers);
        assert!(message.starts_with(wanted), "{message}\nshould begin\n{wanted}");
    }
}

#[test]
fn files_that_are_no_toml_are_refused_with_the_line() {
    let error = Layers::new().file_text("log.toml", "a = 1\nb = = 2\n").expect_err("no TOML");
    assert!(matches!(error, ConfigError::Syntax { line: 2, .. }), "{error}");
    let error = Layers::new().file_text("log.toml", "a = 99999999999999999999\n").expect_err("too large");
    assert!(matches!(error, ConfigError::Syntax { line: 1, .. }), "{error}");
    let error = Layers::new().file(std::path::Path::new("/nonexistent/log.toml")).expect_err("no such file");
    assert!(error.to_string().starts_with("/nonexistent/log.toml: the configuration file cannot be read"), "{error}");
}

#[test]
fn a_value_that_is_not_utf8_names_its_variable() {
    use std::os::unix::ffi::OsStringExt;
    let variables = [("CT_ORIGIN".into(), OsString::from_vec(vec![0xff]))];
    let error = Layers::new().environment("CT", variables).load::<Config>().expect_err("not UTF-8");
    let ConfigError::Key { origin, key, .. } = error else { panic!("another error: {error}") };
    assert_eq!((origin, key.as_str()), (Some(Origin::Environment("CT_ORIGIN".into())), "origin"));
}
