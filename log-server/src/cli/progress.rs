//! Progress on a terminal; silence elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::PoisonError;

use indicatif::{ProgressBar, ProgressStyle};

use crate::check::Progress;

/// A bar on standard error when that is a terminal.
pub(super) struct Bar {
    visible: bool,
    bar: Mutex<Option<ProgressBar>>,
}

impl Bar {
    pub(super) fn new() -> Bar {
        Bar { visible: std::io::stderr().is_terminal(), bar: Mutex::new(None) }
    }

    fn replace(&self, next: Option<ProgressBar>) {
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = bar.take() {
            old.finish_and_clear();
        }
        *bar = next;
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.replace(None);
    }
}

impl Progress for Bar {
    fn part(&self, name: &'static str, steps: u64) {
        if !self.visible {
            return;
        }
        let (bar, template) = match steps {
            0 => (ProgressBar::no_length(), "{msg:14} {spinner} {pos}"),
            _ => (ProgressBar::new(steps), "{msg:14} {bar:40} {pos}/{len} {eta}"),
        };
        // The templates are fixed; one that indicatif did not take would only cost the form.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.replace(Some(bar.with_style(style).with_message(name)));
    }

    fn done(&self, steps: u64) {
        if let Some(bar) = &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            bar.inc(steps);
        }
    }
}
