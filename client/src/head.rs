//! Accepting a head: verified under the trust file, and consistent with the newest one that was seen before.
//!
//! A larger head must contain the remembered tree, a smaller one must be a part of it. Both are checked by computing a
//! root from tiles that are tied to a signed root, so a contradiction found here is one between two signatures.

use proto::hash::Hash;
use proto::merkle::{consistency_proof, root_at};
use proto::num::TreeSize;
use proto::policy::Checked;

use crate::error::{Error, ErrorKind};
use crate::state::{Contradiction, ShownBy, State};
use crate::tiles::{HttpTiles, HttpTree, proof_error, tree_error};
use crate::trust::{self, Trust};

/// How often another command may change what is remembered while one compares: each time one of them got further.
const MAX_RACES: usize = 100;

/// How a head stands to what was remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// This log was never seen before.
    First,
    /// The same tree as the remembered one.
    Same,
    /// It extends the remembered tree of this size.
    Extends(TreeSize),
    /// It is an earlier state of the remembered tree of this size: an old answer, not a contradiction.
    Earlier(TreeSize),
}

/// A head that was accepted.
#[derive(Debug, Clone)]
pub struct Head {
    /// The verified checkpoint and what the reader's policy says of it.
    pub checked: Checked,
    /// How it stands to the remembered one.
    pub seen: Seen,
}

impl Head {
    /// What a person should know about it, if anything.
    pub fn remark(&self) -> Option<String> {
        match self.seen {
            Seen::Earlier(remembered) => Some(format!(
                "note: the log shows a head of {} entries, but one of {remembered} was seen before; they are consistent, \
                 so this is an old answer (a cache, or a log that was restored)",
                self.checked.checkpoint.size()
            )),
            _ => None,
        }
    }
}

/// Verifies a checkpoint note of the log `origin` and checks it against the remembered head, whose place it then takes if it
/// is not smaller. Waits for the network; see [`HttpTiles`].
pub fn accept(trust: &Trust, origin: &str, state: &State, tiles: &HttpTiles, note: &[u8]) -> Result<Head, Error> {
    let checked = of_log(trust, origin, note)?;
    for _ in 0..MAX_RACES {
        let old = state.newest(origin)?;
        let seen = match &old {
            None => Seen::First,
            Some(old) => against(trust, origin, state, tiles, old, &checked)?,
        };
        // What was compared and what is replaced must be the same head: two commands that are shown two histories at the
        // same time must not both succeed.
        if matches!(seen, Seen::Earlier(_))
            || old.as_deref() == Some(note)
            || state.replace(origin, old.as_deref(), checked.checkpoint.size(), note)?
        {
            return Ok(Head { checked, seen });
        }
    }
    Err(Error::local(format!(
        "other commands remembered heads of {origin} {MAX_RACES} times while this one compared; run it again"
    )))
}

/// As [`accept`], for all heads of a long answer: the largest against the remembered one, each other one against the largest,
/// whose tiles are fetched once.
pub fn accept_all(
    trust: &Trust,
    origin: &str,
    state: &State,
    tiles: &HttpTiles,
    notes: &[String],
) -> Result<Option<Head>, Error> {
    let heads = notes.iter().map(|note| of_log(trust, origin, note.as_bytes()).map(|checked| (note, checked)));
    let heads = heads.collect::<Result<Vec<_>, _>>()?;
    let Some((note, largest)) = heads.iter().max_by_key(|(_, checked)| checked.checkpoint.size()) else {
        return Ok(None);
    };
    let head = accept(trust, origin, state, tiles, note.as_bytes())?;
    let mut tree = None;
    for (_, other) in &heads {
        if let Some(shown_by) = contained(tiles, &mut tree, other, largest)? {
            return Err(contradiction(state, other, largest, shown_by));
        }
    }
    Ok(Some(head))
}

/// A checkpoint note of this very log, verified under the trust file.
pub fn of_log(trust: &Trust, origin: &str, note: &[u8]) -> Result<Checked, Error> {
    let checked = trust.policy().check(note).map_err(|e| trust::of_network(&e, "the log's head"))?;
    let other = checked.checkpoint.origin();
    if other != origin {
        return Err(Error::not_proven(format!("asked for {origin}, got a head of {other}; check the address")));
    }
    Ok(checked)
}

