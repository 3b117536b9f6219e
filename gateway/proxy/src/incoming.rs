//! The reading direction of a connection of HTTP/1, or of a stream of HTTP/2: reads bodies in the
//! framing that their heads announce (RFC 9112 §6 and §7), or to the end of the stream.
//!
//! Nothing more is read while bytes wait to be written to the receiver. That alone
//! provides the backpressure.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use janua_http::chunked::{Decoder, Piece};
use janua_http::grpc_web::{self, BadText};
use janua_http::{Fields, Framing, Length};
use tokio::sync::oneshot;

use crate::body::{Receiver, Trailers, TransferError, Turn};
use crate::body_copy::{BodyCopy, Copied};
use crate::deadline::Deadline;
use crate::min_rate::{Meter, MinRate};
use crate::outgoing::Outgoing;
use crate::wire::Reader;

/// The reading direction of a connection, and the body that is being received.
pub(crate) struct Incoming {
    pub(crate) reader: Reader,
    remaining: Remaining,
    length: Length,
    trailers: Trailers,
    /// Decodes the body, if it is in the text form of gRPC-Web.
    text: Option<Box<grpc_web::Decoder>>,
    /// How many more bytes of the body are allowed.
    allowance: u64,
    /// How many bytes of the body have been read.
    size: u64,
    /// Measures how fast the body is sent.
    meter: Meter,
    /// Copies the body for those who send it once more.
    copy: Option<Box<BodyCopy>>,
}

/// The framing of the rest of the body.
enum Remaining {
    Length(u64),
    Chunked(Box<Decoder>),
    UntilClose,
    /// All bytes until the end of an HTTP/2 stream, and exactly this many if its head declares a
    /// length.
    Stream(Option<u64>),
    Done,
}

/// How much of a body has been read. Before the connection is reused, the whole body must
/// have been read: otherwise its rest would be taken for the next message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyState {
    /// Nothing has been read.
    Untouched,
    /// A part has been read.
    Begun,
    /// The whole body has been read.
    Read,
}

impl Incoming {
    /// A connection on which no head has announced a body yet.
    pub(crate) fn new(reader: Reader) -> Self {
        Self {
            reader,
            remaining: Remaining::Done,
            length: Length::None,
            trailers: Trailers::Pass,
            text: None,
            allowance: u64::MAX,
            size: 0,
            meter: Meter::new(None),
            copy: None,
        }
    }

    /// Begins a body with this framing, without a size limit and a minimum rate, and with
    /// all trailers forwarded.
    pub(crate) fn begin(&mut self, framing: Framing) {
        self.remaining = match framing {
            Framing::None | Framing::Length(0) => Remaining::Done,
            Framing::Length(length) => Remaining::Length(length),
            Framing::Chunked => Remaining::Chunked(Box::default()),
            Framing::Stream(Some(length)) => Remaining::Length(length),
            Framing::Stream(None) => Remaining::Stream(None),
            Framing::UntilClose => Remaining::UntilClose,
        };
        self.length = framing.into();
        self.trailers = Trailers::Pass;
        self.text = None;
        self.allowance = u64::MAX;
        self.size = 0;
        self.meter = Meter::new(None);
        self.copy = None;
    }

    /// Begins a response's body with this framing. On an HTTP/2 stream it is read to the end of the
    /// stream, even if its length is known before: trailers may follow, and a sender that is not
    /// heard to the end is reset.
    pub(crate) fn begin_response(&mut self, framing: Framing) {
        self.begin(framing);
        if let Framing::Stream(length) = framing {
            self.remaining = Remaining::Stream(length);
        }
    }

    /// Sets the minimum rate of the body; a slower sender is an error.
    pub(crate) fn limit_rate(&mut self, minimum: Option<MinRate>) {
        self.meter = Meter::new(minimum);
    }

    /// Limits the rest of the body to this many bytes; more are an error.
    pub(crate) fn limit(&mut self, bytes: u64) {
        self.allowance = bytes;
    }

    /// Decodes the body from the text form of gRPC-Web. Its limit and its size remain those of
    /// the text; the length of what is decoded is not known before its end.
    pub(crate) fn decode_text(&mut self) {
        if !self.length.is_empty() {
            self.text = Some(Box::default());
        }
    }

