//! A log that shows two histories, told over each channel; what a channel refuses to do.

use serde_json::Value;

use super::receiver::{Answer, Receiver, free_address, is_signed};
use super::served::{Served, log_of, router};
use super::smtp::Smtp;
use super::{Fork, add_config, alerts_in, file_of, monitor_with, to_file, until_in, webhook_key};

/// What every channel must say of the fork.
fn is_the_fork(alert: &Value) {
    assert_eq!(
        [&alert["format"], &alert["kind"], &alert["class"], &alert["code"], &alert["severity"]],
        ["claimtrail-alert/1", "began", "tamper", "head.fork", "alarm"],
        "{alert:#}"
    );
    assert_eq!(alert["heads"].as_array().unwrap().len(), 2, "{alert:#}");
    assert_eq!(alert["monitor"], harness::watcher::WITNESS);
}

#[test]
fn a_fork_is_told_over_every_channel_once() {
    let fork = Fork::new();
    let folder = tempfile::tempdir().unwrap();
    let (file, smtp) = (file_of(&folder), Smtp::start());
    let mut monitor = fork.monitor("");
    let receiver = Receiver::at("127.0.0.1:0".parse().unwrap(), &webhook_key(&monitor));
    let mut config = to_file("page", &file);
    config += &format!("[[alert]]\nkind = \"webhook\"\nurl = \"{}\"\nallow_private = true\n", receiver.url);
    config += &format!(
        "[[alert]]\nkind = \"mail\"\nallow_private = true\n[alert.smtp]\nserver = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n\
         from = \"monitor@witness.example\"\nto = [\"ops@acme.example\", \"Duty <duty@acme.example>\"]\n",
        smtp.address.port()
    );
    config += "[[alert]]\nkind = \"atom\"\n[[alert]]\nkind = \"log\"\n";
    add_config(&monitor, &config);
    monitor.serve();

    let told = until_in(&file, 1);
    is_the_fork(&told[0]);
    is_the_fork(&receiver.until(1)[0].alert);
    let mail = &smtp.until(1)[0];
    assert!(mail.contains("Subject: [alarm] tamper head.fork at"), "{mail}");
    assert!(mail.contains("Message-ID: <") && mail.contains("@witness.example>"), "{mail}");
    let to = smtp.commands().iter().filter(|line| line.starts_with("RCPT TO")).count();
    assert_eq!(to, 2, "{:?}", smtp.commands());
    let feed = super::until("an entry in the feed", || {
        let http = client::http::Http::new(monitor.url()).unwrap();
        let answer = super::wait(http.get("/v1/alerts.atom", 1 << 20)).unwrap();
        Some(String::from_utf8(answer.body.to_vec()).unwrap()).filter(|feed| feed.contains("<entry>"))
    });
    is_a_feed_with_the_fork(&feed);
    super::until("a line in the log", || monitor.said().contains("alert: tamper head.fork").then_some(()));

    // The finding stays, and nobody is told again, not even by the next run.
    monitor.stop();
    assert_eq!(monitor.once().0, 10);
    assert_eq!((alerts_in(&file).len(), receiver.got().len(), smtp.until(1).len()), (1, 1, 1));
}

fn is_a_feed_with_the_fork(feed: &str) {
    let document = roxmltree::Document::parse(feed).unwrap_or_else(|error| panic!("{error}: {feed}"));
    let root = document.root_element();
    assert_eq!(root.tag_name().namespace(), Some("http://www.w3.org/2005/Atom"));
    let child = |node: &roxmltree::Node<'_, '_>, name: &str| {
        let found = node.children().find(|child| child.has_tag_name(("http://www.w3.org/2005/Atom", name)));
        found.and_then(|child| child.text().map(str::to_owned)).unwrap_or_else(|| panic!("no {name}: {feed}"))
    };
    assert!(child(&root, "id").starts_with("urn:uuid:") && !child(&root, "updated").is_empty());
    let entries: Vec<_> = root.children().filter(|node| node.tag_name().name() == "entry").collect();
    assert_eq!(entries.len(), 1, "{feed}");
    assert!(
        child(&entries[0], "title").contains("tamper head.fork") && child(&entries[0], "id").starts_with("urn:uuid:")
    );
    assert!(child(&entries[0], "content").contains("Signed head, each line behind two spaces:"), "{feed}");
}

#[test]
fn a_signature_of_another_key_time_or_body_is_none() {
    let monitor = Fork::new().monitor("");
    let (key, other) = (webhook_key(&monitor), webhook_key(&Fork::new().monitor("")));
    assert_eq!(key, webhook_key(&monitor), "the key is made once");
    let secret = client::keyfile::load(&monitor.path("keys/alert.key")).unwrap();
    let time = client::clock::now().seconds().0;
    let signed = |time: u64| {
        let signature = secret.sign(format!("id.{time}.body").as_bytes());
        format!("v1a,{}", proto::b64::encode(signature.0))
    };
    let check = |key: &str, time: u64, body: &[u8]| is_signed(key, "id", &time.to_string(), &signed(time), body);
    assert!(check(&key, time, b"body"));
    assert!(!check(&key, time, b"another") && !check(&other, time, b"body") && !check(&key, time - 3600, b"body"));
    assert!(!is_signed(&key, "id", &(time + 1).to_string(), &signed(time), b"body"));
}