/// How a verified head stands to one that was kept earlier.
pub fn against(
    trust: &Trust,
    origin: &str,
    state: &State,
    tiles: &HttpTiles,
    old_note: &[u8],
    new: &Checked,
) -> Result<Seen, Error> {
    let old = of_log(trust, origin, old_note).map_err(|e| {
        Error::not_proven(format!(
            "the head of {origin} that was remembered is not one under this trust file: {e}. Either the trust file \
             names another key than before, or the state folder is another's"
        ))
    })?;
    let (old_size, new_size) = (old.checkpoint.size(), new.checkpoint.size());
    let (smaller, larger) = if old_size <= new_size { (&old, new) } else { (new, &old) };
    match contained(tiles, &mut None, smaller, larger) {
        Ok(None) if old_size == new_size => Ok(Seen::Same),
        Ok(None) if old_size < new_size => Ok(Seen::Extends(old_size)),
        Ok(None) => Ok(Seen::Earlier(old_size)),
        Ok(Some(shown_by)) => Err(contradiction(state, smaller, larger, shown_by)),
        // That the network fails now says nothing. A smaller head is different: an honest log never shows one that it cannot
        // tie to what it showed before, so both are kept.
        Err(error) if old_size > new_size || error.kind == ErrorKind::NotProven => {
            let kept = state.unproven(origin, old_note, &new.checkpoint.to_bytes(), &error.message);
            Err(Error::new(
                if error.kind == ErrorKind::Unreachable { ErrorKind::NotProven } else { error.kind },
                format!(
                    "the log shows a head of {new_size} entries, but one of {old_size} was seen before, and it does not serve \
                     what would show that they are consistent: {error}; {kept}"
                ),
            ))
        }
        Err(error) => Err(error),
    }
}

/// Keeps the evidence and gives the error that says so.
fn contradiction(state: &State, smaller: &Checked, larger: &Checked, shown_by: ShownBy) -> Error {
    let (first, second) = (smaller.checkpoint.to_bytes(), larger.checkpoint.to_bytes());
    let origin = larger.checkpoint.origin();
    state.contradiction(&Contradiction { origin, first: &first, second: &second, shown_by })
}

/// What shows that the smaller head is not a part of the larger one, if it is not. The larger head's tree is opened where it
/// is needed and kept in `tree`.
fn contained(
    tiles: &HttpTiles,
    tree: &mut Option<HttpTree>,
    smaller: &Checked,
    larger: &Checked,
) -> Result<Option<ShownBy>, Error> {
    let (small, large) = (&smaller.checkpoint, &larger.checkpoint);
    if small.size() == large.size() {
        return Ok((small.root() != large.root()).then_some(ShownBy::Heads));
    }
    if small.size() == TreeSize(0) {
        return Ok(None); // every tree extends the empty one, and a checkpoint of size 0 has its root
    }
    let tree = match tree {
        Some(tree) => tree,
        None => tree.insert(HttpTree::open(tiles.clone(), large.size(), &large.root()).map_err(tree_error)?),
    };
    other_root(tree, small.size(), small.root())
}

/// What shows that a tree has another root at `size` than `root`, if it has.
pub fn other_root(tree: &HttpTree, size: TreeSize, root: Hash) -> Result<Option<ShownBy>, Error> {
    let ours = root_at(tree, size).map_err(proof_error)?;
    if ours == root {
        return Ok(None);
    }
    if size == tree.size() {
        return Ok(Some(ShownBy::Heads));
    }
    let consistency = consistency_proof(tree, size, tree.size()).map_err(proof_error)?;
    Ok(Some(ShownBy::Root { size, root: ours, consistency }))
}

#[cfg(test)]
pub(crate) mod tests {
    use proto::checkpoint::CheckpointText;
    use proto::ed25519::SecretKey;
    use proto::merkle::MemoryTree;
    use proto::note::{KeyName, NoteSigner};
    use tokio::runtime::Runtime;
    use wiremock::matchers::path;
    use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

    use super::*;
    use crate::http::Http;

    /// A test key.
    fn signer(origin: &str) -> NoteSigner {
        let seed = Hash::of(origin.as_bytes()).0;
        NoteSigner::new(KeyName::parse(origin).unwrap(), SecretKey::from_seed(&seed))
    }

    /// Trust in the logs `log.example` and `other.example`, whose keys are test keys.
    pub(crate) fn trust_in_log() -> Trust {
        let [log, other] = ["log.example", "other.example"].map(|origin| signer(origin).vkey().to_string());
        Trust::parse(format!("log {log}\nlog {other}\nquorum none\n").as_bytes()).unwrap()
    }

    /// A head of `log.example`.
    pub(crate) fn head(size: u64, root: Hash) -> String {
        head_of("log.example", size, root)
    }

    fn head_of(origin: &str, size: u64, root: Hash) -> String {
        let text = CheckpointText::new(origin, TreeSize(size), root).unwrap();
        text.sign(&[&signer(origin)], &[]).unwrap()
    }

    /// Nobody answers there.
    fn no_tiles(runtime: &Runtime) -> HttpTiles {
        let http = Http::new("http://127.0.0.1:1").unwrap().with_deadline(std::time::Duration::ZERO);
        HttpTiles::new(http, runtime.handle().clone())
    }

