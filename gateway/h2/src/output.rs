//! The bytes that wait to be written to the transport.

use crate::buffers;

/// How many bytes may wait before streams have to wait with their data.
pub(crate) const HIGH_WATER: usize = 64 * 1024;
/// How many bytes may wait before nothing more is read, which would be answered.
pub(crate) const FULL: usize = HIGH_WATER + 64 * 1024;

/// The output of a connection.
#[derive(Debug, Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    written: usize,
    /// The bytes that were written in total.
    total: u64,
}

impl Output {
    /// What waits to be written.
    pub(crate) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    /// How much waits to be written.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// The position of the end in all that the connection writes.
    pub(crate) fn end(&self) -> u64 {
        self.total + self.len() as u64
    }

    /// The position up to which everything was written.
    pub(crate) fn written(&self) -> u64 {
        self.total
    }

    /// The buffer, with room for this many bytes more.
    #[inline]
    pub(crate) fn room(&mut self, more: usize) -> &mut Vec<u8> {
        buffers::reserve(&mut self.bytes, more);
        &mut self.bytes
    }

    /// The memory of the buffer, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    /// Removes bytes that were written.
    pub(crate) fn advance(&mut self, count: usize) {
        let count = count.min(self.len());
        self.written += count;
        self.total += count as u64;
        if self.len() == 0 {
            buffers::give_back(std::mem::take(&mut self.bytes));
            self.written = 0;
        } else if self.written >= HIGH_WATER {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
    }
}
