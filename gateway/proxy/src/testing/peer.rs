//! The other end of a connection, played by a test: a client, or an upstream.
//!
//! What it waits for must come, or the test fails: after more virtual time than
//! anything in the gateway waits.

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::io;
use std::time::Duration;

use super::pipe::{PipeReader, PipeWriter};

/// Longer than any deadline of the gateway.
const PATIENCE: Duration = Duration::from_secs(30 * 86_400);

/// The test's end of a connection.
pub(crate) struct Peer {
    reader: Option<PipeReader>,
    writer: Option<PipeWriter>,
    /// What has come and no expectation has asked for yet.
    came: Vec<u8>,
}

impl Peer {
    pub(super) fn new((reader, writer): (PipeReader, PipeWriter)) -> Self {
        Self {
            reader: Some(reader),
            writer: Some(writer),
            came: Vec::new(),
        }
    }

    /// Sends all of the bytes.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let mut bytes = bytes.as_ref();
        let writer = self.writer.as_mut().expect("has not closed");
        while !bytes.is_empty() {
            let sent = eventually(poll_fn(|context| writer.poll_write(context, bytes))).await;
            let sent = sent.expect("the gateway takes what is sent");
            bytes = &bytes[sent..];
        }
    }

    /// What comes up to the end of a head, as text.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            let end = self
                .came
                .windows(4)
                .position(|window| window == b"\r\n\r\n");
            if let Some(at) = end {
                return self.take(at + 4);
            }
            assert!(self.more().await > 0, "ended before a head: {self:?}");
        }
    }

    /// Waits for these bytes, and for nothing else before them.
    pub(crate) async fn expect(&mut self, text: &str) {
        while self.came.len() < text.len() && self.more().await > 0 {}
        let count = text.len().min(self.came.len());
        assert_eq!(self.take(count), text);
    }

    /// The next bytes.
    pub(crate) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.came.len() < count {
            assert!(
                self.more().await > 0,
                "ended before {count} bytes: {self:?}"
            );
        }
        self.came.drain(..count).collect()
    }

    /// Waits for the end of the connection, whatever comes before it.
    pub(crate) async fn skip_rest(&mut self) {
        while self.more().await > 0 {}
        self.came.clear();
    }

    /// Everything up to the end of the connection, which is in order.
    pub(crate) async fn rest(&mut self) -> String {
        while self.more().await > 0 {}
        self.take(self.came.len())
    }

    /// Waits until the gateway resets the connection; what came before is lost.
    pub(crate) async fn until_reset(&mut self) {
        while self.read().await.is_ok_and(|count| {
            assert!(count > 0, "closed in order: {self:?}");
            true
        }) {}
    }

    /// What has come so far, without waiting. Other tasks go on first, as far as
    /// they come without the clock.
    pub(crate) async fn so_far(&mut self) -> String {
        settle().await;
        while let Some(waiting) = self.reader.as_ref().and_then(|reader| reader.peek(1))
            && !waiting.is_empty()
        {
            self.more().await;
        }
        String::from_utf8_lossy(&self.came).into_owned()
    }

    /// Closes the side that sends.
    pub(crate) fn close(&mut self) {
        self.writer = None;
    }

    /// Resets the connection: nothing is read or written any more.
    pub(crate) fn reset(mut self) {
        if let Some(writer) = &mut self.writer {
            writer.reset();
        }
    }

    /// Takes no more, so that writing to it fails, but has still something to say.
    pub(crate) fn stop_reading(&mut self) {
        self.reader = None;
    }

    async fn more(&mut self) -> usize {
        let count = self.read().await;
        count.expect("the connection ends in order")
    }

    async fn read(&mut self) -> io::Result<usize> {
        let reader = self.reader.as_mut().expect("still reads");
        let mut buffer = [0; 4096];
        let count = eventually(poll_fn(|context| reader.poll_read(context, &mut buffer))).await?;
        self.came.extend(&buffer[..count]);
        Ok(count)
    }

    fn take(&mut self, count: usize) -> String {
        let taken = self.came.drain(..count).collect();
        String::from_utf8(taken).expect("text")
    }
}

impl Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.came))
    }
}

/// What must come, sooner or later.
///
/// # Panics
/// It does not.
pub(crate) async fn eventually<T>(waiting: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    waited.expect("it never came")
}

/// Lets all other tasks go on until each of them waits: for a timer, or for
/// something that this task does. Time stands still meanwhile.
pub(crate) async fn settle() {
    // Each turn lets every task that is ready go on once.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
