//! Fetches a response for the cache: sends a request without a body, and reads
//! the head of what comes back. No client takes part, so none can hold it up
//! or end it.

use janua_http::Failure;
use janua_http::failure::Kind;

use crate::attempt::{self, Attempt, Open, Progress};
use crate::body::Trailers;
use crate::converse;
use crate::course::Course;
use crate::exchange::Exchange;
use crate::request_head;

/// Sends the request that stands in the exchange. Afterwards the response's
/// head stands there too, and its body is still to be read.
///
/// # Errors
/// The failure of the last attempt.
pub(crate) async fn fetch(exchange: &mut Exchange, course: &Course) -> Result<Open, Failure> {
    attempt::attempts(exchange, course, async |exchange, open| {
        attempt(exchange, course, open).await
    })
    .await
}

async fn attempt(exchange: &mut Exchange, course: &Course, mut open: Open) -> Attempt<Open> {
    let forwarding = course.forwarding();
    let connection = &mut open.connection;
    request_head::write(
        exchange,
        course,
        forwarding.stats.endpoint(open.picked.index),
        &Trailers::Drop,
        connection.writer.pending(),
    );
    exchange.record.begin_upstream();
    let received_before = connection.reader.received();
    let sent_before = connection.writer.sent();
    let talking = async {
        // An upstream that takes no more may have answered before it closed:
        // what there is to read tells.
        let _ = connection.writer.flush().await;
        converse::head(exchange, &mut connection.reader, None, course, &open.picked).await
    };
    let talked = tokio::time::timeout(forwarding.response_head_timeout, talking).await;
    let failure = match talked {
        Ok(Ok(())) => return Attempt::Done(open),
        Ok(Err(failure)) => failure,
        Err(_) => Kind::ResponseTimeout.into(),
    };
    let connection = &open.connection;
    let progress = Progress {
        nothing_came: connection.reader.received() == received_before,
        nothing_sent: connection.writer.sent() == sent_before,
    };
    attempt::judge(exchange, course, &open, failure, &progress)
}
