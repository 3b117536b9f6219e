//! Brings the response from the upstream to the client.

use std::future::poll_fn;

use janua_compress::apply;
use janua_http::failure::Kind;
use janua_http::fields::{Known, list};
use janua_http::head::{Limits, Version};
use janua_http::status::has_no_body;
use janua_http::{Failure, Framing, HeadError, ResponseHead, chunked};
use janua_upstream::{Outcome, Picked};

use crate::body::{Transfer, TransferError};
use crate::cached;
use crate::course::Course;
use crate::deliver;
use crate::encode;
use crate::exchange::{Exchange, Fate};
use crate::facts::AnsweredBy;
use crate::policies::{self, Instead};
use crate::race::Pace;
use crate::represent;
use crate::verdict::Made;
use crate::wire::{ReadError, Reader, Writer};

/// Interim responses that an upstream may send before the final one.
const MAX_INTERIM: usize = 16;

/// How a response came to its end.
pub(crate) enum Conversed {
    /// It was delivered whole.
    Delivered {
        /// The upstream's connection can be used again.
        keep: bool,
    },
    /// `101`: from now on the connection speaks another protocol.
    Switch,
    /// It is not: a policy named another path, which stands in the request's
    /// head now.
    Instead,
}

/// Reads the response's head, asks the policies, and passes the body on.
///
/// # Errors
/// The upstream's failure or a policy's, or a client that does not take it.
pub(crate) async fn converse(
    exchange: &mut Exchange,
    reader: &mut Reader,
    writer: &mut Writer,
    course: &Course,
    picked: &Picked,
    pace: &Pace,
) -> Result<Conversed, Failure> {
    head(exchange, reader, Some(writer), course, picked).await?;
    pace.awaits_head.set(false);
    pace.patience.set(course.idle_timeout);
    if exchange.heads.response.status == 101 {
        pace.uploaded().await;
        return switch(exchange, writer).await;
    }
    cached::invalidate(exchange);
    if let Some(matched) = exchange.matched.clone()
        && !matched.route().fetched.is_empty()
    {
        if let Some(made) = policies::fetched_phase(exchange, &matched, AnsweredBy::Upstream)? {
            return reply(exchange, writer, made).await;
        }
        exchange.write_lifetimes();
    }
    body(exchange, reader, writer).await
}

/// Reads the response's final head, and counts it. Interim responses go to
/// `writer` if there is one.
///
/// # Errors
/// The upstream's failure, or a client that does not take an interim response.
pub(crate) async fn head(
    exchange: &mut Exchange,
    reader: &mut Reader,
    writer: Option<&mut Writer>,
    course: &Course,
    picked: &Picked,
) -> Result<(), Failure> {
    let forwarding = course.forwarding();
    final_head(exchange, reader, writer, forwarding.response_limits).await?;
    let took = exchange.record.since_begin();
    let shard = exchange.worker.index;
    exchange.record.head = Some(took);
    forwarding.stats.head.observe(shard, took);
    forwarding
        .stats
        .count(shard, picked.index, exchange.heads.response.status);
    if picked
        .in_flight
        .report(Outcome::Ok, exchange.now.monotonic_ms)
        .is_some()
    {
        tracing::info!(
            upstream = forwarding.upstream.name(),
            endpoint = forwarding.stats.endpoint(picked.index),
            "endpoint is back"
        );
    }
    exchange.record.answered_by = Some(AnsweredBy::Upstream);
    if exchange.heads.response.status != 101 {
        clean(&mut exchange.heads.response);
    }
    Ok(())
}

