//! Base64 as the C2SP formats want it: RFC 4648 §4 with padding and zero trailing bits, nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// A text was not canonical, padded base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not canonical padded base64")]
pub struct BadBase64;

/// Encodes with the standard alphabet and padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Encodes into `out` and gives the text; `None` when it does not fit.
pub fn encode_into<'a>(bytes: &[u8], out: &'a mut [u8]) -> Option<&'a str> {
    let length = STANDARD.encode_slice(bytes, out).ok()?;
    std::str::from_utf8(&out[..length]).ok()
}

/// Decodes the standard alphabet; refuses missing padding, line breaks and non-zero trailing bits.
pub fn decode(text: &str) -> Result<Vec<u8>, BadBase64> {
    STANDARD.decode(text).map_err(|_| BadBase64)
}

/// Decodes either alphabet, as DSSE allows, with the same strictness; a text that mixes both is refused.
pub fn decode_either(text: &str) -> Result<Vec<u8>, BadBase64> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).map_err(|_| BadBase64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_read() {
        assert_eq!(decode("AA=="), Ok(vec![0]));
        assert_eq!(decode("+/8="), Ok(vec![0xfb, 0xff]));
        assert_eq!(decode_either("-_8="), Ok(vec![0xfb, 0xff]));
        for bad in ["AA", "AB==", "AA==\n", "AA= =", "-_8=", "A"] {
            assert_eq!(decode(bad), Err(BadBase64), "{bad:?}");
        }
        for bad in ["+_8=", "AB==", "AA"] {
            assert_eq!(decode_either(bad), Err(BadBase64), "{bad:?}");
        }
    }
}
