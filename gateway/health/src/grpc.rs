//! A call of `grpc.health.v1.Health/Check`.
//!
//! The two messages have one field each, so that they are encoded and read here: the request has
//! a string `service = 1`, the response an enum `status = 1`, in which 1 means `SERVING`.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, header};
use janua_upstream::CheckFailure;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::check::GrpcCall;
use crate::failure::{fault, of_http2};
use crate::http1::add_fields;
use crate::http2::{Connection, beginning, uri};

const PATH: &str = "/grpc.health.v1.Health/Check";
const SERVING: u64 = 1;

/// Calls, and judges the response. The server is told how long the check waits for it.
pub(crate) async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    call: &GrpcCall,
    authority: &str,
    scheme: &'static str,
    timeout: Duration,
) -> Result<(), CheckFailure> {
    let host = call.host.as_deref().unwrap_or(authority);
    let mut request = Request::post(uri(scheme, host, PATH)?)
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(
            "grpc-timeout",
            format!("{}m", timeout.as_millis().min(99_999_999)),
        )
        .body(())
        .map_err(|error| fault("request", error.to_string()))?;
    add_fields(request.headers_mut(), &call.headers);
    request.headers_mut().remove(header::ACCEPT);
    let mut connection = Connection::open(stream).await?;
    let sent = connection.sender.send_request(request, false);
    let (response, mut body) = sent.map_err(|error| of_http2(&error))?;
    let sent = body.send_data(message(&call.service), true);
    sent.map_err(|error| of_http2(&error))?;
    let response = response.await.map_err(|error| of_http2(&error))?;
    if response.status() != http::StatusCode::OK {
        return Err(CheckFailure {
            status: Some(response.status().as_u16()),
            ..fault("status", "")
        });
    }
    let (head, mut body) = response.into_parts();
    // A response that has no message has its status in the head.
    check_status(&head.headers)?;
    let data = beginning(&mut body).await?;
    let trailers = body.trailers().await.map_err(|error| of_http2(&error))?;
    check_status(&trailers.unwrap_or_default())?;
    match serving_status(&data) {
        Some(SERVING) => Ok(()),
        Some(status) => Err(fault("not_serving", name(status))),
        None => Err(fault(
            "malformed",
            "this is no response of the health protocol",
        )),
    }
}

/// A request, with the prefix of a message: not compressed, and its length.
fn message(service: &str) -> Bytes {
    let mut body = BytesMut::new();
    if !service.is_empty() {
        body.put_u8(0x0a);
        put_varint(&mut body, service.len());
        body.put_slice(service.as_bytes());
    }
    let mut message = BytesMut::with_capacity(5 + body.len());
    message.put_u8(0);
    message.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
    message.put(body);
    message.freeze()
}

