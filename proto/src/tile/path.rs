//! Names of tiles and bundles: `tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]` (C2SP tlog-tiles).

use std::fmt;
use std::str::FromStr;

use super::{BundleId, TILE_WIDTH, TileId};
use crate::num::parse_decimal;

/// No name is longer: `tile/entries/`, five groups and the last three digits of an index below 2^55, and `.p/255`. Longer
/// texts are refused unread.
pub const MAX_PATH_BYTES: usize = 13 + (5 * 5 + 3) + 6;

/// A text is not the one name of a tile or a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the name of a tile or entry bundle: write tile/<level>/<index>, or tile/entries/<index>, with the index in \
     groups of three digits (x001/234) and .p/<width> for a partial one"
)]
pub struct BadTilePath;

/// What a name under `tile/` stands for. `parse` reads it and `to_string` writes it; no leading slash, since a log may
/// live below any prefix. Each thing has exactly one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TilePath {
    /// Hashes, `tile/<L>/<N>`.
    Tile(TileId),
    /// Entries, `tile/entries/<N>`.
    Entries(BundleId),
}

impl TilePath {
    /// Whether it has all that it can ever have: then its bytes never change.
    pub fn is_full(&self) -> bool {
        match self {
            TilePath::Tile(id) => id.is_full(),
            TilePath::Entries(id) => id.is_full(),
        }
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TilePath::Tile(id) => id.fmt(f),
            TilePath::Entries(id) => id.fmt(f),
        }
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level())?;
        write_place(f, self.index(), self.width())
    }
}

impl fmt::Display for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tile/entries/")?;
        write_place(f, self.index(), self.width())
    }
}

/// Three digits a group, all but the last behind an `x`, so that no folder grows beyond a few thousand names.
fn write_place(f: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    let groups = (1u32..).take_while(|group| index >= 1000u64.saturating_pow(*group)).count();
    for group in (1..=groups).rev() {
        let above = (0..group).fold(index, |rest, _| rest / 1000);
        write!(f, "x{:03}/", above % 1000)?;
    }
    write!(f, "{:03}", index % 1000)?;
    if width == TILE_WIDTH { Ok(()) } else { write!(f, ".p/{width}") }
}

impl FromStr for TilePath {
    type Err = BadTilePath;

    fn from_str(text: &str) -> Result<TilePath, BadTilePath> {
        if text.len() > MAX_PATH_BYTES {
            return Err(BadTilePath);
        }
        let rest = text.strip_prefix("tile/").ok_or(BadTilePath)?;
        let (level, place) = rest.split_once('/').ok_or(BadTilePath)?;
        let (index, width) = parse_place(place)?;
        let path = if level == "entries" {
            TilePath::Entries(BundleId::new(index, width).map_err(|_| BadTilePath)?)
        } else {
            let level = small(level)?;
            TilePath::Tile(TileId::new(level, index, width).map_err(|_| BadTilePath)?)
        };
        // Whatever the steps above let through, such as a leading x000 group, one thing keeps one name.
        if path.to_string() == text { Ok(path) } else { Err(BadTilePath) }
    }
}

fn parse_place(place: &str) -> Result<(u64, u16), BadTilePath> {
    let Some((groups, width)) = place.split_once(".p/") else {
        return Ok((parse_index(place)?, TILE_WIDTH));
    };
    let width: u16 = small(width)?;
    // A full one has no suffix, so 256 is not a width here; 0 is refused with the name as a whole.
    if width >= TILE_WIDTH { Err(BadTilePath) } else { Ok((parse_index(groups)?, width)) }
}

fn parse_index(groups: &str) -> Result<u64, BadTilePath> {
    let mut index = 0u64;
    let mut parts = groups.split('/').peekable();
    while let Some(part) = parts.next() {
        let digits = if parts.peek().is_some() { part.strip_prefix('x').ok_or(BadTilePath)? } else { part };
        if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(BadTilePath);
        }
        let group: u64 = digits.parse().map_err(|_| BadTilePath)?;
        index = index.checked_mul(1000).and_then(|index| index.checked_add(group)).ok_or(BadTilePath)?;
    }
    Ok(index)
}

fn small<T: TryFrom<u64>>(text: &str) -> Result<T, BadTilePath> {
    let number = parse_decimal(text).map_err(|_| BadTilePath)?;
    T::try_from(number).map_err(|_| BadTilePath)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile::MAX_TILE_INDEX;

    fn tile(level: u8, index: u64, width: u16) -> TilePath {
        TilePath::Tile(TileId::new(level, index, width).expect("in range"))
    }

    #[test]
    fn known_names() {
        let entries = |index, width| TilePath::Entries(BundleId::new(index, width).expect("in range"));
        let known = [
            (tile(0, 0, 256), "tile/0/000"),
            (tile(0, 999, 1), "tile/0/999.p/1"),
            (tile(1, 1000, 255), "tile/1/x001/000.p/255"),
            (tile(63, 1_234_067, 256), "tile/63/x001/x234/067"),
            (entries(1_000_000, 7), "tile/entries/x001/x000/000.p/7"),
            (tile(0, MAX_TILE_INDEX, 255), "tile/0/x036/x028/x797/x018/x963/967.p/255"),
        ];
        for (path, name) in known {
            assert_eq!(path.to_string(), name);
            assert_eq!(name.parse(), Ok(path));
        }
        assert_eq!(entries(MAX_TILE_INDEX, 255).to_string().len(), MAX_PATH_BYTES);
    }

    #[test]
    fn every_other_spelling_is_refused() {
        let bad = [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "/tile/0/000",
            "tile/+0/000",
            "tile/00/000",
            "tile/64/000",
            "tile/256/000",
            "tile/data/000",
            "tile/0/0",
            "tile/0/x000/001",
            "tile/0/x001",
            "tile/0/001/000",
            "tile/0/xx01/000",
            "tile/0/x001//000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/65537",
            "tile/0/000.p/+1",
            "tile/0/000.p/1.p/1",
            "tile/0/000.p/1/",
            "tile/0/000 ",
            "tile/0/x036/x028/x797/x018/x963/968",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/entries/x999/x999/x999/x999/x999/x999/x999/999",
        ];
        for name in bad {
            assert_eq!(name.parse::<TilePath>(), Err(BadTilePath), "{name}");
        }
    }
}
