//! Much randomness quickly: bytes that no compressor shortens. Not for keys.

use crate::error::Error;
use crate::random;

/// The SplitMix64 generator: each number of a sequence from its place alone.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

/// What SplitMix64 adds for each number: 2^64 divided by the golden ratio, made odd.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
/// The characters of base64url: they need no escape in JSON and carry six bits each.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Random {
    /// The sequence of this seed and this number in it.
    pub(super) fn at(seed: u64, number: u64) -> Random {
        Random(mix(seed ^ mix(number.wrapping_add(STEP))))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// A number below `end`, which is not 0. The bias of the remainder is far below what any measurement shows.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Fills with random bytes.
    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(8) {
            piece.copy_from_slice(&self.next().to_le_bytes()[..piece.len()]);
        }
    }

    /// Appends random text of this many characters.
    pub(super) fn text(&mut self, length: usize, out: &mut Vec<u8>) {
        let mut left = length;
        while left > 0 {
            let mut bits = self.next();
            for _ in 0..left.min(10) {
                out.push(LETTERS[usize::from((bits & 63) as u8)]);
                bits >>= 6;
            }
            left -= left.min(10);
        }
    }

    /// Appends random lower-case hex digits.
    pub(super) fn hex(&mut self, digits: usize, out: &mut Vec<u8>) {
        for _ in 0..digits.div_ceil(16) {
            out.extend_from_slice(format!("{:016x}", self.next()).as_bytes());
        }
        out.truncate(out.len() - (16 - digits % 16) % 16);
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number that no other run has.
pub(super) fn nonce() -> Result<u64, Error> {
    let seed = random::seed()?;
    Ok(seed.iter().fold(0, |number: u64, byte| number.rotate_left(8) ^ u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sequence_of_seed_0() {
        let mut random = Random(0);
        let first = [random.next(), random.next(), random.next()];
        assert_eq!(first, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
    }

    #[test]
    fn texts_have_their_length_and_differ() {
        for length in [0, 1, 9, 10, 11, 64, 100] {
            let (mut text, mut hex) = (Vec::new(), Vec::new());
            Random::at(1, 2).text(length, &mut text);
            Random::at(1, 2).hex(length, &mut hex);
            assert_eq!((text.len(), hex.len()), (length, length));
        }
        let text = |number| {
            let mut out = Vec::new();
            Random::at(1, number).text(40, &mut out);
            out
        };
        assert_ne!(text(1), text(2));
        assert_eq!(text(1), text(1));
    }
}