#[test]
fn a_single_run_sends_its_alerts_before_it_ends() {
    let fork = Fork::new();
    let folder = tempfile::tempdir().unwrap();
    let file = file_of(&folder);
    let monitor = fork.monitor(&to_file("page", &file));
    assert_eq!(monitor.once().0, 10);
    let told = alerts_in(&file);
    assert_eq!(told.len(), 1);
    is_the_fork(&told[0]);
}

#[test]
fn private_addresses_redirects_and_plain_text_are_refused() {
    let served = Served::new(router(&log_of(&[])));
    let monitor = monitor_with(&served, "");
    let receiver = Receiver::at("127.0.0.1:0".parse().unwrap(), &webhook_key(&monitor));
    receiver.answer(Answer::Elsewhere);
    let port = free_address().port();
    let smtp = Smtp::start();
    add_config(
        &monitor,
        &format!(
            "[[alert]]\nname = \"a\"\nkind = \"webhook\"\nurl = \"https://127.0.0.1:{port}/\"\n\
             [[alert]]\nname = \"b\"\nkind = \"webhook\"\nurl = \"https://localhost:{port}/\"\n\
             [[alert]]\nname = \"c\"\nkind = \"webhook\"\nurl = \"{}\"\nallow_private = true\n\
             [[alert]]\nname = \"d\"\nkind = \"mail\"\nallow_private = true\n[alert.smtp]\nserver = \"127.0.0.1\"\nport = {}\n\
             from = \"monitor@witness.example\"\nto = [\"ops@acme.example\"]\n\
             [[alert]]\nname = \"e\"\nkind = \"command\"\ncommand = [\"/bin/sh\", \"-c\", \"exit 3\"]\n\
             [[alert]]\nname = \"f\"\nkind = \"command\"\ncommand = [\"/bin/sleep\", \"600\"]\ntimeout_seconds = 1\n\
             [[alert]]\nname = \"g\"\nkind = \"log\"\n",
            receiver.url,
            smtp.address.port()
        ),
    );
    let (code, said) = monitor.run(&["alert", "test"]);
    assert_eq!(code, 1, "{said}");
    let line = |name: &str| {
        let found = said.lines().find(|line| line.starts_with(&format!("{name} (")));
        found.unwrap_or_else(|| panic!("nothing of {name}: {said}")).to_owned()
    };
    for (name, part) in [
        ("a", "allow_private"),
        ("b", "allow_private"),
        ("c", "307"),
        ("d", "NOT TAKEN"),
        ("e", "exit status: 3"),
        ("f", "killed"),
        ("g", "): taken"),
    ] {
        assert!(line(name).contains(part), "{}", line(name));
    }
    assert_eq!((receiver.got().len(), receiver.strayed()), (1, 0), "a redirect is not followed");
    let told = smtp.commands();
    assert!(
        !told.iter().any(|line| line.starts_with("MAIL") || line.starts_with("DATA")),
        "no word without TLS: {told:?}"
    );
    let (code, said) = monitor.run(&["alert", "test", "--channel", "g"]);
    assert!(code == 0 && said.lines().filter(|line| line.contains("): taken")).count() == 1, "{said}");
    assert_eq!(monitor.run(&["alert", "test", "--channel", "nobody"]).0, 64);
}

#[test]
fn a_configuration_that_cannot_work_stops_the_start() {
    for (config, part) in [
        ("[[alert]]\nkind = \"webhook\"\nurl = \"http://alerts.example/\"\n", "allow_private"),
        ("[[alert]]\nkind = \"webhook\"\nurl = \"https://alerts.example/\"\n", "alert key"),
        ("[[alert]]\nkind = \"webhook\"\n", "`url`"),
        ("[[alert]]\nkind = \"log\"\nurl = \"https://alerts.example/\"\n", "means nothing"),
        ("[[alert]]\nkind = \"log\"\n[[alert]]\nkind = \"log\"\n", "named log"),
        ("[[alert]]\nkind = \"command\"\n", "`command`"),
        ("[[alert]]\nkind = \"mail\"\n", "`smtp`"),
        ("[[alert]]\nkind = \"log\"\nwatches = [\"x\"]\n", "no [[watch]]"),
        ("[[alert]]\nkind = \"fax\"\n", "fax"),
        ("[[watch]]\nname = \"x\"\nlog = \"other.example\"\nseverity = \"alarm\"\n", "not followed"),
    ] {
        let served = Served::new(router(&log_of(&[])));
        let monitor = monitor_with(&served, config);
        let (code, said) = monitor.run(&["serve", "--once"]);
        assert!([74, 78].contains(&code) && said.contains(part), "{config}: {code}: {said}");
    }
}
