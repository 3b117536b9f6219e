//! Passing a body on, from one connection to another, as it comes.
//!
//! A [`Transfer`] reads one framing and writes another (RFC 9112 §6 and §7).
//! It reads no more while something waits to be written, which is all the
//! backpressure there is and all that is needed.

use std::future::Future as _;
use std::io;
use std::task::{Context, Poll, ready};

use janua_http::chunked::{self, Decoder, Piece};
use janua_http::{Fields, Framing};

use crate::wire::{Reader, Writer};

/// How much is passed on in one turn, in bytes: then other connections of the
/// worker have theirs.
const TURN: u64 = 256 * 1024;

/// Why a body could not be passed on.
#[derive(Debug)]
pub(crate) enum TransferError {
    /// The sender's connection failed.
    Read(io::Error),
    /// The sender closed before the end.
    Incomplete,
    /// The sender broke the chunked coding.
    Malformed(&'static str),
    /// More bytes than the limit.
    TooLarge,
    /// The receiver's connection failed.
    Write(io::Error),
}

enum Source {
    Length(u64),
    Chunked(Box<Decoder>),
    UntilClose,
    Done,
}

/// One body on its way.
pub(crate) struct Transfer {
    source: Source,
    rechunk: bool,
    trailers: Trailers,
    /// Bytes of body that may still come.
    allowance: u64,
    size: u64,
}

impl Transfer {
    /// A body that comes as `from` and goes out as `to`: chunked, or as the
    /// bytes themselves. At most `limit` bytes of it.
    pub(crate) fn new(from: Framing, to: Framing, limit: u64) -> Self {
        let source = match from {
            Framing::None | Framing::Length(0) => Source::Done,
            Framing::Length(length) => Source::Length(length),
            Framing::Chunked => Source::Chunked(Box::default()),
            Framing::UntilClose => Source::UntilClose,
        };
        Self {
            source,
            rechunk: to == Framing::Chunked,
            trailers: Trailers::Pass,
            allowance: limit,
            size: 0,
        }
    }

    /// The same, with this rule for what stands behind the body.
    pub(crate) fn with_trailers(self, trailers: Trailers) -> Self {
        Self { trailers, ..self }
    }

    /// True once the end has been read.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.source, Source::Done)
    }

