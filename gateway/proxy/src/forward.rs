//! The target `upstream`, without a cache: sends the request and delivers what
//! comes back as it comes.

use janua_http::failure::Kind;
use janua_http::{Failure, Framing};

use crate::attempt::{self, Attempt, Open, Progress};
use crate::body::{Trailers, Transfer};
use crate::client::Client;
use crate::converse::{self, Conversed};
use crate::course::Course;
use crate::deliver;
use crate::exchange::{Body, Exchange, Fate, Turn};
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
    course: &Course,
) -> Result<Turn, Failure> {
    attempt::attempts(exchange, course, async |exchange, open| {
        attempt(exchange, client, course, open).await
    })
    .await
}

/// Delivers a response whose head stands in the exchange already and whose
/// body is still to be read; the request had none.
///
/// # Errors
/// The upstream's failure or a policy's, or a client that does not take it.
pub(crate) async fn resume(
    exchange: &mut Exchange,
    client: &mut Client,
    course: &Course,
    mut open: Open,
) -> Result<Turn, Failure> {
    let connection = &mut open.connection;
    let mut upload = Upload::new(
        &mut client.reader,
        &mut connection.writer,
        Transfer::new(Framing::None, Framing::None, 0),
    );
    let pace = Pace::of_body(course.idle_timeout);
    let delivering = converse::body(exchange, &mut connection.reader, &mut client.writer);
    let raced = race::race(&mut client.deadline, &pace, &mut upload, delivering).await;
    let way = Way::of(&upload);
    exchange.body = Body::Read;
    match end(exchange, client, course, open, raced, way).await {
        Ended::Turn(turn) => Ok(turn),
        Ended::Failed(failure, open) => {
            attempt::report(exchange, course.forwarding(), &open.picked, &failure);
            Err(failure)
        }
    }
}

/// Sends the request over a connection and delivers what comes back.
async fn attempt(
    exchange: &mut Exchange,
    client: &mut Client,
    course: &Course,
    mut open: Open,
) -> Attempt<Turn> {
    let forwarding = course.forwarding();
    if exchange.heads.request.expects_continue && !exchange.heads.request.framing.is_empty() {
        exchange.heads.request.expects_continue = false;
        client
            .writer
            .pending()
            .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        if deliver::flush(client).await.is_err() {
            return Attempt::Failed(Kind::ClientGone.into());
        }
        // That may have taken a while, in which the upstream was not looked at.
        if let Err(failure) = attempt::look(exchange, forwarding, &open) {
            let nothing = Progress {
                nothing_came: true,
                nothing_sent: true,
            };
            return attempt::judge(exchange, course, &open, failure, &nothing);
        }
    }
    let framing = exchange.heads.request.framing;
    let trailers = trailers(exchange, framing);
    let connection = &mut open.connection;
    request_head::write(
        exchange,
        course,
        forwarding.stats.endpoint(open.picked.index),
        &trailers,
        connection.writer.pending(),
    );
    exchange.record.begin_upstream();
    let received_before = connection.reader.received();
    let sent_before = connection.writer.sent();
    let limit = exchange
        .terms
        .as_ref()
        .map_or(u64::MAX, |terms| terms.max_body);
    let transfer = Transfer::new(framing, framing, limit).with_trailers(trailers);
    let mut upload = Upload::new(&mut client.reader, &mut connection.writer, transfer);
    let pace = Pace::until_head(forwarding.response_head_timeout);
    let conversing = converse::converse(
        exchange,
        &mut connection.reader,
        &mut client.writer,
        course,
        &open.picked,
        &pace,
    );
    let raced = race::race(&mut client.deadline, &pace, &mut upload, conversing).await;
    let way = Way::of(&upload);
    exchange.record.bytes_in = upload.size();
    exchange.body = upload.body();
    let (failure, open) = match end(exchange, client, course, open, raced, way).await {
        Ended::Turn(turn) => return Attempt::Done(turn),
        Ended::Failed(failure, open) => (failure, open),
    };
    let connection = &open.connection;
    let untouched = framing.is_empty() || exchange.record.bytes_in == 0;
    let progress = Progress {
        nothing_came: connection.reader.received() == received_before,
        nothing_sent: connection.writer.sent() == sent_before && untouched,
    };
    attempt::judge(exchange, course, &open, failure, &progress)
}

/// Which trailers the upstream gets. What the gateway sets in the head itself
/// would count for more behind the body.
fn trailers(exchange: &Exchange, framing: Framing) -> Trailers {
    match &exchange.terms {
        Some(terms) if framing == Framing::Chunked && !terms.drops_trailers => {
            Trailers::PassBut(terms.request_id_header.clone())
        }
        _ => Trailers::Drop,
    }
}

/// How far the request had come when the race ended.
struct Way {
    /// All of it was read and sent.
    uploaded: bool,
    /// The upstream had not taken all that was read.
    stalls: bool,
    /// The client had closed its side.
    is_half_closed: bool,
}

impl Way {
    fn of(upload: &Upload<'_>) -> Self {
        Self {
            uploaded: upload.is_done(),
            stalls: upload.backlog() > 0,
            is_half_closed: upload.is_half_closed(),
        }
    }
}

enum Ended {
    Turn(Turn),
    Failed(Failure, Open),
}

/// What the end of the race means for both connections.
async fn end(
    exchange: &mut Exchange,
    client: &mut Client,
    course: &Course,
    open: Open,
    raced: Raced<Result<Conversed, Failure>>,
    way: Way,
) -> Ended {
    let failure = match raced {
        Raced::Main(Ok(Conversed::Switch)) => {
            let fate = tunnel::tunnel(exchange, client, open.connection, course.idle_timeout).await;
            drop(open.picked);
            return Ended::Turn(Turn::Done(fate));
        }
        Raced::Main(Ok(Conversed::Instead)) => return Ended::Turn(Turn::Instead),
        Raced::Main(Ok(Conversed::Delivered { keep })) => {
            if keep && way.uploaded {
                attempt::put(exchange, course.forwarding(), open);
            }
            exchange.record.end_upstream();
            let fate = exchange.fate();
            let reusable = way.uploaded && !way.is_half_closed && exchange.delivers_keep_alive();
            return Ended::Turn(Turn::Done(if reusable { fate } else { Fate::Close }));
        }
        Raced::Main(Err(failure)) | Raced::Side(failure) => failure,
        Raced::Elapsed { capped } => elapsed(
            capped,
            way.uploaded || way.stalls,
            exchange.has_begun,
            client.writer.backlog() > 0,
        ),
    };
    Ended::Failed(failure, open)
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
