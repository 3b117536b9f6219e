//! A body that comes over a connection of HTTP/1, in the framing that its head
//! announced (RFC 9112 §6 and §7).
//!
//! It reads no more while something waits to be written, which is all the
//! backpressure there is and all that is needed.

use std::io;
use std::task::{Context, Poll, ready};

use janua_http::chunked::{Decoder, Piece};
use janua_http::{Fields, Framing, Length};

use crate::body::{Receiver, Trailers, TransferError, Turn};
use crate::outgoing::Outgoing;
use crate::wire::Reader;

/// The side of a connection that is read, and the body that comes there.
pub(crate) struct Incoming {
    pub(crate) reader: Reader,
    source: Source,
    length: Length,
    trailers: Trailers,
    /// Bytes of body that may still come.
    allowance: u64,
    size: u64,
}

/// Where the rest of the body ends.
enum Source {
    Length(u64),
    Chunked(Box<Decoder>),
    UntilClose,
    Done,
}

/// How much of a body has been read. Whoever wants to read on must know, or
/// would take the next request for the rest of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyState {
    /// Nothing of it.
    Untouched,
    /// Some of it.
    Begun,
    /// All of it.
    Read,
}

impl Incoming {
    /// A connection on which no body has been announced yet.
    pub(crate) fn new(reader: Reader) -> Self {
        Self {
            reader,
            source: Source::Done,
            length: Length::None,
            trailers: Trailers::Pass,
            allowance: u64::MAX,
            size: 0,
        }
    }

    /// From here on comes a body that is framed like this, of any size and with
    /// any trailers.
    pub(crate) fn begin(&mut self, framing: Framing) {
        self.source = match framing {
            Framing::None | Framing::Length(0) => Source::Done,
            Framing::Length(length) => Source::Length(length),
            Framing::Chunked => Source::Chunked(Box::default()),
            Framing::UntilClose => Source::UntilClose,
        };
        self.length = framing.into();
        self.trailers = Trailers::Pass;
        self.allowance = u64::MAX;
        self.size = 0;
    }

    /// More than these bytes of what is still to come are an error.
    pub(crate) fn limit(&mut self, bytes: u64) {
        self.allowance = bytes;
    }

    /// What becomes of the trailers.
    pub(crate) fn set_trailers(&mut self, trailers: Trailers) {
        self.trailers = trailers;
    }

    /// What becomes of the trailers.
    pub(crate) fn trailers(&self) -> &Trailers {
        &self.trailers
    }

    /// How long the whole body is.
    pub(crate) fn length(&self) -> Length {
        self.length
    }

