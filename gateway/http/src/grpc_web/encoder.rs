//! Makes the body of a response of gRPC that of one of gRPC-Web.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Form;
use crate::Fields;

/// The flag of the frame that has the trailers.
const TRAILERS: u8 = 0x80;
/// The trailers of a call whose server has sent no status; clients of gRPC take it for the same.
const NO_STATUS: &[u8] = b"grpc-status: 13\r\ngrpc-message: the server has sent no status\r\n";

/// Translates the body of one response as it arrives.
///
/// In the text form each piece is encoded by itself, with padding, so that its client can decode
/// all that has arrived.
#[derive(Debug)]
pub struct Encoder {
    form: Form,
    /// The head of the response has the status of the call already.
    has_status: bool,
    frames: Frames,
    end: End,
    /// How many bytes have been made.
    size: u64,
}

/// How the body has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    NotYet,
    /// After a message, and with the trailers.
    Whole,
    /// Within a message.
    Cut,
}

impl Encoder {
    /// An encoder for the body of a response with these fields.
    #[must_use]
    pub fn new(form: Form, head: &Fields) -> Self {
        Self {
            form,
            has_status: head.get(b"grpc-status").is_some(),
            frames: Frames::default(),
            end: End::NotYet,
            size: 0,
        }
    }

    /// Translates the next bytes of the body.
    pub fn data<'a>(&mut self, data: &'a [u8]) -> Cow<'a, [u8]> {
        self.frames.pass(data);
        self.encode(Cow::Borrowed(data))
    }

    /// The end of the body, which has the trailers. None if it ends within a message, whose client
    /// would take them for the rest of it.
    pub fn end(&mut self, trailers: &Fields) -> Option<Cow<'static, [u8]>> {
        if !self.may_end() {
            self.end = End::Cut;
            return None;
        }
        let mut block = Vec::new();
        for (_, name, value) in trailers.iter() {
            block.extend(name.iter().map(u8::to_ascii_lowercase));
            block.extend_from_slice(b": ");
            block.extend_from_slice(value);
            block.extend_from_slice(b"\r\n");
        }
        if trailers.get(b"grpc-status").is_none() && !self.has_status {
            block.extend_from_slice(NO_STATUS);
        }
        self.end = End::Whole;
        if block.is_empty() {
            return Some(Cow::Borrowed(b""));
        }
        // Trailers are limited to some KiB.
        let length = u32::try_from(block.len()).unwrap_or(u32::MAX);
        let frame = [&[TRAILERS], &length.to_be_bytes()[..], &block].concat();
        Some(self.encode(Cow::Owned(frame)))
    }

    /// True if the body may end now: it has not ended, and not begun a message that is incomplete.
    #[must_use]
    pub fn may_end(&self) -> bool {
        self.end == End::NotYet && self.frames.is_between()
    }

    /// True if the body has ended within a message.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.end == End::Cut
    }

    /// How many bytes of the body have been made so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    fn encode<'a>(&mut self, bytes: Cow<'a, [u8]>) -> Cow<'a, [u8]> {
        let encoded = match self.form {
            Form::Binary => bytes,
            Form::Text => Cow::Owned(STANDARD.encode(bytes).into_bytes()),
        };
        self.size += encoded.len() as u64;
        encoded
    }
}

/// Where in its messages a body is. Each has a flag and its length in four bytes before it.
#[derive(Debug, Default)]
struct Frames {
    /// How many of those five bytes have come.
    prefix: u8,
    /// The length, as far as it has come.
    length: u32,
    /// How many bytes of the message are still to come.
    left: u64,
}

impl Frames {
    fn pass(&mut self, mut data: &[u8]) {
        while let Some((&byte, after)) = data.split_first() {
            if self.left > 0 {
                let count = usize::try_from(self.left).unwrap_or(usize::MAX);
                let count = count.min(data.len());
                self.left -= count as u64;
                data = data.get(count..).unwrap_or_default();
                continue;
            }
            data = after;
            self.length = match self.prefix {
                0 => 0,
                _ => self.length << 8 | u32::from(byte),
            };
            self.prefix += 1;
            if self.prefix == 5 {
                self.prefix = 0;
                self.left = self.length.into();
            }
        }
    }

    fn is_between(&self) -> bool {
        self.prefix == 0 && self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in lines {
            fields.append(name.as_bytes(), value.as_bytes());
        }
        fields
    }

    fn message(text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[0][..], &length, text.as_bytes()].concat()
    }

    fn encoded(form: Form, pieces: &[&[u8]], trailers: &Fields) -> Option<Vec<u8>> {
        let mut encoder = Encoder::new(form, &Fields::default());
        let mut all = Vec::new();
        for piece in pieces {
            all.extend_from_slice(&encoder.data(piece));
        }
        let end = encoder.end(trailers);
        assert_eq!(encoder.is_cut(), end.is_none());
        assert!(!encoder.may_end());
        all.extend_from_slice(&end?);
        assert_eq!(encoder.size(), all.len() as u64);
        Some(all)
    }

    fn body() -> Vec<u8> {
        let long = "x".repeat(300);
        ["a", "", &long].map(message).concat()
    }

    #[test]
    fn the_trailers_follow_the_messages() {
        let trailers = fields(&[("Grpc-Status", "0"), ("x-Other", "Two Words")]);
        let block = "grpc-status: 0\r\nx-other: Two Words\r\n";
        let mut expected = [body(), message(block)].concat();
        let flag = body().len();
        expected[flag] = 0x80;
        let body = body();
        for at in 0..=body.len() {
            let pieces = [&body[..at], &body[at..]];
            let binary = encoded(Form::Binary, &pieces, &trailers).unwrap();
            assert_eq!(binary, expected, "{at}");
            let text = encoded(Form::Text, &pieces, &trailers).unwrap();
            let decoded = crate::grpc_web::Decoder::default().decode(&text);
            assert_eq!(decoded.unwrap(), expected, "{at}");
        }
    }

    #[test]
    fn each_piece_of_text_can_be_decoded() {
        let mut encoder = Encoder::new(Form::Text, &Fields::default());
        assert_eq!(&*encoder.data(b"\0\0\0\0\x01"), b"AAAAAAE=");
        assert_eq!(&*encoder.data(b"a"), b"YQ==");
    }

    #[test]
    fn nothing_follows_a_part_of_a_message() {
        let body = body();
        let ends = [0, 6, 11, body.len()];
        for at in 0..=body.len() {
            let whole = encoded(Form::Binary, &[&body[..at]], &Fields::default());
            assert_eq!(whole.is_some(), ends.contains(&at), "{at}");
        }
    }

    #[test]
    fn a_call_always_has_a_status() {
        let none = encoded(Form::Binary, &[], &Fields::default()).unwrap();
        assert!(none.ends_with(NO_STATUS));
        let mut told = Encoder::new(Form::Binary, &fields(&[("grpc-status", "5")]));
        assert_eq!(told.end(&Fields::default()).as_deref(), Some(&b""[..]));
    }
}
