//! Answers that are no answers: too large, too slow, without end, or something else altogether.

use monitor::finding::Class;
use proto::num::Millis;

use super::animal::{Animal, Audit, Life};
use super::script::Script;
use super::show::{Odd, Show};

/// What a portal or a broken proxy says, with status 200.
const PAGE: &[u8] = b"<!doctype html><title>Welcome</title><p>Please accept our terms to go on.";
/// More than any head.
const LARGE_HEAD_BYTES: usize = 300 * 1024;
/// More than the 256 hashes of a tile.
const LARGE_TILE_BYTES: usize = 257 * 32;

/// A log that cannot be read is an outage, and over when it can be. Nothing of it is signed.
const fn unreadable(name: &'static str, does: &'static str, audit: Audit, life: fn(Millis) -> Life) -> Animal {
    Animal { name, does, class: Class::Outage, code: "log.unreachable", proven: &[], ends: true, audit, life }
}

const OUTAGE: Audit = Audit::Says(69, "");

pub(super) const ALL: &[Animal] = &[
    unreadable("oversize head", "answers with 300 KiB for a head", OUTAGE, large_head),
    unreadable("oversize tile", "answers with 257 hashes for a tile", OUTAGE, large_tile),
    unreadable("endless head", "answers with a head without end", OUTAGE, endless_head),
    unreadable("endless entries", "answers with entries without end", OUTAGE, endless_entries),
    unreadable("slow entries", "answers with a byte now and then, for ever", Audit::NotAsked, slow),
    unreadable("silence", "takes requests and never answers", Audit::NotAsked, silent),
    unreadable("errors", "answers with a status 500", OUTAGE, errors),
    unreadable("page for a head", "answers with a page of HTML for a head", OUTAGE, page_for_head),
    unreadable("page for a tile", "answers with a page of HTML for a tile", OUTAGE, page_for_tile),
    unreadable("page for entries", "answers with a page of HTML for entries", OUTAGE, page_for_entries),
    unreadable("page for the list", "answers with a page of HTML for the list of heads", OUTAGE, page_for_list),
];

/// A log that was looked at, grew, and now answers oddly.
fn answering(now: Millis, path: &'static str, odd: Odd) -> Life {
    let mut script = Script::begun(now);
    let before = Show::of(&script);
    script.promise("CAM-2");
    script.publish();
    let honest = Show::of(&script);
    Life::after(before, honest.clone().with_odd(path, odd), honest)
}

fn large_head(now: Millis) -> Life {
    answering(now, "/checkpoint", Odd::Instead(200, "text/plain", vec![b'x'; LARGE_HEAD_BYTES]))
}

fn large_tile(now: Millis) -> Life {
    answering(now, "/tile/0/", Odd::Instead(200, "application/octet-stream", vec![0; LARGE_TILE_BYTES]))
}

fn endless_head(now: Millis) -> Life {
    answering(now, "/checkpoint", Odd::Endless)
}

fn endless_entries(now: Millis) -> Life {
    answering(now, "/tile/entries/", Odd::Endless)
}

fn slow(now: Millis) -> Life {
    answering(now, "/tile/entries/", Odd::Dripping)
}

fn silent(now: Millis) -> Life {
    answering(now, "/", Odd::Silent)
}

fn errors(now: Millis) -> Life {
    answering(now, "/", Odd::Instead(500, "text/plain", b"error".to_vec()))
}

fn page() -> Odd {
    Odd::Instead(200, "text/html", PAGE.to_vec())
}

fn page_for_head(now: Millis) -> Life {
    answering(now, "/checkpoint", page())
}

fn page_for_tile(now: Millis) -> Life {
    answering(now, "/tile/0/", page())
}

fn page_for_entries(now: Millis) -> Life {
    answering(now, "/tile/entries/", page())
}

fn page_for_list(now: Millis) -> Life {
    answering(now, "/v1/heads", page())
}
