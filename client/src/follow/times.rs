//! The times of followed entries, and heads held against them.

use proto::code::Code;
use proto::num::{LeafIndex, Millis, Seconds, TreeSize};

use super::{BUNDLE, Breach, Kv};
use crate::error::Error;

/// Bytes of a time.
const TIME_BYTES: usize = 8;

/// What stands for the time of an entry that could not be read.
pub(super) const UNKNOWN: Millis = Millis(u64::MAX);

/// The times of a bundle's entries as they are kept, eight big-endian bytes each.
pub fn encode_times(times: &[Millis]) -> Vec<u8> {
    times.iter().flat_map(|time| time.0.to_be_bytes()).collect()
}

/// The time at a place of a bundle; nothing when it is missing.
pub fn decode_times(bytes: &[u8], place: usize) -> Option<Millis> {
    let start = place.checked_mul(TIME_BYTES)?;
    let eight = bytes.get(start..start.checked_add(TIME_BYTES)?)?;
    Some(Millis(u64::from_be_bytes(eight.try_into().ok()?)))
}

/// The time of an entry, of which `followed` are known; nothing for others and for one that could not be read.
pub fn time_of<K: Kv>(kv: &K, followed: TreeSize, index: LeafIndex) -> Result<Option<Millis>, Error> {
    if !index.is_in(followed) {
        return Ok(None);
    }
    let place = usize::try_from(index.0 % BUNDLE).unwrap_or(usize::MAX);
    let bytes = kv.times(index.0 / BUNDLE)?;
    match bytes.as_deref().and_then(|bytes| decode_times(bytes, place)) {
        Some(time) => Ok((time != UNKNOWN).then_some(time)),
        None => Err(Error::local(format!("the state is damaged: the time of entry {index} is missing; begin anew"))),
    }
}

/// For a head (n, T): every entry before n is from T or earlier, every entry from n on is from T or later.
pub fn check_time<K: Kv>(kv: &K, followed: TreeSize, size: TreeSize, time: Seconds) -> Result<Option<Breach>, Error> {
    let breach = |index: LeafIndex, at: Millis, side: &str| {
        let message = format!("its time, {at} ms, is {side} {time} s, the time of the head of {size} entries");
        Some(Breach { index: Some(index), code: Code::HeadTime.to_string(), message })
    };
    if let Some(last) = size.0.checked_sub(1).map(LeafIndex)
        && let Some(at) = time_of(kv, followed, last)?
        && at.seconds() > time
    {
        return Ok(breach(last, at, "after"));
    }
    match time_of(kv, followed, size.next_index())? {
        Some(at) if at.seconds() < time => Ok(breach(size.next_index(), at, "before")),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follow::Step;

    struct Times(Vec<u8>);

    impl Kv for Times {
        fn state(&self, _: &[u8]) -> Result<Option<Vec<u8>>, Error> {
            Ok(None)
        }

        fn times(&self, bundle: u64) -> Result<Option<Vec<u8>>, Error> {
            Ok((bundle == 0).then(|| self.0.clone()))
        }

        fn commit(&self, _: &Step<'_>) -> Result<(), Error> {
            Ok(())
        }
    }

    #[test]
    fn a_head_stands_between_the_entries_at_its_edge() {
        let kv = Times(encode_times(&[Millis(1_000), Millis(2_500), Millis(4_000), UNKNOWN]));
        let check = |size, time| {
            let found = check_time(&kv, TreeSize(4), TreeSize(size), Seconds(time)).unwrap();
            found.and_then(|breach| breach.index)
        };
        assert_eq!(check(2, 2), None);
        assert_eq!(check(2, 4), None);
        assert_eq!(check(2, 1), Some(LeafIndex(1)), "an entry of the head is after it");
        assert_eq!(check(2, 5), Some(LeafIndex(2)), "an entry behind the head is before it");
        assert_eq!(check(4, 0), None, "an entry without a time proves nothing");
        assert_eq!(check(0, 2), Some(LeafIndex(0)));
        assert!(check_time(&kv, TreeSize(9), TreeSize(8), Seconds(1)).is_err(), "a missing time is damage");
    }
}