    /// Copies the body, of which nothing was read yet, if it has no more than so many bytes as the
    /// receiver gets it.
    pub(crate) fn copy(&mut self, most: usize) -> oneshot::Receiver<Copied> {
        self.copy.get_or_insert_default().request(most)
    }

    /// Sets which trailers are forwarded.
    pub(crate) fn set_trailers(&mut self, trailers: Trailers) {
        self.trailers = trailers;
    }

    /// Which trailers are forwarded.
    pub(crate) fn trailers(&self) -> &Trailers {
        &self.trailers
    }

    /// The length of the whole body as the receiver gets it.
    pub(crate) fn length(&self) -> Length {
        match self.text {
            Some(_) => Length::Open,
            None => self.length,
        }
    }

    /// The length of the whole body as it is sent.
    pub(crate) fn sent_length(&self) -> Length {
        self.length
    }

    /// True once the end of the body has been read.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.remaining, Remaining::Done)
    }

    /// How much of the body has been read.
    pub(crate) fn state(&self) -> BodyState {
        match self.size {
            _ if self.is_done() => BodyState::Read,
            0 => BodyState::Untouched,
            _ => BodyState::Begun,
        }
    }

    /// True if the body is known to be incomplete, now that its sender has closed the connection.
    pub(crate) fn is_cut(&self) -> bool {
        match self.remaining {
            Remaining::Length(rest) => (self.reader.buffered().len() as u64) < rest,
            _ => false,
        }
    }

    /// The number of bytes of the body read so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Transfers the body to `outgoing`. Ready once its end has been read and written;
    /// pending also when other tasks of the worker are due.
    pub(crate) fn poll_pass(
        &mut self,
        context: &mut Context<'_>,
        outgoing: &mut Outgoing,
    ) -> Poll<Result<(), TransferError>> {
        let turn = Turn::begin(&self.reader);
        loop {
            let backlog = outgoing.writer.backlog();
            // Bytes that are already buffered are sent together with the head in one write.
            let has_room =
                backlog == 0 || !self.reader.buffered().is_empty() && backlog < 64 * 1024;
            if self.is_done() || !has_room {
                let flushed = outgoing.writer.poll_flush(context);
                if flushed.is_pending() {
                    // The receiver is slow, and not the sender.
                    self.meter.is_too_slow(self.size, false);
                }
                ready!(flushed).map_err(TransferError::Write)?;
                if self.is_done() {
                    return Poll::Ready(Ok(()));
                }
            }
            ready!(turn.poll(context, &self.reader));
            if let Poll::Ready(passed) = self.poll_piece(context, outgoing) {
                passed?;
                outgoing.check().map_err(TransferError::Write)?;
            } else {
                let flushed = outgoing.writer.poll_flush(context);
                if self.meter.is_too_slow(self.size, flushed.is_ready()) {
                    return Poll::Ready(Err(TransferError::TooSlow));
                }
                ready!(flushed).map_err(TransferError::Write)?;
                return Poll::Pending;
            }
        }
    }

    /// Transfers the next bytes to a receiver that accepts all of them at once. Ready after
    /// each piece, and not only at the end, which [`Self::is_done`] tells.
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
            remaining,
            trailers,
            text,
            allowance,
            size,
            copy,
            ..
        } = self;
        let mut transfer = Transfer {
            remaining,
            trailers,
            text: text.as_deref_mut(),
            allowance,
            size,
            copy: copy.as_deref_mut(),
        };
        let limit = receiver.appetite();
        let polled = reader.poll_take(context, limit, |context, input| {
            match transfer.pass(context, input, receiver) {
                Ok(count) => (count, Ok(input.is_empty())),
                Err(error) => (0, Err(error)),
            }
        });
        let is_end = ready!(polled).map_err(TransferError::Read)??;
        if is_end && let Some(mut trailers) = reader.take_trailers() {
            self.trailers.apply(&mut trailers);
            self.remaining = Remaining::Done;
            receiver.end(&trailers);
        }
        if self.is_done()
            && let Some(copy) = self.copy.take()
        {
            copy.complete();
        }
        Poll::Ready(Ok(()))
    }

    /// True if the connection carries no other request than this one, so that the rest of its
    /// body need not be read.
    pub(crate) fn is_of_one_request(&self) -> bool {
        self.reader.is_http2()
    }

    /// Reads and discards the rest of the body, but no more than so many bytes and not for longer
    /// than `patience`; true if its end was reached.
    pub(crate) async fn discard(
        &mut self,
        most: u64,
        patience: Duration,
        deadline: &mut Deadline,
    ) -> bool {
        self.limit(most);
        deadline.set(patience);
        let discarding = poll_fn(|context| self.poll_discard(context));
        matches!(deadline.guard(discarding).await, Ok(Ok(())))
    }

    fn poll_discard(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransferError>> {
        while !self.is_done() {
            ready!(self.poll_piece(context, &mut Discard))?;
        }
        Poll::Ready(Ok(()))
    }
}

