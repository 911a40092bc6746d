//! Two histories under one key: forks and what goes back.

use monitor::finding::Class;
use proto::misbehaviour::Kind;
use proto::num::{Millis, TreeSize};

use super::animal::{Animal, Audit, Life};
use super::script::Script;
use super::show::Show;

/// A fork is in the tamper class, never ends, and is proven by the kind.
const fn fork(
    name: &'static str,
    does: &'static str,
    proven: &'static [Kind],
    audit: Audit,
    life: fn(Millis) -> Life,
) -> Animal {
    let (class, code) = (Class::Tamper, "head.fork");
    Animal { name, does, class, code, proven, ends: false, audit, life }
}

pub(super) const ALL: &[Animal] = &[
    fork(
        "fork, same size",
        "shows another head of the same size",
        &[Kind::SameSize, Kind::TwoEntries],
        Audit::Says(1, "TAMPERING"),
        same_size,
    ),
    fork(
        "fork, larger",
        "goes on from an earlier state, past the head that was seen",
        &[Kind::Inconsistent, Kind::TwoEntries],
        Audit::Says(1, "TAMPERING"),
        larger,
    ),
    fork(
        "fork, smaller",
        "rolls back and goes on otherwise, up to a smaller head",
        &[Kind::Inconsistent, Kind::TwoEntries],
        Audit::Says(1, "both signed heads are kept"),
        smaller,
    ),
    fork(
        "fork in the list",
        "shows the head that was seen, and lists one of another history among the older ones",
        &[Kind::Inconsistent],
        Audit::Says(1, "head.fork"),
        listed,
    ),
    fork(
        "entry stamped anew",
        "puts the same claim at the same index with another time, and goes on: two entries at one index",
        &[Kind::Inconsistent, Kind::TwoEntries],
        Audit::Says(1, "TAMPERING"),
        stamped_anew,
    ),
    Animal {
        name: "rollback",
        does: "signs an earlier state anew, as if the entries behind it had never been there",
        class: Class::Tamper,
        code: "head.time",
        proven: &[Kind::HeadTime],
        ends: false,
        audit: Audit::Says(1, "head.time"),
        life: rolled_back,
    },
];

/// Where histories part: three entries, and a fourth in one of them.
fn parted(now: Millis, models: &[&str]) -> Script {
    let mut script = Script::begun(now);
    for model in models {
        script.promise(model);
        script.publish();
    }
    script
}

fn same_size(now: Millis) -> Life {
    let one = parted(now, &["CAM-2"]);
    let mut later = one.clone();
    later.promise("CAM-3");
    later.publish();
    Life::after(Show::of(&one), Show::of(&parted(now, &["CAM-X"])), Show::of(&later))
}

fn larger(now: Millis) -> Life {
    let (one, grown) = (parted(now, &["CAM-2"]), parted(now, &["CAM-2", "CAM-3"]));
    Life::after(Show::of(&one), Show::of(&parted(now, &["CAM-X", "CAM-3"])), Show::of(&grown))
}

fn smaller(now: Millis) -> Life {
    let one = parted(now, &["CAM-2", "CAM-3"]);
    let mut other = Script::begun(now);
    other.pass(20);
    other.promise("CAM-X");
    other.publish();
    let old = parted(now, &["CAM-2"]);
    Life::after(Show::of(&one), Show::of(&other), Show::of(&old))
}

fn listed(now: Millis) -> Life {
    let mut one = parted(now, &["CAM-2"]);
    let (before, other) = (Show::of(&one), parted(now, &["CAM-X"]));
    one.pass(10);
    one.promise("CAM-3");
    one.publish();
    let hidden = other.head(TreeSize(4), one.now.seconds());
    Life::after(before, Show::of(&one).with_listed(hidden), Show::of(&one))
}

fn stamped_anew(now: Millis) -> Life {
    let one = parted(now, &["CAM-2"]);
    let mut other = Script::begun(now);
    other.pass(5);
    for model in ["CAM-2", "CAM-3"] {
        other.promise(model);
        other.publish();
    }
    Life::after(Show::of(&one), Show::of(&other), Show::of(&parted(now, &["CAM-2", "CAM-3"])))
}

fn rolled_back(now: Millis) -> Life {
    let mut one = parted(now, &["CAM-2", "CAM-3"]);
    let before = Show::of(&one);
    one.pass(30);
    let back = one.head(TreeSize(3), one.now.seconds());
    // The twin: an old answer out of a cache, with its own old time.
    let old = one.heads[0].note.clone();
    Life::after(before.clone(), before.clone().with_checkpoint(back.note), before.with_checkpoint(old))
}
