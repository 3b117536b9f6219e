//! Bodies that the gateway derives from others while they are read, such as the compressed
//! form of a stored body. Like a body that is being received (see [`crate::growth`]), each
//! has one writer and any number of readers, on any thread, from the first byte on. It has
//! no entry of its own.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::growth::{FillBudget, FillReader, Growth};

/// Begins derived bodies, and limits the memory that they hold together.
#[derive(Clone, Debug)]
pub struct DerivedBodies(Arc<FillBudget>);

/// The writing end of a derived body. Dropped without [`finish`](Self::finish), it aborts the
/// body.
#[derive(Debug)]
pub struct DerivedWriter(Arc<Growth>);

/// A handle by which readers find the body that a [`DerivedWriter`] writes.
#[derive(Clone, Debug)]
pub struct DerivedBody(Arc<Growth>);

impl DerivedBodies {
    /// Up to `limit` bytes of all bodies together are kept until the bodies are complete. A
    /// body beyond that still reaches all its readers, but the parts that all of them have
    /// read are dropped.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        let budget = FillBudget::default();
        budget.set_limit(limit);
        Self(Arc::new(budget))
    }

    /// Begins a body. `None` if the limit is reached already.
    #[must_use]
    pub fn begin(&self) -> Option<DerivedWriter> {
        Growth::begin(&self.0, 0).map(DerivedWriter)
    }
}

impl DerivedWriter {
    /// A handle for the readers.
    #[must_use]
    pub fn body(&self) -> DerivedBody {
        DerivedBody(Arc::clone(&self.0))
    }

    /// Ready if more may be written. Pending while the slowest reader is too far
    /// behind, which never happens while all of the body is kept.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_ready(cx)
    }

    /// False if the body is not kept and has no reader.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.0.is_wanted()
    }

    /// Appends `data`.
    pub fn write(&mut self, data: Bytes) {
        if !data.is_empty() {
            self.0.write(data, u64::MAX);
        }
    }

    /// Ends a complete body, and returns it if all of it was kept.
    #[must_use]
    pub fn finish(self) -> Option<Bytes> {
        self.0.finish()
    }
}

impl Drop for DerivedWriter {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl DerivedBody {
    /// A reader from the first byte on; `None` if the beginning has been dropped.
    #[must_use]
    pub fn reader(&self) -> Option<FillReader> {
        Growth::reader(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::Aborted;

    #[tokio::test]
    async fn each_reader_gets_all_of_it() {
        let mut writer = DerivedBodies::new(1000).begin().unwrap();
        let body = writer.body();
        let mut early = body.reader().unwrap();
        writer.write(Bytes::from_static(b"one "));
        writer.write(Bytes::new());
        writer.write(Bytes::from_static(b"two"));
        let mut late = body.reader().unwrap();
        assert_eq!(writer.finish().unwrap(), "one two");
        for reader in [&mut early, &mut late, &mut body.reader().unwrap()] {
            let mut all = Vec::new();
            while let Some(piece) = reader.next().await {
                all.extend(piece.unwrap());
            }
            assert_eq!(all, b"one two");
        }
    }

    #[tokio::test]
    async fn what_is_dropped_breaks_off() {
        let mut writer = DerivedBodies::new(1000).begin().unwrap();
        let mut reader = writer.body().reader().unwrap();
        writer.write(Bytes::from_static(b"one"));
        drop(writer);
        assert_eq!(reader.next().await, Some(Err(Aborted)));
    }

    /// A body beyond the limit still reaches its readers.
    #[tokio::test]
    async fn what_is_too_much_is_not_kept() {
        let mut writer = DerivedBodies::new(10).begin().unwrap();
        let body = writer.body();
        let mut reader = body.reader().unwrap();
        writer.write(Bytes::from_static(&[7; 100]));
        assert_eq!(reader.next().await.unwrap().unwrap().len(), 100);
        writer.write(Bytes::from_static(&[7; 100]));
        assert!(body.reader().is_none(), "its beginning is gone");
        assert!(writer.is_wanted());
        drop(reader);
        assert!(!writer.is_wanted());
        assert_eq!(writer.finish(), None);
    }
}