fn put_varint(out: &mut BytesMut, mut number: usize) {
    while number >= 0x80 {
        // Seven bits always fit.
        out.put_u8(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    out.put_u8(u8::try_from(number).unwrap_or_default());
}

/// The status that a response with this body has; none if it is no response.
fn serving_status(body: &[u8]) -> Option<u64> {
    let (prefix, mut message) = body.split_at_checked(5)?;
    let (compressed, length) = prefix.split_first()?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    if *compressed != 0 || usize::try_from(length).ok()? != message.len() {
        return None;
    }
    let mut status = 0;
    while !message.is_empty() {
        let key = take_varint(&mut message)?;
        match (key >> 3, key & 7) {
            (1, 0) => status = take_varint(&mut message)?,
            (_, 0) => drop(take_varint(&mut message)?),
            (_, 1) => message = message.get(8..)?,
            (_, 2) => {
                let length = usize::try_from(take_varint(&mut message)?).ok()?;
                message = message.get(length..)?;
            }
            (_, 5) => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn take_varint(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The name of a status in the protocol.
fn name(status: u64) -> &'static str {
    match status {
        0 => "UNKNOWN",
        1 => "SERVING",
        2 => "NOT_SERVING",
        3 => "SERVICE_UNKNOWN",
        _ => "a status that the protocol does not have",
    }
}

/// Judges `grpc-status`, if these fields have it.
fn check_status(fields: &HeaderMap) -> Result<(), CheckFailure> {
    let Some(status) = fields.get("grpc-status") else {
        return Ok(());
    };
    if status.as_bytes() == b"0" {
        return Ok(());
    }
    let code = String::from_utf8_lossy(status.as_bytes());
    let words = fields.get("grpc-message").map(decoded).unwrap_or_default();
    Err(fault("grpc_status", format!("{code} {words}").trim_end()))
}

/// The text of `grpc-message`, which is percent-encoded.
fn decoded(message: &HeaderValue) -> String {
    let mut rest = message.as_bytes();
    let mut text = Vec::with_capacity(rest.len());
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = after.get(..2).filter(|_| byte == b'%');
        let escaped = escaped.and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = match escaped {
            Some(_) => after.get(2..).unwrap_or_default(),
            None => after,
        };
        text.push(escaped.unwrap_or(byte));
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_messages() {
        assert_eq!(&message("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&message("ab")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        let long = message(&"x".repeat(200));
        assert_eq!(&long[..8], [0, 0, 0, 0, 203, 0x0a, 0xc8, 1]);
        assert_eq!(long.len(), 208);
    }

    /// Whatever an endpoint sends, there is a conclusion; and what comes after a complete message
    /// makes it invalid.
    #[test]
    fn any_bytes_are_read() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..100_000 {
            let length = random.usize(..24);
            let mut message: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            // Often small numbers, which are fields and lengths.
            for byte in &mut message {
                if random.bool() {
                    *byte &= 0x1a;
                }
            }
            let prefix = [0, 0, 0, 0, u8::try_from(length).unwrap()];
            let mut body = [&prefix[..], &message].concat();
            let status = serving_status(&body);
            let with_field = [&message[..], &[8, 1]].concat();
            if status.is_some() {
                let prefix = [0, 0, 0, 0, u8::try_from(with_field.len()).unwrap()];
                let serving = serving_status(&[&prefix[..], &with_field].concat());
                assert_eq!(serving, Some(1), "{message:?}");
            }
            body.push(0);
            assert_eq!(serving_status(&body), None);
        }
    }

    #[test]
    fn messages_are_decoded() {
        for (sent, text) in [
            ("", ""),
            ("plain", "plain"),
            ("a%20b%25", "a b%"),
            ("caf%C3%A9", "caf\u{e9}"),
            ("%", "%"),
            ("%2", "%2"),
            ("%zz%41", "%zzA"),
            ("%ff", "\u{fffd}"),
        ] {
            assert_eq!(decoded(&HeaderValue::from_static(sent)), text, "{sent}");
        }
    }

    #[test]
    fn responses_are_read() {
        for (message, expected) in [
            (&[][..], Some(0)),
            (&[8, 1], Some(1)),
            (&[8, 2], Some(2)),
            (&[8, 0x80, 1], Some(128)),
            // Fields of later versions of the protocol are skipped.
            (&[18, 2, b'o', b'k', 8, 1], Some(1)),
            (&[25, 0, 0, 0, 0, 0, 0, 0, 0, 8, 1], Some(1)),
            (&[21, 0, 0, 0, 0, 8, 1, 24, 7], Some(1)),
            // The last value counts.
            (&[8, 1, 8, 2], Some(2)),
            (&[8], None),
            (&[8, 0x80], None),
            (&[18, 9, 1], None),
            (
                &[18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
                None,
            ),
            (
                &[8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
                None,
            ),
            (&[11, 8, 1], None),
        ] {
            let mut body = vec![0, 0, 0, 0, u8::try_from(message.len()).unwrap()];
            body.extend_from_slice(message);
            assert_eq!(serving_status(&body), expected, "{message:?}");
        }
        for body in [
            &b""[..],
            &[0, 0, 0, 0],
            &[0, 0, 0, 0, 1],
            &[1, 0, 0, 0, 2, 8, 1],
            &[0, 0, 0, 0, 2, 8, 1, 0],
        ] {
            assert_eq!(serving_status(body), None, "{body:?}");
        }
    }
}
