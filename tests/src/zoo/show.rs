//! What a log shows: the files of a script, and what is odd about the answers.

use proto::merkle::NodeReader;
use proto::tile::{TILE_WIDTH, TilePath, encode_bundle};
use serde_json::{Value, json};

use super::script::{Published, Script};

/// The most heads in a page of the list, as a log has it.
const HEADS_PAGE: usize = 200;

/// How an answer is not what it should be.
#[derive(Debug, Clone)]
pub enum Odd {
    /// One bit of the honest answer is flipped: the lowest of this byte, counted from the end.
    Flipped(usize),
    /// This instead, with this status and type.
    Instead(u16, &'static str, Vec<u8>),
    /// A request is taken and never answered.
    Silent,
    /// A byte now and then, for ever.
    Dripping,
    /// As fast as it is read, for ever.
    Endless,
    /// A list of heads that goes on for ever: page by page the newest head, each with a next one.
    EndlessList,
    /// A page of HTML, and the honest answer the next time, in turn.
    EveryOther,
}

/// What a log shows to whoever asks.
#[derive(Debug, Clone)]
pub struct Show {
    entries: Script,
    checkpoint: Vec<u8>,
    heads: Vec<Published>,
    odd: Vec<(&'static str, Odd)>,
}

impl Show {
    /// Everything as the script has it, with the head that it published last.
    pub fn of(script: &Script) -> Show {
        let last = script.heads.last().expect("a script publishes before it is shown");
        Show {
            entries: script.clone(),
            checkpoint: last.note.clone().into_bytes(),
            heads: script.heads.clone(),
            odd: Vec::new(),
        }
    }

    /// Another head than the newest one.
    #[must_use]
    pub fn with_checkpoint(mut self, note: impl Into<Vec<u8>>) -> Show {
        self.checkpoint = note.into();
        self
    }

    /// One more head in the list, at the place of its time.
    #[must_use]
    pub fn with_listed(mut self, head: Published) -> Show {
        self.heads.push(head);
        self.heads.sort_by_key(|head| (head.time, head.size));
        self
    }

    /// The list of heads as it is given.
    #[must_use]
    pub fn with_list(mut self, heads: Vec<Published>) -> Show {
        self.heads = heads;
        self
    }

    /// Odd answers to requests whose path begins so.
    #[must_use]
    pub fn with_odd(mut self, path: &'static str, odd: Odd) -> Show {
        self.odd.push((path, odd));
        self
    }

    /// What is odd about the answer to this path.
    pub(super) fn odd(&self, path: &str) -> Option<&Odd> {
        self.odd.iter().find(|(begin, _)| path.starts_with(begin)).map(|(_, odd)| odd)
    }

    /// The honest answer; nothing where a log has none.
    pub(super) fn answer(&self, path: &str, query: &str) -> Option<Vec<u8>> {
        match path {
            "/checkpoint" => Some(self.checkpoint.clone()),
            "/v1/heads" => Some(self.list(query).to_string().into_bytes()),
            _ => self.file(path.trim_start_matches('/').parse().ok()?),
        }
    }

    /// A page of the newest head alone, and where the next one is.
    pub(super) fn endless_list(&self) -> Vec<u8> {
        let page: Vec<Value> = self.heads.last().map(as_listed).into_iter().cycle().take(HEADS_PAGE).collect();
        json!({ "heads": page, "next_cursor": "1" }).to_string().into_bytes()
    }

    fn file(&self, path: TilePath) -> Option<Vec<u8>> {
        let width = u64::from(TILE_WIDTH);
        match path {
            TilePath::Tile(id) => {
                let first = id.index() * width;
                let hash = |index| self.entries.tree().node(id.level() * 8, index).ok();
                let hashes: Option<Vec<_>> = (first..first + u64::from(id.width())).map(hash).collect();
                Some(hashes?.iter().flat_map(|hash| hash.0).collect())
            }
            TilePath::Entries(id) => {
                let first = usize::try_from(id.index() * width).ok()?;
                let entries = self.entries.entries.get(first..first + usize::from(id.width()))?;
                encode_bundle(entries).ok()
            }
        }
    }

    fn list(&self, query: &str) -> Value {
        let number = |name: &str| {
            let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            found.and_then(|value| value.parse::<u64>().ok())
        };
        let after = number("after").unwrap_or(0);
        // The cursor says how many were shown.
        let skipped = usize::try_from(number("cursor").unwrap_or(0)).unwrap_or(usize::MAX);
        let listed: Vec<&Published> = self.heads.iter().filter(|head| head.time.0 > after).skip(skipped).collect();
        let next = (listed.len() > HEADS_PAGE).then(|| skipped.saturating_add(HEADS_PAGE).to_string());
        let shown = listed.into_iter().take(HEADS_PAGE);
        json!({ "heads": shown.map(as_listed).collect::<Vec<_>>(), "next_cursor": next })
    }
}

/// A head as a log lists it.
fn as_listed(head: &Published) -> Value {
    json!({ "time": head.time, "size": head.size, "root": head.root.to_base64(), "checkpoint": head.note })
}
