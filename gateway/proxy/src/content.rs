//! Bodies that the gateway holds itself: those of policies' responses, files and stored
//! responses. Unlike streamed bodies ([`crate::body`]) they can be cut into ranges, and
//! most of them have a known length.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use janua_cache::FillReader;

/// A contiguous range of a file's bytes.
#[derive(Clone, Debug)]
pub(crate) struct Extent {
    pub(crate) file: Arc<File>,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// Bytes that are available, in memory or in a file.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Bytes(Bytes),
    File(Extent),
}

/// A body that the gateway holds.
pub(crate) enum Content {
    /// The whole body in order: usually one piece, several for `multipart/byteranges`.
    Pieces(Vec<Piece>),
    /// A body that is still being stored or compressed.
    Growing {
        reader: FillReader,
        /// The upstream's `Content-Length`, unless the body is compressed.
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

    /// The part of the piece in `range`, which is clamped to its length.
    pub(crate) fn cut(&self, range: &Range<u64>) -> Self {
        let end = range.end.min(self.length());
        let start = range.start.min(end);
        match self {
            // Both offsets are at most the length, which is a `usize`.
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

    /// The length in bytes, if it is known in advance.
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