    /// Bytes of body so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Passes on what there is until the end has been read and written, or it
    /// is the turn of others.
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
        reader: &mut Reader,
        writer: &mut Writer,
    ) -> Poll<Result<(), TransferError>> {
        let turn = Turn::begin(reader);
        loop {
            // What is buffered already joins the head in one write.
            let has_room = writer.backlog() == 0
                || !reader.buffered().is_empty() && writer.backlog() < 64 * 1024;
            if self.is_done() || !has_room {
                ready!(writer.poll_flush(context)).map_err(TransferError::Write)?;
                if self.is_done() {
                    return Poll::Ready(Ok(()));
                }
            }
            ready!(turn.poll(context, reader));
            let polled = reader.poll_take(context, |context, input| {
                match self.pass(context, input, writer) {
                    Ok(count) => (count, Ok(())),
                    Err(error) => (0, Err(error)),
                }
            });
            match polled {
                Poll::Ready(passed) => passed.map_err(TransferError::Read)??,
                Poll::Pending => {
                    ready!(writer.poll_flush(context)).map_err(TransferError::Write)?;
                    return Poll::Pending;
                }
            }
        }
    }

    /// Passes on what comes next to a receiver that takes all of it at once.
    /// Ready after each piece; see [`Self::is_done`].
    pub(crate) fn poll_piece(
        &mut self,
        context: &mut Context<'_>,
        reader: &mut Reader,
        receiver: &mut impl Receiver,
    ) -> Poll<Result<(), TransferError>> {
        if self.is_done() {
            return Poll::Ready(Ok(()));
        }
        let polled = reader.poll_take(context, |context, input| {
            match self.pass(context, input, receiver) {
                Ok(count) => (count, Ok(())),
                Err(error) => (0, Err(error)),
            }
        });
        ready!(polled).map_err(TransferError::Read)??;
        Poll::Ready(Ok(()))
    }

    /// Reads on to the end and passes nothing on.
    pub(crate) fn poll_drop(
        &mut self,
        context: &mut Context<'_>,
        reader: &mut Reader,
    ) -> Poll<Result<(), TransferError>> {
        while !self.is_done() {
            ready!(self.poll_piece(context, reader, &mut Nowhere))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Passes on the front of `input`; how much of it is done with.
    fn pass(
        &mut self,
        context: &mut Context<'_>,
        input: &[u8],
        writer: &mut impl Receiver,
    ) -> Result<usize, TransferError> {
        if input.is_empty() {
            return self.end_of_stream(writer).map(|()| 0);
        }
        match &mut self.source {
            Source::Done => Ok(0),
            Source::UntilClose => {
                self.data(context, input, writer)?;
                Ok(input.len())
            }
            Source::Length(remaining) => {
                let count = usize::try_from(*remaining)
                    .unwrap_or(usize::MAX)
                    .min(input.len());
                *remaining -= count as u64;
                if *remaining == 0 {
                    self.source = Source::Done;
                }
                self.data(context, input.get(..count).unwrap_or_default(), writer)?;
                if self.is_done() && self.rechunk {
                    writer.end(&Fields::default());
                }
                Ok(count)
            }
            Source::Chunked(_) => self.pass_chunks(context, input, writer),
        }
    }

    fn pass_chunks(
        &mut self,
        context: &mut Context<'_>,
        input: &[u8],
        writer: &mut impl Receiver,
    ) -> Result<usize, TransferError> {
        let mut at = 0;
        while at < input.len() {
            let rest = input.get(at..).unwrap_or_default();
            let Source::Chunked(decoder) = &mut self.source else {
                break;
            };
            match decoder
                .next(rest)
                .map_err(|bad| TransferError::Malformed(bad.0))?
            {
                Piece::Syntax(count) => at += count,
                Piece::Data(count) => {
                    at += count;
                    self.data(context, rest.get(..count).unwrap_or_default(), writer)?;
                }
                Piece::End(count) => {
                    at += count;
                    let mut trailers = Fields::default();
                    decoder
                        .trailers(&mut trailers)
                        .map_err(|bad| TransferError::Malformed(bad.0))?;
                    self.trailers.apply(&mut trailers);
                    if self.rechunk {
                        writer.end(&trailers);
                    }
                    self.source = Source::Done;
                }
            }
        }
        Ok(at)
    }

    fn data(
        &mut self,
        context: &mut Context<'_>,
        data: &[u8],
        writer: &mut impl Receiver,
    ) -> Result<(), TransferError> {
        let Some(allowance) = self.allowance.checked_sub(data.len() as u64) else {
            return Err(TransferError::TooLarge);
        };
        self.allowance = allowance;
        self.size += data.len() as u64;
        if !self.rechunk {
            return writer.send(context, data).map_err(TransferError::Write);
        }
        writer.chunk(data);
        Ok(())
    }

    fn end_of_stream(&mut self, writer: &mut impl Receiver) -> Result<(), TransferError> {
        if !matches!(self.source, Source::UntilClose) {
            return Err(TransferError::Incomplete);
        }
        self.source = Source::Done;
        if self.rechunk {
            writer.end(&Fields::default());
        }
        Ok(())
    }
}

/// One poll's share of the worker, as long as which it may read on.
pub(crate) struct Turn {
    /// What the reader has received when it is over.
    end: u64,
}

impl Turn {
    /// A turn that begins now.
    pub(crate) fn begin(reader: &Reader) -> Self {
        Self {
            end: reader.received() + TURN,
        }
    }

    /// Pending once it is over. The task then goes on when the others have had
    /// their turn, and what came on other connections was looked at: a mere wake
    /// would come back before that.
    pub(crate) fn poll(&self, context: &mut Context<'_>, reader: &Reader) -> Poll<()> {
        if reader.received() < self.end {
            return Poll::Ready(());
        }
        let others = std::pin::pin!(tokio::task::yield_now());
        // Its first poll leaves the waker behind, to be woken in time.
        let _ = others.poll(context);
        Poll::Pending
    }
}

/// Which trailers are passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trailers {
    Pass,
    /// All but the field of this name, which the gateway sets itself in heads.
    PassBut(Box<str>),
    Drop,
}