    fn state() -> (tempfile::TempDir, State) {
        let folder = tempfile::tempdir().unwrap();
        let state = State::at(Some(folder.path().to_owned())).unwrap();
        (folder, state)
    }

    #[test]
    fn a_head_of_another_trusted_log_is_refused() {
        let (runtime, (_folder, state)) = (Runtime::new().unwrap(), state());
        let note = head_of("other.example", 3, Hash::leaf(b"a"));
        let accept = |origin| accept(&trust_in_log(), origin, &state, &no_tiles(&runtime), note.as_bytes());
        let error = accept("log.example").unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotProven);
        assert!(error.message.contains("asked for log.example, got a head of other.example"), "{error}");
        assert_eq!(state.newest("other.example").unwrap(), None, "nothing is remembered");
        assert_eq!(accept("other.example").unwrap().seen, Seen::First);
    }

    /// Answers with a tile, but before that another command remembers another head.
    struct Meanwhile {
        state: State,
        old: String,
        other: String,
        tile: Vec<u8>,
    }

    impl Respond for Meanwhile {
        fn respond(&self, _: &Request) -> ResponseTemplate {
            let _once =
                self.state.replace("log.example", Some(self.old.as_bytes()), TreeSize(3), self.other.as_bytes());
            ResponseTemplate::new(200).set_body_bytes(self.tile.clone())
        }
    }

    #[test]
    fn two_commands_that_are_shown_two_histories_do_not_both_succeed() {
        let (runtime, (_folder, state)) = (Runtime::new().unwrap(), state());
        let leaves = [b"a", b"b", b"c"].map(|leaf| Hash::leaf(leaf));
        let mut tree = MemoryTree::new();
        leaves.iter().for_each(|leaf| _ = tree.append(*leaf));
        let [old, new] = [2, 3].map(|size| head(size, root_at(&tree, TreeSize(size)).unwrap()));
        let meanwhile = Meanwhile {
            state: state.clone(),
            old: old.clone(),
            other: head(3, Hash::leaf(b"another history")),
            tile: leaves.iter().flat_map(|leaf| leaf.0).collect(),
        };
        let other = meanwhile.other.clone();
        let server = runtime.block_on(async {
            let server = MockServer::start().await;
            Mock::given(path("/tile/0/000.p/3")).respond_with(meanwhile).mount(&server).await;
            server
        });
        let tiles = HttpTiles::new(Http::new(&server.uri()).unwrap(), runtime.handle().clone());
        let accept = |note: &str| accept(&trust_in_log(), "log.example", &state, &tiles, note.as_bytes());
        accept(&old).unwrap();
        let error = accept(&new).unwrap_err();
        assert!(error.message.starts_with("TAMPERING"), "{error}");
        assert_eq!(
            state.newest("log.example").unwrap(),
            Some(other.into_bytes()),
            "what the other one was shown stays"
        );
        assert_eq!(state.evidence("log.example").unwrap().len(), 1);
    }

    #[test]
    fn a_smaller_head_that_nothing_ties_to_the_remembered_one_is_kept() {
        let (runtime, (folder, state)) = (Runtime::new().unwrap(), state());
        let accept = |size: u64| {
            let note = head(size, Hash::leaf(&size.to_be_bytes()));
            accept(&trust_in_log(), "log.example", &state, &no_tiles(&runtime), note.as_bytes())
        };
        accept(5).unwrap();
        let error = accept(7).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable, "a larger one may come when the log can be reached: {error}");
        assert!(!folder.path().join("unproven").exists());
        for _ in 0..2 {
            let error = accept(4).unwrap_err();
            assert_eq!(error.kind, ErrorKind::NotProven, "{error}");
            assert!(error.message.contains("unproven"), "{error}");
        }
        assert_eq!(std::fs::read_dir(folder.path().join("unproven")).unwrap().count(), 1);
        assert_eq!(accept(5).unwrap().seen, Seen::Same);
    }

    #[test]
    fn of_all_heads_of_an_answer_none_is_left_out() {
        let (runtime, trust) = (Runtime::new().unwrap(), trust_in_log());
        let [a, b] = [b"a", b"b"].map(|leaf| head(3, Hash::leaf(leaf)));
        for (heads, ok) in [(vec![], true), (vec![&a, &a], true), (vec![&a, &b], false), (vec![&b, &a, &a], false)] {
            let (_folder, state) = state();
            let heads: Vec<String> = heads.into_iter().cloned().collect();
            let accepted = accept_all(&trust, "log.example", &state, &no_tiles(&runtime), &heads);
            assert_eq!(accepted.is_ok(), ok, "{accepted:?}");
            assert_eq!(accepted.ok().flatten().is_some(), ok && !heads.is_empty());
        }
    }
}
