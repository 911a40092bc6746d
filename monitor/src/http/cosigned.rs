//! `/v1/cosigned`: cosigned heads of witnesses that are known here by their keys.
//!
//! | request | answer |
//! |---|---|
//! | `POST ?from=`, body: a head with a witness's own line | 204: it is kept, or a higher one is; 403: not of a witness that is known here |
//! | `GET ?origin=&key=&nonce=` | 200: JSON, the highest head that is known to be cosigned under that key, or that none is, signed; 404: cosignatures of that key are not kept here |
//!
//! A witness that lost its state asks with it for its own last cosignature. That this monitor knows of none is said in so many
//! words, and signed with what the asker drew by chance: nobody can say it in this monitor's place.

use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode, Uri};
use proto::code::Code;
use proto::hash::Hash;
use proto::last_cosigned::{CosignedHead, LastCosigned, Question};
use proto::note::{Note, Vkey};
use serde::Deserialize;
use service::body::read_all;
use service::client_addr::ClientAddr;
use service::problem::Problem;

use super::gossip::{Sharing, invalid, unknown_log};
use super::rates::HEAD;
use crate::clock;
use crate::gossip::NotCosigned;
use crate::gossip::core::{Input, Source};
use crate::gossip::head::MAX_GOSSIP_BYTES;
use crate::gossip::peer::{CosignedAnswer, Peer};
use crate::witness::Cosigned;

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    origin: String,
    key: String,
    nonce: String,
}

/// `POST /v1/cosigned`
pub(super) async fn take(
    State(state): State<Sharing>,
    ClientAddr(address): ClientAddr,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    let peer = state.charge(&uri, address, HEAD)?.peer;
    let body = read_all(body, MAX_GOSSIP_BYTES).await?;
    let work = state.clone();
    state.shared.blocking(move || work.keep_cosigned(peer.as_deref(), &body)).await??;
    Ok((StatusCode::NO_CONTENT, [(CACHE_CONTROL, NO_STORE)]).into_response())
}

/// `GET /v1/cosigned`
pub(super) async fn last(
    State(state): State<Sharing>,
    ClientAddr(address): ClientAddr,
    uri: Uri,
) -> Result<Response, Problem> {
    let Query(asked) = Query::<Asked>::try_from_uri(&uri).map_err(|_| {
        invalid("The parameters are `origin`, `key` (a vkey) and `nonce` (32 bytes by chance, in lower-case hex), each once.")
    })?;
    state.charge_reader(address)?;
    let log = state.gossip.log(&asked.origin).ok_or_else(unknown_log)?.log().clone();
    let vkey = Vkey::parse(&asked.key).map_err(|why| invalid(format!("`key`: {why}.")))?;
    let nonce = Hash::from_hex(&asked.nonce).map_err(|_| invalid("`nonce` is 32 bytes in lower-case hex."))?;
    if !log.keeps_cosignatures_of(&vkey) {
        let detail =
            "Cosignatures of that key are not kept here: it is neither the vkey of a peer nor in the trust file.";
        return Err(Problem::new(Code::RequestNotFound, detail));
    }
    let key = vkey.to_string();
    let found = state.shared.blocking(move || log.store.cosigned_by(&key)).await?;
    let found = found.map_err(|e| Problem::internal(&e.message))?;
    let question = Question { origin: asked.origin, vkey, nonce };
    let answer = CosignedAnswer {
        statement: state.state_last(question, found.as_ref()),
        checkpoint: found.map(|found| String::from_utf8_lossy(&found.note).into_owned()),
    };
    Ok(([(CACHE_CONTROL, NO_STORE)], axum::Json(answer)).into_response())
}

impl Sharing {
    fn keep_cosigned(&self, peer: Option<&Peer>, body: &[u8]) -> Result<(), Problem> {
        let note = Note::parse(body).map_err(|why| invalid(format!("The body is a signed head: {why}.")))?;
        let log = self.gossip.log(note.claimed_origin()).ok_or_else(unknown_log)?;
        let shown = log.take_cosigned(note).map_err(|why| match why {
            NotCosigned::Own(error) => Problem::internal(&error.message),
            why => Problem::new(Code::CheckpointSignature, format!("The cosigned head is not taken: {why}.")),
        })?;
        // The head is one like any other: perhaps the tree here shows what it is.
        let source = peer.and_then(|peer| log.peer(&peer.config.name)).map_or(Source::Anyone, Source::Peer);
        let input = |head, random| Input::Received { head, source, proof: None, random };
        let (_, acts) = log.take(&shown, input, clock::now()).map_err(|e| Problem::internal(&e.message))?;
        self.gossip.act(log, acts);
        Ok(())
    }

    /// What is known, signed; nothing when this monitor has no key.
    fn state_last(&self, question: Question, found: Option<&Cosigned>) -> Option<String> {
        let head = |found: &Cosigned| CosignedHead { size: found.size, root: found.root, time: found.time };
        let said = LastCosigned { question, last: found.map(head), at: clock::now().seconds() };
        self.shared.0.witness.as_ref()?.keys().state_last(&said)
    }
}
