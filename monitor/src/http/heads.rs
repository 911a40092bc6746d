//! `GET /v1/heads?origin=&before=|after=&limit=&cursor=`: every signed head that was seen, the newest first; with `after` the
//! oldest first. All of the last day, then one a minute.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Uri};
use proto::code::Code;
use proto::num::{Seconds, TreeSize};
use serde::{Deserialize, Serialize};
use service::problem::Problem;

use super::Shared;
use crate::store::HeadKey;

/// Heads in a page unless asked for otherwise.
const DEFAULT_LIMIT: usize = 50;
/// Heads in a page at most; the log gives as many.
pub const MAX_LIMIT: usize = 200;
/// Bytes of notes in a page at most, but for one that is larger alone. In JSON they are at most twice as many, which is below
/// the 4 MiB that peers read of a page: a log that has its heads signed with endless lines does not end what they pull.
const MAX_NOTES_BYTES: usize = 1 << 20;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    origin: Option<String>,
    before: Option<u64>,
    after: Option<u64>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// A head as it is shown.
#[derive(Debug, Serialize, Deserialize)]
pub struct ShownHead {
    /// The log's time for it, or when it was seen if it states none.
    pub time: Seconds,
    /// Its size.
    pub size: TreeSize,
    /// Its root, in base64.
    pub root: String,
    checkpoint: String,
}

/// A page of heads.
#[derive(Debug, Serialize, Deserialize)]
pub struct HeadsPage {
    /// The log.
    pub origin: String,
    /// Its heads.
    pub heads: Vec<ShownHead>,
    /// What to go on with; nothing at the end.
    pub next_cursor: Option<String>,
}

impl ShownHead {
    /// As it is kept.
    pub fn new(key: HeadKey, note: &[u8]) -> ShownHead {
        let checkpoint = String::from_utf8_lossy(note).into_owned();
        ShownHead { time: key.time, size: key.size, root: key.root.to_base64(), checkpoint }
    }

    /// The signed note.
    pub fn note(&self) -> &str {
        &self.checkpoint
    }
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(Code::RequestInvalid, detail)
}

/// `GET /v1/heads`
pub(super) async fn list(State(shared): State<Shared>, uri: Uri) -> Result<Response, Problem> {
    let Query(asked) = Query::<Asked>::try_from_uri(&uri).map_err(|_| {
        invalid("The parameters are `origin`, `before` or `after` (seconds), `limit` and `cursor`, each once.")
    })?;
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(invalid(format!("`limit` is 1 to {MAX_LIMIT}.")).with("limit", MAX_LIMIT));
    }
    let log = match (&asked.origin, shared.0.logs.as_slice()) {
        (Some(origin), _) => shared.log(origin),
        (None, [only]) => Some(only),
        (None, _) => return Err(invalid("This monitor follows several logs; say which with `origin`.")),
    };
    let unknown = || Problem::new(Code::RequestNotFound, "This monitor does not follow the log of that origin.");
    let log = log.ok_or_else(unknown)?.clone();
    let given = asked.cursor.as_deref().map(place).transpose()?;
    let origin = log.origin().to_owned();
    let mut found = match (asked.before, asked.after) {
        (Some(_), Some(_)) => return Err(invalid("Give `before` or `after`, not both.")),
        (None, Some(time)) => {
            let begin = given.or(Some(HeadKey::last_of(Seconds(time))));
            shared.blocking(move || log.store.heads_after(begin, limit + 1)).await?
        }
        (before, None) => {
            let end = given.or(before.map(|time| HeadKey::first_of(Seconds(time))));
            shared.blocking(move || log.store.heads_before(end, limit + 1)).await?
        }
    }
    .map_err(Problem::internal)?;
    let page = page_of(&found, limit);
    let more = found.len() > page;
    found.truncate(page);
    let next_cursor = found.last().filter(|_| more).map(|(key, _)| text(*key));
    let heads = found.iter().map(|(key, note)| ShownHead::new(*key, note)).collect();
    let answer = axum::Json(HeadsPage { origin, heads, next_cursor });
    Ok(([(CACHE_CONTROL, HeaderValue::from_static("no-store"))], answer).into_response())
}

/// How many of these heads are a page: at least one, if there is one.
fn page_of(found: &[(HeadKey, Vec<u8>)], limit: usize) -> usize {
    let mut bytes = 0;
    let fits = |(_, note): &&(HeadKey, Vec<u8>)| {
        bytes += note.len();
        bytes <= MAX_NOTES_BYTES
    };
    found.iter().take(limit).take_while(fits).count().max(found.len().min(1))
}

/// The cursor behind a head: what names it, in hex. Opaque to clients.
fn text(key: HeadKey) -> String {
    key.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn place(text: &str) -> Result<HeadKey, Problem> {
    let read = || {
        let digits = text.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Vec<u8> = digits.map(byte).collect::<Option<_>>()?;
        HeadKey::from_bytes(&bytes).filter(|key| self::text(*key) == text)
    };
    read().ok_or_else(|| invalid("The cursor is not one of this list; give it back as it was."))
}

#[cfg(test)]
mod tests {
    use proto::hash::Hash;

    use super::*;

    #[test]
    fn pages_end_by_bytes_as_well() {
        let head = |n: u64, bytes: usize| (HeadKey::first_of(Seconds(n)), vec![b'x'; bytes]);
        let heads = |bytes: usize| (0..10).map(|n| head(n, bytes)).collect::<Vec<_>>();
        assert_eq!(page_of(&heads(300), 4), 4);
        assert_eq!(page_of(&heads(300 << 10), 10), 3);
        assert_eq!(page_of(&heads(2 << 20), 10), 1, "one is a page, however large");
        assert_eq!(page_of(&[], 10), 0);
    }

    #[test]
    fn cursors_read_back_and_others_are_refused() {
        let key = HeadKey { time: Seconds(7), size: TreeSize(70_000), root: Hash::of(b"root") };
        assert_eq!(place(&text(key)).unwrap(), key);
        for bad in ["", "0", "zz", &text(key)[2..], &text(key).to_uppercase(), "\u{e9}\u{e9}"] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }
}
