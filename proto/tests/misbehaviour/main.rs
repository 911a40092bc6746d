//! Misbehaviour files: each kind proven, honest logs and witnesses never framed, known answers for other verifiers.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::disallowed_methods, reason = "vectors are files, and an environment variable blesses them")]

mod cases;
mod forged;
mod honest;
mod log;
mod mutate;
mod operated;
mod rules;
#[path = "../fold/stories.rs"]
#[allow(dead_code, reason = "its own tests are the fold's")]
mod stories;
mod vectors;
#[path = "../fold/world.rs"]
#[allow(dead_code, reason = "the fold's tests use the rest")]
mod world;
