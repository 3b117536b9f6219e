//! The messages of a gRPC call, which the server sends back.
//!
//! The first byte of a message tells how many follow it. By it the server knows a unary call, and
//! the last message of a stream: it answers that one together with the status, as servers do.

use crate::generator::Failure;

/// Bytes of a message.
const MESSAGE: usize = 100;
/// What comes before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;
/// A message with its prefix.
pub(super) const FRAMED: usize = PREFIX + MESSAGE;
/// The longest message that the server takes.
const LONGEST: usize = 64 * 1024;

/// The client's side of a call.
pub(super) struct Call {
    /// The number of the stream, which is part of the messages, so that the answer to another
    /// call is recognized.
    stream: u32,
    messages: u8,
    sent: u8,
    /// Bytes received.
    came: usize,
}

impl Call {
    /// A call of so many messages, at least one.
    pub(super) fn new(stream: u32, messages: u8) -> Self {
        Self {
            stream,
            messages,
            sent: 0,
            came: 0,
        }
    }

    /// The next message to be sent, if the echo of the last one is complete and another follows.
    pub(super) fn next(&mut self) -> Option<[u8; FRAMED]> {
        if self.sent == self.messages || self.came < usize::from(self.sent) * FRAMED {
            return None;
        }
        let message = self.message(self.sent.into());
        self.sent += 1;
        Some(message)
    }

    /// True once the last message has been returned by [`next`](Self::next).
    pub(super) fn is_sent(&self) -> bool {
        self.sent == self.messages
    }

    /// Compares received bytes with what was sent.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let (number, at) = (self.came / FRAMED, self.came % FRAMED);
            if number >= usize::from(self.sent) {
                return Err(Failure::Echo);
            }
            let message = self.message(number);
            let expected = message.get(at..).unwrap_or_default();
            let length = expected.len().min(bytes.len());
            let (here, rest) = bytes.split_at(length);
            if !expected.starts_with(here) {
                return Err(Failure::Echo);
            }
            self.came += length;
            bytes = rest;
        }
        Ok(())
    }

    /// True if all messages have come back.
    pub(super) fn is_whole(&self) -> bool {
        self.came == usize::from(self.messages) * FRAMED
    }

    fn message(&self, number: usize) -> [u8; FRAMED] {
        let mut framed = [b'm'; FRAMED];
        let following = usize::from(self.messages) - 1 - number;
        let begin = [0, 0, 0, 0, MESSAGE as u8, following as u8];
        let parts = begin.into_iter().chain(self.stream.to_be_bytes());
        framed
            .iter_mut()
            .zip(parts)
            .for_each(|(to, from)| *to = from);
        framed
    }
}

/// Removes the messages that the server sends back now from what it has received: those before
/// the last one, and that too once the call has `ended`. `None` if a message is too long.
pub(super) fn answered(received: &mut Vec<u8>, ended: bool) -> Option<Vec<u8>> {
    let mut length = 0;
    while let Some((prefix, message)) = received
        .get(length..)
        .and_then(<[u8]>::split_first_chunk::<PREFIX>)
    {
        let &[_, a, b, c, d] = prefix;
        let announced = u32::from_be_bytes([a, b, c, d]) as usize;
        if announced > LONGEST {
            return None;
        }
        let Some(message) = message.get(..announced) else {
            break;
        };
        let is_last = message.first().is_none_or(|following| *following == 0);
        if is_last && !ended {
            break;
        }
        length += PREFIX + announced;
    }
    Some(received.drain(..length).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_follows_the_echo_of_the_last() {
        let mut call = Call::new(7, 3);
        for following in [2, 1, 0] {
            assert!(!call.is_sent() && !call.is_whole());
            let message = call.next().unwrap();
            assert_eq!(
                message[..11],
                [0, 0, 0, 0, 100, following, 0, 0, 0, 7, b'm']
            );
            assert!(call.next().is_none());
            let (first, rest) = message.split_at(50);
            call.take(first).unwrap();
            assert!(call.next().is_none());
            call.take(rest).unwrap();
        }
        assert!(call.is_sent() && call.is_whole());
        assert_eq!(call.take(&[0]), Err(Failure::Echo));
    }

    #[test]
    fn another_echo_is_recognized() {
        let begun = || {
            let mut call = Call::new(7, 2);
            let message = call.next().unwrap();
            (call, message)
        };
        let (mut call, message) = begun();
        assert_eq!(call.take(&message[..60]), Ok(()));
        assert_eq!(call.take(&message[..45]), Err(Failure::Echo));
        let (mut call, _) = begun();
        let other = Call::new(9, 2).next().unwrap();
        assert_eq!(call.take(&other), Err(Failure::Echo));
        let (mut call, message) = begun();
        assert_eq!(call.take(&[message, message].concat()), Err(Failure::Echo));
    }

    #[test]
    fn the_server_holds_the_last_message_until_the_end() {
        let mut call = Call::new(1, 2);
        let first = call.next().unwrap();
        call.take(&first).unwrap();
        let last = call.next().unwrap();
        for step in [1, 60, 2 * FRAMED] {
            let mut received = Vec::new();
            let mut out = Vec::new();
            for piece in [first, last].concat().chunks(step) {
                received.extend_from_slice(piece);
                out.extend(answered(&mut received, false).unwrap());
            }
            assert_eq!(out, first);
            assert_eq!(answered(&mut received, true).unwrap(), last);
            assert!(received.is_empty());
        }
        assert_eq!(answered(&mut vec![0; 4], true).unwrap(), b"");
        assert_eq!(answered(&mut vec![0; 5], true).unwrap(), [0; 5]);
        assert!(answered(&mut vec![0, 1, 0, 0, 0], false).is_none());
    }
}
