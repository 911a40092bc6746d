//! Lines out of pieces, none of them kept beyond the limit.

use axum::body::Bytes;

/// One line without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// Something to look at.
    Whole(Bytes),
    /// White space only.
    Blank,
    /// Longer than the limit; it was skipped.
    TooLong {
        /// Bytes of a line at most.
        limit: usize,
    },
}

/// Splits what is pushed into lines. At most one line and one pushed piece are held.
#[derive(Debug)]
pub(super) struct Lines {
    limit: usize,
    held: Vec<u8>,
    /// Bytes of `held` that were given out.
    begin: usize,
    /// Bytes of `held` in which no line feed is.
    searched: usize,
    /// Within a line that is too long.
    skipping: bool,
}

impl Lines {
    /// Lines of at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Lines {
        Lines { limit, held: Vec::new(), begin: 0, searched: 0, skipping: false }
    }

    /// Takes a piece. Call it when [`Lines::next`] has no line left.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.held.drain(..self.begin);
        self.searched -= self.begin;
        self.begin = 0;
        self.held.extend_from_slice(piece);
    }

    /// Forgets a line that will not end; lines that did are still given out.
    pub(super) fn abandon(&mut self) {
        let end = self.held.iter().rposition(|byte| *byte == b'\n').map_or(self.begin, |at| self.begin.max(at + 1));
        self.held.truncate(end);
        self.searched = self.searched.min(end);
        self.skipping &= end > self.begin; // the long line's end may still be there
    }

    /// Whether a line has begun and has not ended; said when [`Lines::next`] has no line left.
    pub(super) fn is_unfinished(&self) -> bool {
        self.skipping || self.held.len() > self.begin
    }

    /// The next line; with `ended` also the last one, if it has no line feed.
    pub(super) fn next(&mut self, ended: bool) -> Option<Line> {
        let found = memchr::memchr(b'\n', &self.held[self.searched..]).map(|at| self.searched + at);
        let Some(end) = found else {
            self.searched = self.held.len();
            return match ended {
                true => self.last(),
                false => {
                    self.skip_if_too_long();
                    None
                }
            };
        };
        let line = self.take(end);
        self.begin = end + 1;
        self.searched = self.begin;
        Some(line)
    }

    fn last(&mut self) -> Option<Line> {
        let end = self.held.len();
        let line = (end > self.begin || self.skipping).then(|| self.take(end));
        self.begin = end;
        line
    }

    fn take(&mut self, end: usize) -> Line {
        let line = &self.held[self.begin..end];
        if std::mem::take(&mut self.skipping) || line.len() > self.limit {
            return Line::TooLong { limit: self.limit };
        }
        match line.trim_ascii() {
            [] => Line::Blank,
            text => Line::Whole(Bytes::copy_from_slice(text)),
        }
    }

    /// Lets go of the beginning of a line that is too long already.
    fn skip_if_too_long(&mut self) {
        if self.skipping || self.held.len() - self.begin > self.limit {
            self.skipping = true;
            self.begin = self.held.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 8;

    fn split(pieces: &[&[u8]]) -> Vec<Line> {
        let mut lines = Lines::new(LIMIT);
        let mut out = Vec::new();
        for piece in pieces {
            lines.push(piece);
            while let Some(line) = lines.next(false) {
                out.push(line);
            }
            assert!(lines.held.len() <= LIMIT + piece.len(), "no more than a line and a piece is held");
        }
        while let Some(line) = lines.next(true) {
            out.push(line);
        }
        out
    }

    fn whole(text: &str) -> Line {
        Line::Whole(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn lines_blank_ones_and_long_ones() {
        let long = Line::TooLong { limit: LIMIT };
        assert_eq!(split(&[b"a\nbc\r\n", b"d"]), [whole("a"), whole("bc"), whole("d")]);
        assert_eq!(split(&[b"\n \t\na"]), [Line::Blank, Line::Blank, whole("a")]);
        assert_eq!(split(&[b"12345678\n123456789\nx\n"]), [whole("12345678"), long.clone(), whole("x")]);
        assert_eq!(split(&[b"12345", b"67890", b"12345\nx"]), [long.clone(), whole("x")]);
        assert_eq!(split(&[b"1234567890", b"\n"]), std::slice::from_ref(&long));
        assert_eq!(split(&[b"1234567890"]), [long]);
        assert_eq!(split(&[b""]), []);
    }

    #[test]
    fn an_abandoned_line_takes_no_whole_one_with_it() {
        for (text, left) in [("a\nbc", vec![whole("a")]), ("bc", vec![]), ("a\n\nbc\n", split(&[b"a\n\nbc\n"]))] {
            let mut lines = Lines::new(LIMIT);
            lines.push(text.as_bytes());
            lines.abandon();
            assert_eq!(std::iter::from_fn(|| lines.next(true)).collect::<Vec<_>>(), left, "{text:?}");
        }
        let mut lines = Lines::new(LIMIT);
        lines.push(b"1234567890");
        assert_eq!((lines.next(false), lines.is_unfinished()), (None, true));
        lines.abandon();
        assert_eq!((lines.next(true), lines.is_unfinished()), (None, false));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[ab \n]{0,60}", cuts in proptest::collection::vec(0usize..60, 0..6)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut begin = 0;
            for cut in cuts {
                pieces.push(&text.as_bytes()[begin..cut]);
                begin = cut;
            }
            pieces.push(&text.as_bytes()[begin..]);
            prop_assert_eq!(split(&pieces), split(&[text.as_bytes()]));
        }
    }
}
