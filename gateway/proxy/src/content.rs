//! Bodies that the gateway holds itself: of a policy's reply, of a file, of a
//! stored response. Unlike one that passes through ([`crate::body`]) they can
//! be cut into ranges, and most of them have a known length.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use janua_cache::FillReader;

/// A run of a file's bytes.
#[derive(Clone, Debug)]
pub(crate) struct Extent {
    pub(crate) file: Arc<File>,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// Bytes that are there.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Bytes(Bytes),
    File(Extent),
}

/// A body.
pub(crate) enum Content {
    /// All of it, one piece after another: mostly a single one, more for
    /// `multipart/byteranges`.
    Pieces(Vec<Piece>),
    /// On its way into the cache, or being compressed.
    Growing {
        reader: FillReader,
        /// As announced by the upstream, and not compressed.
        length: Option<u64>,
    },
}

impl Piece {
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(extent) => extent.length,
        }
    }

    /// A part of it. What lies outside is left out.
    pub(crate) fn cut(&self, range: &Range<u64>) -> Self {
        let end = range.end.min(self.length());
        let start = range.start.min(end);
        match self {
            // They fit: both are at most its length.
            Self::Bytes(bytes) => Self::Bytes(bytes.slice(start as usize..end as usize)),
            Self::File(extent) => Self::File(Extent {
                file: Arc::clone(&extent.file),
                offset: extent.offset + start,
                length: end - start,
            }),
        }
    }
}

impl Content {
    pub(crate) fn empty() -> Self {
        Self::Pieces(Vec::new())
    }

    pub(crate) fn whole(piece: Piece) -> Self {
        Self::Pieces(vec![piece])
    }

    /// Its bytes, if they are known before it comes.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::Pieces(pieces) => Some(pieces.iter().map(Piece::length).sum()),
            Self::Growing { length, .. } => *length,
        }
    }
}

impl From<Box<[u8]>> for Content {
    fn from(bytes: Box<[u8]>) -> Self {
        Self::whole(Piece::Bytes(bytes.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_stay_inside() {
        let piece = Piece::Bytes(Bytes::from_static(b"0123456789"));
        for (range, expected) in [
            (0..10, "0123456789"),
            (2..4, "23"),
            (8..99, "89"),
            (99..100, ""),
            (5..5, ""),
        ] {
            let Piece::Bytes(cut) = piece.cut(&range) else {
                panic!("bytes stay bytes")
            };
            assert_eq!(cut, expected.as_bytes(), "{range:?}");
        }
        let whole = Piece::File(Extent {
            file: Arc::new(File::open("/dev/null").unwrap()),
            offset: 100,
            length: 50,
        });
        let Piece::File(cut) = whole.cut(&(10..60)) else {
            panic!("a file stays a file")
        };
        assert_eq!((cut.offset, cut.length), (110, 40));
    }
}