/// The state of [`Incoming`] without the reader, which is borrowed while it lends its
/// bytes.
struct Transfer<'a> {
    remaining: &'a mut Remaining,
    trailers: &'a Trailers,
    text: Option<&'a mut grpc_web::Decoder>,
    allowance: &'a mut u64,
    size: &'a mut u64,
    copy: Option<&'a mut BodyCopy>,
}

impl Transfer<'_> {
    /// Transfers bytes from the front of `input`, and returns how many are consumed.
    fn pass(
        &mut self,
        context: &mut Context<'_>,
        input: &[u8],
        receiver: &mut impl Receiver,
    ) -> Result<usize, TransferError> {
        if input.is_empty() {
            return self.end_of_stream(receiver).map(|()| 0);
        }
        match self.remaining {
            Remaining::Done => Ok(0),
            Remaining::Stream(Some(left)) => {
                let words = "more data than its content-length";
                let rest = left.checked_sub(input.len() as u64);
                *left = rest.ok_or(TransferError::Malformed(words))?;
                self.data(context, input, receiver)?;
                Ok(input.len())
            }
            Remaining::UntilClose | Remaining::Stream(None) => {
                self.data(context, input, receiver)?;
                Ok(input.len())
            }
            Remaining::Length(left) => {
                let count = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(input.len());
                *left -= count as u64;
                let is_last = *left == 0;
                self.data(context, input.get(..count).unwrap_or_default(), receiver)?;
                if is_last {
                    self.end(&Fields::default(), receiver)?;
                }
                Ok(count)
            }
            Remaining::Chunked(_) => self.pass_chunks(context, input, receiver),
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
            let Remaining::Chunked(decoder) = self.remaining else {
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
                    self.end(&trailers, receiver)?;
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
        let Some(text) = &mut self.text else {
            if let Some(copy) = &mut self.copy {
                copy.push(data);
            }
            return receiver.data(context, data).map_err(TransferError::Write);
        };
        let decoded = text.decode(data).map_err(bad_text)?;
        // An empty chunk would end the body.
        if decoded.is_empty() {
            return Ok(());
        }
        if let Some(copy) = &mut self.copy {
            copy.push(&decoded);
        }
        let received = receiver.data(context, &decoded);
        received.map_err(TransferError::Write)
    }

    fn end_of_stream(&mut self, receiver: &mut impl Receiver) -> Result<(), TransferError> {
        match self.remaining {
            Remaining::UntilClose => self.end(&Fields::default(), receiver),
            // Its trailers are known to the stream.
            Remaining::Stream(None | Some(0)) => self.check_text(),
            _ => Err(TransferError::Incomplete),
        }
    }

    fn end(
        &mut self,
        trailers: &Fields,
        receiver: &mut impl Receiver,
    ) -> Result<(), TransferError> {
        self.check_text()?;
        *self.remaining = Remaining::Done;
        receiver.end(trailers);
        Ok(())
    }

    /// Checks that text may end here.
    fn check_text(&self) -> Result<(), TransferError> {
        match &self.text {
            Some(text) => text.finish().map_err(bad_text),
            None => Ok(()),
        }
    }
}

fn bad_text(bad: BadText) -> TransferError {
    TransferError::Malformed(bad.0)
}

/// Receives a body and discards it.
struct Discard;

impl Receiver for Discard {
    fn data(&mut self, _: &mut Context<'_>, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, _: &Fields) {}
}

#[cfg(test)]
mod tests {
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
