//! The body of a stored response, and its forms in other content codings.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use janua_http::accept_encoding::Coding;

use crate::growth::{FillReader, Growth};

/// A stored body.
#[derive(Clone, Debug)]
pub enum Body {
    /// In memory.
    Bytes(Bytes),
    /// Still being received from the upstream.
    Growing(Growing),
    /// In a file, complete and with a verified checksum: for `sendfile`.
    File {
        /// Open for reading; the position of the descriptor is not used.
        file: Arc<File>,
        /// Offset of the body in the file, in bytes.
        offset: u64,
        /// Length of the body in bytes.
        length: u64,
    },
}

impl Body {
    /// Length in bytes, if it is known already.
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::Growing(growing) => growing.length(),
            Self::File { length, .. } => Some(*length),
        }
    }

    /// Bytes that it takes of the memory store's budget. Bodies that are being received
    /// have a budget of their own, and files take space on the disk only.
    pub(super) fn weight(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Growing(_) | Self::File { .. } => 0,
        }
    }

    /// True if both are the same body: the same bytes in the same place, or a body
    /// that was being received and the complete one that it became.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bytes(one), Self::Bytes(other)) => {
                one.as_ptr() == other.as_ptr() && one.len() == other.len()
            }
            (Self::Growing(one), Self::Growing(other)) => Arc::ptr_eq(&one.0, &other.0),
            (Self::Growing(growing), Self::Bytes(bytes))
            | (Self::Bytes(bytes), Self::Growing(growing)) => growing
                .0
                .whole()
                .is_some_and(|whole| Self::Bytes(whole).is_same(&Self::Bytes(bytes.clone()))),
            (
                Self::File { file, offset, .. },
                Self::File {
                    file: other,
                    offset: from,
                    ..
                },
            ) => Arc::ptr_eq(file, other) && offset == from,
            (Self::File { .. }, _) | (_, Self::File { .. }) => false,
        }
    }

    /// True if this is the body that is being received as `growth`.
    pub(crate) fn is_growing_as(&self, growth: &Arc<Growth>) -> bool {
        matches!(self, Self::Growing(growing) if Arc::ptr_eq(&growing.0, growth))
    }
}

/// A body that is being received, as its readers see it.
#[derive(Clone, Debug)]
pub struct Growing(pub(crate) Arc<Growth>);

impl Growing {
    /// A reader from the first byte on; `None` if the beginning has been dropped because
    /// the body proved too large to be stored: send the request to the upstream.
    #[must_use]
    pub fn reader(&self) -> Option<FillReader> {
        Growth::reader(&self.0)
    }

    /// Length in bytes, once the body is complete.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.0.whole().map(|body| body.len() as u64)
    }
}

/// The body in other content codings.
#[derive(Clone, Debug, Default)]
pub(super) struct Encoded {
    gzip: Option<Bytes>,
    br: Option<Bytes>,
    zstd: Option<Bytes>,
}

impl Encoded {
    pub(super) fn get(&self, coding: Coding) -> Option<&Bytes> {
        match coding {
            Coding::Gzip => self.gzip.as_ref(),
            Coding::Brotli => self.br.as_ref(),
            Coding::Zstd => self.zstd.as_ref(),
        }
    }

    pub(super) fn slot(&mut self, coding: Coding) -> &mut Option<Bytes> {
        match coding {
            Coding::Gzip => &mut self.gzip,
            Coding::Brotli => &mut self.br,
            Coding::Zstd => &mut self.zstd,
        }
    }

    /// Bytes of all encoded forms.
    pub(super) fn weight(&self) -> u64 {
        let all = [&self.gzip, &self.br, &self.zstd];
        all.into_iter()
            .flatten()
            .map(|bytes| bytes.len() as u64)
            .sum()
    }
}