    /// True once the end has been read.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.source, Source::Done)
    }

    /// How much of the body has been read.
    pub(crate) fn state(&self) -> BodyState {
        match self.size {
            _ if self.is_done() => BodyState::Read,
            0 => BodyState::Untouched,
            _ => BodyState::Begun,
        }
    }

    /// Bytes of body so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Passes on what there is until the end has been read and written, or it
    /// is the turn of others.
    pub(crate) fn poll_pass(
        &mut self,
        context: &mut Context<'_>,
        outgoing: &mut Outgoing,
    ) -> Poll<Result<(), TransferError>> {
        let turn = Turn::begin(&self.reader);
        loop {
            let backlog = outgoing.writer.backlog();
            // What is buffered already joins the head in one write.
            let has_room =
                backlog == 0 || !self.reader.buffered().is_empty() && backlog < 64 * 1024;
            if self.is_done() || !has_room {
                ready!(outgoing.writer.poll_flush(context)).map_err(TransferError::Write)?;
                if self.is_done() {
                    return Poll::Ready(Ok(()));
                }
            }
            ready!(turn.poll(context, &self.reader));
            if let Poll::Ready(passed) = self.poll_piece(context, outgoing) {
                passed?;
            } else {
                ready!(outgoing.writer.poll_flush(context)).map_err(TransferError::Write)?;
                return Poll::Pending;
            }
        }
    }

    /// Passes on what comes next to a receiver that takes all of it at once.
    /// Ready after each piece; see [`Self::is_done`].
    pub(crate) fn poll_piece(
        &mut self,
        context: &mut Context<'_>,
        receiver: &mut impl Receiver,
    ) -> Poll<Result<(), TransferError>> {
        if self.is_done() {
            return Poll::Ready(Ok(()));
        }
        let Self {
            reader,
            source,
            trailers,
            allowance,
            size,
            ..
        } = self;
        let mut passing = Passing {
            source,
            trailers,
            allowance,
            size,
        };
        let polled = reader.poll_take(context, |context, input| {
            match passing.pass(context, input, receiver) {
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
    ) -> Poll<Result<(), TransferError>> {
        while !self.is_done() {
            ready!(self.poll_piece(context, &mut Nowhere))?;
        }
        Poll::Ready(Ok(()))
    }
}

/// All but the reader, which lends what has come.
struct Passing<'a> {
    source: &'a mut Source,
    trailers: &'a Trailers,
    allowance: &'a mut u64,
    size: &'a mut u64,
}

impl Passing<'_> {
    /// Passes on the front of `input`; how much of it is done with.
    fn pass(
        &mut self,
        context: &mut Context<'_>,
        input: &[u8],
        receiver: &mut impl Receiver,
    ) -> Result<usize, TransferError> {
        if input.is_empty() {
            return self.end_of_stream(receiver).map(|()| 0);
        }
        match self.source {
            Source::Done => Ok(0),
            Source::UntilClose => {
                self.data(context, input, receiver)?;
                Ok(input.len())
            }
            Source::Length(remaining) => {
                let count = usize::try_from(*remaining)
                    .unwrap_or(usize::MAX)
                    .min(input.len());
                *remaining -= count as u64;
                let is_last = *remaining == 0;
                self.data(context, input.get(..count).unwrap_or_default(), receiver)?;
                if is_last {
                    self.end(&Fields::default(), receiver);
                }
                Ok(count)
            }
            Source::Chunked(_) => self.pass_chunks(context, input, receiver),
        }
    }

    fn pass_chunks(
        &mut self,
        context: &mut Context<'_>,
        input: &[u8],
        receiver: &mut impl Receiver,
    ) -> Result<usize, TransferError> {
        let mut at = 0;
        while at < input.len() {
            let rest = input.get(at..).unwrap_or_default();
            let Source::Chunked(decoder) = self.source else {
                break;
            };
            match decoder
                .next(rest)
                .map_err(|bad| TransferError::Malformed(bad.0))?
            {
                Piece::Syntax(count) => at += count,
                Piece::Data(count) => {
                    at += count;
                    self.data(context, rest.get(..count).unwrap_or_default(), receiver)?;
                }
                Piece::End(count) => {
                    at += count;
                    let mut trailers = Fields::default();
                    decoder
                        .trailers(&mut trailers)
                        .map_err(|bad| TransferError::Malformed(bad.0))?;
                    self.trailers.apply(&mut trailers);
                    self.end(&trailers, receiver);
                }
            }
        }
        Ok(at)
    }

    fn data(
        &mut self,
        context: &mut Context<'_>,
        data: &[u8],
        receiver: &mut impl Receiver,
    ) -> Result<(), TransferError> {
        let Some(allowance) = self.allowance.checked_sub(data.len() as u64) else {
            return Err(TransferError::TooLarge);
        };
        *self.allowance = allowance;
        *self.size += data.len() as u64;
        receiver.data(context, data).map_err(TransferError::Write)
    }

    fn end_of_stream(&mut self, receiver: &mut impl Receiver) -> Result<(), TransferError> {
        if !matches!(self.source, Source::UntilClose) {
            return Err(TransferError::Incomplete);
        }
        self.end(&Fields::default(), receiver);
        Ok(())
    }

    fn end(&mut self, trailers: &Fields, receiver: &mut impl Receiver) {
        *self.source = Source::Done;
        receiver.end(trailers);
    }
}

/// A body that is read to be dropped.
struct Nowhere;

impl Receiver for Nowhere {
    fn data(&mut self, _: &mut Context<'_>, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Fields) {}
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Read as _;

    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::body::TURN;
    use crate::transport;
    use crate::wire::Writer;

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
        let mut incoming = Incoming::new(Reader::new(read));
        let mut outgoing = Outgoing::new(Writer::new(write));
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
        incoming.begin(Framing::Length(filled));
        let mut most = 0;
        loop {
            let before = incoming.size();
            let polled = poll_fn(|context| Poll::Ready(incoming.poll_pass(context, &mut outgoing)));
            let polled = polled.await;
            most = most.max(incoming.size() - before);
            if let Poll::Ready(passed) = polled {
                passed.unwrap();
                break;
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(incoming.size(), filled);
        // And one read more, which began within it.
        assert!(most <= TURN + 128 * 1024, "{most} bytes in one turn");
        drop((outgoing, _keep_too, _keep));
        taken.join().unwrap();
    }
}
