//! State and rows as they grew, against those folded anew.

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::scratch::{Pairs, Scratch};
use super::{Ended, Progress, Report, differs};
use crate::store::{Direction, Store};

/// How often progress is told, in keys.
const TELL_EVERY: u64 = 4096;

/// Of a key or value this many bytes are shown.
const SHOWN_BYTES: usize = 96;

/// Compares every key and value: none missing, none beyond, none other.
pub(super) fn check(
    report: &mut Report,
    store: &Arc<dyn Store>,
    scratch: &Scratch,
    progress: &dyn Progress,
) -> Result<(), Ended> {
    progress.part("state", 0);
    let mut state = Comparison::new("state key", scratch.state()?, progress);
    store.state_scan(None, &mut |key, value| state.next(key, value))?;
    report.state = state.finish()?;
    progress.part("rows", 0);
    let mut rows = Comparison::new("row", scratch.rows()?, progress);
    store.rows(b"", None, Direction::Forward, &mut |key, value| rows.next(key, value))?;
    report.rows = rows.finish()?;
    Ok(())
}

/// Is shown the stored pairs in order, and walks along those that were derived.
struct Comparison<'a> {
    what: &'static str,
    derived: Pairs<'a>,
    compared: u64,
    ended: Option<Ended>,
    progress: &'a dyn Progress,
}

impl<'a> Comparison<'a> {
    fn new(what: &'static str, derived: Pairs<'a>, progress: &'a dyn Progress) -> Comparison<'a> {
        Comparison { what, derived, compared: 0, ended: None, progress }
    }

    fn next(&mut self, key: &[u8], value: &[u8]) -> ControlFlow<()> {
        match self.compare(key, value) {
            Ok(()) => ControlFlow::Continue(()),
            Err(ended) => {
                self.ended = Some(ended);
                ControlFlow::Break(())
            }
        }
    }

    fn compare(&mut self, key: &[u8], value: &[u8]) -> Result<(), Ended> {
        let Some((derived_key, derived)) = self.derived.next()? else {
            return Err(self.differs(key, "it is stored, but the entries do not give it".to_owned()));
        };
        match key.cmp(&derived_key) {
            Ordering::Less => Err(self.differs(key, "it is stored, but the entries do not give it".to_owned())),
            Ordering::Greater => {
                Err(self.differs(&derived_key, "the entries give it, but it is not stored".to_owned()))
            }
            Ordering::Equal if value != &*derived => {
                Err(self.differs(key, format!("stored is {}, the entries give {}", show(value), show(&derived))))
            }
            Ordering::Equal => {
                self.compared += 1;
                if self.compared % TELL_EVERY == 0 {
                    self.progress.done(TELL_EVERY);
                }
                Ok(())
            }
        }
    }

    fn differs(&self, key: &[u8], what: String) -> Ended {
        differs(format!("{} {}", self.what, show(key)), what)
    }

    /// What was derived beyond the last stored key is missing.
    fn finish(mut self) -> Result<u64, Ended> {
        if let Some(ended) = self.ended {
            return Err(ended);
        }
        match self.derived.next()? {
            Some((key, _)) => Err(self.differs(&key, "the entries give it, but it is not stored".to_owned())),
            None => Ok(self.compared),
        }
    }
}

/// Bytes as text with escapes, cut to a readable length.
fn show(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let dots = if cut.len() < bytes.len() { "…" } else { "" };
    format!("\"{}{dots}\"", cut.escape_ascii())
}
