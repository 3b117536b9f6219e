//! The life of a request: the only file that names all of its steps.
//!
//! [`run`] reads from top to bottom in the order in which things happen. Each step is a call
//! into the file of that name, and no step calls back into this one. A target only returns
//! an [`Answer`]; everything after that is the same for all targets.

use std::ops::ControlFlow;
use std::rc::Rc;

use janua_http::Failure;
use janua_http::failure::Kind;

use crate::answer::{Answer, Body};
use crate::decide::{Decision, decide};
use crate::deliver;
use crate::downstream::Downstream;
use crate::exchange::{Counted, Exchange};
use crate::facts::AnsweredBy;
use crate::failed;
use crate::policies::{self, Carry, Instead};
use crate::receive;
use crate::represent::{self, Form};
use crate::responder::{Fate, Responder};
use crate::session::Session;
use crate::target;
use crate::worker::Worker;

/// Receives a request and answers it.
pub(crate) async fn run(session: &mut Session, worker: &Rc<Worker>) -> Fate {
    let mut counted = Counted::new(session, worker);
    let exchange = &mut counted.exchange;
    let received = receive::receive(exchange, session).await;
    let mut client = Downstream {
        incoming: &mut session.incoming,
        responder: Responder::new(&mut session.outgoing, &exchange.heads.request),
        deadline: &mut session.deadline,
    };
    let is_request = received.is_ok();
    let form = match received {
        Ok(receive::Received::Request) => {
            let form = answer(exchange, &mut client).await;
            form.and_then(|form| check_protocol(exchange, form))
        }
        Ok(receive::Received::Nothing) => return Fate::Close,
        Err(failure) => Err(failure),
    };
    let fate = match form.or_else(|failure| tell(exchange, &failure)) {
        Ok(form) => deliver::deliver(exchange, client, form).await,
        Err(_) => Fate::Abort,
    };
    // Over HTTP/2 the task of the connection sends what is queued. It does so before policies are
    // asked about the end of the exchange, so that the client does not wait for them.
    if counted.exchange.is_asked_at_end() && session.outgoing.writer.is_stream() {
        tokio::task::yield_now().await;
    }
    // After bytes that are not a valid request, it is not known where the next one begins.
    if is_request { fate } else { Fate::Close }
}

/// A client of HTTP/2 that asked for another protocol takes each 2xx for its beginning
/// (RFC 8441 §5), so that such a response of HTTP would be misunderstood.
fn check_protocol(exchange: &Exchange, form: Form) -> Result<Form, Failure> {
    let asked = exchange.heads.request.protocol.is_some();
    let is_success = matches!(exchange.heads.response.status, 200..=299);
    if asked && is_success && !matches!(form, Form::Switched(_)) {
        let words = "the response does not switch to the protocol that the client asked for";
        return Err(Failure::with(Kind::ResponseMalformed, words));
    }
    Ok(form)
}

/// Produces the response to a request whose head was received.
async fn answer(exchange: &mut Exchange, client: &mut Downstream<'_>) -> Result<Form, Failure> {
    let matched = match decide(exchange, client, Carry::Out)? {
        Decision::Target(matched) => matched,
        Decision::Answer(made, by) => {
            let answer = Answer::made(exchange, made, by);
            return complete(exchange, answer);
        }
    };
    loop {
        let answer = target::answer(exchange, client, &matched).await?;
        if let ControlFlow::Break(answer) = review(exchange, client, answer)? {
            return complete(exchange, answer);
        }
    }
}

/// Asks the policies of the phases `fetched` and `missing` about an answer of the target.
/// `Continue` means that the target must be asked again: a policy has chosen another path,
/// which is in the head of the request now.
fn review(
    exchange: &mut Exchange,
    client: &Downstream<'_>,
    answer: Answer,
) -> Result<ControlFlow<Answer>, Failure> {
    let Answer { by, body, is_fresh } = answer;
    if is_fresh && let Some(made) = policies::fetched_phase(exchange, by)? {
        let answer = Answer::made(exchange, made, AnsweredBy::Policy);
        return Ok(ControlFlow::Break(answer));
    }
    let is_of_target = matches!(body, Body::Passing(_) | Body::Stored(_) | Body::Missing(_));
    // The body of the request, if it has one, has been sent and cannot be sent again.
    if is_of_target && client.incoming.length().is_empty() {
        let by = match &body {
            Body::Stored(_) => AnsweredBy::Cache,
            _ => by,
        };
        match policies::missing_phase(exchange, by)? {
            None => {}
            Some(Instead::Path(path)) => {
                exchange.change_path(path);
                return Ok(ControlFlow::Continue(()));
            }
            Some(Instead::Made(made)) => {
                let answer = Answer::made(exchange, made, AnsweredBy::Policy);
                return Ok(ControlFlow::Break(answer));
            }
        }
    }
    match body {
        Body::Missing(failure) => Err(failure),
        body => Ok(ControlFlow::Break(Answer::settled(by, body))),
    }
}

/// Chooses the form in which the client gets the answer, and asks the policies of the phase
/// `response`, which may replace it. Afterwards the exchange no longer holds the snapshot.
fn complete(exchange: &mut Exchange, answer: Answer) -> Result<Form, Failure> {
    let mut form = represent::represent(exchange, answer.body)?;
    exchange.record.answered_by = Some(answer.by);
    let Some(matched) = exchange.matched.clone() else {
        exchange.add_default_headers();
        return Ok(form);
    };
    if let Some(made) = policies::response_phase(exchange, &matched, answer.by)? {
        form = Form::Content(made.body.into());
        exchange.record.answered_by = Some(AnsweredBy::Policy);
    }
    let route = matched.route();
    let to = exchange.chosen.and_then(|chosen| route.to(chosen));
    let of_upstream = to.and_then(|to| to.response_head.as_ref());
    for edits in route.response_head.iter().chain(of_upstream) {
        let by = exchange.record.answered_by.unwrap_or(answer.by);
        exchange.edit_response(edits, by)?;
    }
    exchange.restore_coding_fields();
    exchange.matched = None;
    Ok(form)
}

/// Produces the response that tells the client about a failure.
///
/// # Errors
/// The client has gone away, so there is nobody to tell.
fn tell(exchange: &mut Exchange, failure: &Failure) -> Result<Form, Failure> {
    exchange.record.fail(failure);
    if failure.kind == Kind::ClientGone {
        return Err(failure.clone());
    }
    failure_response(exchange, failure).or_else(|second| {
        // A policy of the response phase has failed, or the head has become too large. What
        // failed is left out the second time, which therefore succeeds.
        exchange.record.fail(&second);
        failure_response(exchange, &second)
    })
}

fn failure_response(exchange: &mut Exchange, failure: &Failure) -> Result<Form, Failure> {
    let made = failed::made_of(
        failure,
        &exchange.heads.request,
        exchange.grpc_web,
        &exchange.request_id,
    );
    let answer = Answer::made(exchange, made, AnsweredBy::Gateway);
    complete(exchange, answer)
}
