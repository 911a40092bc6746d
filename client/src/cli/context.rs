//! What commands share: trust, the log, the state, the runtime.

use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::runtime::Runtime;

use super::{Global, out};
use crate::api::{Api, MAX_CHECKPOINT_BYTES};
use crate::clock;
use crate::compose::{Fill, LogAddress};
use crate::error::Error;
use crate::files;
use crate::head::{self, Head};
use crate::http::Http;
use crate::state::State;
use crate::tiles::HttpTiles;
use crate::trust::{self, Trust};

/// In which an answer must have come in full: a bundle of 16 MiB at 1.1 Mbit/s. A log that answers a byte at a time would
/// otherwise hold a command for ever.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// The options of this run.
pub(super) struct Context {
    global: Global,
}

/// A log that is talked to.
pub(super) struct Connection {
    pub(super) trust: Trust,
    pub(super) origin: String,
    pub(super) api: Api,
    pub(super) tiles: HttpTiles,
    pub(super) state: State,
    runtime: Runtime,
}

/// A copy of a log.
pub(super) struct Copied {
    pub(super) trust: Trust,
    pub(super) origin: String,
    pub(super) tiles: HttpTiles,
    /// Its head, not verified.
    pub(super) note: Vec<u8>,
    pub(super) state: State,
    _runtime: Runtime,
}

fn runtime() -> Result<Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Error::local(format!("no threads for the network: {e}")))
}

impl Connection {
    /// Waits for an answer.
    pub(super) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    /// Accepts a head, tells what is odd about it, and remembers it.
    pub(super) fn accept(&self, context: &Context, note: &[u8]) -> Result<Head, Error> {
        let head = head::accept(&self.trust, &self.origin, &self.state, &self.tiles, note)?;
        if let Some(remark) = head.remark() {
            context.remark(remark);
        }
        Ok(head)
    }
}

impl Context {
    pub(super) fn new(global: Global) -> Context {
        Context { global }
    }

    /// Whether JSON is asked for.
    pub(super) fn json(&self) -> bool {
        self.global.json
    }

    /// Says something besides the result, unless told to be quiet.
    pub(super) fn remark(&self, text: impl AsRef<str>) {
        if !self.global.quiet {
            out::remark(text);
        }
    }

    /// The address, if one was named.
    pub(super) fn url(&self) -> Option<&str> {
        self.global.url.as_deref()
    }

    /// The trust file, if one was named.
    pub(super) fn trust(&self) -> Result<Option<Trust>, Error> {
        self.global.trust.as_deref().map(Trust::load).transpose()
    }

    pub(super) fn state(&self) -> Result<State, Error> {
        State::at(self.global.state.clone())
    }

    /// A copy of the log in a folder. Nobody is talked to.
    pub(super) fn copied(&self, folder: &Path) -> Result<Copied, Error> {
        let runtime = runtime()?;
        let trust = self.trust()?.ok_or_else(|| {
            Error::usage("whose copy is it? Name the log's trust file with --trust FILE or CLAIMTRAIL_TRUST")
        })?;
        let origin = trust.log(self.global.log.as_deref())?.origin().to_owned();
        let tiles = HttpTiles::in_folder(folder, runtime.handle().clone());
        let note = files::read(&folder.join("checkpoint"), MAX_CHECKPOINT_BYTES)?;
        Ok(Copied { trust, origin, tiles, note, state: self.state()?, _runtime: runtime })
    }

    /// The log to talk to.
    pub(super) fn connect(&self) -> Result<Connection, Error> {
        let runtime = runtime()?;
        let trust = self.connection_trust(&runtime)?;
        let log = trust.log(self.global.log.as_deref())?;
        let origin = log.origin().to_owned();
        let url = self.global.url.as_deref().or(log.url()).ok_or_else(|| {
            Error::usage(format!("the trust file gives no address for {origin}; add it to the log line or use --url"))
        })?;
        let http = self.http(url)?;
        let tiles = HttpTiles::new(http.clone(), runtime.handle().clone());
        Ok(Connection { origin, api: Api::new(http), tiles, state: self.state()?, trust, runtime })
    }

    fn http(&self, url: &str) -> Result<Http, Error> {
        let http = Http::new(url)?.with_whole_timeout(ANSWER_TIMEOUT);
        Ok(match self.global.retry_for {
            Some(seconds) => http.with_deadline(Duration::from_secs(seconds)),
            None => http,
        })
    }

    fn connection_trust(&self, runtime: &Runtime) -> Result<Trust, Error> {
        let file = self.global.trust.as_ref();
        match file {
            Some(file) if !self.global.trust_on_first_use || file.exists() => Trust::load(file),
            None if !self.global.trust_on_first_use => Err(Error::usage(
                "whom do you trust? Name the log's trust file with --trust FILE or CLAIMTRAIL_TRUST; its operator gives it \
                 to you. Without one, --trust-on-first-use takes the keys from the log itself, at --url",
            )),
            _ => self.first_use(runtime, file),
        }
    }

    fn first_use(&self, runtime: &Runtime, file: Option<&PathBuf>) -> Result<Trust, Error> {
        let (Some(url), Some(file)) = (self.global.url.as_deref(), file) else {
            return Err(Error::usage(
                "--trust-on-first-use needs --url (where the log is) and --trust (the file to write)",
            ));
        };
        let info = runtime.block_on(Api::new(self.http(url)?).log())?;
        let text = trust::first_use(&info.log_vkey, &info.time_vkey, url)?;
        trust::write_new(file, &text)?;
        out::remark(format!(
            "{} the keys of {} were taken from the log itself and written to {}. From now on another key is refused, but \
             whoever stood between you and the log today chose these. Compare with the operator's own publication:\n  {}",
            out::styled(out::CARE, "Trust on first use:"),
            info.origin,
            file.display(),
            info.log_vkey
        ));
        Trust::parse(text.as_bytes())
    }

    /// What is filled into claims.
    pub(super) fn fill(&self, anchored: bool) -> Result<Fill, Error> {
        let log = match self.trust()? {
            None => None,
            Some(trust) => {
                let origin = trust.log(self.global.log.as_deref())?.origin().to_owned();
                Some(LogAddress::newest(&trust, &self.state()?, &origin, anchored)?)
            }
        };
        Ok(Fill { log, now: clock::now() })
    }

    /// A progress bar on standard error, where that is a terminal.
    pub(super) fn bar(&self, length: Option<u64>, what: &str) -> ProgressBar {
        let hidden = self.global.quiet || self.global.json;
        let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(length, target);
        let template = if length.is_some() {
            format!("{what} {{wide_bar}} {{human_pos}}/{{human_len}} {{per_sec}} {{eta}}")
        } else {
            format!("{what} {{human_pos}} {{per_sec}}")
        };
        match ProgressStyle::with_template(&template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }
}
