//! An entry that the rules took, as it is shown to whoever keeps what was followed.

use proto::fold::{Changes, Checked, State};
use proto::num::{LeafIndex, Millis};

use crate::error::Error;

/// An entry that the rules took. The state is the one before it.
pub struct Judged<'a> {
    /// Which entry.
    pub index: LeafIndex,
    /// The log's time for it.
    pub time: Millis,
    /// The claim, with its signatures checked.
    pub checked: &'a Checked,
    /// What it changes.
    pub changes: &'a Changes,
    before: &'a dyn State<Error = Error>,
}

/// What a keeper has to say of an entry: bytes that only it reads, committed with the entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark(pub Vec<u8>);

impl<'a> Judged<'a> {
    /// An entry over this state.
    pub fn new(
        index: LeafIndex,
        time: Millis,
        checked: &'a Checked,
        changes: &'a Changes,
        before: &'a dyn State<Error = Error>,
    ) -> Judged<'a> {
        Judged { index, time, checked, changes, before }
    }
}

/// Reads the state as it was before the entry.
impl State for Judged<'_> {
    type Error = Error;

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.before.read(key)
    }
}

impl std::fmt::Debug for Judged<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judged").field("index", &self.index).finish_non_exhaustive()
    }
}