/// Asks the policies of the response phase about a head that has come, and
/// passes its body on.
///
/// # Errors
/// As [`converse`].
pub(crate) async fn body(
    exchange: &mut Exchange,
    reader: &mut Reader,
    writer: &mut Writer,
) -> Result<Conversed, Failure> {
    match policies::instead(exchange, AnsweredBy::Upstream)? {
        None => {}
        Some(Instead::Path(path)) => {
            exchange.turn_to(path);
            return Ok(Conversed::Instead);
        }
        Some(Instead::Made(made)) => return reply(exchange, writer, made).await,
    }
    let coder = represent::coder(exchange);
    exchange.write_additions();
    let framing = exchange.heads.response.framing;
    if let Some(made) = last_hook(exchange, AnsweredBy::Upstream)? {
        return replace(exchange, writer, &made.body).await;
    }
    exchange.mark_again();
    let mut keep = exchange.heads.response.keep_alive;
    if has_no_body(exchange.heads.response.status) && framing != Framing::None {
        // A policy made it a status without a body.
        exchange.heads.response.fields.remove(b"content-length");
        exchange.heads.response.framing = Framing::None;
        keep = false;
    }
    let framing = exchange.heads.response.framing;
    let coder = coder.filter(|_| framing != Framing::None);
    if coder.is_some() {
        exchange.heads.response.framing = Framing::Chunked;
    }
    let outgoing = deliver::outgoing(
        exchange.heads.response.framing,
        exchange.heads.request.version,
    );
    announce(&mut exchange.heads.response, outgoing, coder.is_some());
    let fate = if outgoing == Framing::UntilClose {
        Fate::Close
    } else {
        exchange.fate()
    };
    deliver::begin(exchange, writer, fate);
    match coder {
        None => pass(exchange, reader, writer, framing, outgoing).await,
        Some(coder) => encode::pass(exchange, reader, writer, framing, outgoing, coder).await,
    }?;
    Ok(Conversed::Delivered { keep })
}

/// Leaves of `Trailer` what will stand behind the body (RFC 9110 §6.6.2).
fn announce(response: &mut ResponseHead, outgoing: Framing, is_coded: bool) {
    let mut value = Vec::new();
    if !response.fields.joined(b"Trailer", b", ", &mut value) {
        return;
    }
    let passes = |name: &[u8]| !(is_coded && apply::is_untrue(name));
    let announced = chunked::announced(&value, passes).filter(|_| outgoing == Framing::Chunked);
    match announced {
        Some(announced) => response.fields.set(b"Trailer", &announced),
        None => {
            response.fields.remove(b"trailer");
        }
    }
}

/// Passes the body on as it comes.
async fn pass(
    exchange: &mut Exchange,
    reader: &mut Reader,
    writer: &mut Writer,
    framing: Framing,
    outgoing: Framing,
) -> Result<(), Failure> {
    let mut transfer = Transfer::new(framing, outgoing, u64::MAX);
    // Counted on the way: whoever ends the race first, the log tells how far it came.
    poll_fn(|context| {
        let passed = transfer.poll(context, reader, writer);
        exchange.record.bytes_out = transfer.size();
        passed
    })
    .await
    .map_err(TransferError::of_response)
}

/// Asks the policies of the response phase, and then lets go of the snapshot.
fn last_hook(exchange: &mut Exchange, by: AnsweredBy) -> Result<Option<Made>, Failure> {
    let Some(matched) = exchange.matched.clone() else {
        return Ok(None);
    };
    let replacement = policies::response_phase(exchange, &matched, by)?;
    exchange.matched = None;
    Ok(replacement)
}

/// Reads heads until the final one; interim ones go on to those who know them.
async fn final_head(
    exchange: &mut Exchange,
    reader: &mut Reader,
    mut writer: Option<&mut Writer>,
    limits: Limits,
) -> Result<(), Failure> {
    for _ in 0..MAX_INTERIM {
        let answers_head = exchange.heads.request.method == b"HEAD";
        let response = &mut exchange.heads.response;
        let parse = &mut |bytes: &[u8]| response.parse(bytes, limits, answers_head);
        poll_fn(|context| reader.poll_head(context, limits.bytes, parse))
            .await
            .map_err(failure)?;
        match response.status {
            101 if exchange.hop.upgrade.is_some() => return Ok(()),
            101 => {
                return Err(Failure::with(
                    Kind::ResponseMalformed,
                    "101 without being asked",
                ));
            }
            // The gateway has said this one itself.
            100 => {}
            102..=199 if exchange.heads.request.version == Version::Http11 => {
                let Some(writer) = writer.as_mut() else {
                    continue;
                };
                clean(response);
                let out = writer.pending();
                deliver::write_status_line(response.status, &response.reason, out);
                response.fields.write_to(out);
                out.extend_from_slice(b"\r\n");
                writer
                    .flush()
                    .await
                    .map_err(|error| Failure::with(Kind::ClientGone, error.kind().to_string()))?;
            }
            102..=199 => {}
            // As long as nothing was sent to the client, what is wrong with the
            // body can still be said with a status.
            _ if response.framing == Framing::Chunked => {
                return chunked::check(reader.buffered())
                    .map_err(|bad| TransferError::Malformed(bad.0).of_response());
            }
            _ => return Ok(()),
        }
    }
    Err(Failure::with(
        Kind::ResponseMalformed,
        "too many interim responses",
    ))
}