impl Trailers {
    fn apply(&self, fields: &mut Fields) {
        fields.retain(|_, name, _| self.passes(name));
    }

    fn passes(&self, name: &[u8]) -> bool {
        match self {
            Self::Pass => true,
            Self::PassBut(own) => !name.eq_ignore_ascii_case(own.as_bytes()),
            Self::Drop => false,
        }
    }

    /// What a `Trailer` field with this value announces truthfully, if
    /// anything (RFC 9110 §6.6.2).
    pub(crate) fn announced(&self, value: &[u8]) -> Option<Vec<u8>> {
        chunked::announced(value, |name| self.passes(name))
    }
}

/// Where a body goes.
pub(crate) trait Receiver {
    /// Some bytes of it, as they are.
    fn send(&mut self, context: &mut Context<'_>, data: &[u8]) -> io::Result<()>;
    /// Some bytes of it, to be framed as a chunk.
    fn chunk(&mut self, data: &[u8]);
    /// Its end, where it is chunked.
    fn end(&mut self, trailers: &Fields);
}

impl Receiver for Writer {
    fn send(&mut self, context: &mut Context<'_>, data: &[u8]) -> io::Result<()> {
        Writer::send(self, context, data)
    }

    fn chunk(&mut self, data: &[u8]) {
        let pending = self.pending();
        chunked::write_size(pending, data.len());
        pending.extend_from_slice(data);
        pending.extend_from_slice(b"\r\n");
    }

    fn end(&mut self, trailers: &Fields) {
        chunked::write_end(self.pending(), trailers);
    }
}

/// A body that is read to be dropped.
struct Nowhere;

impl Receiver for Nowhere {
    fn send(&mut self, _: &mut Context<'_>, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn chunk(&mut self, _: &[u8]) {}

    fn end(&mut self, _: &Fields) {}
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Read as _;

    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::transport;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let one = TcpStream::connect(listener.local_addr().unwrap()).await;
        (one.unwrap(), listener.accept().await.unwrap().0)
    }

    /// All the kernel holds has come already, and the receiver takes everything:
    /// nothing but its turn ends a poll.
    #[tokio::test]
    async fn a_body_gives_way_after_its_turn() {
        let (from, came) = pair().await;
        let (goes, to) = pair().await;
        let (read, _keep) = transport::from_tcp(came);
        let (_keep_too, write) = transport::from_tcp(goes);
        let (mut reader, mut writer) = (Reader::new(read), Writer::new(write));
        from.writable().await.unwrap();
        let mut filled = 0;
        while let Ok(count) = from.try_write(&[0; 64 * 1024]) {
            filled += count as u64;
        }
        let mut to = to.into_std().unwrap();
        to.set_nonblocking(false).unwrap();
        let taken = std::thread::spawn(move || {
            let mut scratch = vec![0; 1 << 20];
            while to.read(&mut scratch).is_ok_and(|count| count > 0) {}
        });
        let length = Framing::Length(filled);
        let mut transfer = Transfer::new(length, length, u64::MAX);
        let mut most = 0;
        loop {
            let before = transfer.size();
            let polled =
                poll_fn(|context| Poll::Ready(transfer.poll(context, &mut reader, &mut writer)));
            let polled = polled.await;
            most = most.max(transfer.size() - before);
            if let Poll::Ready(passed) = polled {
                passed.unwrap();
                break;
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(transfer.size(), filled);
        // And one read more, which began within it.
        assert!(most <= TURN + 128 * 1024, "{most} bytes in one turn");
        drop((writer, _keep_too, _keep));
        taken.join().unwrap();
    }
}
