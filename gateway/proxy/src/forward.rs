//! The target `upstream`, without a cache: sends the request and delivers what
//! comes back as it comes.

use std::cell::Cell;

use janua_http::failure::Kind;
use janua_http::{Failure, Framing};

use crate::attempt::{self, Attempt, Open, Progress};
use crate::body::Transfer;
use crate::client::Client;
use crate::converse::{self, Conversed};
use crate::course::Course;
use crate::deliver;
use crate::exchange::{Exchange, Fate};
use crate::race::{self, Pace, Raced, Upload};
use crate::request_head;
use crate::tunnel;

/// Forwards the request and delivers the response.
///
/// # Errors
/// The failure of the last attempt, if nothing was delivered yet.
pub(crate) async fn forward(
    exchange: &mut Exchange,
    client: &mut Client,
    course: Course,
) -> Result<Fate, Failure> {
    attempt::attempts(exchange, &course, async |exchange, open| {
        attempt(exchange, client, &course, open).await
    })
    .await
}

/// Sends the request over a connection and delivers what comes back.
async fn attempt(
    exchange: &mut Exchange,
    client: &mut Client,
    course: &Course,
    mut open: Open,
) -> Attempt<Fate> {
    let forwarding = course.forwarding();
    let connection = &mut open.connection;
    request_head::write(
        exchange,
        course,
        forwarding.stats.endpoint(open.picked.index),
        connection.writer.pending(),
    );
    if exchange.heads.request.expects_continue && !exchange.heads.request.framing.is_empty() {
        exchange.heads.request.expects_continue = false;
        client
            .writer
            .pending()
            .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        if deliver::flush(client).await.is_err() {
            return Attempt::Failed(Kind::ClientGone.into());
        }
    }
    exchange.record.begin_upstream();
    let received_before = connection.reader.received();
    let sent_before = connection.writer.sent();
    let framing = exchange.heads.request.framing;
    let limit = exchange
        .terms
        .as_ref()
        .map_or(u64::MAX, |terms| terms.max_body);
    let mut upload = Upload::new(
        &mut client.reader,
        &mut connection.writer,
        Transfer::new(framing, framing, limit),
    );
    let pace = Pace {
        patience: Cell::new(forwarding.response_head_timeout),
        awaits_head: Cell::new(true),
    };
    let conversing = converse::converse(
        exchange,
        &mut connection.reader,
        &mut client.writer,
        course,
        &open.picked,
        &pace,
    );
    let raced = race::race(&mut client.deadline, &pace, &mut upload, conversing).await;
    let uploaded = upload.is_done();
    let upstream_stalls = upload.backlog() > 0;
    let is_client_gone = upload.is_half_closed();
    exchange.record.bytes_in = upload.size();
    exchange.body = upload.body();
    let failure = match raced {
        Raced::Main(Ok(Conversed::Switch)) => {
            let fate = tunnel::tunnel(exchange, client, open.connection, course.idle_timeout).await;
            drop(open.picked);
            return Attempt::Done(fate);
        }
        Raced::Main(Ok(Conversed::Delivered { keep })) => {
            if keep && uploaded {
                attempt::put(exchange, forwarding, open);
            }
            exchange.record.end_upstream();
            let fate = exchange.fate();
            let reusable = uploaded && !is_client_gone && exchange.delivers_keep_alive();
            return Attempt::Done(if reusable { fate } else { Fate::Close });
        }
        Raced::Main(Err(failure)) | Raced::Side(failure) => failure,
        Raced::Elapsed { capped } => {
            let backlog = client.writer.backlog() > 0;
            elapsed(
                capped,
                uploaded || upstream_stalls,
                exchange.has_begun,
                backlog,
            )
        }
    };
    let connection = &open.connection;
    let untouched = framing.is_empty() || exchange.record.bytes_in == 0;
    let progress = Progress {
        nothing_came: connection.reader.received() == received_before,
        nothing_sent: connection.writer.sent() == sent_before && untouched,
    };
    attempt::judge(exchange, course, &open, failure, &progress)
}

/// What was waited for when the time was over.
fn elapsed(capped: bool, uploaded: bool, has_begun: bool, client_backlog: bool) -> Failure {
    if capped {
        return Kind::WholeTimeout.into();
    }
    match (has_begun, uploaded) {
        (false, false) => Failure::with(Kind::RequestTimeout, "no progress with the request body"),
        (true, _) if client_backlog => {
            Failure::with(Kind::ClientGone, "stopped reading the response")
        }
        (true, _) => Failure::with(Kind::ResponseTimeout, "no progress with the response body"),
        (false, true) => Kind::ResponseTimeout.into(),
    }
}

impl Exchange {
    /// True if the response told its end by itself, so that the client knows
    /// where the next one begins.
    fn delivers_keep_alive(&self) -> bool {
        let from = self.heads.response.framing;
        deliver::outgoing(from, self.heads.request.version) != Framing::UntilClose
    }
}
