//! `export`: the log as files, for archives and for static servers.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use proto::num::TreeSize;
use serde_json::json;

use super::progress::Bar;
use super::{Exit, Failure, Place, open, say, shown};
use crate::check::Progress;
use crate::export::{ExportError, write_tiles};
use crate::store::{Direction, SignedHead, Store};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    place: Place,
    /// What to write.
    #[arg(long, value_enum, default_value = "tiles")]
    format: Format,
    /// Where to: for tiles a new folder, for ndjson a new file or - for standard output.
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A folder with checkpoint, tile/… and tile/entries/… (C2SP tlog-tiles) that any static file server can serve.
    Tiles,
    /// One JSON object a line: {"index": 0, "entry": "<base64>"}.
    Ndjson,
}

pub(super) fn run(args: &ExportArgs) -> Result<(), Failure> {
    let config = args.place.load([])?;
    let store = open::store_read_only(&config)?;
    let head = newest_signed_head(&store)?;
    let bar = Bar::new();
    let done = match args.format {
        Format::Ndjson => ndjson(&store, head.key.size, &args.out, &bar),
        Format::Tiles => tiles(&store, &head, &args.out, &bar),
    };
    bar.end();
    done?;
    if args.out == Path::new("-") {
        return Ok(());
    }
    say(&format!("{} entries of {} are in {}\n", head.key.size, config.origin, shown(&args.out)))
}

fn newest_signed_head(store: &Arc<dyn Store>) -> Result<SignedHead, Failure> {
    let mut newest = None;
    store.signed_heads(None, Direction::Backward, &mut |head| {
        newest = Some(head);
        ControlFlow::Break(())
    })?;
    newest.ok_or_else(|| Failure::new(Exit::Different, "the log has no signed head; start it once with `serve`"))
}

fn failed(path: &Path) -> impl Fn(io::Error) -> Failure {
    let path = path.to_owned();
    move |error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::new(Exit::Usage, format!("{} is there already; name a new one", shown(&path)))
        }
        _ => Failure::file(&path, "cannot be written", &error),
    }
}

fn ndjson(store: &Arc<dyn Store>, size: TreeSize, out: &Path, progress: &dyn Progress) -> Result<(), Failure> {
    if out == Path::new("-") {
        let mut out = BufWriter::new(io::stdout().lock());
        write_lines(store, size, &mut out, Path::new("standard output"), progress)?;
        return out.flush().map_err(|error| Failure::output(&error));
    }
    let staged = Staged::new(out)?;
    let file = OpenOptions::new().write(true).create_new(true).open(&staged.path).map_err(failed(out))?;
    let mut writer = BufWriter::new(file);
    write_lines(store, size, &mut writer, out, progress)?;
    let file = writer.into_inner().map_err(|error| failed(out)(error.into_error()))?;
    file.sync_all().map_err(failed(out))?;
    staged.finish(out)
}

fn write_lines(
    store: &Arc<dyn Store>,
    size: TreeSize,
    out: &mut dyn Write,
    path: &Path,
    progress: &dyn Progress,
) -> Result<(), Failure> {
    progress.part("entries", size.0);
    let mut written = Ok(());
    store.entries(0..size.0, &mut |index, entry| {
        written = writeln!(out, "{}", json!({"index": index.0, "entry": proto::b64::encode(entry)}));
        progress.done(1);
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    written.map_err(failed(path))
}

fn tiles(store: &Arc<dyn Store>, head: &SignedHead, out: &Path, progress: &dyn Progress) -> Result<(), Failure> {
    let staged = Staged::new(out)?;
    write_tiles(&**store, head, &staged.path, progress).map_err(|error| match error {
        ExportError::Store(error) => error.into(),
        ExportError::File(path, error) => failed(&path)(error),
        ExportError::Bundle(_) => Failure::new(Exit::Different, error.to_string()),
    })?;
    staged.finish(out)
}

/// A neighbour of the path that is written, which gets its name at the end; removed if that is not reached.
struct Staged {
    path: PathBuf,
    finished: bool,
}

impl Staged {
    fn new(out: &Path) -> Result<Staged, Failure> {
        if out.exists() {
            return Err(failed(out)(io::ErrorKind::AlreadyExists.into()));
        }
        let name = out.file_name().ok_or_else(|| {
            Failure::new(Exit::Usage, format!("{} is no name to write to; name a new file or folder", shown(out)))
        })?;
        let path = out.with_file_name(format!(".{}.export-{}", name.to_string_lossy(), std::process::id()));
        Ok(Staged { path, finished: false })
    }

    fn finish(mut self, out: &Path) -> Result<(), Failure> {
        fs::rename(&self.path, out).map_err(failed(out))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.finished {
            let _file_or_folder = fs::remove_file(&self.path).or_else(|_| fs::remove_dir_all(&self.path));
        }
    }
}