fn failure(error: ReadError) -> Failure {
    match error {
        ReadError::Closed => Kind::ConnectionReset.into(),
        ReadError::Incomplete => {
            Failure::with(Kind::ConnectionReset, "closed in the middle of the head")
        }
        ReadError::Io(error) => Failure::with(Kind::ConnectionReset, error.kind().to_string()),
        ReadError::Head(HeadError::TooLarge | HeadError::TooManyFields) => {
            Kind::ResponseHeadTooLarge.into()
        }
        ReadError::Head(error) => Failure::with(Kind::ResponseMalformed, error.words()),
    }
}

/// Removes what is of the upstream's connection (RFC 9110 §7.6.1).
fn clean(head: &mut ResponseHead) {
    let options = head.fields.known(Known::Connection).flat_map(list);
    let listed: Vec<Vec<u8>> = options
        .filter(|option| {
            Known::of(option) == Known::Other && !option.eq_ignore_ascii_case(b"close")
        })
        .map(<[u8]>::to_vec)
        .collect();
    let drops_length = head.status == 204 || head.status < 200;
    head.fields.retain(|known, name, _| match known {
        Known::ContentLength => !drops_length,
        Known::Other => !listed
            .iter()
            .any(|listed| listed.eq_ignore_ascii_case(name)),
        _ => !known.is_hop_by_hop(),
    });
}

/// A policy of an earlier phase answers instead of the upstream: the response
/// phase is asked about it as about any other response.
async fn reply(
    exchange: &mut Exchange,
    writer: &mut Writer,
    made: Made,
) -> Result<Conversed, Failure> {
    exchange.take_made(&made);
    let replacement = last_hook(exchange, AnsweredBy::Policy)?;
    let made = replacement.unwrap_or(made);
    replace(exchange, writer, &made.body).await
}

/// A policy's response takes the place of the upstream's, whose body is not
/// read: its connection is closed.
async fn replace(
    exchange: &mut Exchange,
    writer: &mut Writer,
    body: &[u8],
) -> Result<Conversed, Failure> {
    exchange.record.answered_by = Some(AnsweredBy::Policy);
    let fate = exchange.fate();
    let response = &mut exchange.heads.response;
    response.framing = Framing::None;
    if !has_no_body(response.status) {
        let length = itoa::Buffer::new().format(body.len()).to_owned();
        response.fields.set(b"Content-Length", length.as_bytes());
    }
    let has_body = !has_no_body(response.status) && exchange.heads.request.method != b"HEAD";
    deliver::begin(exchange, writer, fate);
    if has_body {
        exchange.record.bytes_out = body.len() as u64;
        writer.pending().extend_from_slice(body);
    }
    writer
        .flush()
        .await
        .map_err(|error| Failure::with(Kind::ClientGone, error.kind().to_string()))?;
    Ok(Conversed::Delivered { keep: false })
}

/// Passes `101` on. `Connection` and `Upgrade` are of this hop, so they are
/// written anew.
async fn switch(exchange: &mut Exchange, writer: &mut Writer) -> Result<Conversed, Failure> {
    let response = &mut exchange.heads.response;
    let protocol = response
        .fields
        .known(Known::Upgrade)
        .next()
        .map(<[u8]>::to_vec);
    let protocol = protocol
        .or_else(|| exchange.hop.upgrade.clone())
        .unwrap_or_default();
    clean(response);
    if let Some(made) = last_hook(exchange, AnsweredBy::Upstream)? {
        return replace(exchange, writer, &made.body).await;
    }
    let response = &mut exchange.heads.response;
    response.status = 101;
    response.fields.append(b"Connection", b"upgrade");
    response.fields.append(b"Upgrade", &protocol);
    exchange.has_begun = true;
    exchange.record.status = Some(101);
    let out = writer.pending();
    deliver::write_status_line(101, &response.reason, out);
    response.fields.write_to(out);
    out.extend_from_slice(b"\r\n");
    writer
        .flush()
        .await
        .map_err(|error| Failure::with(Kind::ClientGone, error.kind().to_string()))?;
    Ok(Conversed::Switch)
}
