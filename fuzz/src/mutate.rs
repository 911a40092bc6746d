//! Mutations without a fuzzer: the same seed always gives the same bytes, so that a test that fails fails again.

/// A generator of numbers that are as good as random and the same on every machine (xorshift64*).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall alike for the same seed.
    pub fn new(seed: u64) -> Dice {
        // Zero would stay zero for ever.
        Dice(seed | 1)
    }

    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// A number below `n`; 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        let roll = usize::try_from(self.roll() & 0xffff_ffff).unwrap_or(0);
        roll.checked_rem(n).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.roll() & 255).unwrap_or(0)
    }
}

/// What parsers tend to stumble over.
const TOKENS: [&[u8]; 24] = [
    b"\n",
    b"\n\n",
    b"\r\n",
    b"\0",
    b" ",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"[",
    b"]}",
    b",",
    b":",
    b"\xe2\x80\x94 ",
    b"\xff",
    b"-1",
    b"1e999",
    b"00",
    b"18446744073709551616",
    b"9007199254740993",
    b"=",
    b"+",
    b"../",
    b"x000/",
];

/// Changes `bytes` in one to four places; `other` is another input of the same target, to take parts of.
pub fn mutate(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        let length = (1 + dice.below(16)).min(bytes.len() - at.min(bytes.len()));
        match dice.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 if at < bytes.len() => bytes[at] = dice.byte(),
            2 => bytes.insert(at, dice.byte()),
            3 => drop(bytes.drain(at..at + length)),
            4 => {
                let copied = bytes[at..at + length].to_vec();
                let to = dice.below(bytes.len() + 1);
                bytes.splice(to..to, copied);
            }
            5 => {
                let token = TOKENS[dice.below(TOKENS.len())];
                bytes.splice(at..at, token.iter().copied());
            }
            6 if !other.is_empty() => {
                let from = dice.below(other.len());
                let taken = other[from..(from + 1 + dice.below(64)).min(other.len())].to_vec();
                bytes.splice(at..at + length, taken);
            }
            _ => bytes.truncate(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutations_repeat_and_differ() {
        let run = |seed| {
            let mut dice = Dice::new(seed);
            let made = (0..100).map(|_| {
                let mut bytes = b"a short text".to_vec();
                mutate(&mut bytes, b"another", &mut dice);
                bytes
            });
            made.collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(9));
        let mut distinct = run(7);
        distinct.sort();
        distinct.dedup();
        assert!(distinct.len() > 50, "{}", distinct.len());
    }
}
