//! How an exchange ended.

use janua_wasm::Input;

use super::{number, text};

/// How an exchange ended.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// None if the client left before the response.
    pub(crate) status: Option<u16>,
    pub(crate) request_body: u64,
    pub(crate) response_body: u64,
    pub(crate) duration_ms: u64,
    pub(crate) first_byte_ms: Option<u64>,
    pub(crate) attempts: u64,
    /// The upstream that was asked last.
    pub(crate) upstream: Option<Box<str>>,
    /// The word of the failure.
    pub(crate) failure: Option<&'static str>,
}

impl Ended {
    pub(super) fn input(&self, input: &Input, out: &mut Vec<u8>) -> bool {
        let value = match input {
            Input::Status => self.status.map(u64::from),
            Input::RequestBodySize => Some(self.request_body),
            Input::ResponseBodySize => Some(self.response_body),
            Input::DurationMs => Some(self.duration_ms),
            Input::FirstByteMs => self.first_byte_ms,
            Input::Attempts => Some(self.attempts),
            Input::Upstream => return text(self.upstream.as_deref(), out),
            Input::Failure => return text(self.failure, out),
            _ => None,
        };
        value.is_some_and(|value| number(value, out))
    }
}
