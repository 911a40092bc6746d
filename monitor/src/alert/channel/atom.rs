//! Alerts as a feed that anyone may read (Atom, RFC 4287), at the monitor's public address.
//!
//! An alert is acknowledged once it is on disk in the feed. The feed keeps the newest ones.

use std::fmt::Write as _;
use std::sync::Arc;

use proto::hash::Hash;
use proto::num::Millis;
use serde::{Deserialize, Serialize};

use super::NotTaken;
use crate::alert::Outbox;
use crate::alert::message::Alert;

/// Entries in the feed. Readers that look once a day miss none of them unless something is very wrong, and then a summary says so.
pub const MOST_ENTRIES: u64 = 100;

/// Bytes of an entry's text; a hundred of them are a page that every reader takes.
const MAX_TEXT_BYTES: usize = 16 * 1024;

/// An entry as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    id: String,
    updated: String,
    title: String,
    text: String,
    link: Option<String>,
    category: String,
}

/// Puts an alert into the feed of a channel.
pub(super) async fn put(channel: &str, alert: &Alert, outbox: &Arc<Outbox>, now: Millis) -> Result<(), NotTaken> {
    let mut text = alert.to_text();
    if text.len() > MAX_TEXT_BYTES {
        let end = (0..=MAX_TEXT_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    let entry = Entry {
        id: urn(&alert.token()),
        updated: now.to_rfc3339(),
        title: alert.subject.clone(),
        text,
        link: alert.link.clone(),
        category: alert.severity.name().to_owned(),
    };
    let (channel, outbox) = (channel.to_owned(), outbox.clone());
    let put = move || {
        let json = serde_json::to_vec(&entry).map_err(|e| e.to_string())?;
        let is_it = |kept: &[u8]| serde_json::from_slice(kept).is_ok_and(|kept: Entry| kept.id == entry.id);
        let most = usize::try_from(MOST_ENTRIES).unwrap_or(usize::MAX);
        outbox.put_in_feed(&channel, &json, most, is_it).map_err(|e| e.message)
    };
    let done = tokio::task::spawn_blocking(put).await.unwrap_or_else(|e| Err(e.to_string()));
    done.map_err(NotTaken::because)
}

/// A token of 32 hex digits as a UUID of version 8 (RFC 9562 §5.8), which Atom ids and readers take.
fn urn(token: &str) -> String {
    let digit = |at: usize| token.as_bytes().get(at).copied().map_or('0', char::from);
    let part = |from: usize, to: usize| (from..to).map(digit).collect::<String>();
    let variant = ['8', '9', 'a', 'b'][usize::try_from(digit(16).to_digit(16).unwrap_or(0) % 4).unwrap_or(0)];
    format!("urn:uuid:{}-{}-8{}-{variant}{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

/// The document: entries as they are kept, the newest first.
pub fn feed(monitor: &str, entries: &[Vec<u8>]) -> String {
    let entries: Vec<Entry> = entries.iter().filter_map(|entry| serde_json::from_slice(entry).ok()).collect();
    let id = urn(&Hash::of_parts(&[b"feed", &[0], monitor.as_bytes()]).to_string()[..32]);
    // A feed without an entry was never changed; a time is required all the same.
    let updated = entries.first().map_or_else(|| Millis(0).to_rfc3339(), |entry| entry.updated.clone());
    let name = escaped(monitor);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n  <id>{id}</id>\n  \
         <title>Alerts of {name}</title>\n  <updated>{updated}</updated>\n  <author><name>{name}</name></author>\n"
    );
    for entry in &entries {
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "  <entry>\n    <id>{}</id>\n    <title>{}</title>\n    <updated>{}</updated>\n    <category term=\"{}\"/>\n",
            escaped(&entry.id),
            escaped(&entry.title),
            escaped(&entry.updated),
            escaped(&entry.category)
        );
        if let Some(link) = &entry.link {
            let _ = writeln!(out, "    <link href=\"{}\"/>", escaped(link));
        }
        let _ = write!(out, "    <content type=\"text\">{}</content>\n  </entry>\n", escaped(&entry.text));
    }
    out.push_str("</feed>\n");
    out
}

/// Text for an element or an attribute in double quotes. Characters that XML 1.0 has not (§2.2) become a replacement mark.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' => out.push(c),
            '\r' => out.push_str("&#13;"),
            c if c < ' ' || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::alert::message::Kind;
    use crate::finding::Severity;

    fn alert(number: u64, subject: &str) -> Alert {
        let id = format!("log#{number}");
        let mut alert = Alert::new(id, "m", Kind::Began, Severity::Alarm, "log", Millis(1_800_000_000_000));
        alert.subject = subject.to_owned();
        alert
    }

    #[tokio::test]
    async fn the_newest_stay_and_none_is_there_twice() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Arc::new(Outbox::open(folder.path(), "m").unwrap());
        for number in 1..=MOST_ENTRIES + 3 {
            for _ in 0..2 {
                put("feed", &alert(number, &format!("<{number}> & more")), &outbox, Millis(number)).await.unwrap();
            }
        }
        let entries = outbox.feed("feed").unwrap();
        assert_eq!(entries.len() as u64, MOST_ENTRIES);
        let text = feed("m", &entries);
        assert!(text.contains("&lt;103&gt; &amp; more") && !text.contains("&lt;3&gt;"), "{text}");
        assert_eq!(text.matches("<entry>").count() as u64, MOST_ENTRIES);
        assert!(outbox.feed("other").unwrap().is_empty() && feed("m", &[]).contains("<updated>1970"));
    }

    #[test]
    fn ids_are_uuids_of_version_8() {
        assert_eq!(urn("0123456789abcdef0123456789abcdef"), "urn:uuid:01234567-89ab-8def-8123-456789abcdef");
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_element(text: String) {
            let safe = escaped(&text);
            prop_assert!(!safe.contains(['<', '>', '"']));
            prop_assert!(safe.chars().all(|c| c >= ' ' || c == '\t' || c == '\n'));
            let is_entity = |rest: &str| ["amp;", "lt;", "gt;", "quot;", "#13;"].iter().any(|e| rest.starts_with(e));
            prop_assert!(safe.split('&').skip(1).all(is_entity));
        }
    }
}
