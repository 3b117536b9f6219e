//! The words for checks that fail. As far as requests can fail in the same way, they are the
//! words of the access log.

use std::error::Error;
use std::io;

use janua_upstream::{CheckFailure, ConnectError};
use tokio_rustls::rustls;

/// How much of the text of an error is kept: it may come from the endpoint.
const DETAIL_LIMIT: usize = 200;

/// Why a check has no result of "passed".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unsuccessful {
    /// The endpoint failed.
    Failed(CheckFailure),
    /// The gateway was short of something, so that nothing is known of the endpoint.
    Local(String),
}

impl From<CheckFailure> for Unsuccessful {
    fn from(failure: CheckFailure) -> Self {
        Self::Failed(failure)
    }
}

/// A failure in this word, with what is known beyond it.
pub(crate) fn fault(word: &'static str, detail: impl AsRef<str>) -> CheckFailure {
    let text = detail.as_ref().chars();
    let printable = text.map(|c| if c.is_control() { ' ' } else { c });
    CheckFailure {
        word,
        status: None,
        detail: printable.take(DETAIL_LIMIT).collect::<String>().into(),
    }
}

/// Why no connection was made.
pub(crate) fn of_connect(error: ConnectError) -> Unsuccessful {
    let word = match &error {
        ConnectError::Unresolved => "dns",
        ConnectError::Refused => "refused",
        ConnectError::Timeout => "connect_timeout",
        ConnectError::Unreachable => "unreachable",
        ConnectError::Other(error) if is_local(error) => {
            return Unsuccessful::Local(error.to_string());
        }
        ConnectError::Other(_) => "unreachable",
    };
    let detail = match &error {
        ConnectError::Other(error) => error.to_string(),
        _ => String::new(),
    };
    fault(word, detail).into()
}

/// No descriptor, no port or no memory left here.
fn is_local(error: &io::Error) -> bool {
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    const ENOMEM: i32 = 12;
    const ENOBUFS: i32 = 105;
    error.kind() == io::ErrorKind::AddrNotAvailable
        || matches!(
            error.raw_os_error(),
            Some(EMFILE | ENFILE | ENOMEM | ENOBUFS)
        )
}

/// Why the handshake of TLS failed.
pub(crate) fn of_tls(error: &io::Error) -> CheckFailure {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match cause {
        Some(rustls::Error::InvalidCertificate(why)) => fault("tls_certificate", why.to_string()),
        Some(why) => fault("tls_handshake", why.to_string()),
        None => fault("tls_handshake", error.to_string()),
    }
}

/// What the endpoint did on an HTTP/1 connection in place of a response.
pub(crate) fn of_http1(error: &hyper::Error) -> CheckFailure {
    if error.is_parse_too_large() {
        return fault("response_head_too_large", "");
    }
    if error.is_parse() {
        return fault("malformed", deepest(error));
    }
    of_stream(error)
}

/// What the endpoint did on an HTTP/2 connection in place of a response.
pub(crate) fn of_http2(error: &h2::Error) -> CheckFailure {
    if error.is_io() {
        return of_stream(error);
    }
    match error.is_remote() {
        true => fault("reset", error.to_string()),
        false => fault("malformed", error.to_string()),
    }
}

/// The connection ended early. With TLS 1.3 the endpoint refuses the gateway's certificate only
/// after the handshake.
fn of_stream(error: &(dyn Error + 'static)) -> CheckFailure {
    let mut cause = Some(error);
    while let Some(this) = cause {
        if let Some(error) = this.downcast_ref::<io::Error>()
            && let Some(inner) = error.get_ref()
            && inner.downcast_ref::<rustls::Error>().is_some()
        {
            return of_tls(error);
        }
        cause = this.source();
    }
    fault("reset", deepest(error))
}

/// The text of the first cause.
fn deepest(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
