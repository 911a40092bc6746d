//! `claimtrail key`

use std::path::PathBuf;

use clap::Subcommand;
use proto::ed25519::PublicKey;
use serde_json::json;

use super::context::Context;
use super::out;
use crate::error::Error;
use crate::keyfile;

#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// Make a new Ed25519 key: FILE (mode 0600) and FILE.pub
    New {
        /// Where to write it; a file that is there stays
        file: PathBuf,
    },
    /// Show a key's id and public half
    Show {
        /// A key file or its .pub
        file: PathBuf,
    },
}

pub(super) fn run(context: &Context, command: Key) -> Result<(), Error> {
    match command {
        Key::New { file } => {
            let key = keyfile::create(&file)?.public();
            show(context, &key);
            context.remark(format!("Keep {} secret and keep a copy of it; nobody can make it again.", file.display()));
        }
        Key::Show { file } => show(context, &keyfile::load_public(&file)?),
    }
    Ok(())
}

fn show(context: &Context, key: &PublicKey) {
    let spki = proto::b64::encode(key.to_spki());
    if context.json() {
        out::json(&json!({ "key_id": key.id().to_string(), "alg": "ed25519", "spki": spki }));
    } else {
        out::line(format!("key id  {}\nspki    {spki}", key.id()));
    }
}
