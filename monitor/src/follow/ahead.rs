//! Whether a log dates what it signs into the future.
//!
//! A log whose heads and entries are all dated by a clock that goes ahead contradicts itself nowhere: only another clock tells.
//! This machine's may be the wrong one, so that it is told and accuses nobody.

use proto::num::Millis;
use proto::policy::Checked;

use crate::finding::{Class, Finding, code};

/// How far a head may be ahead of this machine's clock. Clocks that are kept differ by less than a second, and ones that nobody
/// keeps by minutes.
const TOLERANCE_SECONDS: u64 = 300;

/// What is to be said of the time of the head that the log shows. Entries cannot be later than it: that is a finding of its own.
pub(super) fn judge(head: &Checked, now: Millis) -> Option<Finding> {
    let time = head.log_time?;
    let ahead = time.0.saturating_sub(now.seconds().0);
    (ahead > TOLERANCE_SECONDS).then(|| {
        let message = format!(
            "the newest head that the log shows is of {}, {ahead} s ahead of this machine's clock: one of the two clocks is wrong. \
             If it is the log's, its entries are of times that have not come",
            time.millis().to_rfc3339()
        );
        Finding::new(Class::Degraded, code::AHEAD, message).with_heads(&[&head.checkpoint.to_bytes()])
    })
}

#[cfg(test)]
mod tests {
    use proto::checkpoint::CheckpointText;
    use proto::cosignature::Cosigner;
    use proto::ed25519::SecretKey;
    use proto::hash::Hash;
    use proto::note::{KeyName, NoteSigner};
    use proto::num::{Seconds, TreeSize};
    use proto::policy::Policy;

    use super::*;

    #[test]
    fn a_head_is_ahead_beyond_the_tolerance_alone_and_until_its_time_comes() {
        // Both keys are test keys.
        let log = NoteSigner::new(KeyName::parse("log.example").unwrap(), SecretKey::from_seed(&[1; 32]));
        let time = KeyName::parse("log.example/time").unwrap();
        let time = Cosigner::new(time, SecretKey::from_seed(&[2; 32])).unwrap();
        let policy = Policy::trusting(&[log.vkey().clone()], Some(time.vkey())).unwrap();
        let text = CheckpointText::new("log.example", TreeSize(7), Hash::of(b"root")).unwrap();
        let note = text.sign(&[&log], &[(&time, Seconds(10_000))]).unwrap();
        let head = policy.check(note.as_bytes()).unwrap();
        let found = |now: u64| judge(&head, Millis(now * 1000));
        assert_eq!(found(0).unwrap().code, "head.ahead");
        assert_eq!(found(10_000 - 301).unwrap().class, Class::Degraded);
        assert_eq!((found(10_000 - 300), found(10_000), found(1_000_000)), (None, None, None));
        let untimed = policy.check(text.sign(&[&log], &[]).unwrap().as_bytes()).unwrap();
        assert_eq!(judge(&untimed, Millis(0)), None, "a head that states no time says none");
    }
}
